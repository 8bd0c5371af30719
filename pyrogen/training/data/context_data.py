"""Data of pairs that take more than images, such as labels: tensors side by side, or data sets of (image, label)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pyrogen.models import Pair
from pyrogen.random_numbers import kept_random_numbers
from pyrogen.training.data.loading import DatasetSource
from pyrogen.training.data.program_data import ProgramSource


class FactoredSource:
    """A pyrogen data set whose one factor is the label."""

    def __init__(self, data: Any, pair: Pair) -> None:
        names = tuple(getattr(data, "factor_names", ()))
        if len(names) != 1:
            raise ValueError(
                f"data must have one factor for a pair that takes one label, got {', '.join(names) or 'none'}: pass "
                "data=(images, labels)"
            )
        self.data = data
        pair.check(*self.images(torch.arange(min(8, len(data)))))

    def __len__(self) -> int:
        return len(self.data)

    def images(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels of `index`."""
        return self.data.images(index), self.data.factors(index)[:, 0]


def on_device(data: Any, device: torch.device | None) -> Any:
    """Return a data set of pyrogen's where it spares a copy a step: on `device`, if it can go there."""
    return data.to(device) if device is not None and device.type != "cpu" and hasattr(data, "to") else data


def as_context_source(
    data: Any, pair: Pair, device: torch.device | None = None, workers: int = 0, seed: int = 0
) -> Any:
    """Return images and context of `data` as a source for `pair`, checked.

    Args:
        data: a tuple or a dict of tensors, a pyrogen data set with one factor, or a map-style torch ``Dataset`` of
            tuples or dicts. Images alone, where the pair can do without context.
        pair: a pair with a `context`.
        device: where tensors go; as they are by default.
        workers: processes that read a ``Dataset``.
        seed: of the random numbers of its items.

    Raises:
        TypeError, ValueError: for other data, or data that the pair refuses.
    """
    names = ("x", *pair.context)
    if isinstance(data, Mapping):
        missing = any(name not in data for name in names[:2])
        unknown = not set(data) <= set(names)
        if missing or unknown:
            raise ValueError(f"`data` must have the entries {', '.join(names)}, got {', '.join(map(str, data))}")
        data = tuple(data[name] for name in names if name in data)
    if isinstance(data, torch.Tensor):
        data = (data,)
    if isinstance(data, tuple):
        if not data or len(data) > len(names) or not all(isinstance(part, torch.Tensor) for part in data):
            raise TypeError(
                f"`data` must be tensors ({', '.join(names)}), got {len(data)} entries of other kinds or number"
            )
        source = ProgramSource(data, device)
        source.check_rows()
        pair.check(*source.data)
        return source
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise TypeError(
            f"`data` must be tensors ({', '.join(names)}), a pyrogen data set or a map-style torch Dataset, got a "
            f"{type(data).__name__}"
        )
    if len(data) == 0:
        raise ValueError("data must have at least one row, got an empty data set")
    if hasattr(data, "images") and hasattr(data, "factors"):
        return FactoredSource(on_device(data, device), pair)
    return begun(DatasetSource(data, pair, workers, seed))


def begun(source: DatasetSource) -> DatasetSource:
    """Return a source whose first items have been read, and so checked."""
    with kept_random_numbers():
        source.images(torch.arange(min(2, len(source))))
    return source
