"""The most probable joint states, one after another.

After one way up with maxima instead of sums, each clique's table holds the best that everything below can add. The next
best assignment differs from one found before first in some clique, takes the best other row there, and is completed
greedily (D. Nilsson, Stat. Comput. 8, 1998, https://doi.org/10.1023/A:1008990218483; E. Lawler, 1972).
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pyrogen.graphs.inference.propagation import Upwards
from pyrogen.graphs.inference.rings import Table

Places = NDArray[np.intp]


def explanations(up: Upwards) -> Iterator[tuple[float, dict[int, int]]]:
    """Yield the assignments from the most probable on: the logarithm of the product, and each node's state.

    Args:
        up: the way up in the ring of maxima.
    """
    if up.log_total == -math.inf:
        return
    ties = itertools.count()  # of two that are equally probable, the one found first comes first
    # Each entry: the cost, a number, the choices up to a clique, that clique, the choice there, those not allowed.
    nothing: list[int] = []
    heap = [(-up.log_total, next(ties), nothing, -1, -1, frozenset[int]())]
    while heap:
        cost, _, before, branch, choice, barred = heapq.heappop(heap)
        chosen, table, states = _completed(up, before, branch, choice)
        yield -cost, states
        for number in range(max(branch, 0), len(chosen)):
            row, here = table[number], table[number][chosen[number]]
            excluded = (barred if number == branch else frozenset()) | {chosen[number]}
            rest = row.copy()
            rest[list(excluded)] = -math.inf
            best = int(rest.argmax())
            if rest[best] > -math.inf:
                heapq.heappush(heap, (cost + here - row[best], next(ties), chosen, number, best, excluded))


def _completed(
    up: Upwards, before: Sequence[int], branch: int, choice: int
) -> tuple[list[int], list[Table], dict[int, int]]:
    """Complete the choices of `before` up to a clique and `choice` there by the best ones after it.

    A choice is the place of the joint state of a clique's own nodes, the separator's left out.

    Returns:
        The choice of each clique, its table at the chosen states of the separator, and each node's state.
    """
    chosen: list[int] = []
    found: list[Table] = []
    states: dict[int, int] = {}
    for number, clique in enumerate(up.schedule.cliques):
        row = rows(up, number, numbered((states[node] for node in clique.separator), clique.shape, 1))[0]
        here = before[number] if number < branch else choice if number == branch else int(row.argmax())
        chosen.append(here)
        found.append(row)
        own = np.unravel_index(here, clique.shape[clique.shared :])
        states.update(zip(clique.axes[clique.shared :], map(int, own), strict=True))
    return chosen, found, states


def numbered(places: Iterable[Places | int], sizes: Iterable[int], count: int) -> Places:
    """Return the number of the joint state in each of `count` rows, the last variable's running fastest."""
    index = np.zeros(count, dtype=np.intp)
    for place, size in zip(places, sizes, strict=False):
        index = index * size + place
    return index


def rows(up: Upwards, number: int, index: Places) -> Table:
    """Return the table of a clique, with all messages from below, at some joint states of its separator.

    Args:
        up: the way up.
        number: the clique.
        index: the numbers of the separator's joint states, ``(rows,)``.

    Returns:
        ``(rows, joint states of the clique's own nodes)``.
    """
    clique, whole = up.schedule.cliques[number], up.tables[number]
    if whole is not None:
        return np.asarray(whole.reshape(clique.rows, -1)[index])
    states = np.unravel_index(index, clique.shape[: clique.shared]) if clique.shared else ()
    table = np.full((len(index), *clique.shape[clique.shared :]), up.ring.one)
    for part in up.parts(number):
        places = tuple(
            state if length > 1 else np.zeros_like(index) for state, length in zip(states, part.shape, strict=False)
        )
        table = up.ring.times(table, part[places] if places else part[None])
    return np.asarray(table.reshape(len(index), -1))
