"""Means with their errors, and when a mean is beyond doubt too large."""

from __future__ import annotations

import math


class Means:
    """The mean of numbers that come one by one, with its standard error (Welford's recurrence)."""

    def __init__(self) -> None:
        self.count, self.mean, self._squares, self._raw = 0, 0.0, 0.0, 0.0

    def add(self, value: float) -> None:
        """Take one more number in."""
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)
        self._raw += value * value

    @property
    def error(self) -> float:
        """The standard error of the mean; infinite for fewer than two numbers."""
        if self.count < 2:
            return math.inf
        return math.sqrt(self._squares / (self.count - 1) / self.count)

    @property
    def root_mean_square(self) -> float:
        """√ of the mean of the squares."""
        return math.sqrt(self._raw / self.count) if self.count else 0.0


def exceeds(means: Means, margin: float, false_alarm: float) -> bool:
    """Whether \\|mean\\| > margin by Student's t, which a true mean within the margin says at this rate at most."""
    from scipy.stats import t  # takes a third of a second to import

    if means.count < 2 or not math.isfinite(means.mean):
        return False
    quantile = float(t.isf(false_alarm / 2, means.count - 1))
    return abs(means.mean) - margin > quantile * means.error
