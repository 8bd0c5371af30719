"""The state of a training run, and the loop that moves it."""

from __future__ import annotations

import math
import sys
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer
from tqdm import tqdm

from pyrogen.errors import DivergenceError
from pyrogen.models import Pair, Programs
from pyrogen.progress import progress_bar
from pyrogen.training.data import Order, Source
from pyrogen.training.history import CLOCK, History
from pyrogen.training.objectives import elbo_terms
from pyrogen.training.program_data import Whole, moved
from pyrogen.training.schedules import Schedule
from pyrogen.training.step import ProgramStep, RecordedStep, trainable

SHOWN = {"objective": "objective", "reconstruction": "reconstruction", "kl": "KL", "penalty": "penalty"}
FLUSH_EVERY = 50  # steps between two looks at the terms: on an accelerator each look waits for it


class Checkpoints(Protocol):
    """Where a run keeps its state."""

    folder: Path
    saved: int

    def due(self, step: int) -> bool:
        """Whether a checkpoint should be written after `step`."""

    def save(self, run: Run) -> None:
        """Write the whole state of a run."""


class Run:
    """The state of a run: what a checkpoint keeps, and the loop that moves it."""

    def __init__(
        self,
        pair: Pair,
        source: Source,
        order: Order | Whole,
        schedule: Schedule,
        optimizer: Optimizer,
        begun: ProgramStep | None = None,
    ) -> None:
        self.pair, self.source, self.order, self.schedule, self.optimizer = pair, source, order, schedule, optimizer
        self.parameters = list(trainable(pair).values())
        self.device = pair.beta.device
        self.step, self.seconds = 0, 0.0
        self.sites: dict[str, str] = begun.sites if begun else {}
        self._take: ProgramStep | RecordedStep = begun or self._recorded()
        self.history = History(self._take.columns, self._take.monitored, self._take.per_latent, self._take.units)
        self._rows: list[Tensor] = []
        self._betas: list[float] = []

    def _recorded(self) -> RecordedStep:
        self.pair.train()
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            before = {name: tensor.clone() for name, tensor in self.pair.state_dict().items()}
            self.sites = _validate(self.pair, self._batch(0))
            recorded = RecordedStep(self.pair, self._batch, len(self.source))
            _put_back(self.pair, before)
        return recorded

    def train(self, steps: int, interrupted: threading.Event, checkpointer: Checkpoints | None, progress: bool) -> None:
        """Move to step `steps`, or to the step at which `interrupted` is set."""
        started, beta = time.perf_counter() - self.seconds, self.pair.beta.item()
        name = type(self.pair).__name__ + ("" if isinstance(self.pair, Programs) else f" β={beta:g}")
        with progress_bar(total=steps, initial=self.step, desc=name, unit="step", shown=progress) as bar:
            while self.step < steps and not interrupted.is_set():
                self._advance(beta * self.schedule(self.step))
                due = checkpointer is not None and checkpointer.due(self.step)
                if due or len(self._rows) == FLUSH_EVERY:
                    self._flush(bar, started)
                if checkpointer and due:
                    checkpointer.save(self)
            self._flush(bar, started)
            if checkpointer and checkpointer.saved != self.step:
                checkpointer.save(self)
            if interrupted.is_set() and self.step < steps:
                kept = (
                    f"; resume=True goes on from {checkpointer.folder}"
                    if checkpointer
                    else " (no checkpoint was asked for)"
                )
                bar.write(f"stopped at step {self.step} of {steps}{kept}", file=sys.stderr)
        if checkpointer:
            self.history.to_csv(checkpointer.folder / "history.csv")

    @torch.no_grad()
    def _advance(self, beta: float) -> None:
        row, gradients = self._take(self.step, beta)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        self.optimizer.zero_grad()  # gives the memory back before the next step asks for it
        self._rows.append(row)
        self._betas.append(beta)
        self.step += 1

    def _batch(self, step: int) -> Any:
        return moved(self.source.images(self.order(step)), self.device)

    def _flush(self, bar: tqdm, started: float) -> None:
        """Move the terms of the last steps to the history and the bar; raise if one is not finite."""
        if not self._rows:
            return
        self.seconds = time.perf_counter() - started
        rows = torch.stack(self._rows).double().cpu().numpy()
        numbers = np.arange(self.step - len(rows) + 1, self.step + 1)
        seconds = np.full(len(rows), self.seconds)
        clock = np.stack((numbers, numbers / self.order.steps_per_epoch, np.array(self._betas), seconds), axis=1)
        self.history.append(np.concatenate((clock, rows), axis=1))
        self._rows, self._betas = [], []
        if not np.isfinite(rows).all():
            self._report_divergence(rows, int(numbers[0]))
        terms = zip(self.history.columns[len(CLOCK) :], rows.mean(0), strict=True)
        shown = [f"{SHOWN[name]} {mean:.2f}" for name, mean in terms if name in SHOWN]
        bar.set_postfix_str(", ".join(shown), refresh=False)
        bar.update(self.step - bar.n)

    def _report_divergence(self, rows: NDArray[np.float64], first: int) -> None:
        at = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        bad = [i for i in range(rows.shape[1]) if not math.isfinite(rows[at, i])]
        column = min((i for i in bad if i != 0), default=0)  # the objective is the sum of the others
        name = self.history.columns[len(CLOCK) + column]
        name = "kl" if name in self.history.per_latent else name
        raise DivergenceError(
            f"at step {first + at} the {SHOWN.get(name, name)} term of site {self.sites.get(name, name)!r} became "
            f"{rows[at, column]}: try a smaller lr, a β warm-up or data on a smaller scale; the checkpoint before it, "
            "if one was asked for, is kept"
        )


def _validate(pair: Pair, x: Tensor) -> dict[str, str]:
    """One evaluation with all of Pyro's checks on; the sites behind the history's columns."""
    pair.check(x)
    with pyro.validation_enabled(True), torch.no_grad():
        terms = elbo_terms(pair, x)
    kinds = {"reconstruction": terms.reconstruction, "kl": terms.kl, "penalty": terms.penalty, "charge": terms.charges}
    for kind, sites in kinds.items():
        for name, value in sites.items():
            if not torch.isfinite(value).all():
                raise DivergenceError(
                    f"at step 1 the {SHOWN.get(kind, kind)} term of site {name!r} is not finite: check the initial "
                    "weights"
                )
    return {"objective": "all"} | {kind: ", ".join(sites) for kind, sites in kinds.items()}


@torch.no_grad()
def _put_back(pair: Pair, state: dict[str, Tensor]) -> None:
    """Undo what a guide in training mode changed in place (running means, a codebook) while it was tried out."""
    for name, tensor in pair.state_dict().items():
        if not torch.equal(tensor, state[name]):
            tensor.copy_(state[name])
