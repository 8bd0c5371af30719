"""Graphs made of nodes and edges, in the class that is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyrogen.graphs.structure.validation import Graph, Node


def graph_of(kind: type[Any], nodes: Iterable[Node], edges: Iterable[Any] = ()) -> Graph:
    """Return a graph of a class of networkx or pgmpy, with these nodes in this order, and these edges.

    Example:
        >>> import networkx as nx
        >>> list(graph_of(nx.Graph, ["B", "A"], [("A", "B")]))
        ['B', 'A']
    """
    graph = kind()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    return graph
