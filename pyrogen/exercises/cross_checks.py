"""Second opinions: the same questions put to pgmpy and to networkx, by ways that share no step with our own.

pgmpy's traps are stepped around here: observed nodes go in as lists, latent variables count as nodes, and pgmpy has no
separation in undirected graphs. So it is asked about a directed graph that says the same: each edge a – b becomes an
observed collider a → e ← b, through which influence passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from pyrogen.exercises.random_networks import Draws
from pyrogen.graphs.inference.dependence import EPSILON, terms
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.validation import Graph, Node

Triple = tuple[Node, Node, frozenset[Node]]

SUBSETS = 2**14  # subsets of nodes looked at in a search for cliques
STATEMENTS = 12_000  # independences looked at in a comparison of two graphs


def by_pgmpy(graph: Graph) -> Any:
    """Return the graph as pgmpy's DAG or UndirectedGraph, tables left out."""
    from pgmpy.base import DAG, UndirectedGraph

    return graph_of(DAG if graph.is_directed() else UndirectedGraph, graph, graph.edges())


def by_networkx(graph: Graph) -> Any:
    """Return the graph as networkx's DiGraph or Graph."""
    import networkx as nx

    return graph_of(nx.DiGraph if graph.is_directed() else nx.Graph, graph, graph.edges())


def pgmpy_reached(graph: Graph, x: Node, given: Iterable[Node]) -> set[Node]:
    """Return the nodes that pgmpy finds dependent on x given these; of a directed or an undirected graph of pgmpy."""
    observed = list(given)
    if not graph.is_directed():
        observed += [("edge", number) for number in range(graph.number_of_edges())]
        graph = _with_colliders(graph)
    return set(graph.active_trail_nodes([x], observed=observed, include_latents=True)[x])


def pgmpy_separated(graph: Graph, x: Iterable[Node], y: Iterable[Node], given: Sequence[Node]) -> bool:
    """Return whether pgmpy finds no node of y dependent on one of x."""
    ends = set(y)
    return not any(ends & pgmpy_reached(graph, node, given) for node in x)


def networkx_separated(graph: Graph, x: Iterable[Node], y: Iterable[Node], given: Iterable[Node]) -> bool:
    """networkx's d-separation, or for an undirected graph its components once the observed nodes are taken out."""
    import networkx as nx

    xs, ys, zs = set(x), set(y), set(given)
    if graph.is_directed():
        return bool(nx.is_d_separator(graph, xs, ys, zs))
    rest = graph.subgraph(set(graph) - zs)
    return not any(component & xs and component & ys for component in nx.connected_components(rest))


def pgmpy_cliques(graph: Graph) -> set[frozenset[Node]] | None:
    """Return the sets that pgmpy calls a clique and that no node can join, of all subsets; None for more than 14
    nodes."""
    if 2 ** len(graph) > SUBSETS:
        return None
    found: set[frozenset[Node]] = set()
    for size in range(len(graph), 0, -1):
        for nodes in map(frozenset, combinations(graph, size)):
            if not any(nodes < larger for larger in found) and graph.is_clique(nodes):
                found.add(nodes)
    return found


def networkx_cliques(graph: Graph) -> set[frozenset[Node]]:
    """Return the maximal cliques by networkx."""
    import networkx as nx

    return set(map(frozenset, nx.find_cliques(graph)))


def statements(graph: Graph) -> list[Triple] | None:
    """Return every x, y and given over single nodes x and y of a graph; None if there are more than 12,000."""
    n = len(graph)
    if n > 30 or n * (n - 1) // 2 * 2 ** max(n - 2, 0) > STATEMENTS:
        return None
    found = []
    for x, y in combinations(graph, 2):
        rest = [node for node in graph if node not in (x, y)]
        found += [(x, y, frozenset(given)) for size in range(len(rest) + 1) for given in combinations(rest, size)]
    return found


def basis(graph: Graph) -> list[Triple] | None:
    """Independences of a graph that imply all that it asserts; None if they are more than 12,000.

    Of a directed graph each node of each earlier one given its parents, of an undirected one each two nodes that are
    not joined given all others.
    """
    import networkx as nx

    nodes = list(nx.topological_sort(graph)) if graph.is_directed() else list(graph)
    if len(nodes) * (len(nodes) - 1) // 2 > STATEMENTS:
        return None
    found = []
    for place, node in enumerate(nodes):
        for other in nodes[:place]:
            if not graph.has_edge(other, node):
                given = graph.predecessors(node) if graph.is_directed() else set(nodes) - {node, other}
                found.append((node, other, frozenset(given)))
    return found


def pgmpy_asserts(graph: Graph, triples: Iterable[Triple]) -> Iterator[bool]:
    """Of each statement whether the graph asserts it, by pgmpy."""
    graph = by_pgmpy(graph)
    reached: dict[tuple[Node, frozenset[Node]], set[Node]] = {}
    for x, y, given in triples:
        if (x, given) not in reached:
            reached[x, given] = pgmpy_reached(graph, x, given)
        yield y not in reached[x, given]


def networkx_asserts(graph: Graph, triples: Iterable[Triple]) -> Iterator[bool]:
    """Of each statement whether the graph asserts it, by networkx."""
    graph = by_networkx(graph)
    return (networkx_separated(graph, [x], [y], given) for x, y, given in triples)


def decomposes(draws: Draws) -> bool | None:
    """Return whether p = Π p(clique) / Π p(separator) in random networks on an undirected graph; None if it is large.

    The cliques hang on a spanning tree with the largest separators there are. The product is p for a chordal graph, and
    for no other (Lauritzen, Graphical Models, 1996, proposition 2.5 and section 4.4). Logarithms are compared, with the
    rounding that they can have.
    """
    import networkx as nx

    if not draws.small:
        return None
    place = {node: axis for axis, node in enumerate(draws.nodes)}
    cliques = networkx_cliques(by_networkx(draws.graph))
    links = ((a, b, {"weight": len(a & b)}) for a, b in combinations(cliques, 2))
    tree = nx.maximum_spanning_tree(graph_of(nx.Graph, cliques, links))
    parts = [(1, clique) for clique in tree] + [(-1, a & b) for a, b in tree.edges]
    for joint in draws.joints():
        log, size = np.log(joint), len(parts)
        for sign, part in parts:
            gone = tuple(axis for node, axis in place.items() if node not in part)
            log = log - sign * np.log(joint.sum(gone, keepdims=True))
        off = (size + 1) * EPSILON * (terms(draws.networks[0]) + size + 2 * float(np.abs(np.log(joint)).max()))
        if np.abs(log).max() > off:
            return False
    return True


def _with_colliders(graph: Graph) -> Any:
    from pgmpy.base import DAG

    return graph_of(DAG, graph, ((end, ("edge", number)) for number, edge in enumerate(graph.edges) for end in edge))
