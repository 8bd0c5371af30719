"""``pg.fit``: train a pair, show how it goes, and lose nothing on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from pyrogen.models import Pair, Programs
from pyrogen.models.base import check_pair
from pyrogen.random_numbers import all_seeded
from pyrogen.training.begin import (
    begin,
    check_fits,
    held_out_of,
    order_of,
    parameters_of,
    source_of,
    start_from_data,
    validation_of,
    warn_of_scale,
)
from pyrogen.training.callbacks import State
from pyrogen.training.checkpointer import Checkpointer
from pyrogen.training.data.streams import StreamSource
from pyrogen.training.distributed import team_of
from pyrogen.training.history import History
from pyrogen.training.identity import identity_of
from pyrogen.training.lock import one_at_a_time
from pyrogen.training.memory import kept_memory
from pyrogen.training.optimizers import MakeOptimizer, MakeSchedule, make_lr_schedule, make_optimizer
from pyrogen.training.parts import Parts
from pyrogen.training.run import Run
from pyrogen.training.schedules import Constant, Schedule
from pyrogen.training.settings import Settings
from pyrogen.training.signals import interruptible
from pyrogen.training.step import Precision


@dataclass
class Fit:
    """What `fit` returns.

    Attributes:
        pair: the trained pair, the object that was passed, in evaluation mode.
        history: one row a step, over all resumptions; ``history.validation`` holds the held-out terms.
        steps: how many steps the pair has been trained for.
        stopped: True if SIGINT or SIGTERM ended the run before its last step.
        reason: what ended the run before its last step, ``"signal"`` or the reason of a callback; None if nothing did.
        way: how steps were taken: "plain" (the programs ran each time), "recorded", "compiled" or "cuda graph".
    """

    pair: Pair = field(repr=False)
    history: History
    steps: int
    stopped: bool = False
    reason: str | None = None
    way: str = "plain"

    def _repr_html_(self) -> str:
        """Return the pair's class and the table of `history`."""
        return f"<p>{type(self.pair).__name__}</p>{self.history._repr_html_()}"


@one_at_a_time
def fit(
    pair: Pair,
    data: Any,
    *,
    steps: int,
    batch_size: int | None = None,
    lr: float = 1e-3,
    seed: int = 0,
    schedule: Schedule | None = None,
    optimizer: MakeOptimizer | None = None,
    lr_schedule: MakeSchedule | None = None,
    clip_norm: float | None = None,
    validation: Any = None,
    validate_every: int | None = None,
    callbacks: Sequence[Callable[[State], None]] = (),
    workers: int = 0,
    device: str | torch.device | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: bool | Literal["weights"] = False,
    precision: Precision = "float32",
    compile: bool | None = None,
    progress: bool = True,
) -> Fit:
    """Train `pair` on `data` by stochastic variational inference, in place.

    Each step lowers −E_q log p(x | z) + β KL(q(z | x) ‖ p(z)), in nats per image, on one batch, and what the pair
    charges its guide beside that. Before the first step the pair may start parts of itself from data
    (``pair.initialize``). Nothing is left in
    Pyro's parameter store, the caller's random state is as before, and the same arguments give the same weights.

    Args:
        pair: a pyrogen pair; ``pg.models.Programs(model, guide)`` makes one of any Pyro programs.
        data: a tensor, array or memory map ``(N, *shape)``, a DataFrame, a pyrogen data set, or a map-style torch
            ``Dataset`` of images. Its items may also be tuples that begin with an image, or dicts that hold one.
            Batches run through a new permutation each epoch; its incomplete last batch is left out. A ``DataLoader`` or
            ``IterableDataset`` of your own gives its batches in its own order. Of `Programs`: a tensor, a tuple of
            arguments, a dict of keyword arguments, or None for programs that hold their data.
        steps: the step to train up to, counted from the start of the first run.
        batch_size: B, at most N; by default 64, or N if that is less. `Programs` take all data at each step, unless
            ``batch_size`` is given or both take a keyword ``size``, as an AutoGuide does where its model has it. This
            is N, by which they can weigh a batch with N / B.
        lr: the learning rate of Adam (Kingma and Ba 2015), or of the `optimizer` class.
        seed: of batches and of the noise ε, and of the generators of NumPy and Python that programs may draw from. The
            initial weights are the caller's.
        schedule: the factor on the pair's β over the steps, such as ``pg.training.LinearWarmup(1000)``; by default
            1 throughout.
        optimizer: a torch optimizer class, which gets `lr`, or a callable that makes an optimizer from the list of
            parameters; `lr` is then unused.
        lr_schedule: a callable that makes a torch scheduler of the optimizer. It takes a step after each training step;
            ``ReduceLROnPlateau`` does so after each validation, on the held-out objective.
        clip_norm: the largest norm of the gradient of all parameters together; a longer one is scaled down to it.
        validation: held-out images, in any form that `data` can have. Their terms are in ``fit.history.validation``;
            the training is not affected, to the last bit.
        validate_every: steps between two validations; by default 500, or an epoch where that is shorter.
        callbacks: are called with a ``pg.training.State`` after each step, such as ``pg.training.EarlyStopping()``. If
            one raises, the run stops with a checkpoint.
        workers: processes that read a torch ``Dataset`` ahead. What its items draw at random is seeded for each step,
            so the batches do not depend on their number.
        device: where to train; by default where the pair is.
        checkpoint: a folder that receives the whole state while training runs, and ``history.csv`` at its end.
        checkpoint_every: steps between two checkpoints; by default about 30 seconds pass.
        resume: go on from the folder's checkpoint, bit for bit as if the run had never stopped; start if it has none.
            An accelerator's kernels must be deterministic for that. `Programs` must have their state in parameters,
            buffers and the generators of torch, NumPy and Python. ``"weights"`` goes on from its weights, step and
            history with the settings of this call: another lr, schedule, optimizer, β or batch size.
        precision: "bf16" runs the networks in bfloat16 under autocast; weights and the optimizer's state stay float32.
        compile: False runs the programs at each step, as SVI does; True has the step
            and Adam compiled. None takes the fastest way that is proven to mean the same: see docs/concepts/step.md.
        progress: show a bar with objective, reconstruction and KL.

    Raises:
        ValueError, TypeError: for data, sizes or settings that do not fit, before any work.
        CheckpointError: if the checkpoint is damaged or another run's, or is there and `resume` is not set.
        DivergenceError: if a term stops being finite; the last good checkpoint stays.

    Under ``torchrun`` each process takes its part of each batch, and the first one writes and calls the callbacks. If
    one raises, the others learn of it in the next step (on an accelerator every 50 steps), and all raise. Noise differs
    between them.

    SIGINT (Ctrl-C) or SIGTERM ends the run after the current step with a checkpoint and returns. ``Fit.stopped`` then
    says so, for a script that should end there too. A second signal interrupts at once. The pair is left in
    evaluation mode, in which dropout and running statistics stand still: call ``pair.train()`` for a loop of your own.
    The modules of `Programs` keep their modes.

    A checkpoint compares with its run all data in memory, and a seeded sample of what is not (see `digest_data`). One
    run at a time uses a folder; another is told which process does.

    Fits in several threads of one process run one after the other, for Pyro's state is the process's.

    Where to read on: ``run.py`` is the loop, ``step/`` chooses how a step is taken, ``objectives.py`` is the
    ELBO, ``checkpointer.py`` the checkpoints.

    Example:
        >>> import pyrogen as pg
        >>> x = torch.bernoulli(torch.full((256, 8, 8), 0.3))
        >>> vae = pg.models.VAE(pg.nn.MLPEncoder((8, 8), latent=2), pg.nn.MLPDecoder((8, 8), latent=2))
        >>> len(pg.fit(vae, x, steps=20, progress=False).history)
        20
    """
    check_pair("pair", pair)
    settings = Settings(
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        schedule=schedule,
        optimizer=optimizer,
        lr_schedule=lr_schedule,
        clip_norm=clip_norm,
        validation=validation,
        validate_every=validate_every,
        callbacks=callbacks,
        workers=workers,
        device=device,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        resume=resume,
        precision=precision,
        compile=compile,
        progress=progress,
    )
    check_fits(pair, settings)
    place = pair.beta.device if settings.device is None else torch.device(settings.device)
    source = source_of(data, pair, place, settings)
    order = order_of(pair, source, settings.batch_size, settings.seed)
    held_out = held_out_of(validation, pair, place)
    pair.to(place)
    warn_of_scale(pair, data)
    team = team_of(pair, place)
    order = team.share(order)
    begun = begin(pair, source, order, settings.seed, settings.precision)
    parameters = parameters_of(pair)
    made = make_optimizer(optimizer, parameters, settings.lr)
    lasts = 0 if settings.resume == "weights" else settings.steps
    lr_scheduler = make_lr_schedule(lr_schedule, made, held_out is not None, lasts)
    identity = identity_of(pair, source, order, made, lr_scheduler, settings, team.size)
    team.same("data and settings", [repr(identity), settings.steps])
    checkpointer = None
    if settings.checkpoint is not None:
        folder, every = Path(settings.checkpoint), settings.checkpoint_every
        checkpointer = Checkpointer(folder, every, identity, settings.resume, team, settings.steps)
    with all_seeded(settings.seed, place), interruptible() as interrupted, _tidy(pair, parameters, checkpointer):
        if not (checkpointer and checkpointer.saved):
            start_from_data(pair, source, order)
        validator = None if held_out is None else validation_of(pair, held_out, order, settings)
        stream = source if isinstance(source, StreamSource) else None
        told = callbacks if team.leads else ()
        parts = Parts(schedule or Constant(), lr_scheduler, settings.clip_norm, validator, told, stream)
        team.spread(pair)
        team.seed(settings.seed)
        run = Run(pair, source, order, made, parts, begun, settings.compile, settings.precision, team)
        if checkpointer:
            checkpointer.restore(run)
        with kept_memory():
            run.train(settings.steps, interrupted, checkpointer, settings.progress and team.leads)
        team.spread(pair)  # a callback of the first process may have changed them
    return Fit(pair, run.history, run.step, run.reason == "signal", run.reason, run.way)


@contextmanager
def _tidy(pair: Pair, parameters: list[Tensor], checkpointer: Checkpointer | None) -> Iterator[None]:
    """Leave the pair in evaluation mode and without gradients, and the folder to others, however the run ends."""
    try:
        yield
    finally:
        if not isinstance(pair, Programs):  # whose modules keep the mode that their owner gave them
            pair.eval()
        for parameter in parameters:
            parameter.grad = None
        if checkpointer:
            checkpointer.close()
