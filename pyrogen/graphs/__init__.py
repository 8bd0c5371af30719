"""Graphical models: what a graph says, whether it is so, and exact answers. Graphs are pgmpy's or networkx's own objects.

A student may start at `pyrogen.graphs.separation`, which asks when two variables of a network are independent.
"""

__all__: list[str] = []
