"""The proof that a recording means what the programs do, by other data, other random numbers and other weights."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from pyro.infer import JitTrace_ELBO, JitTraceEnum_ELBO, JitTraceGraph_ELBO, JitTraceMeanField_ELBO
from torch import Tensor

from pyrogen.models import Pair, Programs
from pyrogen.models.running import put_back
from pyrogen.random_numbers import seeded
from pyrogen.training.data.program_data import flat, mapped, rows_of
from pyrogen.training.step.objective import Objective, PlainStep, Result
from pyrogen.training.step.record import RecordedStep, difference, place_in, record
from pyrogen.training.step.state import Snapshot
from pyrogen.training.step.watch import Unrecordable, said

JITTED = (JitTrace_ELBO, JitTraceEnum_ELBO, JitTraceGraph_ELBO, JitTraceMeanField_ELBO)
GENERATORS = ("random", "numpy.random")  # in a snapshot's paths
NUDGE = 1e-3  # by how much, relatively, the weights differ between two recordings


def proven(objective: Objective, batch: Any, fixed: bool, beta: float) -> RecordedStep:
    """Return the recorded step of programs that do nothing but tensor operations, always the same.

    The programs have run before, so that what is made at first use is there. They are run once more for each of two
    recordings, with other random numbers, other rows of the batch and slightly other weights. The two must agree
    operation by operation, constants included. Between the runs no Python state may change. Then a replay must give
    the plain step's terms, gradients, buffers and random state on a batch that it was not made from. All is put back.

    Raises:
        Unrecordable: if one of these fails; the message is the cause.
    """
    if torch.is_anomaly_enabled():
        raise Unrecordable("anomaly detection is on, which looks at each operation of autograd")
    loss = getattr(objective.pair, "loss", None)
    if isinstance(loss, JITTED):
        name = type(loss).__name__
        raise Unrecordable(f"{name} keeps a trace of its own; {name.removeprefix('Jit')} in its place is recorded")
    start = snapshot(objective.pair)
    if start.obstacle:
        raise Unrecordable(start.obstacle)
    generator = torch.Generator().manual_seed(0)
    other, third = (batch, batch) if fixed else (resampled(batch, generator), resampled(batch, generator))
    with _put_back_after(objective, start):
        with seeded(1, objective.pair.beta.device):
            first = record(objective, batch, fixed)
        _refuse_changes(start, snapshot(objective.pair))
        with seeded(2, objective.pair.beta.device), _nudged(objective):
            second = record(objective, other, fixed)
        found = difference(first, second)
        if found is not None:
            with seeded(3, objective.pair.beta.device):
                where = place_in(record(objective, other, fixed, places=True), found[0])
            raise Unrecordable(f"{found[1]}{f' ({where})' if where else ''}")
        step = RecordedStep(first, objective.pair.beta.device)
        _compare(objective, step, third, beta, exact=True)
    return step


def resampled(batch: Any, generator: torch.Generator) -> Any:
    """Return a batch of the same form with rows drawn from this one's with replacement, in all tensors alike."""
    sizes = {len(tensor) for tensor in flat(batch) if tensor.dim()}
    if len(sizes) != 1:
        return batch
    size = sizes.pop()
    return rows_of(batch, torch.randint(size, (size,), generator=generator))


def agrees(objective: Objective, step: Any, batch: Any, fixed: bool, beta: float) -> bool:
    """Return whether a step gives the plain step's terms and gradients up to rounding; all is put back."""
    other = batch if fixed else resampled(batch, torch.Generator().manual_seed(1))
    with _put_back_after(objective, snapshot(objective.pair)):
        try:
            _compare(objective, step, other, beta, exact=False)
        except Unrecordable:
            return False
    return True


def snapshot(pair: Pair, copies: bool = True) -> Snapshot:
    """Take down the state of all that the programs can reach, with copies that it can be put back from."""
    if isinstance(pair, Programs):
        model, guide = pair.programs
        return Snapshot(copies, model=model, guide=guide, loss=pair.loss, pair=pair)
    return Snapshot(copies, pair=pair)


def changed_between(before: Snapshot, after: Snapshot, but: Collection[int] = ()) -> Iterator[str]:
    """Yield the paths of what has changed, aside from generators and from tensors whose identities are in `but`."""
    for path, _, value in before.changes(after):
        apart = isinstance(value, tuple) and value[0] == "tensor" and value[1] in but
        if not apart and path not in GENERATORS:
            yield path


def _refuse_changes(before: Snapshot, after: Snapshot) -> None:
    for path, was, now in before.changes(after):
        if path in GENERATORS:
            raise Unrecordable(f"it draws from Python's `{path}`, whose numbers a recording would keep")
        if isinstance(now, tuple) or isinstance(was, tuple):
            raise Unrecordable(f"`{path}` changes while it runs")
        raise Unrecordable(f"`{path}` changes while it runs, from {was!r} to {now!r}")


def _compare(objective: Objective, step: Any, batch: Any, beta: float, exact: bool) -> None:
    """Raise `Unrecordable` unless a step's results are those of the plain one, from the same state."""
    here, recording = snapshot(objective.pair), step.recording
    here.keep(recording.written)
    batches = [batch if recording.fixed else mapped(batch, torch.clone) for _ in range(2)]
    plain, state, moved = _outcome(objective, PlainStep(objective), batches[0], beta)
    here.restore()
    try:
        replay, other, also = _outcome(objective, step, batches[1], beta)
    except (RuntimeError, IndexError) as error:
        raise Unrecordable(f"a recording of it cannot be replayed on other data ({said(error)})") from error
    here.restore()
    if not torch.equal(state, other):
        raise Unrecordable("a replay draws other random numbers than the programs")
    floats = {p.dtype for p in objective.pair.parameters() if p.is_floating_point()}
    eps = max((torch.finfo(dtype).eps for dtype in floats), default=torch.finfo(torch.float32).eps)
    for a, b in zip((plain[0], *plain[1], *moved), (replay[0], *replay[1], *also), strict=True):
        if (a is None) != (b is None) or (a is not None and b is not None and not _near(a, b, exact, eps)):
            raise Unrecordable("a replay gives other numbers than the programs, which depend on more than their data")


def _outcome(objective: Objective, step: Any, batch: Any, beta: float) -> tuple[Result, Tensor, list[Tensor]]:
    device = objective.pair.beta.device
    with seeded(4, device), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row, gradients = step(batch, beta)
        gradients = [None if gradient is None else gradient.clone() for gradient in gradients]
        state = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
        buffers = [buffer.detach().clone() for buffer in objective.pair.buffers()]
    return (row.clone(), gradients), state, buffers


def _near(a: Tensor, b: Tensor, exact: bool, eps: float) -> bool:
    a, b = a.detach(), b.detach().to(a.dtype)
    if exact and torch.equal(a, b):
        return True
    size = torch.linalg.vector_norm(a.double())
    bound = (1e3 if exact else 2e4) * max(eps, torch.finfo(a.dtype).eps if a.is_floating_point() else 0.0)
    return bool(torch.linalg.vector_norm(a.double() - b.double()) <= bound * size + 1e-30) or bool(
        torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(), b.nan_to_num())
    )


@contextmanager
def _nudged(objective: Objective) -> Iterator[None]:
    """Slightly other weights, so that a number that was read from them in Python shows."""
    weights = [p for p in objective.pair.parameters() if p.is_floating_point()]
    generator = torch.Generator().manual_seed(5)
    with put_back(*weights):
        with torch.no_grad():
            for weight in weights:
                noise = torch.rand(weight.shape, generator=generator).to(weight)
                weight.add_(NUDGE * noise * weight.abs().mean().clamp(min=NUDGE))
        yield


@contextmanager
def _put_back_after(objective: Objective, start: Snapshot) -> Iterator[None]:
    """Put all back at the end, whatever happens; the gradients of parameters too."""
    try:
        yield
    finally:
        start.restore()
        for parameter in objective.pair.parameters():
            parameter.grad = None
