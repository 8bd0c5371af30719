"""The kinds of claims, judged: one kind of evidence a file."""
