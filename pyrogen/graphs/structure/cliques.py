"""The maximal cliques of an undirected graph, and whether every cycle in it has a chord.

A Markov network is a product of one potential on each maximal clique. A graph is *chordal* when every cycle of four or
more nodes has a chord: an edge between two nodes that are not neighbors on the cycle. Exactly then a directed graph can
assert the same independences.

Sources: Bron & Kerbosch, 1973, https://doi.org/10.1145/362342.362367, with the pivot of Tomita, Tanaka & Takahashi,
2006, https://doi.org/10.1016/j.tcs.2006.06.015; Tarjan & Yannakakis, 1984, https://doi.org/10.1137/0213035.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.separation import path
from pyrogen.graphs.structure.validation import Graph, Node

Cycle = tuple[Node, ...]

LARGEST = 100_000  # cliques that are listed


def maximal_cliques(ug: Graph) -> tuple[frozenset[Node], ...]:
    """Return the cliques that no other node can join, in the graph's own order; a node without neighbors is one.

    A graph may have up to 3^(n/3) of them, so no way to list them is polynomial for every graph; a chordal one has at
    most n.

    Args:
        ug: a pgmpy UndirectedGraph or Markov network, or a networkx Graph.

    Raises:
        TypeError, ValueError: for another kind of graph or value, or an empty one; for more than 100,000 cliques.

    Example:
        >>> import networkx as nx
        >>> ug = nx.Graph([("A", "B"), ("B", "C"), ("C", "A"), ("C", "D")])
        >>> ["".join(sorted(clique)) for clique in maximal_cliques(ug)]
        ['ABC', 'CD']
    """
    near = {node: set(ug.neighbors(node)) for node in validation.undirected(ug)}
    found = []
    # Each entry: a clique, the nodes that may still join it, and those whose cliques have been listed already.
    waiting: list[tuple[frozenset[Node], set[Node], set[Node]]] = [(frozenset(), set(near), set())]
    while waiting:
        clique, joining, listed = waiting.pop()
        if not joining:
            if not listed:
                found.append(clique)
                if len(found) > LARGEST:
                    raise ValueError(f"the graph must have at most {LARGEST:,} maximal cliques to be listed, got more")
            continue
        pivot = max(joining | listed, key=lambda node: len(near[node] & joining))
        for node in joining - near[pivot]:  # a maximal clique without any of these could be joined by the pivot
            waiting.append((clique | {node}, joining & near[node], listed & near[node]))
            joining = joining - {node}
            listed = listed | {node}
    place = {node: number for number, node in enumerate(near)}
    return tuple(sorted(found, key=lambda clique: sorted(place[node] for node in clique)))


def is_chordal(ug: Graph) -> bool:
    """Return whether every cycle of four or more nodes has a chord. Polynomial; `chordless_cycle` shows one that has
    none.

    Args and errors are those of `maximal_cliques`.

    Example:
        >>> import networkx as nx
        >>> is_chordal(nx.cycle_graph(3)), is_chordal(nx.cycle_graph(4))
        (True, False)
    """
    return chordless_cycle(ug) is None


def chordless_cycle(ug: Graph) -> Cycle | None:
    """Return a cycle of four or more nodes without a chord, or None if the graph is chordal.

    The nodes come in the order of the cycle, each once, from the first in the graph's own order. The cycle need not be
    a shortest one.

    Args and errors are those of `maximal_cliques`.

    Example:
        >>> import networkx as nx
        >>> chordless_cycle(nx.Graph([("A", "B"), ("B", "C"), ("C", "D"), ("D", "E"), ("E", "A"), ("E", "B")]))
        ('B', 'C', 'D', 'E')
    """
    order = cardinality_order(validation.undirected(ug))
    place = {node: number for number, node in enumerate(order)}
    for number, v in enumerate(order):
        before = [node for node in ug.neighbors(v) if place[node] < number]
        # It is enough to compare with the neighbor visited last, as its own earlier neighbors passed before.
        last = max(before, key=place.__getitem__, default=None)
        if all(node == last or ug.has_edge(node, last) for node in before):
            continue
        # The nodes up to v induce a graph that is not chordal, and without v one that is: v is on the cycle.
        return _tidy(ug, _through(ug, v, before, order[number + 1 :]))
    return None


def chords(ug: Graph, cycle: Iterable[Node]) -> tuple[tuple[Node, Node], ...]:
    """Return the edges of the graph that join two nodes of a cycle which are not neighbors on it; none if it is
    chordless.

    Args:
        ug: a pgmpy UndirectedGraph or Markov network, or a networkx Graph.
        cycle: its nodes in order, three or more, each once (the first is not repeated at the end).

    Raises:
        ValueError: if these nodes do not make a cycle of the graph.

    Example:
        >>> import networkx as nx
        >>> chords(nx.Graph([("A", "B"), ("B", "C"), ("C", "D"), ("D", "A"), ("A", "C")]), ["A", "B", "C", "D"])
        (('A', 'C'),)
    """
    cycle = validation.members(cycle, "cycle")
    validation.names(validation.undirected(ug), cycle, "cycle")
    if len(cycle) < 3:
        raise ValueError(f"a cycle must have three or more nodes, got {len(cycle)}")
    for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        if not ug.has_edge(a, b):
            raise ValueError(f"a cycle must follow edges of the graph, got {a!r} next to {b!r}, which no edge joins")
    return tuple(
        (a, b)
        for i, a in enumerate(cycle)
        for b in cycle[i + 2 : len(cycle) - (i == 0)]  # the first and the last are neighbors
        if ug.has_edge(a, b)
    )


def cardinality_order(ug: Graph) -> tuple[Node, ...]:
    """Maximum cardinality search: next comes the node with the most neighbors that have come already; unchecked.

    If the graph is chordal, the earlier neighbors of each node in this order are a clique, and only then.
    """
    counts = dict.fromkeys(ug, 0)
    order = []
    while counts:
        node = max(counts, key=counts.__getitem__)  # the first of the best, in the graph's own order
        del counts[node]
        order.append(node)
        for neighbor in ug.neighbors(node):
            if neighbor in counts:
                counts[neighbor] += 1
    return tuple(order)


def _through(ug: Graph, v: Node, around: list[Node], without: Iterable[Node]) -> Cycle:
    """Return a chordless cycle through v in the graph without some nodes; `around` are the neighbors of v there.

    Two of the neighbors that are not joined are next to v on the cycle. The rest is a way from one to the other that
    avoids v and its other neighbors. It is a shortest way, so that no chord is left.
    """
    for a, b in combinations(around, 2):
        if not ug.has_edge(a, b):
            way = path(ug, a, b, given=[v, *without, *(node for node in around if node not in (a, b))])
            if way is not None:
                return (v, *way)
    raise AssertionError("no chordless cycle where there must be one")


def _tidy(ug: Graph, cycle: Cycle) -> Cycle:
    """Return the same cycle from the first of its nodes in the graph's order, and on to the earlier of the two
    neighbors."""
    place = {node: number for number, node in enumerate(ug)}
    start = min(range(len(cycle)), key=lambda i: place[cycle[i]])
    forward = cycle[start:] + cycle[:start]
    backward = (forward[0], *reversed(forward[1:]))
    return min(forward, backward, key=lambda way: place[way[1]])
