"""Keeps a run's state in a folder, and puts a run back to where it was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyrogen.config import describe
from pyrogen.errors import CheckpointError, DivergenceError
from pyrogen.files import check_writable, remove_leftovers
from pyrogen.training.checkpoint import FILE_NAME, State, read_state, set_weights, weights_of, write_state
from pyrogen.training.run import Run

SAVE_EVERY = 30.0  # seconds between two checkpoints, unless a number of steps is asked for


class Checkpointer:
    """Writes checkpoints of one run, whose settings tell whether a checkpoint is its own.

    Args:
        folder: where the checkpoint is; made if it is not there.
        every: steps between two checkpoints; by default about 30 seconds pass.
        settings: what a run must share with the checkpoint to go on from it.
        resume: whether a checkpoint may be there.

    Raises:
        CheckpointError: if one is there and is damaged, another run's, or not expected.
        ValueError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, every: int | None, settings: dict[str, Any], resume: bool) -> None:
        self.folder, self.every, self.settings = folder, every, settings
        self.path = folder / FILE_NAME
        self._last, self.saved = time.monotonic(), 0
        self._state: State | None = None
        if self.path.exists():
            if not resume:
                raise CheckpointError(
                    f"{folder} holds a checkpoint already: pass resume=True to go on, or another folder"
                )
            self._state = read_state(self.path)
            self._compare(self._state.facts.get("settings", {}))
            self.saved = self._state.facts["step"]
        check_writable(folder)
        remove_leftovers(folder, FILE_NAME)

    def due(self, step: int) -> bool:
        """Whether a checkpoint should be written after `step`."""
        if step == self.saved:
            return False
        return step % self.every == 0 if self.every else time.monotonic() - self._last > SAVE_EVERY

    def save(self, run: Run) -> None:
        """Write the whole state; the one before stays if a weight is not finite or the write does not complete."""
        for name, weight in run.pair.named_parameters():  # the terms of a step come before its update
            if not torch.isfinite(weight).all():
                raise DivergenceError(
                    f"after step {run.step} the weights {name!r} are not finite: try a smaller lr; the checkpoint "
                    "before it is kept"
                )
        optimizer = run.optimizer.state_dict()
        tensors = weights_of(run.pair) | {
            f"optimizer.{i}.{key}": value for i, entry in optimizer["state"].items() for key, value in entry.items()
        }
        tensors["random.cpu"] = torch.get_rng_state()
        if run.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(run.device)
        tensors["history"] = torch.from_numpy(run.history.array)
        facts = {
            "pair": describe(run.pair),
            "settings": self.settings,
            "step": run.step,
            "seconds": run.seconds,
            "columns": run.history.columns,
            "groups": optimizer["param_groups"],
        }
        write_state(State(tensors, facts), self.path)
        self._last, self.saved = time.monotonic(), run.step

    def restore(self, run: Run) -> None:
        """Put a run where the folder's checkpoint left it, if there is one."""
        if self._state is None:
            return
        state, facts = self._state, self._state.facts
        set_weights(run.pair, state.part("pair"), self.path)
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in state.part("optimizer").items():
            number, key = name.split(".", 1)
            entries.setdefault(int(number), {})[key] = value
        run.optimizer.load_state_dict({"state": entries, "param_groups": facts["groups"]})
        torch.set_rng_state(state.tensors["random.cpu"])
        if "random.cuda" in state.tensors and run.device.type == "cuda":
            torch.cuda.set_rng_state(state.tensors["random.cuda"], run.device)
        run.history.append(state.tensors["history"].numpy())
        run.step, run.seconds = facts["step"], facts["seconds"]
        self._state = None

    def _compare(self, theirs: dict[str, Any]) -> None:
        for name, mine in self.settings.items():
            if theirs.get(name) != mine:
                where, was, now = _difference(theirs.get(name), mine, name)
                raise CheckpointError(
                    f"the checkpoint in {self.folder} belongs to another run: its {where} is {was}, and now it is "
                    f"{now}; use the same settings, or another folder"
                )


def _difference(was: Any, now: Any, name: str) -> tuple[str, Any, Any]:
    """The first entry in which two descriptions differ: its name and both values."""
    if isinstance(was, dict) and isinstance(now, dict) and was.get("class") == now.get("class"):
        was, now = was.get("arguments", was), now.get("arguments", now)
        key = next(key for key in {**was, **now} if was.get(key) != now.get(key))
        return _difference(was.get(key), now.get(key), key)
    return name, *(value.get("class", value) if isinstance(value, dict) else value for value in (was, now))
