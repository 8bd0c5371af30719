"""From any undirected graph to a tree of cliques: eliminate the nodes one by one, and join the neighbors of each.

Summing a variable out of a product of tables joins all its neighbors in one table. Done on the graph alone, this adds
edges (the *fill-in*) that make it chordal, and its maximal cliques are the tables that exact inference needs. They can
be hung on a tree such that each node's cliques hang together, a *junction tree*. To find the order that adds the fewest
edges is NP-hard. Min-fill, which eliminates next the node that adds the fewest, is a good guess. It adds none to a
chordal graph.

Sources: Koller & Friedman, Probabilistic Graphical Models, 2009, sections 9.4 and 10.4; Blair & Peyton, An introduction
to chordal graphs and clique trees, 1993, https://doi.org/10.1007/978-1-4613-8369-7_1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from math import prod
from typing import Any, Literal, TypeVar, get_args

from pyrogen import checks
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.moral import moral_graph
from pyrogen.graphs.structure.validation import Graph, Node

N = TypeVar("N", bound=Node)
Heuristic = Literal["min_fill", "min_neighbors", "min_weight"]


def elimination_order(
    ug: Graph, heuristic: Heuristic = "min_fill", sizes: Mapping[Node, int] | None = None
) -> tuple[Node, ...]:
    """Return a greedy order in which to eliminate the nodes of an undirected graph; ties go by the graph's own order.

    The next node is the one with the smallest

    - ``"min_fill"``: number of edges that its elimination adds, then of table entries if `sizes` are given (else of
      neighbors);
    - ``"min_neighbors"``: number of neighbors;
    - ``"min_weight"``: number of table entries that its elimination makes, which needs `sizes`.

    Args:
        ug: a pgmpy UndirectedGraph or Markov network, or a networkx Graph.
        heuristic: as above.
        sizes: the number of states of each node.

    Raises:
        TypeError, ValueError: for another kind of graph or value, an empty one, an unknown heuristic, or sizes that are
            wanting or not positive.

    Example:
        >>> import networkx as nx
        >>> elimination_order(nx.Graph([("A", "B"), ("B", "C"), ("C", "D"), ("D", "A"), ("A", "E")]))
        ('E', 'A', 'B', 'C', 'D')
    """
    validation.undirected(ug)
    checks.one_of("heuristic", heuristic, get_args(Heuristic))
    if heuristic == "min_weight" and sizes is None:
        raise ValueError(
            "sizes must be given for heuristic='min_weight', got None: pass the number of states of each node"
        )
    states = _sizes(ug, sizes)
    near = {node: set(ug.neighbors(node)) for node in ug}
    place = {node: number for number, node in enumerate(ug)}
    # fill[v] counts the pairs of neighbors of v that no edge joins; each change of the graph changes it a little.
    fill = {node: sum(len(near[node] - near[other]) - 1 for other in near[node]) // 2 for node in near}

    def entries(node: Node) -> int:
        if sizes is None:
            return len(near[node])
        return prod((states[other] for other in near[node]), start=states[node])  # exact, so that ties are ties

    def cost(node: Node) -> tuple[int, int]:
        return len(near[node]) if heuristic == "min_neighbors" else entries(node), place[node]

    order = []
    while near:
        least = min(fill[node] for node in near) if heuristic == "min_fill" else None
        node = min((node for node in near if least is None or fill[node] == least), key=cost)
        order.append(node)
        for a, b in combinations(near[node], 2):
            if b not in near[a]:
                common = near[a] & near[b]
                for other in common:
                    fill[other] -= 1
                fill[a] += len(near[a]) - len(common)
                fill[b] += len(near[b]) - len(common)
                near[a].add(b)
                near[b].add(a)
        for other in near[node]:  # the neighbors are a clique now: all that `other` has beside them is apart from node
            fill[other] -= len(near[other]) - len(near[node])
            near[other].discard(node)
        del near[node], fill[node]
    return tuple(order)


def triangulate(
    ug: Graph,
    order: Iterable[Node] | None = None,
    heuristic: Heuristic = "min_fill",
    sizes: Mapping[Node, int] | None = None,
) -> Graph:
    """Return a chordal graph, a pgmpy UndirectedGraph, with all nodes and edges of `ug` and the fill-in of an
    elimination.

    With min-fill a chordal graph comes back as it is. Fewer edges might do for others.

    Args:
        ug: a pgmpy UndirectedGraph or Markov network, or a networkx Graph.
        order: the order in which to eliminate, all nodes; None for `elimination_order` with the other arguments.
        heuristic, sizes: as for `elimination_order`; not used if there is an order.

    Raises:
        TypeError, ValueError: as for `elimination_order`; for an order that does not name all nodes once.

    Example:
        >>> import networkx as nx
        >>> square = nx.Graph([("A", "B"), ("B", "C"), ("C", "D"), ("D", "A")])
        >>> sorted(set(triangulate(square).edges) - set(square.edges))
        [('B', 'D')]
    """
    from pgmpy.base import UndirectedGraph

    later = _eliminate(ug, order, heuristic, sizes)
    return graph_of(UndirectedGraph, ug, ((node, other) for node in ug for other in ug if other in later[node]))


def junction_tree(
    graph: Graph,
    order: Iterable[Node] | None = None,
    heuristic: Heuristic = "min_fill",
    sizes: Mapping[Node, int] | None = None,
) -> Graph:
    """Return a junction tree: a networkx Graph whose nodes are the maximal cliques (frozensets) of the triangulated
    graph.

    Each edge has the attribute ``separator``, the frozenset of nodes that its two cliques share, and the cliques that
    hold a given node are joined to each other. A disconnected graph gives a tree for each component.

    Args:
        graph: undirected, or directed, which is made moral first.
        order, heuristic, sizes: as for `triangulate`.

    Raises:
        TypeError, ValueError: as for `triangulate`.

    Example:
        >>> import networkx as nx
        >>> tree = junction_tree(nx.Graph([("A", "B"), ("B", "C"), ("C", "D")]))
        >>> sorted("".join(sorted(clique)) for clique in tree), [*nx.get_edge_attributes(tree, "separator").values()]
        (['AB', 'BC', 'CD'], [frozenset({'B'}), frozenset({'C'})])
    """
    import networkx as nx

    ug = moral_graph(graph) if validation.either(graph).is_directed() else graph
    cliques, parents, _ = clique_tree(_eliminate(ug, order, heuristic, sizes))
    found = list(map(frozenset, cliques))
    links = [(found[above], own) for own, above in zip(found, parents, strict=True) if above >= 0]
    place = {node: number for number, node in enumerate(ug)}
    ordered = sorted(found, key=lambda clique: sorted(place[node] for node in clique))
    return graph_of(nx.Graph, ordered, ((a, b, {"separator": a & b}) for a, b in links))


def clique_tree(later: dict[N, set[N]] | dict[N, frozenset[N]]) -> tuple[list[set[N]], list[int], dict[N, int]]:
    """Return the tree of the maximal cliques of an elimination.

    Args:
        later: the neighbors of each node when it is eliminated, in the order of elimination.

    Returns:
        The cliques, parents before their children; the number of each one's parent, −1 for a root; and for each node
        the number of the clique that it was eliminated in.
    """
    place = {node: number for number, node in enumerate(later)}
    cliques: list[set[N]] = []
    parents: list[int] = []
    home: dict[N, int] = {}
    for node in reversed(later):  # from the last eliminated: those in later[node] have all been here, and are a clique
        rest = later[node]
        # They all lie in the home of the first eliminated among them, as its own elimination joined it to the others.
        above = home[min(rest, key=place.__getitem__)] if rest else -1
        if above >= 0 and len(rest) == len(cliques[above]):
            cliques[above].add(node)
            home[node] = above
            continue
        home[node] = len(cliques)
        cliques.append({node, *rest})
        parents.append(above)
    return cliques, parents, home


def _eliminate(
    ug: Graph, order: Iterable[Node] | None, heuristic: Heuristic, sizes: Mapping[Node, int] | None
) -> dict[Node, set[Node]]:
    """Return the neighbors of each node when it is eliminated, in the order of elimination."""
    if order is None:
        order = elimination_order(ug, heuristic, sizes)
    else:
        order = validation.ordering(validation.undirected(ug), order)
    near: dict[Any, set[Node]] = {node: set(ug.neighbors(node)) for node in ug}
    later = {}
    for node in order:
        later[node] = near[node]
        for other in near[node]:
            near[other] |= near[node]
            near[other] -= {other, node}
    return later


def _sizes(ug: Graph, sizes: Mapping[Node, int] | None) -> dict[Node, int]:
    """Return the number of states of each node, checked; none if none are given."""
    if sizes is None:
        return {}
    if not isinstance(sizes, Mapping):
        raise TypeError(f"sizes must map each node to its number of states, got {type(sizes).__name__}")
    for node in ug:
        if node not in sizes:
            raise ValueError(f"sizes must name all nodes, got none for {node!r}")
    return {node: checks.whole(f"sizes[{node!r}]", sizes[node], least=1) for node in ug}
