"""Means with their errors, and when a mean is beyond doubt too large."""

from __future__ import annotations

import math
from statistics import fmean

_BLOCKS = 4
_BLOCKED = 64  # numbers from which on blocks are asked


class Sample:
    """Numbers that come one by one."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def add(self, value: float) -> None:
        """Take one more number in."""
        self.values.append(value)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(self.values) if self.values else 0.0

    @property
    def error(self) -> float:
        """The standard error of the mean; infinite for fewer than two numbers."""
        return _error(self.values) if self.count > 1 else math.inf

    @property
    def root_mean_square(self) -> float:
        """√ of the mean of the squares."""
        return math.sqrt(fmean(value * value for value in self.values)) if self.values else 0.0


def exceeds(sample: Sample, margin: float, false_alarm: float) -> bool:
    """Return whether the mean lies outside ±margin beyond doubt, with false alarms at the rate `false_alarm` at most.

    Fewer than 64 numbers are put to Student's t. From 64 on, four blocks of them must each exceed the margin to the
    same side, at the level 2 (false_alarm / 2)^¼. So no test needs the far tail of t, which skewed numbers do not
    follow.
    """
    values = sample.values
    if len(values) < 2 or not all(math.isfinite(value) for value in values):
        return False
    if len(values) < _BLOCKED:
        return abs(_beyond(values, margin, false_alarm)) == 1
    level = 2 * (false_alarm / 2) ** (1 / _BLOCKS)
    sides = {_beyond(values[i::_BLOCKS], margin, level) for i in range(_BLOCKS)}
    return sides in ({1}, {-1})


def _beyond(values: list[float], margin: float, level: float) -> int:
    """+1 or −1 where the mean is significantly above margin or below −margin, else 0."""
    from scipy.special import stdtrit

    mean, error = fmean(values), _error(values)
    quantile = -float(stdtrit(len(values) - 1, level / 2))
    return 0 if abs(mean) - margin <= quantile * error else int(math.copysign(1, mean))


def _error(values: list[float]) -> float:
    mean = fmean(values)
    return math.sqrt(fmean((value - mean) ** 2 for value in values) / (len(values) - 1))
