"""Elimination orders for large graphs: several heuristics are tried, and the cheapest order is taken.

The cost of an order is the number of entries of all clique tables. Nodes are numbers here.

Source: U. Kjærulff, Triangulation of graphs — algorithms giving small total state space, 1990 (Aalborg, R 90-09).
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterable, Sequence

from pyrogen.graphs.structure.moral import neighbors

Later = dict[int, frozenset[int]]  # the neighbors of each node when it is eliminated, in the order of elimination

LITTLE, ENOUGH = 2**9, 2**20  # entries: below these, the next heuristics cost more than they save
MANY, HOPELESS = 2**25, 2**36  # entries: between these, orders with perturbed scores are tried too
PERTURBED = 4
FIRST = ("weight", "fill_weight")
MORE = ("fill", "log_fill", "weighted_fill")


def cheapest_order(scopes: Iterable[Sequence[int]], sizes: Sequence[int], last: Sequence[int] = ()) -> Later:
    """Return the cheapest elimination order that was found, as the neighbors of each node when it goes.

    Args:
        scopes: the variables of each factor; every variable is in one at least.
        sizes: the number of states of each variable, by its number.
        last: the nodes that are eliminated after all others, each once.

    Example:
        >>> cheapest_order([(0, 1), (1, 2)], [2, 2, 2])
        {0: frozenset({1}), 1: frozenset({2}), 2: frozenset()}
    """
    near = neighbors([*scopes, last])
    if len(near) == len(last):
        order = sorted(last, key=lambda node: sizes[node])  # they are all neighbors of each other
        return {node: frozenset(order[place + 1 :]) for place, node in enumerate(order)}
    best: Later = {}
    least = math.inf

    def keep(found: Later) -> None:
        nonlocal best, least
        cost = total_entries(found, sizes)
        if cost < least:
            best, least = found, cost

    for rule in FIRST:
        if least > LITTLE:
            keep(_eliminate(near, sizes, last, RULES[rule]))
    if ENOUGH < least < HOPELESS:
        for rule in MORE:
            keep(_eliminate(near, sizes, last, RULES[rule]))
    if MANY < least < HOPELESS:
        for seed in range(PERTURBED):
            rule = ("weighted_fill", "log_fill", "weight")[seed % 3]
            keep(_eliminate(near, sizes, last, RULES[rule], random.Random(seed)))
    return best


def total_entries(later: Later, sizes: Sequence[int]) -> int:
    """Return the entries of the tables of all maximal cliques of an order."""
    place = {node: number for number, node in enumerate(later)}
    inside = set()  # the nodes whose clique lies in that of a node before
    for rest in later.values():
        if rest:
            first = min(rest, key=place.__getitem__)
            if len(rest) == len(later[first]) + 1:
                inside.add(first)
    return sum(
        math.prod(sizes[other] for other in rest) * sizes[node] for node, rest in later.items() if node not in inside
    )


Score = Callable[[int, dict[int, set[int]], Sequence[int], Sequence[float]], float]


def _weight(node: int, near: dict[int, set[int]], sizes: Sequence[int], logs: Sequence[float]) -> float:
    return sum(logs[other] for other in near[node]) + logs[node]


def _missing(node: int, near: dict[int, set[int]]) -> int:
    """Return the number of edges to add."""
    around = near[node]
    return sum(len(around) - 1 - len(around & near[other]) for other in around) // 2


def _weighted(node: int, near: dict[int, set[int]], weights: Sequence[float]) -> float:
    """Return the sum over the edges to add of the product of their ends' weights, twice."""
    around, total = near[node], 0.0
    for one in around:
        missing = around - near[one]
        if len(missing) > 1:  # the node itself is never its own neighbor
            total += weights[one] * (sum(weights[other] for other in missing) - weights[one])
    return total


RULES: dict[str, Score] = {
    "weight": _weight,
    "fill": lambda node, near, sizes, logs: _missing(node, near) + 1e-6 * _weight(node, near, sizes, logs),
    "fill_weight": lambda node, near, sizes, logs: _missing(node, near) * sum(logs[other] for other in near[node]),
    "log_fill": lambda node, near, sizes, logs: _weighted(node, near, logs) + 1e-6 * _weight(node, near, sizes, logs),
    "weighted_fill": lambda node, near, sizes, logs: (
        _weighted(node, near, sizes) + 1e-6 * _weight(node, near, sizes, logs)
    ),
}


def _eliminate(
    given: dict[int, set[int]],
    sizes: Sequence[int],
    last: Sequence[int],
    rule: Score,
    noise: random.Random | None = None,
) -> Later:
    """Eliminate the node of the least score, one after another; scores are kept up to date in a heap."""
    near = {node: set(others) for node, others in given.items()}
    logs = [math.log(size) for size in sizes]
    kept = set(last)
    later: Later = {}

    def score(node: int) -> float:
        value = rule(node, near, sizes, logs)
        return value if noise is None else value * (1 + 0.3 * noise.random())

    scores = {node: score(node) for node in near if node not in kept}
    heap = [(value, node) for node, value in scores.items()]
    heapq.heapify(heap)
    while heap:
        value, node = heapq.heappop(heap)
        if scores.get(node) != value:
            continue  # an older score
        del scores[node]
        touched = _remove(node, near, later)
        for other in touched:
            if other in scores:
                value = score(other)
                if value != scores[other]:
                    scores[other] = value
                    heapq.heappush(heap, (value, other))
    for node in sorted(kept & set(near), key=lambda node: sizes[node]):
        _remove(node, near, later)
    return later


def _remove(node: int, near: dict[int, set[int]], later: Later) -> set[int]:
    """Join all neighbors of a node and take it away; the nodes whose score may have changed."""
    around = near.pop(node)
    later[node] = frozenset(around)
    touched = set(around)
    for other in around:
        if len(around - near[other]) > 1:
            near[other] |= around
            touched |= near[other]
        near[other].discard(node)
        near[other].discard(other)
    touched.discard(node)
    return touched
