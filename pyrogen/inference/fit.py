"""``pg.fit``: train a pair, show how it goes, and lose nothing on the way."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import torch
from torch import Tensor
from torch.optim import Optimizer
from tqdm.auto import tqdm

from pyrogen.described import describe
from pyrogen.errors import CheckpointError, DivergenceError
from pyrogen.files import check_writable, remove_leftovers
from pyrogen.inference import checkpoint as checkpoints
from pyrogen.inference.batches import Order, Source, as_source
from pyrogen.inference.history import History
from pyrogen.inference.objectives import Terms, elbo_terms
from pyrogen.inference.schedules import Constant, Schedule
from pyrogen.inference.step import Objective, record, trainable
from pyrogen.models import Pair

FLUSH_EVERY = 50  # steps between two looks at the terms: on an accelerator each look waits for it
SAVE_EVERY = 30.0  # seconds between two checkpoints, unless steps are asked for


@dataclass
class Fit:
    """What `fit` returns.

    Attributes:
        pair: the trained pair, the object that was passed.
        history: one row a step, over all resumptions.
        steps: how many steps the pair has been trained for.
        stopped: True if SIGINT ended the run before its last step.
    """

    pair: Pair
    history: History
    steps: int
    stopped: bool = False


def fit(
    pair: Pair,
    data: Any,
    *,
    steps: int,
    batch_size: int = 64,
    lr: float = 1e-3,
    seed: int = 0,
    schedule: Schedule | None = None,
    optimiser: Callable[[list[Tensor]], Optimizer] | None = None,
    device: str | torch.device | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Fit:
    """Train `pair` on `data` by stochastic variational inference, in place.

    Each step lowers −E_q log p(x | z) + β KL(q(z | x) ‖ p(z)), in nats per image, on one batch. Nothing is left in
    Pyro's parameter store, the caller's random state is as before, and the same arguments give the same weights.

    Args:
        pair: a pyrogen pair.
        data: a tensor ``(N, *shape)``, a pyrogen data set, or a map-style torch ``Dataset`` of images or of tuples
            that begin with one. Batches run through a new permutation each epoch.
        steps: the step to train up to, counted from the start of the first run.
        batch_size: B, at most N.
        lr: the learning rate of Adam (Kingma and Ba 2015).
        seed: of batches and of the noise ε. The initial weights are the caller's.
        schedule: the factor on the pair's β over the steps; by default 1 throughout.
        optimiser: makes another torch optimiser from the list of parameters; `lr` is then unused.
        device: where to train; by default where the pair is.
        checkpoint: a folder that receives the whole state while training runs, and ``history.csv`` at its end.
        checkpoint_every: steps between two checkpoints; by default about 30 seconds pass.
        resume: go on from the folder's checkpoint, bit for bit as if the run had never stopped; start if it has none.
        progress: show a bar with objective, reconstruction and KL.

    Raises:
        ValueError, TypeError: for data, sizes or settings that do not fit, before any work.
        CheckpointError: if the checkpoint is damaged or another run's, or is there and `resume` is not set.
        DivergenceError: if a term stops being finite; the last good checkpoint stays.

    SIGINT (Ctrl-C) ends the run after the current step with a checkpoint, and ``Fit.stopped`` says so; a second one
    interrupts at once.

    Example:
        >>> import pyrogen as pg
        >>> x = torch.bernoulli(torch.full((256, 8, 8), 0.3))
        >>> vae = pg.models.VAE(pg.nn.MLPEncoder((8, 8), latent=2), pg.nn.MLPDecoder((8, 8), latent=2))
        >>> len(pg.fit(vae, x, steps=20, progress=False).history)
        20
    """
    if not isinstance(pair, Pair):
        raise TypeError(f"fit trains a pyrogen pair, and this is a {type(pair).__name__}; other programs go to pyro.infer.SVI")
    for name, value in {"steps": steps, "lr": lr, "checkpoint_every": checkpoint_every or 1}.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive, and it is {value}")
    if device is not None:
        pair.to(device)
    place = pair.beta.device
    source = as_source(data, pair, place)
    order = Order(len(source), batch_size, seed)
    settings = {
        "pair": describe(pair),
        "images": len(source),
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
        "schedule": describe(schedule or Constant()),
    }
    parameters = list(trainable(pair).values())
    optimizer = optimiser(parameters) if optimiser else torch.optim.Adam(parameters, lr=lr, fused=True)
    settings["optimiser"] = type(optimizer).__name__
    keeper = _Keeper(Path(checkpoint), checkpoint_every, settings, resume) if checkpoint is not None else None
    mode = pair.training
    with torch.random.fork_rng([place] if place.type == "cuda" else []), _interruptible() as interrupted:
        torch.manual_seed(seed)
        run = _Run(pair, source, order, schedule or Constant(), optimizer)
        if keeper:
            keeper.restore(run)
        try:
            run.train(steps, interrupted, keeper, progress)
        finally:
            pair.train(mode)
            for parameter in parameters:
                parameter.grad = None
    return Fit(pair, run.history, run.step, run.step < steps)


class _Run:
    """The state of a run: what a checkpoint keeps, and the loop that moves it."""

    def __init__(self, pair: Pair, source: Source, order: Order, schedule: Schedule, optimizer: Optimizer) -> None:
        self.pair, self.source, self.order, self.schedule, self.optimizer = pair, source, order, schedule, optimizer
        self.parameters = list(trainable(pair).values())
        self.device = pair.beta.device
        self.step, self.seconds = 0, 0.0
        pair.train()
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            x = self._batch(0)
            self.sites = _validate(pair, x)
            objective = Objective(pair, len(source))
            self.gradients = record(objective, x)
        self.history = History(objective.columns)
        self._rows: list[Tensor] = []
        self._betas: list[float] = []

    def train(self, steps: int, interrupted: threading.Event, keeper: _Keeper | None, progress: bool) -> None:
        """Move to step `steps`, or to the step at which `interrupted` is set."""
        started, beta = time.perf_counter() - self.seconds, self.pair.beta.item()
        name = f"{type(self.pair).__name__} β={beta:g}"
        with tqdm(total=steps, initial=self.step, desc=name, unit="step", disable=not progress, dynamic_ncols=True) as bar:
            while self.step < steps and not interrupted.is_set():
                self._advance(beta * self.schedule(self.step))
                last = self.step == steps or interrupted.is_set()
                if len(self._rows) == FLUSH_EVERY or last or (keeper and keeper.due(self.step)):
                    self.seconds = time.perf_counter() - started
                    bar.set_postfix_str(self._flush(), refresh=False)
                    bar.update(self.step - bar.n)
                    if keeper and (last or keeper.due(self.step)):
                        keeper.save(self)
            if interrupted.is_set() and self.step < steps:
                kept = f"; resume=True goes on from {keeper.folder}" if keeper else " (no checkpoint was asked for)"
                bar.write(f"stopped at step {self.step} of {steps}{kept}")
        if keeper:
            self.history.to_csv(keeper.folder / "history.csv")

    @torch.no_grad()
    def _advance(self, beta: float) -> None:
        row, *gradients = self.gradients(*self.parameters, self._batch(self.step), torch.tensor(beta))
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        self._rows.append(row)
        self._betas.append(beta)
        self.step += 1

    def _batch(self, step: int) -> Tensor:
        return self.source.images(self.order(step)).to(self.device, non_blocking=True)

    def _flush(self) -> str:
        """Move the terms of the last steps to the history; raise if one is not finite."""
        rows = torch.stack(self._rows).double().cpu().numpy()
        numbers = np.arange(self.step - len(rows) + 1, self.step + 1)
        seconds = np.full(len(rows), self.seconds)
        clock = np.stack((numbers, numbers / self.order.steps_per_epoch, np.array(self._betas), seconds), axis=1)
        self.history.append(np.concatenate((clock, rows), axis=1))
        self._rows, self._betas = [], []
        if not np.isfinite(rows).all():
            self._report_divergence(rows, int(numbers[0]))
        mean = rows.mean(0)
        return f"objective {mean[0]:.2f}, reconstruction {mean[1]:.2f}, KL {mean[2]:.2f}"

    def _report_divergence(self, rows: np.ndarray, first: int) -> None:
        at = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        bad = [i for i in range(rows.shape[1]) if not math.isfinite(rows[at, i])]
        column = min((i for i in bad if i != 0), default=0)  # the objective is the sum of the others
        term, site = {0: ("objective", "all"), 1: ("reconstruction", self.sites[0])}.get(column, ("KL", self.sites[1]))
        raise DivergenceError(
            f"at step {first + at} the {term} term of site {site!r} became {rows[at, column]}: try a smaller lr, a β "
            "warm-up or data on a smaller scale; the checkpoint before it, if one was asked for, is kept"
        )


def _validate(pair: Pair, x: Tensor) -> tuple[str, str]:
    """One evaluation with all of Pyro's checks on; the names of the observed and the latent sites."""
    pair.check(x)
    with pyro.validation_enabled(True), torch.no_grad():
        terms: Terms = elbo_terms(pair, x)
    for kind, sites in {"reconstruction": terms.reconstruction, "KL": terms.kl}.items():
        for name, value in sites.items():
            if not torch.isfinite(value).all():
                raise DivergenceError(f"at step 1 the {kind} term of site {name!r} is not finite: check the initial weights")
    return ", ".join(terms.reconstruction), ", ".join(terms.kl)


class _Keeper:
    """Keeps a run's state in a folder."""

    def __init__(self, folder: Path, every: int | None, settings: dict[str, Any], resume: bool) -> None:
        self.folder, self.every, self.settings = folder, every, settings
        self.path = folder / checkpoints.FILE_NAME
        self._last, self._saved = time.monotonic(), -1
        self._state: checkpoints.State | None = None
        if self.path.exists():
            if not resume:
                raise CheckpointError(f"{folder} holds a checkpoint already: pass resume=True to go on, or another folder")
            self._state = checkpoints.read_state(self.path)
            self._compare(self._state.facts.get("settings", {}))
        check_writable(folder)
        remove_leftovers(folder, checkpoints.FILE_NAME)

    def due(self, step: int) -> bool:
        """Whether a checkpoint should be written after `step`."""
        if step == self._saved:
            return False
        return step % self.every == 0 if self.every else time.monotonic() - self._last > SAVE_EVERY

    def save(self, run: _Run) -> None:
        """Write the whole state; the step before stays if the write does not complete."""
        optimiser = run.optimizer.state_dict()
        tensors = checkpoints.weights_of(run.pair) | {
            f"optimiser.{i}.{key}": value for i, entry in optimiser["state"].items() for key, value in entry.items()
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
            "groups": optimiser["param_groups"],
        }
        checkpoints.write_state(checkpoints.State(tensors, facts), self.path)
        self._last, self._saved = time.monotonic(), run.step

    def restore(self, run: _Run) -> None:
        """Put a run where the folder's checkpoint left it, if there is one."""
        if self._state is None:
            return
        state, facts = self._state, self._state.facts
        checkpoints.set_weights(run.pair, state.part("pair"), self.path)
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in state.part("optimiser").items():
            number, key = name.split(".", 1)
            entries.setdefault(int(number), {})[key] = value
        run.optimizer.load_state_dict({"state": entries, "param_groups": facts["groups"]})
        torch.set_rng_state(state.tensors["random.cpu"])
        if "random.cuda" in state.tensors and run.device.type == "cuda":
            torch.cuda.set_rng_state(state.tensors["random.cuda"], run.device)
        run.history.append(state.tensors["history"].numpy())
        run.step, run.seconds = facts["step"], facts["seconds"]
        self._state, self._saved = None, run.step

    def _compare(self, theirs: dict[str, Any]) -> None:
        for name, mine in self.settings.items():
            if theirs.get(name) != mine:
                was, now = (("another", "this one") if name == "pair" else (theirs.get(name), mine))
                raise CheckpointError(
                    f"the checkpoint in {self.folder} belongs to another run: its {name} is {was}, and now it is {now}; "
                    "use the same settings, or another folder"
                )


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that SIGINT sets; a second SIGINT raises ``KeyboardInterrupt``. Only the main thread can listen."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def listen(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = signal.signal(signal.SIGINT, listen)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
