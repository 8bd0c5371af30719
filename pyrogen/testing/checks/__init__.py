"""The questions of `pg.testing.check`, one a file."""
