"""Exact answers from the tables of a discrete network."""
