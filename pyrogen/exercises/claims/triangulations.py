"""Claims on triangulations: the fill-in of an elimination order, and the treewidth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations, permutations
from typing import Any

from pyrogen.exercises import explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, answered
from pyrogen.exercises.results import Row
from pyrogen.graphs.structure.validation import Node

NODES = 14  # of the largest graph whose treewidth is computed
ORDERS = 8  # nodes of the largest graph all of whose elimination orders are tried

Edges = set[frozenset[Any]]


def check_fill_in(claim: dict[str, Any], network: Any) -> None:
    """Check the order, and the edges or their number stated."""
    claim["order"] = schema.names(network, claim["order"], "order")
    if sorted(claim["order"], key=str) != sorted(network, key=str):
        raise ValueError('"order" must name each node once')
    if isinstance(claim["stated"], list):
        claim["stated"] = schema.groups(network, claim["stated"], "stated", 2, f"a number or {schema.EDGES}")
    elif claim["stated"] is not None:
        schema.count(claim["stated"], "stated", 0)


def fill_in(subject: Subject, claim: Claim) -> Row:
    """Return the edges that eliminating the nodes in an order adds."""
    order = claim["order"]
    steps = eliminated(subject.networkx, order)
    found = {frozenset(pair) for _, _, pairs in steps for pair in pairs}
    ways: dict[str, Any] = {"pyrogen": found, "paths": _by_paths(subject.networkx, order)}
    lines = [
        f"{node}: its neighbors {', '.join(explanations.edge(*pair) for pair in pairs)} are joined"
        for node, _, pairs in steps
        if pairs
    ]
    stated = claim["stated"]
    pairs = [explanations.edge(*subject.order(pair)) for pair in sorted(found, key=lambda p: sorted(map(str, p)))]
    drawn = ", ".join(pairs) or "none"
    if isinstance(stated, int):
        shown, computed, agrees = str(stated), str(len(found)), stated == len(found)
        reason = f"{len(found)} edges are added: {drawn}"
    else:
        shown, computed = ", ".join(explanations.edge(*pair) for pair in stated or ()) or "none", drawn
        named = {frozenset(pair) for pair in stated or ()}
        missing, extra = (
            sorted(explanations.edge(*subject.order(pair)) for pair in some) for some in (found - named, named - found)
        )
        agrees, reason = named == found, explanations.difference(missing, extra, "is not added", "are not added")
    text = f"fill-in of the order {', '.join(map(str, order))}{subject.where}"
    lines = lines or ["no elimination joins two neighbors: the order is perfect"]
    return answered(claim, text, lambda _: shown, computed, agrees, lines, ways, reason)


def check_treewidth(claim: dict[str, Any], network: Any) -> None:
    """Check the size of the graph, and the number stated."""
    if len(network) > NODES:
        raise ValueError(f"the treewidth is computed for at most {NODES} nodes, got {len(network)}")
    if claim["stated"] is not None:
        schema.count(claim["stated"], "stated", 0)


def treewidth(subject: Subject, claim: Claim) -> Row:
    """Return the size of the largest clique of the best triangulation, less one."""
    width, order = _by_subsets(subject.networkx)
    orders = permutations(subject.networkx) if len(subject.networkx) <= ORDERS else ()
    ways: dict[str, Any] = {
        "pyrogen": width,
        "all orders": min((len(_largest_clique(subject.networkx, one)) - 1 for one in orders), default=None),
        "bounds": _by_bounds(subject.networkx),
    }
    largest = subject.named(_largest_clique(subject.networkx, order))
    lines = [f"eliminated in the order {', '.join(map(str, order))}, the largest clique is {largest}"]
    reason = f"the best triangulation has a largest clique of {width + 1} nodes"
    if claim["stated"] == width + 1:
        reason += ", and the treewidth is one less"
    text = f"treewidth{subject.where}"
    return answered(claim, text, str, str(width), claim["stated"] == width, lines, ways, reason)


def eliminated(graph: Any, order: Sequence[Node]) -> list[tuple[Node, list[Node], list[tuple[Node, Node]]]]:
    """Return each node of an order, its neighbors as it went, and the pairs of them that had to be joined."""
    left = graph.copy()
    place = {node: number for number, node in enumerate(graph)}
    steps = []
    for node in order:
        neighbors = sorted(left.neighbors(node), key=place.__getitem__)
        pairs = explanations.missing_edges(left, neighbors)
        left.add_edges_from(pairs)
        left.remove_node(node)
        steps.append((node, neighbors, pairs))
    return steps


def _largest_clique(graph: Any, order: Sequence[Node]) -> list[Node]:
    return max(([node, *neighbors] for node, neighbors, _ in eliminated(graph, order)), key=len)


def _by_paths(graph: Any, order: Sequence[Node]) -> Edges:
    """u – v is added if a path joins them whose inner nodes all go before both (Rose, Tarjan and Lueker 1976)."""
    import networkx as nx

    place = {node: number for number, node in enumerate(order)}
    found = set()
    for u, v in combinations(graph, 2):
        first = min(place[u], place[v])
        inner = graph.subgraph([u, v, *(node for node in graph if place[node] < first)])
        if not graph.has_edge(u, v) and nx.has_path(inner, u, v):
            found.add(frozenset((u, v)))
    return found


def _by_subsets(graph: Any) -> tuple[int, list[Node]]:
    """Return the treewidth and an order that has it, by dynamic programming over sets of nodes (Bodlaender et al.
    2006)."""
    neighbors = {node: frozenset(graph.neighbors(node)) for node in graph}

    def reached(node: Node, gone: frozenset[Node]) -> int:
        """Return how many nodes are left that node touches once `gone` are eliminated."""
        seen, todo, touched = {node}, [node], set()
        while todo:
            for other in neighbors[todo.pop()] - seen:
                seen.add(other)
                if other in gone:
                    todo.append(other)
                else:
                    touched.add(other)
        return len(touched)

    @cache
    def best(gone: frozenset[Node]) -> tuple[int, Node | None]:
        if not gone:
            return -1, None
        options = [
            (max(best(gone - {node})[0], reached(node, gone - {node})), number, node)
            for number, node in enumerate(graph)
            if node in gone
        ]
        width, _, node = min(options)
        return width, node

    everything = frozenset(graph)
    width, order, left = best(everything)[0], [], everything
    while left:
        node = best(left)[1]
        order.append(node)
        left -= {node}
    return max(width, 0), order[::-1]


def _by_bounds(graph: Any) -> int | None:
    """networkx's upper bound if the degree bound from below equals it."""
    import networkx as nx
    from networkx.algorithms.approximation import treewidth_min_degree, treewidth_min_fill_in

    upper = min(treewidth_min_degree(graph)[0], treewidth_min_fill_in(graph)[0])
    left, lower = graph.copy(), 0
    while len(left) > 1:  # minor-min-width (Gogate and Dechter 2004)
        node = min(left, key=left.degree)
        lower = max(lower, left.degree(node))
        near = min(left.neighbors(node), key=left.degree, default=None)
        if near is None:
            left.remove_node(node)
        else:
            left = nx.contracted_nodes(left, near, node, self_loops=False)
    return upper if lower == upper else None
