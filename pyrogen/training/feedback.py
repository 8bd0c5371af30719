"""Schedules of β with feedback: β follows the KL of the step before, without waiting for the device."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from pyrogen.checks import real, whole
from pyrogen.training.schedules import Schedule


class Feedback(Schedule):
    """A schedule whose factor depends on the KL of the step before, a tensor that stays on its device.

    A subclass gives `factor`. What it remembers belongs in `state_dict` and `load_state_dict`, which a checkpoint
    calls.
    """

    @abstractmethod
    def factor(self, step: int, kl: Tensor) -> Tensor:
        """Return the factor on β at `step` from the KL of the step before, a scalar tensor in nats per image."""

    def __call__(self, step: int) -> float:
        """Return the factor at the first step, when no KL has been seen: 1."""
        return 1.0

    def reset(self) -> None:
        """Forget what an earlier run left."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the schedule remembers."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


class TargetKL(Feedback):
    r"""Charge the distance of the KL from a rising target: γ |KL − C(t)| in place of β KL.

    C(t) = start + (end − start) min(1, t / steps). The gradient of that charge is ±γ times the gradient of the KL, so β
    is γ where the KL of the step before lies above C(t), and −γ below it. The history's objective then is
    reconstruction ± γ KL, which differs from the charge by the constant γ C(t).

    Source: Burgess et al. 2018, https://arxiv.org/abs/1804.03599 (there: γ = 1000, C from 0 to 25 nats).

    Args:
        end: the last target, in nats per image.
        steps: the length of the rise.
        gamma: γ, the weight, a factor on the pair's β; leave the pair's β at 1.
        start: the first target, in nats per image.

    Example:
        >>> schedule = TargetKL(end=20.0, steps=100, gamma=50.0)
        >>> schedule.target(50), schedule.factor(50, torch.tensor(12.0)).item()
        (10.0, 50.0)
    """

    def __init__(self, end: float, steps: int, gamma: float = 100.0, start: float = 0.0) -> None:
        self.end, self.start = real("end", end, least=0), real("start", start, least=0)
        self.steps, self.gamma = whole("steps", steps, least=1), real("gamma", gamma, above=0)

    def target(self, step: int) -> float:
        """Return C(t), in nats per image."""
        return self.start + (self.end - self.start) * min(1.0, step / self.steps)

    def factor(self, step: int, kl: Tensor) -> Tensor:
        """Return γ sign(KL − C(t))."""
        return torch.sign(kl - self.target(step)) * self.gamma

    def __call__(self, step: int) -> float:
        """Return γ, as if the KL lay above its target."""
        return self.gamma


class HoldKL(Feedback):
    r"""Hold the KL at a set point by a controller of β with a proportional and an integral part.

    With e = C − KL: β = clip(K_p / (1 + exp(e)) + I + lowest, lowest, highest), I ← I − K_i e. The integral part stands
    still while β is at a limit that it would push beyond.

    Source: Shao et al. 2020, ControlVAE, https://arxiv.org/abs/2004.05988 (there: K_p = 0.01, K_i = 0.0001).

    Args:
        target: C, in nats per image.
        proportional: K_p.
        integral: K_i.
        lowest: the smallest factor on β.
        highest: the largest factor on β.

    Example:
        >>> hold = HoldKL(10.0)
        >>> low = hold.factor(1, torch.tensor(5.0)).item()
        >>> hold.factor(2, torch.tensor(30.0)).item() > low
        True
    """

    def __init__(
        self,
        target: float,
        proportional: float = 0.01,
        integral: float = 0.001,
        lowest: float = 0.0,
        highest: float = 100.0,
    ) -> None:
        self.target = real("target", target, least=0)
        self.proportional = real("proportional", proportional, least=0)
        self.integral = real("integral", integral, least=0)
        self.lowest = real("lowest", lowest, least=0)
        self.highest = real("highest", highest, above=self.lowest)
        self._sum: Tensor | None = None

    def factor(self, step: int, kl: Tensor) -> Tensor:
        """Return β by the controller, and move its integral part."""
        error = self.target - kl
        before = torch.zeros_like(kl) if self._sum is None else self._sum.to(kl)
        after = before - self.integral * error
        wanted = self.proportional * torch.sigmoid(-error) + after + self.lowest
        beyond = ((wanted > self.highest) & (error < 0)) | ((wanted < self.lowest) & (error > 0))
        self._sum = torch.where(beyond, before, after)
        return wanted.clamp(self.lowest, self.highest)

    def __call__(self, step: int) -> float:
        """Return the lowest factor, from which the controller starts."""
        return self.lowest

    def reset(self) -> None:
        """Set the integral part to 0."""
        self._sum = None

    def state_dict(self) -> dict[str, Any]:
        """Return the integral part."""
        return {"sum": self._sum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an integral part."""
        total = state["sum"]
        if total is not None and not (isinstance(total, Tensor) and total.dim() == 0 and bool(total.isfinite())):
            raise ValueError(f"sum must be a finite scalar tensor or None, got {total!r}")
        self._sum = total
