"""Schedules of β: the factor on the pair's β at each step."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pyrogen.checks import real, whole
from pyrogen.config import Described


class Schedule(Described, ABC):
    """A function of the step t = 0, 1, ... with finite values of at least 0; training uses schedule(t) · β."""

    @abstractmethod
    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""


class Constant(Schedule):
    """Always 1: the pair's own β throughout."""

    def __call__(self, step: int) -> float:
        """1."""
        return 1.0


class LinearWarmup(Schedule):
    """min(1, t / steps): from no KL term to the whole of it, so that no latent is given up before it is used.

    Source: Bowman et al. 2016, https://arxiv.org/abs/1511.06349; Sønderby et al. 2016,
    https://arxiv.org/abs/1602.02282.

    Args:
        steps: the length of the ramp.

    Example:
        >>> [LinearWarmup(4)(t) for t in (0, 1, 2, 4, 100)]
        [0.0, 0.25, 0.5, 1.0, 1.0]
    """

    def __init__(self, steps: int) -> None:
        self.steps = whole("steps", steps, least=1)

    def __call__(self, step: int) -> float:
        """min(1, t / steps)."""
        return min(1.0, step / self.steps)


class Cyclical(Schedule):
    """A ramp over the first `ramp` of every `period` steps, then 1 until the next period.

    Source: Fu et al. 2019, https://arxiv.org/abs/1903.10145 (there: four cycles, ramp ½).

    Args:
        period: the length of one cycle in steps.
        ramp: the part of it that rises, in (0, 1].

    Example:
        >>> [Cyclical(4)(t) for t in range(6)]
        [0.0, 0.5, 1.0, 1.0, 0.0, 0.5]
    """

    def __init__(self, period: int, ramp: float = 0.5) -> None:
        self.period = whole("period", period, least=1)
        self.ramp = real("ramp (a share of the period)", ramp, above=0, most=1)

    def __call__(self, step: int) -> float:
        """min(1, (t mod period) / (ramp · period))."""
        return min(1.0, (step % self.period) / (self.ramp * self.period))


class Geometric(Schedule):
    """A geometric fall (or rise) from `start` to `end`: start · (end / start)^(t / steps), then `end`.

    A start above 1 charges the code dearly at first, so that the latents take up one factor after another as β falls.

    Args:
        start: the first factor, above 0, such as 10.
        steps: the length of the fall.
        end: the last factor, above 0.

    Example:
        >>> [round(Geometric(16.0, steps=4)(t), 6) for t in (0, 1, 2, 3, 4, 100)]
        [16.0, 8.0, 4.0, 2.0, 1.0, 1.0]
    """

    def __init__(self, start: float, steps: int, end: float = 1.0) -> None:
        self.start, self.end = real("start", start, above=0), real("end", end, above=0)
        self.steps = whole("steps", steps, least=1)

    def __call__(self, step: int) -> float:
        """start · (end / start)^min(1, t / steps)."""
        return self.end if step >= self.steps else self.start * (self.end / self.start) ** (step / self.steps)
