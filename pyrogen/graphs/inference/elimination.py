"""Variable elimination: one variable after another is removed from the product of the factors that mention it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any

from pyrogen.graphs.inference.calibrated_tree import interaction_graph, rooted_cliques
from pyrogen.graphs.inference.factors import Factor, check_size, entries, product
from pyrogen.graphs.structure.validation import Node


def eliminate(
    factors: Iterable[Factor],
    keep: Iterable[Node],
    sizes: Mapping[Node, int],
    limit: int,
    remove: Callable[[Factor, Node], Factor] = lambda factor, node: factor.sum_out((node,)),
) -> list[Factor]:
    """Factors over `keep` alone, whose product is that of `factors` with all other variables removed (summed out).

    Raises:
        ValueError: if a table on the way would have more than `limit` entries, before any is made.
    """
    left = list(factors)
    keep = set(keep)
    order = elimination_sequence(interaction_graph(left, sizes), keep, sizes)
    scopes = [frozenset(factor.names) for factor in left]
    for node in order:  # the same walk without tables
        joined = frozenset().union(*(scope for scope in scopes if node in scope))
        check_size(f"the table in which {node!r} is eliminated", entries(joined, sizes), limit)
        scopes = [scope for scope in scopes if node not in scope] + [joined - {node}]
    for node in order:
        touched = [factor for factor in left if node in factor.names]
        names = dict.fromkeys(name for factor in touched for name in factor.names)
        left = [factor for factor in left if node not in factor.names]
        left.append(remove(product(touched, tuple(names), sizes), node))
    return left


def elimination_sequence(graph: Any, keep: Iterable[Node], sizes: Mapping[Node, int]) -> list[Node]:
    """An order in which to eliminate all nodes but `keep`, by min-fill.

    Each part that `keep` cuts off is eliminated from the leaves of its junction tree towards a root that holds the kept
    nodes around it, so that no table grows beyond a clique of that tree.
    """
    import networkx as nx

    kept = frozenset(keep)
    places = {node: place for place, node in enumerate(graph)}
    order: list[Node] = []
    parts = nx.connected_components(graph.subgraph([node for node in graph if node not in kept]))
    for part in sorted(parts, key=lambda part: min(places[node] for node in part)):
        border = frozenset(other for node in part for other in graph[node]) & kept
        inside = nx.Graph()
        inside.add_nodes_from(sorted(part | border, key=places.__getitem__))
        inside.add_edges_from(edge for edge in graph.edges(part))
        inside.add_edges_from(combinations(border, 2))
        cliques = rooted_cliques(inside, sizes, border)
        for clique, parent in cliques:
            above = border if parent is None else cliques[parent][0]
            order.extend(sorted(clique - above, key=places.__getitem__))
    return order
