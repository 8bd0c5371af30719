"""Graphs made of nodes and edges, in the class that is wanted, and pgmpy's networks made of graphs and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Graph, Node, State


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


def bayesian_network(nodes: Iterable[Node], arrows: Iterable[tuple[Node, Node]]) -> Any:
    """Return a DiscreteBayesianNetwork without tables. Its arrows are checked at once; pgmpy checks one by one.

    Raises:
        ValueError: for a cycle, and for no nodes.
    """
    import networkx as nx
    from pgmpy.models import DiscreteBayesianNetwork

    plain = validation.directed(graph_of(nx.DiGraph, nodes, arrows))
    network = DiscreteBayesianNetwork()
    network.add_nodes_from(plain)
    nx.DiGraph.add_edges_from(network, plain.edges, weight=None)
    return network


def conditional_table(node: Node, parents: Sequence[Node], values: Any, states: Mapping[Any, Sequence[State]]) -> Any:
    """Return a TabularCPD.

    Args:
        node: whose table it is.
        parents: in the order of the table.
        values: own states by the joint states of the parents, the last parent's running fastest.
        states: those of the node and its parents; others are left out.
    """
    from pgmpy.factors.discrete import TabularCPD

    known = {name: list(states[name]) for name in (node, *parents)}
    sizes = [len(known[parent]) for parent in parents]
    return TabularCPD(node, len(known[node]), values, list(parents) or None, sizes or None, state_names=known)
