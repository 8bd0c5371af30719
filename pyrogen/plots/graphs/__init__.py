"""Figures of graphs: nodes and arrows, and the tables of a network."""
