"""From a directed graph to an undirected one: marry the parents of each common child, and drop the arrows.

The moral graph asserts only independences of the directed graph, and every edge of it is needed. A node's neighbors in
it are the node's Markov blanket: given these, the node is independent of all others.

Source: Koller & Friedman, Probabilistic Graphical Models, 2009, section 4.5.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.validation import Graph, Node

N = TypeVar("N", bound=Node)


def markov_blanket(graph: Graph, v: Node) -> frozenset[Node]:
    """Return the smallest set given which v is independent of all other nodes.

    In a directed graph these are the parents, the children and the children's other parents of v; in an undirected one
    its neighbors.

    Args:
        graph: a graph of pgmpy or networkx. Latent variables are nodes like all others.
        v: the name of one node.

    Raises:
        TypeError, ValueError: for another kind of value, a cycle, an empty graph, or an unknown name.

    Example:
        >>> import networkx as nx
        >>> sorted(markov_blanket(nx.DiGraph([("A", "C"), ("B", "C"), ("C", "D")]), "A"))
        ['B', 'C']
    """
    v = validation.name(validation.either(graph), v, "v")
    if not graph.is_directed():
        return frozenset(graph.neighbors(v))
    children = set(graph.successors(v))
    others = {parent for child in children for parent in graph.predecessors(child)}
    return frozenset({*graph.predecessors(v), *children, *others} - {v})


def moral_graph(dag: Graph) -> Graph:
    """Return the moral graph, a pgmpy UndirectedGraph over the same nodes: the unique minimal undirected I-map of
    `dag`.

    a – b if and only if a → b, a ← b, or both are parents of one child.

    Args:
        dag: a pgmpy DAG or Bayesian network, or a networkx DiGraph. Latent variables are nodes like all others.

    Raises:
        TypeError, ValueError: for another kind of graph or value, a cycle, or an empty graph.

    Example:
        >>> import networkx as nx
        >>> sorted(moral_graph(nx.DiGraph([("A", "C"), ("B", "C"), ("C", "D")])).edges)
        [('A', 'B'), ('A', 'C'), ('C', 'B'), ('C', 'D')]
    """
    from pgmpy.base import UndirectedGraph

    neighbors = marry(validation.directed(dag), dag)
    return graph_of(UndirectedGraph, neighbors, ((node, other) for node in neighbors for other in neighbors[node]))


def marry(dag: Graph, among: Iterable[Node]) -> dict[Node, list[Node]]:
    """Return the neighbors of each node in the moral graph of the nodes `among`, in their order.

    With a node, all its parents must be among them. Nothing is checked.
    """
    place = {node: number for number, node in enumerate(among)}
    joined = neighbors([node, *dag.predecessors(node)] for node in place)
    return {node: sorted(joined[node], key=place.__getitem__) for node in place}


def neighbors(scopes: Iterable[Sequence[N]]) -> dict[N, set[N]]:
    """Return the nodes that share a scope with each node."""
    near: dict[N, set[N]] = {}
    for scope in scopes:
        for node in scope:
            near.setdefault(node, set()).update(scope)
    for node, others in near.items():
        others.discard(node)
    return near
