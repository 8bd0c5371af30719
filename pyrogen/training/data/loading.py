"""A map-style torch ``Dataset`` as a source: in our order, by worker processes, with randomness seeded by the step."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyrogen.models import Pair
from pyrogen.random_numbers import kept_random_numbers, seed_all
from pyrogen.training.data.items import batch_of, checked

PREFETCH = 4  # batches that each worker has ready


class DatasetSource:
    """A map-style torch ``Dataset``, whose items are what `parts_of` takes. Each batch is checked.

    The batch of a step depends on (seed, step) alone, with worker processes and without. An item may draw random
    numbers of torch, NumPy and Python, as augmentation does: they are seeded for each step. So a resumed run sees what
    an uninterrupted one would have seen.

    Args:
        dataset: has ``__len__`` and ``__getitem__``, or ``__getitems__``.
        pair: checks the batches.
        workers: processes that read ahead; 0 reads in this one.
        seed: of the items' random numbers.
    """

    def __init__(self, dataset: Any, pair: Pair, workers: int = 0, seed: int = 0) -> None:
        self.dataset, self.pair, self.workers, self.seed = dataset, pair, workers, seed
        self.names = ("x", *pair.context)
        self._batches: Iterator[Any] | None = None
        self._next = -1

    def __len__(self) -> int:
        return len(self.dataset)

    def images(self, index: Tensor) -> Any:
        """Return the items of `index` as one batch."""
        return checked(batch_of(_items(self.dataset, index.tolist()), self.names), self.pair)

    def start(self, order: Callable[[int], Tensor], step: int, steps: int) -> None:
        """Let the workers read ahead, from `step` to `steps`."""
        if not self.workers:
            return
        ahead = (torch.tensor([t, *order(t).tolist()]) for t in range(step, steps))
        loader: DataLoader[Any] = DataLoader(
            _Steps(self.dataset, self.seed, self.names),  # type: ignore[arg-type]
            batch_size=None,
            sampler=ahead,
            num_workers=self.workers,
            prefetch_factor=PREFETCH,
            worker_init_fn=_ignore_interrupts,
            generator=torch.Generator(),  # else it draws from the training's
        )
        self._batches, self._next = iter(loader), step

    def stop(self) -> None:
        """Let the workers go."""
        self._batches, self._next = None, -1

    def at(self, step: int, index: Tensor) -> Any:
        """Return the batch of a step."""
        if self._batches is not None and step == self._next:
            self._next += 1
            batch = next(self._batches)
            return checked(tuple(batch) if isinstance(batch, list) else batch, self.pair)  # the loader makes lists
        with kept_random_numbers():
            seed_step(self.seed, step)
            return self.images(index)


class _Steps:
    """A data set whose items are whole batches, for ``DataLoader(batch_size=None)``."""

    def __init__(self, dataset: Any, seed: int, names: tuple[str, ...]) -> None:
        self.dataset, self.seed, self.names = dataset, seed, names

    def __getitem__(self, step_and_index: Tensor) -> Any:
        step, *index = step_and_index.tolist()
        seed_step(self.seed, step)
        return batch_of(_items(self.dataset, index), self.names)


def _items(dataset: Any, index: list[int]) -> list[Any]:
    return list(dataset.__getitems__(index)) if hasattr(dataset, "__getitems__") else [dataset[i] for i in index]


def seed_step(seed: int, step: int) -> None:
    """Seed the generators of torch (on the CPU), NumPy and Python for a step."""
    seed_all(int(np.random.SeedSequence([abs(seed), step]).generate_state(1)[0]))


def _ignore_interrupts(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run itself ends them
