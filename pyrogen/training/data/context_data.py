"""Data of pairs that take more than images, such as labels: tensors side by side, or data sets of (image, label)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from pyrogen.models import Pair
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


class ItemSource:
    """A map-style torch ``Dataset`` of (image, label), or of dicts that have the names of the pair's arguments."""

    def __init__(self, dataset: Any, pair: Pair) -> None:
        self.dataset, self.pair, self.names = dataset, pair, ("x", *pair.context)
        self.images(torch.arange(min(2, len(dataset))))

    def __len__(self) -> int:
        return len(self.dataset)

    def images(self, index: Tensor) -> tuple[Tensor, ...]:
        """Return the items of `index`, collated."""
        batch = default_collate([self._entries(self.dataset[i]) for i in index.tolist()])
        batch = tuple(torch.as_tensor(part) for part in batch)
        self.pair.check(*batch)
        return batch

    def _entries(self, item: Any) -> list[Any]:
        if isinstance(item, Mapping):
            missing = [name for name in self.names if name not in item]
            if missing:
                wanted, got = ", ".join(self.names), ", ".join(map(str, item))
                raise ValueError(f"the data set's items must have the entries {wanted}, got {got}")
            return [item[name] for name in self.names]
        if not isinstance(item, tuple | list) or len(item) < len(self.names):
            raise TypeError(
                f"the data set's items must be tuples ({', '.join(self.names)}) or dicts with these names, got "
                f"{type(item).__name__}"
            )
        return list(item[: len(self.names)])


def as_context_source(data: Any, pair: Pair, device: torch.device | None) -> Any:
    """Return images and context of `data` as a source for `pair`, checked.

    Args:
        data: a tuple or a dict of tensors, a pyrogen data set with one factor, or a map-style torch ``Dataset`` of
            tuples or dicts. Images alone, where the pair can do without context.
        pair: a pair with a `context`.
        device: where tensors go; as they are by default.

    Raises:
        TypeError, ValueError: for other data, or data that the pair refuses.
    """
    names = ("x", *pair.context)
    if isinstance(data, Mapping):
        missing = [name for name in names[: 2 if pair.context else 1] if name not in data]
        unknown = [str(name) for name in data if name not in names]
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
        moved = data.to(device) if device is not None and device.type != "cpu" and hasattr(data, "to") else data
        return FactoredSource(moved, pair)
    return ItemSource(data, pair)
