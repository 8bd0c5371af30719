"""How a run reads its source: step by step, ahead where there are workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyrogen.training.data.loading import DatasetSource
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


def batch_at(source: Any, order: Any, step: int) -> Any:
    """Return the batch of a step."""
    if isinstance(source, DatasetSource):
        return source.at(step, order(step))
    return source.images(order(step))
