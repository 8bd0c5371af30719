"""What a run has beside its pair, data and optimizer, and what a checkpoint keeps of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from pyrogen.models import Pair
from pyrogen.training.callbacks.state import Callback, State
from pyrogen.training.checkpoints.part_state import check_scheduler
from pyrogen.training.feedback import Feedback
from pyrogen.training.history import CLOCK
from pyrogen.training.schedules import Constant, Schedule
from pyrogen.training.validation import Validation


class Checkpoints(Protocol):
    """Where a run keeps its state."""

    folder: Path
    saved: int

    def due(self, step: int) -> bool:
        """Return whether a checkpoint should be written after `step`."""

    def save(self, run: Any) -> None:
        """Write the whole state of a run."""


@dataclass
class Parts:
    """The optional parts of a run.

    Attributes:
        schedule: the factor on β.
        lr_schedule: moves the learning rate after each step, or after each validation if it is `ReduceLROnPlateau`.
        clip_norm: the largest norm of the gradient of all parameters.
        validation: measures held-out terms.
        callbacks: are called after each step.
        stream: data that keep their place themselves.
    """

    schedule: Schedule = field(default_factory=Constant)
    lr_schedule: Any = None
    clip_norm: float | None = None
    validation: Validation | None = None
    callbacks: Sequence[Callable[[State], None]] = ()
    stream: Any = None

    def begin(self, columns: Sequence[str]) -> None:
        """Let a schedule with feedback forget an earlier run; refuse one that has no KL to follow."""
        if isinstance(self.schedule, Feedback):
            if "kl" not in columns:
                name = type(self.schedule).__name__
                raise ValueError(
                    f"schedule must be left out for a guide that is a point, got {name}, which follows the KL"
                )
            self.schedule.reset()

    @property
    def foreign(self) -> bool:
        """Whether a callback is the caller's own, which may do anything."""
        return any(not type(callback).__module__.startswith("pyrogen.") for callback in self.callbacks)

    def tell(self, moment: Literal["start", "end"], state: State) -> None:
        """Let the callbacks prepare, or finish."""
        for callback in self.callbacks:
            if hasattr(callback, moment):  # a plain function has none
                getattr(callback, moment)(state)

    def state_dict(self) -> dict[str, Any]:
        """Return what the parts remember."""
        parts = {name: part.state_dict() for name, part in self._named() if hasattr(part, "state_dict")}
        held_out = self.validation.history if self.validation else None
        if held_out is not None:
            columns = held_out.columns[len(CLOCK) :]
            made = {"columns": columns, "monitored": held_out.monitored, "per_latent": held_out.per_latent}
            parts["validation"] = made | {"units": held_out.units, "rows": held_out.array}
        return parts

    def load_state_dict(self, parts: dict[str, Any], pair: Pair, step: int) -> None:
        """Put the parts where `state_dict` found them after `step`; a part that was not there starts anew.

        Raises:
            ValueError: if that is not the state of such a part; it names the part.
        """
        name = "validation"
        try:
            kept = parts.get(name)
            if kept and self.validation:
                self.validation.go_on(kept, step)
            for name, part in self._named():
                if name in parts and hasattr(part, "load_state_dict"):
                    if name == "lr_schedule":
                        check_scheduler(parts[name], part, step)
                    elif isinstance(part, Callback):
                        part.check_state(parts[name], pair, step)
                    part.load_state_dict(parts[name])
        except Exception as error:  # a part of the caller's own may raise anything
            raise ValueError(f"{name} cannot go on from what it keeps: {error}") from error

    def _named(self) -> Iterator[tuple[str, Any]]:
        """Yield the parts by name; a callback's is its class and its number among those of the class."""
        yield "lr_schedule", self.lr_schedule
        yield "schedule", self.schedule
        yield "stream", self.stream
        seen: Counter[str] = Counter()
        for callback in self.callbacks:
            name = type(callback).__name__
            yield f"callback {name} {seen[name]}", callback
            seen[name] += 1
