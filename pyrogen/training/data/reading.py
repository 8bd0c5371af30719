"""How a run reads its source: step by step, ahead where there are workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pyrogen.training.data.loading import DatasetSource
from pyrogen.training.data.program_data import moved
from pyrogen.training.data.streams import StreamSource


@contextmanager
def reading(source: Any, order: Any, step: int, steps: int) -> Iterator[None]:
    """Let the source read ahead in this context, from `step` to `steps`."""
    if isinstance(source, StreamSource) and step:
        source.resume_at(step)
    if isinstance(source, DatasetSource):
        source.start(order, step, steps)
    try:
        yield
    finally:
        if isinstance(source, DatasetSource):
            source.stop()


def batches_of(source: Any, order: Any, device: torch.device) -> Callable[[int], Any]:
    """Return the batch of each step, on `device`."""
    if isinstance(source, DatasetSource):
        return lambda step: moved(source.at(step, order(step)), device)
    return lambda step: moved(source.images(order(step)), device)
