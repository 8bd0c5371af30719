"""How a run begins: the order of its data, and the way its steps are taken."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch

from pyrogen.models import Pair, Programs
from pyrogen.training.data.program_data import Whole, moved
from pyrogen.training.data.reading import batch_at
from pyrogen.training.data.sources import Order
from pyrogen.training.data.streams import StreamOrder, StreamSource
from pyrogen.training.step.choice import First
from pyrogen.training.step.objective import Precision, ProgramsObjective

USUAL = 64  # the batch size where none is asked for
FAR = 50.0  # how many times σ the data's spread is before a Gaussian likelihood gets a warning


def order_of(pair: Pair, source: Any, batch_size: int | None, seed: int) -> Order | Whole | StreamOrder:
    """Return which data make up each step: all of them, or batches of `batch_size` by `seed`."""
    size = len(source)
    if isinstance(source, StreamSource):
        return StreamOrder(source)
    if isinstance(pair, Programs) and (batch_size == size or (batch_size is None and not pair.takes_size)):
        return Whole(size)
    return Order(size, min(USUAL, size) if batch_size is None else batch_size, seed)


def batches_of(source: Any, order: Any, device: torch.device) -> Callable[[int], Any]:
    """Return the batch of each step, on `device`."""
    return lambda step: moved(batch_at(source, order, step), device)


def begin(pair: Programs, source: Any, order: Any, seed: int, precision: Precision = "float32") -> First:
    """Take the first step of programs, by which they make their parameters; the caller's random state stays."""
    device = pair.beta.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        return First.take(ProgramsObjective(pair, len(source), precision), batches_of(source, order, device)(0))


def warn_of_scale(pair: Pair, x: Any) -> None:
    """Warn if a Gaussian likelihood's σ is far from the spread of the images `x`: training would run away."""
    likelihood = getattr(getattr(pair, "decoder", None), "likelihood", None)
    if likelihood is None or not (hasattr(likelihood, "log_scale") and isinstance(x, torch.Tensor) and x.numel() > 2):
        return
    sigma = float(likelihood.log_scale.detach().exp().double().mean())
    values = x.detach().reshape(-1)[:: max(1, x.numel() // 100_000)].double().sort().values
    outer = len(values) // 50  # outliers on each side that do not count
    spread = float(values[outer : len(values) - outer].std())
    if spread > FAR * sigma:
        warnings.warn(
            f"the data spread by {spread:.3g} and the Gaussian likelihood expects noise of σ = {sigma:.3g}: training "
            "can run away; rescale the data, or use pg.nn.Gaussian(scale=...) of their size",
            stacklevel=3,
        )
