"""The most probable states of some of the variables, the others summed out first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pyrogen.graphs.inference.explanations import explanations
from pyrogen.graphs.inference.factors import Factor, product
from pyrogen.graphs.inference.heuristics import cheapest_order
from pyrogen.graphs.inference.memory import check_memory
from pyrogen.graphs.inference.propagation import upwards
from pyrogen.graphs.inference.rings import GREATEST
from pyrogen.graphs.inference.schedule import Schedule
from pyrogen.graphs.structure.validation import Node


def best_of_some(
    factors: Sequence[Factor], asked: Sequence[int], nodes: Sequence[Node], sizes: Sequence[int], memory: int
) -> tuple[float, Iterator[tuple[float, dict[int, int]]]]:
    """Return the logarithm of the sum over everything, and the best states of the nodes asked for, one after another.

    They are max over x of Σ over the rest, each with the logarithm of its sum.

    Args:
        factors: over the numbers of the nodes.
        asked: the numbers of the nodes asked for.
        nodes, sizes: the name of each node, and the number of its states.
        memory: the most bytes that a table may take.

    Raises:
        ValueError: for tables that take more memory.
    """
    left = eliminate(factors, asked, nodes, sizes, memory)
    log_total = sum(float(factor.log) for factor in eliminate(left, (), nodes, sizes, memory))
    schedule = Schedule([factor.names for factor in left], sizes)  # type: ignore[misc]  # names are numbers here
    check_memory("the tables of the variables asked for", 8 * schedule.entries, memory)
    constant = sum(float(left[number].log) for number in schedule.constants)
    up = upwards(schedule, schedule.operands([factor.log for factor in left], GREATEST), GREATEST, scaled=False)
    return log_total, ((constant + log, states) for log, states in explanations(up))


def eliminate(
    factors: Sequence[Factor], keep: Sequence[int], nodes: Sequence[Node], sizes: Sequence[int], memory: int
) -> list[Factor]:
    """Return factors over `keep` alone, whose product is that of `factors` with all other variables summed out.

    Raises:
        ValueError: if a table on the way would take more than `memory` bytes, before any is made.
    """
    left = list(factors)
    later = cheapest_order([factor.names for factor in left], sizes, keep)  # type: ignore[misc]
    order = [node for node in later if node not in keep]
    for node in order:
        needed = 8 * sizes[node] * math.prod(sizes[other] for other in later[node])
        check_memory(f"the table in which {nodes[node]!r} is eliminated", needed, memory)
    for node in order:
        touched = [factor for factor in left if node in factor.names]
        left = [factor for factor in left if node not in factor.names]
        left.append(product(touched, (node, *later[node]), sizes).sum_out(node))
    return left
