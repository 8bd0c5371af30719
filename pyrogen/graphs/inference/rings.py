"""Three ways to multiply and to add tables: sums of products, the same in logarithms, and the greatest product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]

LARGE = 2**11  # entries
SHORT, LONG = 16, 32  # lengths of axes


@dataclass(frozen=True)
class Ring:
    """How tables are joined.

    Args:
        times: multiplies two tables.
        plus: joins the entries along an axis, by its ``reduce``.
        over: undoes `times`.
        zero: the entry of what is impossible.
        logarithms: whether tables hold logarithms.
    """

    times: Any
    plus: Any
    over: Any
    zero: float
    logarithms: bool

    @property
    def one(self) -> float:
        """The entry that changes nothing."""
        return 0.0 if self.logarithms else 1.0

    def enter(self, table: Table) -> Table:
        """Return a table of numbers as this ring holds it."""
        if not self.logarithms:
            return table
        with np.errstate(divide="ignore"):
            return np.log(table)

    def leave(self, table: Table, axis: int | None = None) -> Table:
        """Return a table of this ring in numbers, up to a constant; with an axis, up to one for each row along it."""
        if not self.logarithms:
            return table
        top = table.max(axis=axis, keepdims=True) if table.size else 0.0
        return np.exp(table - np.where(np.isneginf(top), 0.0, top))

    def product(self, one: Table, other: Table) -> Table:
        """Return the product of two tables, either of which may lack axes (of length 1).

        numpy runs along the last axes that both have or one lacks, which is slow where these are short. A large
        product is therefore made one place of the last axis after another.
        """
        size = max(one.size, other.size)
        if size < LARGE or one.ndim == 0 or one.ndim != other.ndim:
            return np.asarray(self.times(one, other))
        run = 1  # the length of the last axes of one kind
        kinds = [(a > 1, b > 1) for a, b in zip(one.shape, other.shape, strict=True) if max(a, b) > 1]
        lengths = [max(a, b) for a, b in zip(one.shape, other.shape, strict=True) if max(a, b) > 1]
        for kind, length in zip(reversed(kinds), reversed(lengths), strict=True):
            if kind != kinds[-1]:
                break
            run *= length
        last = max(one.shape[-1], other.shape[-1])
        if not 1 < last <= SHORT or run >= LONG:
            return np.asarray(self.times(one, other))
        found = np.empty(np.broadcast_shapes(one.shape, other.shape))
        for place in range(last):
            left = one[..., min(place, one.shape[-1] - 1)]
            self.times(left, other[..., min(place, other.shape[-1] - 1)], out=found[..., place])
        return found

    def total(self, table: Table) -> Table:
        """Return the table ``(rows, columns)`` summed over its columns."""
        rows, columns = table.shape
        if not 1 < columns <= SHORT or rows * columns < LARGE:
            return np.asarray(self.plus.reduce(table, axis=1))
        found = self.plus(table[:, 0], table[:, 1])
        for column in range(2, columns):
            self.plus(found, table[:, column], out=found)
        return np.asarray(found)

    def divided(self, table: Table, by: Table) -> Table:
        """`table` over `by`; zero where both are."""
        possible = by > self.zero
        return np.asarray(self.over(table, by, out=np.full(table.shape, self.zero), where=possible))


SUMS = Ring(np.multiply, np.add, np.divide, 0.0, logarithms=False)
LOGS = Ring(np.add, np.logaddexp, np.subtract, -np.inf, logarithms=True)
GREATEST = Ring(np.add, np.maximum, np.subtract, -np.inf, logarithms=True)
