"""Guides beside an answer: a known posterior, NUTS, simulations, importance weights."""
