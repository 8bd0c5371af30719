"""Data of pairs that take more than images, such as labels: tensors side by side, or a data set with one factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pyrogen.models import Pair
from pyrogen.training.data.program_data import ProgramSource


class FactoredSource:
    """A pyrogen data set whose one factor is the label."""

    def __init__(self, data: Any) -> None:
        names = tuple(getattr(data, "factor_names", ()))
        if len(names) != 1:
            raise ValueError(
                f"data must have one factor for a pair that takes one label, got {', '.join(names) or 'none'}: pass "
                "data=(images, labels)"
            )
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def images(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels of `index`."""
        return self.data.images(index), self.data.factors(index)[:, 0]


def with_context(data: Any, pair: Pair, device: torch.device | None) -> ProgramSource:
    """Return images and context, in a tuple or a dict of tensors, as a source for `pair`, checked.

    Images may be alone where the pair can do without context.

    Raises:
        TypeError, ValueError: for entries that the pair does not take.
    """
    names = ("x", *pair.context)
    if isinstance(data, Mapping):
        if any(name not in data for name in names[:2]) or not set(data) <= set(names):
            raise ValueError(f"`data` must have the entries {', '.join(names)}, got {', '.join(map(str, data))}")
        data = tuple(data[name] for name in names if name in data)
    if isinstance(data, torch.Tensor):
        data = (data,)
    if not data or len(data) > len(names) or not all(isinstance(part, torch.Tensor) for part in data):
        raise TypeError(
            f"`data` must be tensors ({', '.join(names)}), got {len(data)} entries of other kinds or number"
        )
    source = ProgramSource(data, device)
    source.check_rows()
    pair.check(*source.data)
    return source
