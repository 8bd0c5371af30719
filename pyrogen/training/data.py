"""Where batches come from: a tensor, a data set of ours, or any map-style torch ``Dataset``."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import default_collate

from pyrogen.models import Pair, Programs
from pyrogen.training.context_data import as_context_source
from pyrogen.training.program_data import ProgramSource


class Source(Protocol):
    """N images that are read by index."""

    def __len__(self) -> int: ...

    def images(self, index: Any) -> Any:
        """int64 (B,) to a batch ``(B, *shape)``."""


class TensorSource:
    """A tensor ``(N, *shape)``."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def images(self, index: Tensor) -> Tensor:
        """The rows of `index`."""
        return self.x.index_select(0, index.to(self.x.device))


class DatasetSource:
    """A map-style torch ``Dataset``; of items that are tuples the first entry is the image. Each batch is checked."""

    def __init__(self, dataset: Any, pair: Pair) -> None:
        self.dataset, self.pair = dataset, pair

    def __len__(self) -> int:
        return len(self.dataset)

    def images(self, index: Tensor) -> Tensor:
        """The items of `index`, collated."""
        items = [self.dataset[i] for i in index.tolist()]
        x = default_collate([item[0] if isinstance(item, tuple | list) else item for item in items])
        if not isinstance(x, torch.Tensor):
            raise TypeError(
                f"the data set's items must be tensors, or tuples that begin with one, not {type(items[0]).__name__}"
            )
        self.pair.check(x)
        return x


def as_source(data: Any, pair: Pair, device: torch.device | None = None) -> Source:
    """`data` as a `Source` for `pair`, checked, and on `device` where that spares a copy a step.

    Raises:
        TypeError: if `data` is none of the three kinds.
        ValueError: if it is empty, or its images have another shape or values outside the likelihood's support.
    """
    if isinstance(pair, Programs):
        return ProgramSource(data, device)
    if pair.context:
        context_source: Source = as_context_source(data, pair, device)
        return context_source
    if isinstance(data, tuple):
        raise TypeError("data must be the images alone, and this is a tuple: pass its first entry")
    if not (isinstance(data, torch.Tensor) or (hasattr(data, "__len__") and hasattr(data, "__getitem__"))):
        raise TypeError(
            "data must be a tensor (N, *shape), a pyrogen data set or a map-style torch Dataset (with __len__ and "
            f"__getitem__), got a {type(data).__name__}"
        )
    if (isinstance(data, torch.Tensor) and data.dim() == 0) or len(data) == 0:
        raise ValueError("the data set is empty: there is nothing to train on or evaluate")
    if isinstance(data, torch.Tensor):
        if data.dim() != 1 + len(pair.shape):
            expected = ", ".join(map(str, pair.shape))
            raise ValueError(f"data must be images (N, {expected}), got shape {tuple(data.shape)}")
        pair.check(data)
        return TensorSource(data if device is None else data.to(device))
    if hasattr(data, "images"):
        pair.check(data.images(torch.arange(min(8, len(data)))))
        value: Source = data.to(device) if device is not None and device.type != "cpu" and hasattr(data, "to") else data
        return value
    source = DatasetSource(data, pair)
    source.images(torch.arange(min(2, len(data))))
    return source


class Order:
    """Which images make up step t: a fresh permutation each epoch, the incomplete last batch left out.

    It is a function of (seed, step) alone, so a resumed run has nothing to restore.

    Args:
        size: N, the number of images.
        batch_size: B.
        seed: the seed of the permutations.
    """

    def __init__(self, size: int, batch_size: int, seed: int) -> None:
        if batch_size < 1 or batch_size > size:
            raise ValueError(f"batch_size must lie between 1 and the data set's {size} images, got {batch_size}")
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.steps_per_epoch = size // batch_size
        self._epoch, self._permutation = -1, torch.empty(0, dtype=torch.int64)

    def __call__(self, step: int) -> Tensor:
        """int64 (B,), the indices of step `step` = 0, 1, ..."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed((self.seed << 24) ^ epoch)
            self._permutation, self._epoch = torch.randperm(self.size, generator=generator), epoch
        return self._permutation[position * self.batch_size : (position + 1) * self.batch_size]
