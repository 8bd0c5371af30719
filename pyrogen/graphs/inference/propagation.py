"""Messages in a junction tree: up to the roots, and down again. Large tables are made in parts and never held whole.

A message is the sender's table summed to the separator. On the way down a clique's table is multiplied by the ratio of
its parent's sum to the message that went up. It then holds P(clique, evidence). Source: Lauritzen & Spiegelhalter,
J. R. Statist. Soc. B 50, 1988, https://www.jstor.org/stable/2345762.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import attrgetter

import numpy as np

from pyrogen.graphs.inference.rings import Ring, Table
from pyrogen.graphs.inference.schedule import Clique, Schedule

PART = 2**16  # entries of a table that is made at once: half a megabyte, which a processor's cache holds
KEPT = 2**17  # entries: larger tables are made anew on the way down

_size = attrgetter("size")


class Upwards:
    """A way up through a junction tree, and what it found.

    Attributes:
        schedule: the tree.
        operands: for each clique the tables whose product it holds, in its layout and in the ring.
        ring: how tables are joined.
        messages: for each clique its sum over all but the separator, flat.
        tables: for each clique its table with all messages from below, or None where it is too large to be held.
        log_total: the logarithm of the sum over everything, −inf if that is zero.
    """

    def __init__(self, schedule: Schedule, operands: Sequence[Sequence[Table]], ring: Ring) -> None:
        self.schedule, self.operands, self.ring = schedule, operands, ring
        self.messages: list[Table] = [np.empty(0)] * len(schedule.cliques)
        self.tables: list[Table | None] = [None] * len(schedule.cliques)
        self.scales: list[float] = [0.0] * len(schedule.cliques)
        self.log_total = -math.inf

    def parts(self, number: int) -> list[Table]:
        """Return the tables whose product a clique holds once all messages from below are in."""
        cliques = self.schedule.cliques
        below = cliques[number].children
        return [*self.operands[number], *(self.messages[child].reshape(cliques[child].within) for child in below)]


def upwards(
    schedule: Schedule,
    operands: Sequence[Sequence[Table]],
    ring: Ring,
    *,
    scaled: bool,
    before: Upwards | None = None,
    changed: Iterable[int] = (),
    kept: int = KEPT,
) -> Upwards:
    """Send all messages towards the roots.

    Args:
        schedule, operands, ring: as in `Upwards`.
        scaled: whether each message is divided by its largest entry, against underflow.
        before: messages for other operands; only what lies above the cliques `changed` is sent anew.
        changed: the cliques whose operands are not those of `before`.
        kept: the size up to which a clique's table is held for the way down.
    """
    cliques = schedule.cliques
    found = Upwards(schedule, operands, ring)
    numbers: Iterable[int] = range(len(cliques) - 1, -1, -1)
    if before is not None:
        found.messages, found.tables, found.scales = before.messages[:], before.tables[:], before.scales[:]
        stale: set[int] = set()
        for number in changed:
            while number >= 0 and number not in stale:
                stale.add(number)
                number = cliques[number].parent
        numbers = sorted(stale, reverse=True)
    product, total = ring.product, ring.total
    for number in numbers:
        clique = cliques[number]
        parts = sorted(found.parts(number), key=_size)
        if clique.size <= kept:
            table = parts[0]
            for part in parts[1:]:
                table = product(table, part)
            found.tables[number] = table
            message = total(table.reshape(clique.rows, -1))
        else:
            found.tables[number] = None
            (message,) = _in_parts(clique, parts, ring, [clique.separator])
            message = message.reshape(-1)
        if scaled:
            message, found.scales[number] = _scaled(message, ring)
        found.messages[number] = message
    log_total = sum(found.scales) if scaled else 0.0
    for number, clique in enumerate(cliques):
        if clique.parent < 0:
            value = float(found.messages[number][0])
            log_total += value if ring.logarithms else math.log(value) if value > 0 else -math.inf
    found.log_total = log_total
    return found


def downwards(
    up: Upwards, wanted: Sequence[Sequence[tuple[int, ...]]], only: Iterable[int] | None = None
) -> list[list[Table]]:
    """Send all messages away from the roots, and return sums of each clique's table to the axes that are wanted.

    Args:
        up: the way up.
        wanted: for each clique the axes of each sum that is wanted from it, each in the clique's order.
        only: the cliques to go through, parents before their children and with all their ancestors; None for all.

    Returns:
        For each clique its sums, in numbers up to a constant.
    """
    cliques, ring = up.schedule.cliques, up.ring
    separators: dict[int, Table] = {}
    answers: list[list[Table]] = [[] for _ in cliques]
    product = ring.product
    chosen = set(only) if only is not None else None
    for number in range(len(cliques)) if only is None else only:
        clique = cliques[number]
        down = [child for child in clique.children if chosen is None or child in chosen]
        outputs = [*wanted[number], *(cliques[child].separator for child in down)]
        table = up.tables[number]
        ratio = None
        if clique.parent >= 0:
            ratio = ring.divided(separators.pop(number), up.messages[number])
        if not outputs:
            continue
        if table is not None:
            if ratio is not None:
                table = product(table.reshape(clique.rows, -1), ratio[:, None])
            sums = _sums({clique.axes: table.reshape(clique.shape)}, ring, outputs)
        else:
            parts = up.parts(number)
            if ratio is not None:
                parts.append(ratio.reshape(clique.shape[: clique.shared] + (1,) * (len(clique.shape) - clique.shared)))
            sums = _in_parts(clique, parts, ring, outputs)
        answers[number] = [ring.leave(table) for table in sums[: len(wanted[number])]]
        for child, separator in zip(down, sums[len(wanted[number]) :], strict=True):
            separators[child] = separator.reshape(-1)
    return answers


def _sums(known: dict[tuple[int, ...], Table], ring: Ring, outputs: Sequence[tuple[int, ...]]) -> list[Table]:
    """Return the sum to each of the outputs, from the smallest table by its axes that holds it; `known` grows."""
    for output in sorted(outputs, key=len, reverse=True):
        if output not in known:
            wanted = set(output)
            axes = min(filter(wanted.issubset, known), key=lambda axes: known[axes].size)
            gone = tuple(place for place, node in enumerate(axes) if node not in wanted)
            known[output] = ring.plus.reduce(known[axes], axis=gone)
    return [known[output] for output in outputs]


def _in_parts(clique: Clique, parts: Sequence[Table], ring: Ring, outputs: Sequence[tuple[int, ...]]) -> list[Table]:
    """As `_sums` for the product of `parts`, which is made one piece after another along its first axes."""
    largest = [o for o in dict.fromkeys(outputs) if not any(set(o) < set(other) for other in outputs)]
    depth = next(d for d in range(len(clique.shape) + 1) if math.prod(clique.shape[d:]) <= PART)
    inner = clique.shape[depth:]
    parts = _merged(list(parts), ring)
    plans = []
    for output in largest:
        wanted = set(output)
        gone = tuple(place for place, node in enumerate(clique.axes[depth:]) if node not in wanted)
        front = [place for place in range(depth) if clique.axes[place] in wanted]
        total = np.full([clique.shape[clique.axes.index(node)] for node in output], ring.zero)
        plans.append((gone, front, total))
    buffer = np.empty(inner)
    fronts = [[part.shape[place] > 1 for place in range(depth)] for part in parts]
    for index in np.ndindex(*clique.shape[:depth]):
        pieces = [
            part[tuple(i if has else 0 for i, has in zip(index, front, strict=True))]
            for part, front in zip(parts, fronts, strict=True)
        ]
        if len(pieces) == 1:
            table = np.broadcast_to(pieces[0], inner)
        else:
            table = ring.times(pieces[0], pieces[1], out=buffer)
            for piece in pieces[2:]:
                ring.times(table, piece, out=buffer)
        for gone, front_axes, total in plans:
            target = total[(*(index[place] for place in front_axes), ...)]
            summed = ring.plus.reduce(table, axis=gone) if gone else table
            ring.plus(target, summed, out=target)
    return _sums({output: total for output, (_, _, total) in zip(largest, plans, strict=True)}, ring, outputs)


def _merged(parts: list[Table], ring: Ring) -> list[Table]:
    """Return the same product with fewer parts: small ones are multiplied first, as long as their product stays
    small."""
    parts = sorted(parts, key=_size)
    while len(parts) > 1:
        lengths = map(max, zip(parts[0].shape, parts[1].shape, strict=True))
        if math.prod(lengths) > PART // 4:
            break
        parts = sorted([ring.times(parts[0], parts[1]), *parts[2:]], key=_size)
    return parts


def _scaled(message: Table, ring: Ring) -> tuple[Table, float]:
    top = float(message.max())
    if ring.logarithms:
        return (message - top, top) if top > -math.inf else (message, 0.0)
    return (message / top, math.log(top)) if top > 0 else (message, 0.0)
