"""Files of pairs and runs: what is written, and what is checked before it is read."""
