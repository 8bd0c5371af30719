"""The arguments of `fit` beside its pair and data, checked before any work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from pyrogen import checks
from pyrogen.training.callbacks.state import State
from pyrogen.training.optimizers import MakeOptimizer, MakeSchedule, check_optimizer
from pyrogen.training.schedules import Schedule
from pyrogen.training.step import Precision


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run is asked to do, in plain Python: the arguments of `fit` with the same names.

    Raises:
        TypeError, ValueError: for an argument that `fit` cannot use.
    """

    steps: int
    batch_size: int | None
    lr: float
    seed: int
    schedule: Schedule | None
    optimizer: MakeOptimizer | None
    lr_schedule: MakeSchedule | None
    clip_norm: float | None
    validation: Any
    validate_every: int | None
    callbacks: Sequence[Callable[[State], None]]
    workers: int
    device: str | torch.device | None
    checkpoint: str | os.PathLike[str] | None
    checkpoint_every: int | None
    resume: bool | Literal["weights"]
    precision: Precision
    compile: bool | None
    progress: bool

    def __post_init__(self) -> None:
        """Check each argument, and put plain Python in its place."""
        self._set("steps", checks.whole("steps", self.steps, least=1, most=checks.LARGEST_SIZE))
        self._set("seed", checks.seed("seed", self.seed))
        self._set("lr", checks.real("lr", self.lr, above=0))
        self._set("workers", checks.whole("workers", self.workers, least=0))
        self._set("progress", checks.flag("progress", self.progress))
        for name in ("batch_size", "checkpoint_every", "validate_every"):
            self._set_given(name, checks.whole, least=1)
        self._set_given("clip_norm", checks.real, above=0)
        self._set_given("compile", checks.flag)
        self._set_given("checkpoint", checks.path)
        self._set_given("device", _device)
        if not (isinstance(self.resume, str) and self.resume == "weights"):
            self._set("resume", checks.flag("resume", self.resume))
        check_optimizer(self.optimizer)
        checks.one_of("precision", self.precision, get_args(Precision))
        self._check_parts()
        if self.resume and self.checkpoint is None:
            raise ValueError(
                f"checkpoint must be the folder to go on from with resume={self.resume!r}, got None: pass it"
            )

    def _check_parts(self) -> None:
        if not (self.schedule is None or isinstance(self.schedule, Schedule)):
            raise TypeError(
                "schedule must be a Schedule such as pg.training.LinearWarmup(1000) or a subclass of your own, got "
                f"{checks.shown(self.schedule)}"
            )
        if not isinstance(self.callbacks, Sequence) or isinstance(self.callbacks, str):
            got = checks.shown(self.callbacks)
            raise TypeError(f"callbacks must be a list, such as [pg.training.KeepBest()], got {got}")
        for callback in self.callbacks:
            if isinstance(callback, type) or not callable(callback):
                raise TypeError(f"callbacks must be callables of the run's state, got {checks.shown(callback)}")
        if self.validate_every is not None and self.validation is None:
            raise ValueError("validation must be held-out images for validate_every, got None")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _set_given(self, name: str, check: Callable[..., Any], **limits: Any) -> None:
        """Check an argument for which None stands for a default."""
        value = getattr(self, name)
        if value is not None:
            self._set(name, check(name, value, **limits))


def _device(name: str, device: Any) -> torch.device:
    """Return the device, with its number."""
    if not isinstance(device, str | torch.device):
        raise TypeError(f"{name} must be a name such as 'cpu' or a torch.device, got {checks.shown(device)}")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"{name} must be one that can be used here, got {str(device)!r}: {str(error).splitlines()[0]}"
        ) from error
