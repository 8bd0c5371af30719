"""Data that come as they come: a ``DataLoader`` of the caller's, or an ``IterableDataset``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from pyrogen.models import Pair
from pyrogen.random_numbers import kept_random_numbers
from pyrogen.training.data.items import batch_of, checked, image_of
from pyrogen.training.data.loading import seed_step
from pyrogen.warn import warn


class StreamSource:
    """Batches in the order in which a loader gives them; a batch that is smaller than the first is left out.

    A resumed run begins with the loader's first batch, and says so, unless the loader keeps its place in ``state_dict``
    as torchdata's ``StatefulDataLoader`` does.

    Args:
        loader: an iterable of batches.
        pair: checks the batches.
        seed: of what the loader draws at random, such as its order. The training's own random numbers do not depend on
            it.
    """

    def __init__(self, loader: Any, pair: Pair, seed: int = 0) -> None:
        self.loader, self.pair, self.seed = loader, pair, seed
        self._batches: Iterator[Any] = iter(())
        self._ahead: dict[int, Tensor] = {}  # batches that were looked at before their step
        self._last, self._epoch = -1, -1
        self.batch_size = len(self.images(0))
        dataset = getattr(loader, "dataset", None)
        counted = hasattr(loader, "__len__") and not isinstance(dataset, IterableDataset)
        self.steps_per_epoch = max(1, len(loader)) if counted else 1
        sized = hasattr(dataset, "__len__")
        self.size = max(len(loader.dataset), self.batch_size) if sized else self.batch_size

    def __len__(self) -> int:
        return self.size

    def images(self, step: Any) -> Tensor:
        """Return the batch of a step, 0, 1, ...; steps are asked for in turn."""
        step = int(step)
        while step not in self._ahead:
            self._last = self._last + 1 if step > self._last else step
            with kept_random_numbers():
                seed_step(self.seed, self._last)
                self._ahead[self._last] = self._draw()
        for old in [t for t in self._ahead if t < step - 1]:
            del self._ahead[old]
        return self._ahead[step]

    def state_dict(self) -> dict[str, Any]:
        """Return the place of a loader that knows it."""
        return {"loader": self.loader.state_dict()} if hasattr(self.loader, "state_dict") else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a place, or from the beginning."""
        self._ahead.clear()
        if "loader" in state and hasattr(self.loader, "load_state_dict"):
            self.loader.load_state_dict(state["loader"])
        else:
            warn(
                "the data are a stream that does not keep its place: the resumed run begins with its first batch. "
                "torchdata's StatefulDataLoader keeps it"
            )
        with kept_random_numbers():
            self._batches = iter(self.loader)

    def resume_at(self, step: int) -> None:
        """Let the next batch be that of `step`."""
        self._last = step - 1

    def _draw(self) -> Tensor:
        for _ in range(3):  # the rest of this epoch, the next, and one after an empty one
            for batch in self._batches:
                x = image_of(batch)
                if hasattr(self, "batch_size") and len(x) < self.batch_size:
                    continue  # the last one of an epoch
                return cast(Tensor, checked(x, self.pair))
            self._epoch += 1
            for part in (getattr(self.loader, "sampler", None), getattr(self.loader, "dataset", None)):
                if part is not None and hasattr(part, "set_epoch"):
                    part.set_epoch(self._epoch)
            self._batches = iter(self.loader)
        raise ValueError("data must have at least one batch, got an empty loader")


class StreamOrder:
    """The order of a stream: the batch of step t is whatever comes then."""

    def __init__(self, source: StreamSource) -> None:
        self.size, self.batch_size, self.steps_per_epoch = source.size, source.batch_size, source.steps_per_epoch

    def __call__(self, step: int) -> Tensor:
        """Return the step itself, by which the source is asked."""
        return torch.tensor(step)


def as_stream(data: Any, pair: Pair, batch_size: int | None, workers: int, seed: int) -> StreamSource:
    """Return a loader as a source, or an ``IterableDataset`` under a loader that makes its batches.

    Raises:
        ValueError: if the caller's loader makes batches of another size, or none.
    """
    if not hasattr(data, "batch_size") and not hasattr(data, "batch_sampler"):
        loader: Any = DataLoader(
            data,
            batch_size=batch_size or 64,
            num_workers=workers,
            collate_fn=batch_of,
            drop_last=False,
            generator=torch.Generator(),
        )
        return StreamSource(loader, pair, seed)
    source = StreamSource(data, pair, seed)
    if batch_size is not None and batch_size != source.batch_size:
        raise ValueError(f"batch_size must be left out, or {source.batch_size} as in the DataLoader, got {batch_size}")
    if workers:
        raise ValueError(f"workers must be left out for a DataLoader, which has its own num_workers, got {workers}")
    return source


def is_stream(data: Any) -> bool:
    """Return whether data are a ``DataLoader`` (torch's or torchdata's) or an ``IterableDataset``."""
    return isinstance(data, IterableDataset) or (
        hasattr(data, "__iter__") and hasattr(data, "dataset") and hasattr(data, "collate_fn")
    )
