"""How a run of anyone's programs begins: the order of their data, and their first step."""

from __future__ import annotations

from typing import Any

import torch

from pyrogen.models import Pair, Programs
from pyrogen.training.data import Order
from pyrogen.training.program_data import Whole, moved
from pyrogen.training.step.programs import ProgramStep
from pyrogen.training.streams import StreamOrder, StreamSource

USUAL = 64  # the batch size where none is asked for


def order_of(pair: Pair, source: Any, batch_size: int | None, seed: int) -> Order | Whole | StreamOrder:
    """Which data make up each step: all of them, or batches of `batch_size` by `seed`."""
    size = len(source)
    if isinstance(source, StreamSource):
        return StreamOrder(source)
    if isinstance(pair, Programs) and (batch_size == size or (batch_size is None and not pair.takes_size)):
        return Whole(size)
    return Order(size, min(USUAL, size) if batch_size is None else batch_size, seed)


def begin(pair: Programs, source: Any, order: Any, seed: int) -> ProgramStep:
    """Take the first step of programs, by which they make their parameters; the caller's random state stays."""
    device = pair.beta.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        return ProgramStep(pair, lambda step: moved(source.images(order(step)), device), len(source))
