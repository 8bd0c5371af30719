"""How far printed probabilities may miss one: by the rounding of their digits, and no further."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

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
