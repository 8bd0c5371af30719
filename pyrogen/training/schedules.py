"""Schedules of β: the factor on the pair's β at each step, from 0 to 1."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pyrogen.config import Described


class Schedule(Described, ABC):
    """A function of the step t = 0, 1, ... with values in [0, 1]; training uses schedule(t) · β."""

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The factor at `step`."""


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
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(f"the warm-up must last at least one step, and steps={steps}")
        self.steps = steps

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
        if not isinstance(period, int) or period < 1 or not 0 < ramp <= 1:
            raise ValueError(f"a cycle needs period >= 1 and 0 < ramp <= 1, and period={period}, ramp={ramp}")
        self.period, self.ramp = period, ramp

    def __call__(self, step: int) -> float:
        """min(1, (t mod period) / (ramp · period))."""
        return min(1.0, (step % self.period) / (self.ramp * self.period))
