"""``pg.fit``: train a pair, show how it goes, and lose nothing on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from pyrogen import checks
from pyrogen.config import describe
from pyrogen.errors import CheckpointError
from pyrogen.models import Pair, Programs
from pyrogen.training.begin import begin, order_of, warn_of_scale
from pyrogen.training.callbacks import State
from pyrogen.training.checkpointer import Checkpointer
from pyrogen.training.checkpoints.optimizer_state import settings_of
from pyrogen.training.data.digest import digest_data
from pyrogen.training.data.program_data import Whole
from pyrogen.training.data.sources import as_source
from pyrogen.training.data.streams import StreamOrder, StreamSource, as_stream, is_stream
from pyrogen.training.distributed import team_of
from pyrogen.training.history import History
from pyrogen.training.lock import one_at_a_time
from pyrogen.training.memory import kept_memory
from pyrogen.training.optimizers import (
    MakeOptimizer,
    MakeSchedule,
    check_optimizer,
    description,
    make_lr_schedule,
    make_optimizer,
)
from pyrogen.training.parts import Parts, check_parts
from pyrogen.training.run import Run
from pyrogen.training.schedules import Constant, Schedule
from pyrogen.training.signals import interruptible
from pyrogen.training.step import Precision, trainable
from pyrogen.training.validation import Validation

INITIAL = 4096  # images at most that a pair may start from, such as a codebook by k-means
VALIDATE_EVERY = 500  # steps, or an epoch where that is shorter


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
        batch_size: B, at most N; by default 64, or N if that is less. `Programs` take all data at each step, unless a
            size is given or both have a parameter ``size``, by which they can weigh a batch with N / B.
        lr: the learning rate of Adam (Kingma and Ba 2015), or of the `optimizer` class.
        seed: of batches and of the noise ε. The initial weights are the caller's.
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
            (On an accelerator this holds as far as its kernels are deterministic.) ``"weights"`` goes on from its
            weights, step and history with the settings of this call: another lr, schedule, optimizer, β or batch size.
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
    if not isinstance(pair, Pair):
        raise TypeError(
            f"`pair` must be a pyrogen pair, got a {type(pair).__name__}: make one of any Pyro programs with "
            "pg.models.Programs(model, guide)"
        )
    steps = checks.whole("steps", steps, least=1, most=checks.LARGEST_SIZE)
    seed, lr = checks.seed("seed", seed), checks.real("lr", lr, above=0)
    if batch_size is not None:
        batch_size = checks.whole("batch_size", batch_size, least=1)
    if checkpoint_every is not None:
        checkpoint_every = checks.whole("checkpoint_every", checkpoint_every, least=1)
    if clip_norm is not None:
        clip_norm = checks.real("clip_norm", clip_norm, above=0)
    resume = resume if isinstance(resume, str) and resume == "weights" else checks.flag("resume", resume)
    progress = checks.flag("progress", progress)
    check_optimizer(optimizer)
    precision = checks.one_of("precision", precision, get_args(Precision))
    if compile is not None:
        compile = checks.flag("compile", compile)
    check_parts(schedule, callbacks, validation, validate_every)
    if checkpoint is not None:
        checkpoint = checks.path("checkpoint", checkpoint)
    if resume and checkpoint is None:
        raise ValueError(f"resume={resume!r} needs a folder to go on from: pass checkpoint=")
    if isinstance(pair, Programs) and schedule is not None:
        raise ValueError("schedule must be left out for programs, which have no β: weigh their sites yourself")
    if any(weight.is_inference() for weight in pair.parameters() if not torch.nn.parameter.is_lazy(weight)):
        raise ValueError(
            "the pair was made under torch.inference_mode, where weights cannot be trained: make it outside"
        )
    place = _check_device(device) if device is not None else pair.beta.device
    workers = checks.whole("workers", workers, least=0)
    if is_stream(data) and not (isinstance(pair, Programs) or pair.context):
        source: Any = as_stream(data, pair, batch_size, workers, seed)
    else:
        source = as_source(data, pair, place, workers, seed)
    order = order_of(pair, source, batch_size, seed)
    held_out = None if validation is None else _held_out(validation, pair, place)
    pair.to(place)
    warn_of_scale(pair, data)
    team = team_of(pair, place)
    if team.size > 1 and isinstance(source, StreamSource):
        raise ValueError("data must be read by index for several processes, got a stream: pass its data set")
    whole_data = isinstance(order, Whole)
    order = order if whole_data else team.share(order)
    begun = begin(pair, source, order, seed, precision) if isinstance(pair, Programs) else None
    if not trainable(pair):
        raise ValueError("every weight of the pair is frozen (requires_grad=False): there is nothing to train")
    parameters: list[Tensor] = list(trainable(pair).values())
    made = make_optimizer(optimizer, parameters, lr)
    lr_scheduler = make_lr_schedule(lr_schedule, made, held_out is not None)
    settings = {
        "pair": describe(pair),
        "images": len(source),
        "data": digest_data(source) if checkpoint is not None else "",
        "batch_size": order.batch_size,
        "lr": lr,
        "seed": seed,
        "schedule": describe(schedule or Constant()),
        "lr_schedule": description(lr_scheduler),
        "clip_norm": clip_norm,
        "frozen weights": [name for name, weight in pair.named_parameters() if not weight.requires_grad],
        "optimizer": settings_of(made),
        "processes": team.size,
    }
    team.same("data and settings", [digest_data(source), repr(settings), steps] if team.size > 1 else None)
    checkpointer = (
        Checkpointer(checkpoint, checkpoint_every, settings, resume, team) if checkpoint is not None else None
    )
    if checkpointer and checkpointer.saved > steps:
        checkpointer.close()
        raise CheckpointError(
            f"the checkpoint in {checkpoint} is at step {checkpointer.saved}, beyond steps={steps}: ask for at least "
            "as many, or choose another folder"
        )
    often = min(VALIDATE_EVERY, order.steps_per_epoch) if validate_every is None else validate_every
    with torch.random.fork_rng([place] if place.type == "cuda" else []), interruptible() as interrupted:
        torch.manual_seed(seed)
        try:
            if type(pair).initialize is not Pair.initialize and not (checkpointer and checkpointer.saved):
                pair.initialize(_first_images(source, order).to(place))
            validator = None if held_out is None else Validation(pair, held_out, often, seed, whole=whole_data)
            stream = source if isinstance(source, StreamSource) else None
            told = callbacks if team.leads else ()
            parts = Parts(schedule or Constant(), lr_scheduler, clip_norm, validator, told, stream)
            team.spread(pair)
            team.seed(seed)
            run = Run(pair, source, order, made, parts, begun, compile, precision, team)
            if checkpointer:
                checkpointer.restore(run)
            with kept_memory():
                run.train(steps, interrupted, checkpointer, progress and team.leads)
            team.spread(pair)  # a callback of the first process may have changed them
        finally:
            if not isinstance(pair, Programs):  # whose modules keep the mode that their owner gave them
                pair.eval()
            for parameter in parameters:
                parameter.grad = None
            if checkpointer:
                checkpointer.close()
    return Fit(pair, run.history, run.step, run.reason == "signal", run.reason, run.way)


def _first_images(source: Any, order: Any) -> Tensor:
    """Return the images of the first batches, as many as `INITIAL` and one epoch allow."""
    if isinstance(order, StreamOrder):
        return source.images(order(0))  # type: ignore[no-any-return]
    batches = min(order.steps_per_epoch, max(1, INITIAL // order.batch_size))
    images: Tensor = source.images(torch.cat([order(step) for step in range(batches)]))
    return images


def _held_out(validation: Any, pair: Pair, place: torch.device) -> Any:
    try:
        return as_source(validation, pair, place)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation cannot be used: {error}") from error


def _check_device(device: Any) -> torch.device:
    if not isinstance(device, str | torch.device):
        raise TypeError(f"device must be a name such as 'cpu' or a torch.device, got {checks.shown(device)}")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device {str(device)!r} cannot be used here: {str(error).splitlines()[0]}") from error
