"""Keeps a run's state in a folder, and puts a run back to where it was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyrogen.config import describe, difference
from pyrogen.errors import CheckpointError, DivergenceError
from pyrogen.files import check_writable, remove_leftovers
from pyrogen.locks import FolderLock
from pyrogen.random_numbers import set_random_states
from pyrogen.training.checkpoints import packing
from pyrogen.training.checkpoints.checkpoint import (
    FILE_NAME,
    FORMAT,
    State,
    read_state,
    set_weights,
    weights_of,
    write_state,
)
from pyrogen.training.checkpoints.optimizer_state import pack, unpack
from pyrogen.training.distributed import Team
from pyrogen.training.history import check_clock
from pyrogen.training.run import Run
from pyrogen.warn import warn

UNKNOWN_TO_FORMAT_1 = ("data", "optimizer")
SINCE = {"processes": 1}  # settings that older checkpoints lack, and what they were then
LATER = ("precision", "loss")  # those of which it is not known
APART = frozenset({"loss"})  # what programs are compared by elsewhere
TOGETHER = 50  # steps after which several processes ask each other
SAVE_EVERY = 30.0  # seconds between two checkpoints, unless a number of steps is asked for


class Checkpointer:
    """Writes checkpoints of one run, whose settings tell whether a checkpoint is its own.

    Args:
        folder: where the checkpoint is; made if it is not there.
        every: steps between two checkpoints; by default about 30 seconds pass.
        settings: what a run must share with the checkpoint to go on from it.
        resume: whether a checkpoint may be there; ``"weights"`` takes only weights, step, history and random state.
        team: the processes that share the run; only the first of them writes.
        steps: the step to train up to.

    One run at a time uses the folder; `close` lets another begin.

    Raises:
        CheckpointError: if one is there and is damaged, another run's, or not expected; if another process uses it.
        ValueError: if the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        every: int | None,
        settings: dict[str, Any],
        resume: bool | str,
        team: Team | None = None,
        steps: int | None = None,
    ) -> None:
        self.folder, self.every, self.settings, self.resume = folder, every, settings, resume
        self.team = team or Team()
        self.path = folder / FILE_NAME
        self._last, self.saved = time.monotonic(), 0
        self._state: State | None = None
        check_writable(folder)
        if self.path.exists() and not resume:
            raise CheckpointError(f"{folder} holds a checkpoint already: pass resume=True to go on, or another folder")
        self._lock = FolderLock(folder)
        if self.team.leads and not self._lock.acquire():
            raise CheckpointError(
                f"{folder} is in use by another run ({self._lock.holder()}): wait until it ends, or choose another "
                "folder"
            )
        try:
            if self.path.exists():
                self._state = read_state(self.path)
                self._compare(self._state)
                self.saved = self._state.facts["step"]
            if self.team.leads:
                remove_leftovers(folder, FILE_NAME)
            if steps is not None and self.saved > steps:
                raise CheckpointError(
                    f"the checkpoint in {folder} is at step {self.saved}, beyond steps={steps}: ask for at least as "
                    "many, or choose another folder"
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another run use the folder."""
        self._lock.release()

    def due(self, step: int) -> bool:
        """Return whether a checkpoint should be written after `step`."""
        if step == self.saved:
            return False
        if self.every:
            return step % self.every == 0
        late = time.monotonic() - self._last > SAVE_EVERY
        if self.team.size == 1:
            return late
        return step % TOGETHER == 0 and self.team.agree(late and self.team.leads)

    def save(self, run: Run) -> None:
        """Write the whole state; the one before stays if a weight is not finite or the write does not complete."""
        for name, weight in run.pair.named_parameters():  # the terms of a step come before its update
            if not torch.isfinite(weight).all():
                raise DivergenceError(
                    f"after step {run.step} the weights {name!r} are not finite: try a smaller lr; the checkpoint "
                    "before it is kept"
                )
        run.note_unkept()
        state, facts = pack(run.optimizer)
        tensors = weights_of(run.pair) | {f"optimizer.{name}": value for name, value in state.items()}
        tensors |= run.team.random_states(run.device)
        tensors["history"] = torch.from_numpy(run.history.array)
        more, parts = packing.pack(run.parts.state_dict(), "parts")
        tensors |= more
        facts |= {
            "pair": describe(run.pair),
            "settings": self.settings,
            "step": run.step,
            "way": run.way,
            "seconds": run.seconds,
            "columns": run.history.columns,
            "parts": parts,
        }
        try:
            if self.team.leads:
                write_state(State(tensors, facts), self.path)
        except (OSError, ValueError) as error:
            kept = f"; the checkpoint of step {self.saved} is kept" if self.saved and self.path.exists() else ""
            reason = f"the checkpoint of step {run.step} could not be written to {self.folder}: {error}{kept}"
            raise (OSError(error.errno, reason) if isinstance(error, OSError) else CheckpointError(reason)) from error
        self._last, self.saved = time.monotonic(), run.step

    def restore(self, run: Run) -> None:
        """Put a run where the folder's checkpoint left it, if there is one.

        Raises:
            CheckpointError: if what it holds is not the state of such a run.
        """
        if self._state is None:
            return
        state, facts = self._state, self._state.facts
        beta = run.pair.beta.clone()
        set_weights(run.pair, state.part("pair"), self.path)
        if self.resume == "weights":
            run.pair.beta.copy_(beta)
        try:
            if self.resume != "weights":
                unpack(run.optimizer, state.part("optimizer"), facts, run.parts.lr_schedule is not None)
                run.go_on(facts.get("way"))
                parts = packing.unpack(facts.get("parts", {"dict": []}), state.tensors)
                run.parts.load_state_dict(parts, run.pair, facts["step"])
            set_random_states(run.team.own_random(state.tensors, run.device), run.device)
            history = state.tensors["history"].numpy()
            if history.dtype != np.float64 or len(history) != facts["step"]:
                raise ValueError(f"its history has {len(history)} rows of {history.dtype}")
            check_clock(history, facts["step"])
            if tuple(facts["columns"]) != run.history.columns and self.resume != "weights":
                raise ValueError("its history has other columns")
            run.resume_history(tuple(facts["columns"]), history)
            run.step, run.seconds = facts["step"], float(facts["seconds"])
        except Exception as error:  # whatever unsound content leads to
            raise CheckpointError(f"{self.path} does not hold the state of such a run: {error}") from error
        self._state = None

    def _compare(self, state: State) -> None:
        """Refuse what is another run's, before anything is made of it."""
        facts = state.facts
        theirs, step, seconds = facts.get("settings"), facts.get("step"), facts.get("seconds")
        number = isinstance(seconds, int | float) and 0 <= seconds < 1e12
        if not isinstance(theirs, dict) or type(step) is not int or step < 0 or not number:
            raise CheckpointError(
                f"{self.path} holds a pair and not a run: load it with pg.load, and train in another folder"
            )
        mine = self.settings if self.resume != "weights" else {}
        if state.format < FORMAT:
            warn(
                f"{self.path} was written by an older version: whether data and optimizer are the same is not compared"
            )
            mine = {name: value for name, value in mine.items() if name not in UNKNOWN_TO_FORMAT_1}
        for name, value in mine.items():
            if name in LATER and name not in theirs:
                continue
            if differing := difference(theirs.get(name, SINCE.get(name)), value, name, APART):
                where, was, now = differing
                raise CheckpointError(
                    f"the checkpoint in {self.folder} belongs to another run: its {where} is {was}, and now it is "
                    f"{now}; use the same settings, or another folder"
                )
