"""Figures of codes: where they lie, what they cost, what they know."""
