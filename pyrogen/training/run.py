"""The state of a training run, and the loop that moves it."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from pyrogen.errors import DivergenceError, PyrogenError
from pyrogen.models import Pair, Programs
from pyrogen.progress import progress_bar
from pyrogen.training.callbacks.state import State
from pyrogen.training.data.program_data import Whole
from pyrogen.training.data.reading import batches_of, reading
from pyrogen.training.data.sources import Order, Source
from pyrogen.training.data.streams import StreamOrder
from pyrogen.training.distributed import Team
from pyrogen.training.feedback import Feedback
from pyrogen.training.history import CLOCK, History
from pyrogen.training.parts import Checkpoints, Parts
from pyrogen.training.step import First, PairObjective, Precision, ProgramsObjective, Step, trainable
from pyrogen.training.step.compiled import CompiledStep
from pyrogen.training.step.objective import not_finite
from pyrogen.training.step.trainable import still_trained, with_new

SHOWN = {"objective": "objective", "reconstruction": "reconstruction", "kl": "KL", "penalty": "penalty"}
FLUSH_EVERY = 50  # steps between two looks at the terms: on an accelerator each look waits for it


class Run:
    """The state of a run: what a checkpoint keeps, and the loop that moves it.

    `order` says which data of `source` make up each step, and `begun` is the first step of programs, taken already.
    `compile` and `precision` are those of `fit`.
    """

    def __init__(
        self,
        pair: Pair,
        source: Source,
        order: Order | Whole | StreamOrder,
        optimizer: Optimizer,
        parts: Parts | None = None,
        begun: First | None = None,
        compile: bool | None = None,
        precision: Precision = "float32",
        team: Team | None = None,
    ) -> None:
        self.pair, self.source, self.order, self.optimizer = pair, source, order, optimizer
        self.team = team or Team()
        self.parts = parts or Parts()
        self.parameters = list(trainable(pair).values())
        self.device = pair.beta.device
        self.step, self.seconds = 0, 0.0
        self.reason: str | None = None
        self._error: Exception | None = None  # that a callback has raised
        self._begun = begun is not None
        if begun is None:
            pair.train()
        self.objective = begun.objective if begun else PairObjective(pair, len(source), precision)
        fixed = isinstance(order, Whole)
        self._take = Step(self.objective, batches_of(source, order, self.device), fixed, compile, begun)
        self.note_unkept = self._take.note_unkept
        columns, monitored = self.objective.columns, self.objective.monitored
        rate = ("lr",) if self.parts.lr_schedule is not None else ()
        self.history = History((*columns, *rate), (*monitored, *rate), self.objective.per_latent, self.objective.units)
        self._program: CompiledStep | None = None
        self._rows: list[Tensor] = []
        self._clock: list[tuple[float | Tensor, float]] = []
        self._held_out = ""
        self._kl: Tensor | None = None  # of the step before, for a schedule with feedback
        self.parts.begin(columns)

    @property
    def way(self) -> str:
        """How steps are taken: "plain", "recorded", "compiled" or "cuda graph"."""
        return self._take.way

    def train(self, steps: int, interrupted: threading.Event, checkpointer: Checkpoints | None, progress: bool) -> None:
        """Move to step `steps`, or to the step at which `interrupted` is set or a callback stops the run."""
        self._started, self._beta = time.perf_counter() - self.seconds, self.pair.beta.item()
        name = type(self.pair).__name__ + ("" if isinstance(self.pair, Programs) else f" β={self._beta:g}")
        folder = checkpointer.folder if checkpointer else None
        self.history.validation = self.parts.validation.history if self.parts.validation else None
        if isinstance(self.objective, ProgramsObjective):
            self.objective.grows = checkpointer is None and self.team.size == 1
        state = State(self.pair, steps, folder, self._history_now, self.parts.validation is not None)
        state.step = self.step
        with progress_bar(total=steps, initial=self.step, desc=name, unit="step", shown=progress) as self._bar:
            self.parts.tell("start", state)
            if self.parts.foreign:
                self._take.look(whole=True)
            if checkpointer:
                self.note_unkept()
            with reading(self.source, self.order, self.step, steps), self._programmed(steps):
                while self.step < steps and not (self.team.stops or self._ends(interrupted, state)):
                    self._advance(interrupted.is_set() or self._error is not None)
                    self._after(state, checkpointer)
            self._flush()
            if checkpointer and checkpointer.saved != self.step:
                checkpointer.save(self)
            if self.team.agree(self._error is not None):
                self._raise(checkpointer)
            self.parts.tell("end", state)
            signaled = (interrupted.is_set() or self.team.stops) and self.step < steps
            self.reason = "signal" if signaled else state.reason
            if self.reason:
                self._say_why(self.reason, steps, checkpointer)
        if checkpointer and self.team.leads:
            self.history.to_csv(checkpointer.folder / "history.csv")
            if self.history.validation is not None:
                self.history.validation.to_csv(checkpointer.folder / "validation.csv")

    @contextmanager
    def _programmed(self, steps: int) -> Iterator[None]:
        """Have step and optimizer compiled as one program in this context, where that is asked for or pays."""
        self._steps = steps
        if not self._starts:
            self._program = self._compiled()
        try:
            yield
        finally:
            self._release()

    @property
    def _starts(self) -> bool:
        """Whether the next step is one that programs have taken already."""
        return self._begun and self.step == 0

    def _release(self) -> None:
        if self._program is not None:
            self._program.release()
        self._program = None

    def _compiled(self) -> CompiledStep | None:
        left, clipped = self._steps - self.step, self.parts.clip_norm is not None
        return self._take.compiled(self.parameters, self.optimizer, left, clipped, self.team.size)

    def _ends(self, interrupted: threading.Event, state: State) -> bool:
        """Whether the run ends before its last step; several processes must say so after the same step."""
        asked = interrupted.is_set() or state.reason is not None
        if self.team.size == 1:
            return asked
        if not state.validated and self.step % FLUSH_EVERY:
            return False
        ends = self.team.agree(asked)
        state.reason = state.reason or ("another process has stopped" if ends else None)
        return ends

    def _after(self, state: State, checkpointer: Checkpoints | None) -> None:
        """What may follow a step: a look at the terms, a validation, the callbacks, a checkpoint."""
        due = checkpointer is not None and checkpointer.due(self.step)
        validated = self.parts.validation is not None and self.parts.validation.due(self.step)
        state.step, state.validated = self.step, validated
        if due or validated or len(self._rows) == FLUSH_EVERY:
            self._flush()
        if validated:
            self._validate(state)
        if self._error is None:
            self._call_back(state)
        if checkpointer and due:
            checkpointer.save(self)

    @torch.no_grad()
    def _advance(self, stop: bool) -> None:
        beta, rate = self._weight(), self.optimizer.param_groups[0].get("lr", math.nan)
        if self._program is not None:
            row = self._program(self._take.batch_of(self.step), beta, rate)
        else:
            starts = self._starts
            row, gradients = self.team.average(*self._take(self.step, beta), stop)
            if len(gradients) > len(self.parameters):
                self.parameters = with_new(self.pair, self.optimizer)
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                parameter.grad = gradient
            if self.parts.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.parts.clip_norm)
            self.optimizer.step()
            plain = isinstance(self.pair, Programs) and self.way == "plain"  # SVI leaves zeros between its steps
            self.optimizer.zero_grad(not plain)  # else the memory is free before the next step asks for it
            if starts:
                self._program = self._compiled()
        if self.parts.lr_schedule is not None and not isinstance(self.parts.lr_schedule, ReduceLROnPlateau):
            self.parts.lr_schedule.step()
        if isinstance(self.parts.schedule, Feedback):
            self._kl = row[self.history.columns.index("kl") - len(CLOCK)]
        self._rows.append(row)
        self._clock.append((beta, float(rate)))
        self.step += 1

    def _weight(self) -> float | Tensor:
        """β at this step; that of a schedule with feedback is a tensor that stays on its device."""
        if isinstance(self.parts.schedule, Feedback) and self._kl is not None:
            return self._beta * self.parts.schedule.factor(self.step, self._kl)
        return self._beta * self.parts.schedule(self.step)

    def _validate(self, state: State) -> None:
        assert self.parts.validation is not None
        clock = self.history.array[-1, : len(CLOCK)]
        terms = self.parts.validation.measure(tuple(clock))
        self.history.validation = self.parts.validation.history
        state.validation = terms
        if isinstance(self.parts.lr_schedule, ReduceLROnPlateau):
            self.parts.lr_schedule.step(terms["objective"])
        self._held_out = f"held-out {terms['objective']:.2f}"

    def _call_back(self, state: State) -> None:
        """Call all callbacks; if one raises, keep its error until all processes have stopped and written."""
        try:
            for callback in self.parts.callbacks:
                callback(state)
            if self.parts.foreign:  # it may have changed the programs, or which parameters are trained
                if self._take.look(whole=self.step <= 3 or self.step % FLUSH_EVERY == 0):
                    self._release()
                if self.way == "plain":  # else nothing has changed
                    self.parameters = still_trained(self.pair, self.optimizer, self.parameters)
        except Exception as error:
            self._error = error
            state.stop("a callback has raised")

    def _raise(self, checkpointer: Checkpoints | None) -> None:
        """Raise a callback's error; on the other processes, say that there was one."""
        error = self._error or PyrogenError("a callback raised on the first process, whose output has its error")
        if checkpointer:
            error.add_note(f"the checkpoint in {checkpointer.folder} holds the run at step {self.step}")
        raise error

    def go_on(self, way: Any) -> None:
        """Take the steps in the way of an earlier run's checkpoint, if this way has other last digits."""
        self._take.insist(way == "compiled")

    def resume_history(self, columns: tuple[str, ...], rows: NDArray[np.float64]) -> None:
        """Go on from the rows of an earlier run; a column that it lacks is NaN there."""
        table = np.full((len(rows), len(self.history.columns)), np.nan)
        for place, name in enumerate(self.history.columns):
            if name in columns:
                table[:, place] = rows[:, columns.index(name)]
        self.history.append(table)
        if "kl" in self.history.columns and len(rows):
            self._kl = torch.tensor(self.history["kl"][-1], dtype=self.pair.beta.dtype, device=self.device)

    def _history_now(self) -> History:
        self._flush()
        return self.history

    def _say_why(self, reason: str, steps: int, checkpointer: Checkpoints | None) -> None:
        kept = f"; resume=True goes on from {checkpointer.folder}" if checkpointer else " (no checkpoint was asked for)"
        because = "" if reason == "signal" else f": {reason}"
        self._bar.write(f"stopped at step {self.step} of {steps}{because}{kept}", file=sys.stderr)

    def _flush(self) -> None:
        """Move the terms of the last steps to the history and the bar; raise if one is not finite."""
        if not self._rows:
            return
        self.seconds = time.perf_counter() - self._started
        rows = torch.stack(self._rows).double().cpu().numpy()
        numbers = np.arange(self.step - len(rows) + 1, self.step + 1)
        seconds = np.full(len(rows), self.seconds)
        betas = np.array([float(beta) for beta, _ in self._clock])
        clock = np.stack((numbers, numbers / self.order.steps_per_epoch, betas, seconds), axis=1)
        rates = np.array([[rate] for _, rate in self._clock]) if self.parts.lr_schedule is not None else rows[:, :0]
        self.history.append(np.concatenate((clock, rows, rates), axis=1))
        self._rows, self._clock = [], []
        if not self.objective.has_value:
            if not all(torch.isfinite(parameter).all() for parameter in self.parameters):
                raise DivergenceError(f"by step {self.step} a parameter is not finite: try a smaller lr")
        elif not np.isfinite(rows).all():
            self._report_divergence(rows, int(numbers[0]))
        terms = zip(self.history.columns[len(CLOCK) :], rows.mean(0), strict=False)
        shown = [f"{SHOWN[name]} {mean:.2f}" for name, mean in terms if name in SHOWN]
        self._bar.set_postfix_str(", ".join([*shown, *([self._held_out] if self._held_out else [])]), refresh=False)
        self._bar.update(self.step - self._bar.n)

    def _report_divergence(self, rows: NDArray[np.float64], first: int) -> None:
        at = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        column, what = not_finite(self.objective, rows[at])
        warm_up = "" if isinstance(self.pair, Programs) else ", a β warm-up"  # programs have no β of ours
        raise DivergenceError(
            f"at step {first + at} the {what} became {rows[at, column]}: try a smaller lr{warm_up} or "
            "data on a smaller scale"
        )
