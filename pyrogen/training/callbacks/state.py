"""What a callback is, and what it sees of the run."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from pyrogen.checks import real, whole
from pyrogen.models import Pair
from pyrogen.training.history import CLOCK, History


class State:
    """A training run as a callback sees it.

    Attributes:
        pair: the pair in training.
        steps: the step up to which it will be trained.
        folder: the checkpoint folder, or None.
        step: the steps done, from 1.
        validated: whether the pair was validated after this step.
        validation: the held-out terms of the last validation by name, in nats per image; None before the first.
        validates: whether the run validates at all.
        reason: why a callback has stopped the run; None while none has.
    """

    def __init__(
        self, pair: Pair, steps: int, folder: Path | None, history: Callable[[], History], validates: bool
    ) -> None:
        self.pair, self.steps, self.folder, self.validates = pair, steps, folder, validates
        self.step, self.validated = 0, False
        self.validation: dict[str, float] | None = None
        self.reason: str | None = None
        self._history = history

    @property
    def history(self) -> History:
        """The history up to this step. On an accelerator this waits for the step to end."""
        return self._history()

    @property
    def terms(self) -> dict[str, float]:
        """The terms of this step by name, in nats per image. On an accelerator this waits for the step to end."""
        history = self.history
        return dict(zip(history.columns[len(CLOCK) :], history.array[-1, len(CLOCK) :].tolist(), strict=True))

    def stop(self, reason: str = "a callback asked for it") -> None:
        """End the run after this step, with a checkpoint."""
        self.reason = reason


class Callback(ABC):
    """Called with the `State` after each step; a plain function of the state is a callback too.

    A callback that is called at a validation looks at ``state.validated``. What it remembers belongs in `state_dict`
    and `load_state_dict`: a checkpoint keeps it, so that a resumed run goes on as if it had never stopped.
    """

    @abstractmethod
    def __call__(self, state: State) -> None:
        """Do what is to be done after a step."""

    def start(self, state: State) -> None:  # noqa: B027 (most need nothing)
        """Prepare for the run; refuse one that lacks what is needed."""

    def end(self, state: State) -> None:  # noqa: B027
        """Finish, after the last checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the callback remembers: numbers, strings, tensors and containers of these."""
        return {}

    def check_state(self, state: dict[str, Any], pair: Pair, step: int) -> None:  # noqa: B027
        """Raise ``ValueError`` for a state that such a callback does not have after `step` of training `pair`."""

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Go on from what `state_dict` returned."""


class Monitor(Callback):
    """A callback that follows one held-out term, and remembers the attributes whose names are in `kept`.

    Args:
        monitor: the term's name in the validation, lower is better but for ``"elbo"``.
    """

    kept: ClassVar[tuple[str, ...]] = ("best", "best_step")

    def __init__(self, monitor: str = "objective") -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be the name of a held-out term such as 'objective', got {monitor!r}")
        self.monitor = monitor
        self.best, self.best_step = math.inf, 0

    def start(self, state: State) -> None:
        """Refuse a run without validation."""
        if not state.validates:
            raise ValueError(f"{type(self).__name__} must see held-out terms: pass validation= to fit")

    def check_state(self, state: dict[str, Any], pair: Pair, step: int) -> None:
        """Refuse a best value that is not a number, and counts beyond the steps."""
        real("best", state.get("best", 0.0), finite=False)
        for name in ("best_step", "waited"):
            whole(name, state.get(name, 0), least=0, most=step)

    def state_dict(self) -> dict[str, Any]:
        """Return the attributes that are kept."""
        return {name: getattr(self, name) for name in self.kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from these."""
        for name in self.kept:
            setattr(self, name, state[name])

    def value(self, state: State) -> float:
        """Return the term, so that lower is better."""
        terms = state.validation or {}
        if self.monitor not in terms:
            raise ValueError(f"monitor must be one of {', '.join(map(repr, terms))}, got {self.monitor!r}")
        return -terms[self.monitor] if self.monitor == "elbo" else terms[self.monitor]
