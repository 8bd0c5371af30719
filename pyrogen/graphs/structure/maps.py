"""Which independences does a graph assert, and are they so in another graph?

A graph asserts x ⊥ y | z whenever it separates x from y given z: by d-separation if it is directed, by cutting all
paths if it is not. A graph is an *I-map* of another over the same nodes if all it asserts holds there. It is *minimal*
if no edge can go, and *perfect* if it asserts all that holds there.

The independences of a graph over n nodes may be as many as n² · 2ⁿ, but a few imply all others, because separation in
any graph is a graphoid. For a directed map these are n: each node is independent of its non-descendants given its
parents. An undirected map has one for each missing edge: its two ends are independent given all other nodes. A directed
graph has that independence exactly if the ends are not joined in its moral graph either. No table is needed.

Sources: Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, chapter 3; Koller & Friedman, Probabilistic
Graphical Models, 2009, sections 3.3, 3.4 and 4.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

from pyrogen import checks
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.cliques import cardinality_order
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.moral import moral_graph
from pyrogen.graphs.structure.separation import asserts, spread, throw
from pyrogen.graphs.structure.validation import Graph, Node


class Independence(NamedTuple):
    """x ⊥ y | given, for two nodes and the observed ones."""

    x: Node
    y: Node
    given: tuple[Node, ...]

    def __str__(self) -> str:
        condition = f" | {', '.join(map(str, self.given))}" if self.given else ""
        return f"{self.x} ⊥ {self.y}{condition}"


def is_i_map(map: Graph, of: Graph) -> bool:
    """Return whether every independence that `map` asserts holds in `of`. Time O(nodes · edges).

    A full graph is an I-map of every graph. Both graphs may be directed or undirected.

    Args:
        map: the graph in question; pgmpy's or networkx's.
        of: the graph that stands for the truth, over the same nodes (in any order).

    Raises:
        TypeError, ValueError: for another kind of value, a cycle, an empty graph, or nodes that differ.

    Example:
        >>> import networkx as nx
        >>> collider, chain = nx.DiGraph([("A", "B"), ("C", "B")]), nx.Graph([("A", "B"), ("B", "C")])
        >>> full = nx.complete_graph(["A", "B", "C"])
        >>> is_i_map(full, of=collider), is_i_map(chain, of=collider), is_i_map(collider, of=chain)
        (True, False, False)
    """
    return disagreement(map, of) is None


def is_perfect_map(map: Graph, of: Graph) -> bool:
    """Return whether `map` and `of` assert the same independences. Arguments and errors are those of `is_i_map`.

    Example:
        >>> import networkx as nx
        >>> chain = nx.DiGraph([("A", "B"), ("B", "C")])
        >>> is_perfect_map(nx.Graph(chain), of=chain), is_perfect_map(nx.Graph([("A", "B"), ("C", "A")]), of=chain)
        (True, False)
    """
    return disagreement(map, of) is None and disagreement(of, map) is None


def disagreement(a: Graph, b: Graph) -> Independence | None:
    """Return an independence that `a` asserts and `b` does not, or None if `b` asserts all that `a` does.

    No observed node in it can be left out alone. Arguments and errors are those of `is_i_map`.

    Example:
        >>> import networkx as nx
        >>> collider = nx.DiGraph([("A", "B"), ("C", "B")])
        >>> print(disagreement(collider, nx.Graph(collider)))
        A ⊥ C
        >>> print(disagreement(nx.Graph(collider), collider))
        A ⊥ C | B
    """
    validation.without_latents(validation.either(a))
    validation.without_latents(validation.either(b))
    validation.same_nodes(a, b)
    found = _local_disagreement(a, b) if a.is_directed() else _pairwise_disagreement(a, b)
    if found is None:
        return None
    x, y, given = found
    left_out = True
    while left_out:
        left_out = False
        for node in given:
            fewer = tuple(other for other in given if other != node)
            if asserts(a, [x], [y], list(fewer)) and not asserts(b, [x], [y], list(fewer)):
                given, left_out = fewer, True
    return Independence(x, y, given)


def minimal_i_map(of: Graph, *, directed: bool, order: Iterable[Node] | None = None) -> Graph:
    """Return an I-map of `of` from which no edge can go, as a pgmpy DAG or UndirectedGraph.

    The undirected one is unique: the moral graph of a directed `of`, and a copy of an undirected one. The directed one
    depends on an order of the nodes: each gets as parents the smallest set of nodes before it that makes it independent
    of all others before it. Time O(nodes · edges).

    Args:
        of: the graph whose independences are to be mapped; pgmpy's or networkx's.
        directed: which kind of map.
        order: for a directed map, all nodes in order, parents before children. For a directed `of`, None is its own
            order, which gives it back. For an undirected `of`, None is the order of a maximum cardinality search, which
            gives a perfect map if `of` is chordal.

    Raises:
        TypeError, ValueError: for another kind of value, a cycle, an empty graph, an order that does not name each node
            once, or an order for an undirected map.

    Example:
        >>> import networkx as nx
        >>> collider = nx.DiGraph([("A", "B"), ("C", "B")])
        >>> list(minimal_i_map(collider, directed=True, order=["A", "B", "C"]).edges)
        [('A', 'B'), ('A', 'C'), ('B', 'C')]
    """
    from pgmpy.base import DAG, UndirectedGraph

    validation.without_latents(validation.either(of))
    if not checks.flag("directed", directed):
        if order is not None:
            raise ValueError("order must be None for an undirected map, got an order")
        if of.is_directed():
            return moral_graph(of)
        return graph_of(UndirectedGraph, of, of.edges())
    order = _causes_first(of) if order is None else validation.ordering(of, order)
    found = graph_of(DAG, of)
    for number, node in enumerate(order):
        before = order[:number]
        # If these are observed, influence from the node comes to those that matter, and no farther.
        reached = _reached(of, node, before)
        found.add_edges_from((parent, node) for parent in before if parent in reached)
    return found


def _local_disagreement(a: Graph, b: Graph) -> Independence | None:
    """Return a node that `a` separates from a non-descendant by its parents, and `b` does not."""
    import networkx as nx

    for node in a:
        later = {node, *nx.descendants(a, node)}
        parents = tuple(other for other in a if a.has_edge(other, node))
        reached = _reached(b, node, parents)
        for other in a:
            if other in reached and other not in later and other not in parents:
                return Independence(node, other, parents)
    return None


def _pairwise_disagreement(a: Graph, b: Graph) -> Independence | None:
    """Two nodes not joined in `a`, so that it separates them by all others, that these do not separate in `b`."""
    joined = moral_graph(b) if b.is_directed() else b
    for x, y in combinations(a, 2):
        if joined.has_edge(x, y) and not a.has_edge(x, y):
            return Independence(x, y, tuple(node for node in a if node not in (x, y)))
    return None


def _reached(graph: Graph, source: Node, observed: Iterable[Node]) -> set[Node]:
    """Return all nodes that influence from `source` comes to, among them observed ones, where it stops or turns."""
    if graph.is_directed():
        return {node for node, _ in throw(graph, [source], observed)}
    return set(spread(graph, [source], observed))


def _causes_first(of: Graph) -> tuple[Node, ...]:
    import networkx as nx

    if not of.is_directed():
        return cardinality_order(of)
    place = {node: number for number, node in enumerate(of)}
    return tuple(nx.lexicographical_topological_sort(of, key=place.__getitem__))
