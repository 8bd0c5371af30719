"""The most probable joint states, one after another.

After one way up with maxima instead of sums, each clique's table holds the best that everything below can add. The next
best assignment differs from one found before first in some clique, takes the best other row there, and is completed
greedily (D. Nilsson, Stat. Comput. 8, 1998, https://doi.org/10.1023/A:1008990218483; E. Lawler, 1972).
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from pyrogen.graphs.inference.propagation import Upwards
from pyrogen.graphs.inference.rings import Ring, Table
from pyrogen.graphs.inference.schedule import Schedule


def explanations(
    schedule: Schedule, operands: Sequence[Sequence[Table]], ring: Ring, up: Upwards
) -> Iterator[tuple[float, dict[int, int]]]:
    """Yield the assignments from the most probable on: the logarithm of the product, and each node's state.

    Args:
        schedule, operands: as for `upwards`.
        ring: that of maxima.
        up: the way up in it.
    """
    if up.log_total == -math.inf:
        return
    walk = _Walk(schedule, operands, ring, up)
    ties = itertools.count()  # of two that are equally probable, the one found first comes first
    # Each entry: the cost, a number, the choices up to a clique, that clique, the choice there, those not allowed.
    nothing: list[int] = []
    heap = [(-up.log_total, next(ties), nothing, -1, -1, frozenset[int]())]
    while heap:
        cost, _, before, branch, choice, barred = heapq.heappop(heap)
        chosen = walk.complete(before, branch, choice)
        yield -cost, walk.states(chosen)
        for number, row in enumerate(walk.rows_along(chosen)):
            if number < branch:
                continue
            excluded = (barred if number == branch else frozenset()) | {chosen[number]}
            here = row[chosen[number]]
            rest = row.copy()
            rest[list(excluded)] = -math.inf
            best = int(rest.argmax())
            if rest[best] > -math.inf:
                heapq.heappush(heap, (cost + here - row[best], next(ties), chosen, number, best, excluded))


class _Walk:
    """Choices in a tree: for each clique the place of the joint state of its own nodes, the separator's left out."""

    def __init__(self, schedule: Schedule, operands: Sequence[Sequence[Table]], ring: Ring, up: Upwards) -> None:
        self.schedule, self.operands, self.ring, self.up = schedule, operands, ring, up

    def complete(self, before: Sequence[int], branch: int, choice: int) -> list[int]:
        """Return the choices of `before` up to a clique, `choice` there, and the best ones after it."""
        chosen: list[int] = []
        self._places: dict[int, int] = {}
        for number in range(len(self.schedule.cliques)):
            if number < branch:
                chosen.append(before[number])
            else:
                chosen.append(choice if number == branch else int(self._row(number).argmax()))
            self._note(number, chosen[number])
        return chosen

    def rows_along(self, chosen: Sequence[int]) -> Iterator[Table]:
        """Yield the table of each clique at the separator's states that are chosen."""
        self._places = {}
        for number, choice in enumerate(chosen):
            yield self._row(number)
            self._note(number, choice)

    def states(self, chosen: Sequence[int]) -> dict[int, int]:
        """Return the state of each node."""
        self._places = {}
        for number, choice in enumerate(chosen):
            self._note(number, choice)
        return dict(self._places)

    def _note(self, number: int, choice: int) -> None:
        clique = self.schedule.cliques[number]
        for node, size in zip(
            clique.axes[: clique.shared - 1 if clique.shared else None : -1],
            reversed(clique.shape[clique.shared :]),
            strict=True,
        ):
            choice, place = divmod(choice, size)
            self._places[node] = place

    def _row(self, number: int) -> Table:
        clique = self.schedule.cliques[number]
        states = {node: np.array([self._places[node]]) for node in clique.separator}
        return np.asarray(rows(self.schedule, self.operands, self.ring, self.up, number, states, 1)[0])


def rows(
    schedule: Schedule,
    operands: Sequence[Sequence[Table]],
    ring: Ring,
    up: Upwards,
    number: int,
    states: dict[int, np.ndarray],
    count: int,
) -> Table:
    """Return the table of a clique, with all messages from below, at states of its separator: ``(count, own joint
    states)``.

    Args:
        schedule, operands, ring, up: the tree, its tables and the way up.
        number: the clique.
        states: for each node of the separator its state in each row.
        count: the number of rows.
    """
    clique = schedule.cliques[number]
    own = clique.shape[clique.shared :]
    whole = up.tables[number]
    if whole is not None:
        index = np.zeros(count, dtype=np.intp)
        for node, size in zip(clique.separator, clique.shape, strict=False):
            index = index * size + states[node]
        return np.asarray(whole.reshape(clique.rows, -1)[index])
    parts = [*operands[number]]
    parts += [up.messages[child].reshape(schedule.cliques[child].within) for child in clique.children]
    table = np.full((count, *own), ring.one)
    for part in parts:
        places = tuple(
            states[node] if length > 1 else np.zeros(count, dtype=np.intp)
            for node, length in zip(clique.separator, part.shape, strict=False)
        )
        table = ring.times(table, part[places] if places else part[None])
    return np.asarray(table.reshape(count, -1))
