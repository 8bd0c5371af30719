"""How far printed probabilities may miss one: by the rounding of their digits, and no further."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-6  # seven significant digits, as programs print them
MOST = 0.01  # what pgmpy allows


def slack(values: Iterable[float]) -> float:
    """Return the largest distance from one that rounding explains: half a unit of the last digit for each value.

    The unit is that of the value with the most digits. The answer is 1e-6 at least and 0.01 at most.

    Example:
        >>> slack([0.333, 0.333, 0.333]) > 0.001 > slack([0.5, 0.499])
        True
    """
    exponents = [int(Decimal(repr(float(value))).as_tuple().exponent) for value in values]
    unit = 10.0 ** min(exponents)
    return max(LEAST, min(MOST, len(exponents) * unit / 2)) * (1 - 1e-6)


def beyond_rounding(table: NDArray[np.float64]) -> Iterator[tuple[int, float]]:
    """Yield number and sum of each column that misses one by more than `slack`."""
    sums = table.sum(axis=0)
    for column in np.flatnonzero(np.abs(sums - 1) > 1e-9).tolist():
        if abs(sums[column] - 1) > slack(table[:, column]):
            yield column, float(sums[column])
