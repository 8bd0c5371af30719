"""Variable elimination: one variable after another is removed from the product of the factors that mention it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any

from pyrogen.graphs.inference.factors import Factor, entries, product
from pyrogen.graphs.inference.memory import check_memory
from pyrogen.graphs.structure.triangulation import junction_tree
from pyrogen.graphs.structure.validation import Node


def eliminate(
    factors: Iterable[Factor],
    keep: Iterable[Node],
    sizes: Mapping[Node, int],
    memory: int,
    remove: Callable[[Factor, Node], Factor] = lambda factor, node: factor.sum_out((node,)),
) -> list[Factor]:
    """Return factors over `keep` alone, whose product is that of `factors` with all other variables removed (summed
    out).

    Raises:
        ValueError: if a table on the way would take more than `memory` bytes, before any is made.
    """
    left = list(factors)
    keep = set(keep)
    order = elimination_sequence(interaction_graph(left, sizes), keep, sizes)
    scopes = [frozenset(factor.names) for factor in left]
    for node in order:  # the same walk without tables
        joined = frozenset().union(*(scope for scope in scopes if node in scope))
        check_memory(f"the table in which {node!r} is eliminated", 8 * entries(joined, sizes), memory)
        scopes = [scope for scope in scopes if node not in scope] + [joined - {node}]
    for node in order:
        touched = [factor for factor in left if node in factor.names]
        names = dict.fromkeys(name for factor in touched for name in factor.names)
        left = [factor for factor in left if node not in factor.names]
        left.append(remove(product(touched, tuple(names), sizes), node))
    return left


def elimination_sequence(graph: Any, keep: Iterable[Node], sizes: Mapping[Node, int]) -> list[Node]:
    """Return an order in which to eliminate all nodes but `keep`, by min-fill.

    Each part that `keep` cuts off is eliminated from the leaves of its junction tree towards a root. The root holds the
    kept nodes around the part, so no table grows beyond a clique of that tree.
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


def interaction_graph(factors: Iterable[Factor], order: Iterable[Node]) -> Any:
    """Return the undirected graph that joins variables of a common factor; its nodes stand in the order given."""
    import networkx as nx

    factors = list(factors)
    present = {name for factor in factors for name in factor.names}
    graph = nx.Graph()
    graph.add_nodes_from(node for node in order if node in present)
    for factor in factors:
        graph.add_edges_from(combinations(factor.names, 2))
    return graph


def rooted_cliques(
    graph: Any, sizes: Mapping[Node, int], root: frozenset[Node] = frozenset()
) -> list[tuple[frozenset[Node], int | None]]:
    """Return the cliques of a junction forest by min-fill, each with the place of its parent in this list, children
    first.

    Args:
        graph: an undirected graph, which may be empty.
        sizes: the number of states of each node.
        root: a clique of the graph; the root of the tree holds it.
    """
    import networkx as nx

    if not graph:
        return []
    forest = junction_tree(graph, sizes=sizes)
    places = {clique: place for place, clique in enumerate(forest)}
    found: list[tuple[frozenset[Node], int | None]] = []
    for component in sorted(nx.connected_components(forest), key=lambda part: min(places[clique] for clique in part)):
        ordered = sorted(component, key=places.__getitem__)
        top = next((clique for clique in ordered if root <= clique), ordered[0])
        towards = {child: parent for parent, child in nx.bfs_edges(forest, top)}
        walk = list(reversed([top, *towards]))
        numbers = {clique: len(found) + place for place, clique in enumerate(walk)}
        found.extend((clique, numbers[towards[clique]] if clique in towards else None) for clique in walk)
    return found
