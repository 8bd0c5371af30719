"""Where batches come from: a tensor, an array, a table, a data set of ours, or any map-style torch ``Dataset``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pyrogen.models import Pair, Programs
from pyrogen.nn.likelihoods import signed
from pyrogen.random_numbers import kept_random_numbers
from pyrogen.training.data.context_data import FactoredSource, with_context
from pyrogen.training.data.items import as_tensor, of_frame, remedy
from pyrogen.training.data.loading import DatasetSource
from pyrogen.training.data.program_data import ProgramSource
from pyrogen.training.data.streams import is_stream


class Source(Protocol):
    """N images that are read by index."""

    def __len__(self) -> int: ...

    def images(self, index: Any) -> Any:
        """int64 (B,) to a batch ``(B, *shape)``."""


class TensorSource:
    """A tensor ``(N, *shape)``."""

    def __init__(self, x: Tensor) -> None:
        self.x = x.clone() if x.is_inference() else x  # a tensor of inference mode cannot take part in autograd

    def __len__(self) -> int:
        return len(self.x)

    def images(self, index: Tensor) -> Tensor:
        """Return the rows of `index`."""
        return self.x.index_select(0, index.to(self.x.device, non_blocking=True))


class MappedSource:
    """A memory-mapped array ``(N, *shape)``, read batch by batch; each batch is checked."""

    def __init__(self, array: np.memmap[Any, Any], pair: Pair) -> None:
        self.array, self.pair = array, pair

    def __len__(self) -> int:
        return len(self.array)

    def images(self, index: Tensor) -> Tensor:
        """Return the rows of `index`."""
        x = as_tensor(np.asarray(self.array[index.numpy()]))
        self.pair.check(x)
        return x


def as_source(data: Any, pair: Pair, device: torch.device | None = None, workers: int = 0, seed: int = 0) -> Source:
    """Return `data` as a `Source` for `pair`, checked, and on `device` where that spares a copy a step.

    Args:
        data: a tensor, an array (memory-mapped too) or a DataFrame ``(N, *shape)``, a pyrogen data set, or a map-style
            torch ``Dataset``. For a pair with a context also a tuple or a dict of tensors, and data sets of these.
        pair: the pair.
        device: where the pair is.
        workers: processes that read a ``Dataset``.
        seed: of the random numbers of its items.

    Raises:
        TypeError: for data of another kind.
        ValueError: if they are empty, or have another shape or values outside the likelihood's support.
    """
    if isinstance(pair, Programs):
        return ProgramSource(data, device)
    if pair.context and isinstance(data, torch.Tensor | tuple | Mapping):
        return with_context(data, pair, device)
    if isinstance(data, tuple):
        raise TypeError("data must be the images alone, got a tuple: pass its first entry")
    if hasattr(data, "iloc") and hasattr(data, "dtypes"):
        if not hasattr(data, "columns"):
            raise TypeError("data must be images or a table, got one column: pass a DataFrame, df[['name']]")
        data = of_frame(data)
    if is_stream(data):
        raise TypeError(f"data must be read by index here, got a {type(data).__name__}: pass its data set")
    indexed = hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, type)
    if not (isinstance(data, torch.Tensor) or indexed):
        raise TypeError(
            "data must be a tensor (N, *shape), an array, a pyrogen data set, a torch Dataset or a DataLoader, got a "
            f"{type(data).__name__}"
        )
    if (isinstance(data, torch.Tensor | np.ndarray) and data.ndim == 0) or len(data) == 0:
        raise ValueError("data must have at least one row, got an empty data set")
    if isinstance(data, torch.Tensor | np.ndarray):
        return _of_array(data, pair, device)
    if isinstance(data, str | bytes | dict):
        raise TypeError(f"data must be images, got a {type(data).__name__}: read them first, or pass one entry")
    if callable(getattr(data, "images", None)):  # else it is a Dataset of the caller's that keeps images there
        there: Any = data.to(device) if device and device.type != "cpu" and hasattr(data, "to") else data
        source: Source = FactoredSource(there) if pair.context else there
        first = source.images(torch.arange(min(8, len(data))))
        pair.check(*(first if pair.context else (first,)))
        return source
    source = DatasetSource(data, pair, workers, seed)
    with kept_random_numbers():
        source.images(torch.arange(min(2, len(data))))
    return source


def _of_array(data: Any, pair: Pair, device: torch.device | None) -> Source:
    shape = tuple(data.shape)
    if shape[1:] != pair.shape:
        how = "tensor" if isinstance(data, torch.Tensor) else "array"
        expected, said = ", ".join(map(str, pair.shape)), remedy(shape, pair.shape, how)
        # a pair's own check names batch and shape for images of another size
        if said or data.ndim != 1 + len(pair.shape):
            raise ValueError(f"data must be images (N, {expected}), got shape {shape}{said}")
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise ValueError(f"data must have no masked entries, got {np.ma.getmaskarray(data).sum()}: fill them")
    if isinstance(data, np.memmap):
        source = MappedSource(data, pair)
        source.images(torch.arange(min(64, len(data))))
        return source
    x = as_tensor(data) if isinstance(data, np.ndarray) else signed(data)
    pair.check(x)
    return TensorSource(x if device is None else x.to(device))


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
