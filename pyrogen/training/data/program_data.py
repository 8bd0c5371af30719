"""Data of anyone's programs: a tensor, arguments in a tuple, keyword arguments in a dict, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyrogen import checks


class ProgramSource:
    """N rows of each tensor, read together; anything but a tensor, or a tensor without rows, is passed on as it is.

    Args:
        data: see `pyrogen.models.Programs`.
        device: where the tensors go.

    Raises:
        TypeError: for data of another kind.
        ValueError: for tensors that differ in their first dimension, or have no rows.
    """

    def __init__(self, data: Any, device: torch.device | None = None) -> None:
        if not (data is None or isinstance(data, torch.Tensor | np.ndarray | tuple | Mapping)):
            raise TypeError(
                "`data` of programs must be a tensor, a tuple of arguments, a dict of keyword arguments or None, got a "
                f"{type(data).__name__}: pass it in a tuple"
            )
        if isinstance(data, Mapping) and not all(isinstance(key, str) for key in data):
            raise TypeError(f"`data` must have names of arguments as its keys, got {list(data)}: use strings")
        self.data = _map(data, lambda x: x.detach() if device is None else x.detach().to(device))
        self.sizes = {name: len(x) for name, x in tensors_of(self.data).items() if x.dim()}
        if len(set(self.sizes.values())) > 1:
            sizes = ", ".join(f"{name} has {size}" for name, size in self.sizes.items())
            raise ValueError(
                f"the tensors in `data` must have one row a datum, got different numbers of rows ({sizes}): pass what "
                "has no such rows to the programs another way, with functools.partial"
            )
        if 0 in self.sizes.values():
            raise ValueError("`data` must hold at least one datum, got none: there is nothing to train on")

    def __len__(self) -> int:
        """N; 1 for programs that hold their data."""
        return next(iter(self.sizes.values()), 1)

    def images(self, index: Tensor | None) -> Any:
        """Return the rows `index` in the data's own form; None is all of them, in their order."""
        if index is None or not self.sizes:
            return self.data
        return _map(self.data, lambda x: x.index_select(0, index.to(x.device, non_blocking=True)) if x.dim() else x)

    def fingerprint(self) -> str:
        """Return a digest of all tensors, by which a checkpoint knows its data."""
        digest = hashlib.sha256()
        for name, x in tensors_of(self.data).items():
            digest.update(f"{name} {tuple(x.shape)} {x.dtype}".encode())
            digest.update(x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]


class Whole:
    """The order of steps that each take all data, in the data's own order."""

    steps_per_epoch = 1

    def __init__(self, size: int) -> None:
        self.size = self.batch_size = size

    def __call__(self, step: int) -> None:
        """None, which stands for all."""


def tensors_of(batch: Any) -> dict[str, Tensor]:
    """Return the tensors of a batch by the names that a sentence can call them."""
    if isinstance(batch, torch.Tensor):
        return {"it": batch}
    items = batch.items() if isinstance(batch, Mapping) else enumerate(batch or ())
    return {f"entry {key!r}": item for key, item in items if isinstance(item, torch.Tensor)}


def moved(batch: Any, device: torch.device) -> Any:
    """Return a batch on `device`."""
    return _map(batch, lambda x: x.to(device, non_blocking=True))


def _map(batch: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return a batch of the same form, with `function` applied to each tensor; arrays become tensors."""
    if isinstance(batch, np.ndarray):
        batch = checks.tensor("data", batch)
    if isinstance(batch, torch.Tensor):
        return function(batch.clone() if batch.is_inference() else batch)
    if isinstance(batch, Mapping):
        return {key: _entry(item, function) for key, item in batch.items()}
    return tuple(_entry(item, function) for item in batch) if isinstance(batch, tuple) else batch


def _entry(item: Any, function: Callable[[Tensor], Tensor]) -> Any:
    return _map(item, function) if isinstance(item, torch.Tensor | np.ndarray) else item
