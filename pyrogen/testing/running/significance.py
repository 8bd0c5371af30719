"""Means with their errors, and when a mean is beyond doubt too large."""

from __future__ import annotations

import math
from statistics import fmean

_BLOCKS = 4
_BLOCKED = 64  # numbers from which on blocks are asked


class Sample(list[float]):
    """Numbers that come one by one."""

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(self) if self else 0.0

    @property
    def error(self) -> float:
        """The standard error of the mean; infinite for fewer than two numbers."""
        if len(self) < 2:
            return math.inf
        mean = self.mean
        return math.sqrt(fmean((value - mean) ** 2 for value in self) / (len(self) - 1))

    @property
    def root_mean_square(self) -> float:
        """√ of the mean of the squares."""
        return math.sqrt(fmean(value * value for value in self)) if self else 0.0


def exceeds(sample: Sample, margin: float, false_alarm: float) -> bool:
    """Return whether the mean lies outside ±margin beyond doubt, with false alarms at the rate `false_alarm` at most.

    Fewer than 64 numbers are put to Student's t. From 64 on, four blocks of them must each exceed the margin to the
    same side, at the level 2 (false_alarm / 2)^¼. So no test needs the far tail of t, which skewed numbers do not
    follow.
    """
    if len(sample) < 2 or not all(map(math.isfinite, sample)):
        return False
    if len(sample) < _BLOCKED:
        return _beyond(sample, margin, false_alarm) != 0
    level = 2 * (false_alarm / 2) ** (1 / _BLOCKS)
    sides = {_beyond(Sample(sample[i::_BLOCKS]), margin, level) for i in range(_BLOCKS)}
    return sides in ({1}, {-1})


def settled(sample: Sample, margin: float, false_alarm: float) -> bool:
    """Return whether more numbers would change nothing: the mean exceeds the margin, or by far does not."""
    return exceeds(sample, margin, false_alarm) or abs(sample.mean) + 4 * sample.error < 1.5 * margin


def _beyond(sample: Sample, margin: float, level: float) -> int:
    """+1 or −1 where the mean is significantly above margin or below −margin, else 0."""
    from scipy.special import stdtrit

    mean, quantile = sample.mean, -float(stdtrit(len(sample) - 1, level / 2))
    return 0 if abs(mean) - margin <= quantile * sample.error else int(math.copysign(1, mean))
