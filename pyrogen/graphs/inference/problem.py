"""A question in numbers: a schedule, the tables that enter it, and the way up in the first ring that is exact."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from pyrogen.graphs.inference.observations import Observations
from pyrogen.graphs.inference.propagation import KEPT, PART, Upwards, downwards, upwards
from pyrogen.graphs.inference.rings import LOGS, SUMS, Ring, Table
from pyrogen.graphs.inference.schedule import Schedule

Operands = list[list[Table]]
Answer = TypeVar("Answer")

SINGLE = 2**9  # entries: where one table over all variables has so few, it costs less than messages between cliques
GONE_THROUGH = 64  # large tables are made in parts; this many times the limit on memory may be made in all


class Problem:
    """A schedule for some factors, of which observed nodes are left out or not.

    Args:
        scopes: the variables of each factor of the network, a node's own first.
        tables: their tables.
        sizes: the number of states of each node.
        used: the numbers of the factors that count.
        seen: observed nodes, at whose states the tables are cut.
        done: those of them whose own tables do not count.
        joined: nodes that one clique must hold.
    """

    def __init__(
        self,
        scopes: Sequence[Sequence[int]],
        tables: Sequence[Table],
        sizes: Sequence[int],
        used: Iterable[int],
        seen: Iterable[int] = (),
        done: frozenset[int] = frozenset(),
        joined: Sequence[int] = (),
    ) -> None:
        self.seen = frozenset(seen)
        self.used = [number for number in used if not (scopes[number][0] in done and scopes[number][0] in self.seen)]
        self.scopes = [[node for node in scopes[number] if node not in self.seen] for number in self.used]
        self.full = [scopes[number] for number in self.used]
        self.tables = [tables[number] for number in self.used]
        present = {node for scope in self.scopes for node in scope}
        if math.prod([sizes[node] for node in present]) <= SINGLE:
            joined = sorted(present)
        self.schedule = Schedule(self.scopes, sizes, joined)
        self.sizes = sizes
        self._holding: dict[tuple[int, ...], int] = {}
        self._smallest: dict[int, int] | None = None
        self._plain: tuple[Operands, Upwards | None] | None = None

    def exchange(self, tables: Sequence[Table]) -> None:
        """Take other tables for the same factors."""
        self.tables = [tables[number] for number in self.used]
        self._plain = None

    @property
    def needed(self) -> int:
        """The least limit in bytes for this question: what must be held, or a 64th of all that is gone through."""
        largest = max((clique.size for clique in self.schedule.cliques), default=0)
        factors = sum(math.prod(shape) for _, shape in self.schedule.layout)
        held = 3 * self.schedule.messages + 4 * min(PART, largest) + factors
        return 8 * max(held, self.schedule.entries // GONE_THROUGH)

    def kept(self, memory: int) -> int:
        """Return the size up to which tables are held for the way down, so that all fits into `memory` bytes."""
        free = (memory - self.needed) // 16
        limit = KEPT
        while limit > 1 and sum(clique.size for clique in self.schedule.cliques if clique.size <= limit) > free:
            limit //= 4
        return limit

    def holding(self, nodes: tuple[int, ...]) -> int:
        """Return the smallest clique that holds all of `nodes`, or −1."""
        if nodes not in self._holding:
            if len(self._holding) > 1000:
                self._holding.clear()
            self._holding[nodes] = self.schedule.holding(nodes)
        return self._holding[nodes]

    def every(self, nodes: Sequence[int]) -> tuple[list[list[tuple[int, ...]]], list[tuple[int, int]]]:
        """Return what is wanted from each clique to know each node's own table, and where each then stands."""
        if self._smallest is None:
            self._smallest = {}
            by_size = sorted(range(len(self.schedule.cliques)), key=lambda c: -self.schedule.cliques[c].size)
            for number in by_size:
                self._smallest.update(dict.fromkeys(self.schedule.cliques[number].axes, number))
        wanted: list[list[tuple[int, ...]]] = [[] for _ in self.schedule.cliques]
        places = []
        for node in nodes:
            number = self._smallest[node]
            places.append((number, len(wanted[number])))
            wanted[number].append((node,))
        return wanted, places

    def operands(self, observed: Observations, ring: Ring) -> tuple[Operands, list[int], float]:
        """For each clique its tables at what was observed; the cliques that differ from none observed; a constant."""
        constant = 0.0
        changed: list[int] = []
        if self.seen or ring is not SUMS:
            cut = [self._cut(factor, observed) for factor in range(len(self.tables))]
            operands = self.schedule.operands([ring.enter(table) for table in cut], ring)
            for factor in self.schedule.constants:
                constant += float(LOGS.enter(cut[factor]))
        else:
            operands = [*self.unobserved()[0]]
        for node, place in observed.seen.items():
            if node in self.seen:
                continue
            weights = np.zeros(self.sizes[node])
            weights[place] = 1.0
            changed.append(self._weigh(operands, node, weights, ring))
            if node in observed.done:
                changed.append(self._set(operands, node, weights, ring))
        for node, weights in observed.weights.items():
            changed.append(self._weigh(operands, node, weights, ring))
        return operands, changed, constant

    def unobserved(self) -> tuple[Operands, Upwards | None]:
        """Return the operands without observations and the way up with them, which is made once; None if it
        underflows."""
        if self._plain is None:
            operands = self.schedule.operands(self.tables, SUMS)
            try:
                with np.errstate(under="raise", over="raise"):
                    self._plain = operands, upwards(self.schedule, operands, SUMS, scaled=False)
            except FloatingPointError:
                self._plain = operands, None
        return self._plain

    def solve(self, observed: Observations, memory: int, then: Callable[[Upwards], Answer]) -> tuple[Answer, float]:
        """Go up, and do `then` what is wanted; the answer, and log of the sum over everything.

        Products of floats are exact enough until one of them underflows, which the processor tells. Then messages are
        scaled, and if that is not enough all tables are taken as logarithms.
        """
        kept = self.kept(memory)
        for ring, scaled in ((SUMS, False), (SUMS, True), (LOGS, False)):
            operands, changed, constant = self.operands(observed, ring)
            before = None
            if not scaled and ring is SUMS and not self.seen and self.schedule.entries <= kept * 8:
                before = self.unobserved()[1]
                if before is None:
                    continue
            try:
                with np.errstate(under="ignore" if ring is LOGS else "raise", over="raise"):
                    up = before
                    if up is None or changed:
                        up = upwards(
                            self.schedule, operands, ring, scaled=scaled, before=before, changed=changed, kept=kept
                        )
                    return then(up), up.log_total + constant
            except FloatingPointError:
                if ring is LOGS:
                    raise
        raise AssertionError("logarithms do not underflow")

    def sums(self, clique: int, axes: tuple[int, ...], observed: Observations, memory: int) -> tuple[Table, float]:
        """Return the table over `axes`, which a clique holds, up to a constant and in floats; log of the sum of
        everything."""
        way = [clique]  # from its root down
        while (above := self.schedule.cliques[way[0]].parent) >= 0:
            way.insert(0, above)
        wanted: list[list[tuple[int, ...]]] = [[] for _ in self.schedule.cliques]
        wanted[clique] = [axes]
        return self.solve(observed, memory, lambda up: downwards(up, wanted, way)[clique][0])

    def _cut(self, factor: int, observed: Observations) -> Table:
        if not self.seen:
            return self.tables[factor]
        index = tuple(observed.seen[node] if node in self.seen else slice(None) for node in self.full[factor])
        return np.asarray(self.tables[factor][index])

    def _weigh(self, operands: Operands, node: int, weights: Table, ring: Ring) -> int:
        number = self.schedule.home[node]
        shape = self.schedule.within((node,), self.schedule.cliques[number])
        operands[number] = [*operands[number], ring.enter(weights).reshape(shape)]
        return number

    def _set(self, operands: Operands, node: int, weights: Table, ring: Ring) -> int:
        """Put the state that was set in the place of the node's own table."""
        factor = next(number for number, scope in enumerate(self.full) if scope[0] == node)
        number = next(c for c, clique in enumerate(self.schedule.cliques) if factor in clique.factors)
        full = self.schedule.entered(factor, ring.enter(np.broadcast_to(weights, self.tables[factor].T.shape).T))
        operands[number] = [*operands[number]]
        operands[number][self.schedule.cliques[number].factors.index(factor)] = full
        return number
