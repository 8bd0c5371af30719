"""Data of anyone's programs: a tensor, arguments in a tuple, keyword arguments in a dict, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from pyrogen import checks

SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


class ProgramSource:
    """N rows of each tensor, read together; anything but a tensor, or a tensor without rows, is passed on as it is.

    Tensors with different numbers of rows can only be read whole; N is then that of the first.

    Args:
        data: see `pyrogen.models.Programs`.
        device: where the tensors go.

    Raises:
        TypeError: for data of another kind.
        ValueError: for tensors that have no rows.
    """

    def __init__(self, data: Any, device: torch.device | None = None) -> None:
        if not (data is None or isinstance(data, torch.Tensor | np.ndarray | tuple | Mapping)):
            raise TypeError(
                "`data` of programs must be a tensor, a tuple of arguments, a dict of keyword arguments or None, got a "
                f"{type(data).__name__}: {_remedy(data)}"
            )
        if isinstance(data, Mapping) and not all(isinstance(key, str) for key in data):
            raise TypeError(f"`data` must have names of arguments as its keys, got {list(data)}: use strings")
        self.data = mapped(data, lambda x: x.detach() if device is None else x.detach().to(device))
        self.sizes = {name: len(x) for name, x in tensors_of(self.data).items() if x.dim()}
        if 0 in self.sizes.values():
            raise ValueError("`data` must hold at least one datum, got none: there is nothing to train on")

    def __len__(self) -> int:
        """N; 1 for programs that hold their data."""
        return next(iter(self.sizes.values()), 1)

    def images(self, index: Tensor | None) -> Any:
        """Return the rows `index` in the data's own form; None is all of them, in their order."""
        if index is None or not self.sizes:
            return self.data
        self.check_rows()
        return rows_of(self.data, index)

    def check_rows(self) -> None:
        """Raise ``ValueError`` if the tensors cannot be cut into batches, for they differ in their numbers of rows."""
        if len(set(self.sizes.values())) > 1:
            sizes = " and ".join(f"{size} in {name}" for name, size in self.sizes.items())
            raise ValueError(
                f"tensors in `data` must have one row a datum for batches, got {sizes}: leave out batch_size=, or give "
                "the programs what has no such rows by functools.partial"
            )

    def fingerprint(self) -> str:
        """Return a digest of the data, by which a checkpoint knows them.

        Tensors, arrays, tables, numbers and texts count whole, in lists, tuples and dicts too. Of other objects the
        class counts.
        """
        digest = hashlib.sha256()
        for name, item in _entries(self.data).items():
            add_entry(digest, name, item)
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
    return {name: item for name, item in _entries(batch).items() if isinstance(item, torch.Tensor)}


def _entries(batch: Any) -> dict[str, Any]:
    if isinstance(batch, torch.Tensor):
        return {"it": batch}
    items = batch.items() if isinstance(batch, Mapping) else enumerate(batch or ())
    return {f"entry {key!r}": item for key, item in items}


def flat(batch: Any) -> tuple[Tensor, ...]:
    """Return the tensors of a batch."""
    if isinstance(batch, torch.Tensor):
        return (batch,)
    items = batch.values() if isinstance(batch, Mapping) else batch or ()
    return tuple(item for item in items if isinstance(item, torch.Tensor))


def rows_of(batch: Any, index: Tensor) -> Any:
    """Return a batch of the same form with the rows `index` of each tensor that has any."""

    def rows(x: Tensor) -> Tensor:
        signed = SIGNED.get(x.dtype)  # torch cannot read rows of the others
        here = index.to(x.device, non_blocking=True)
        return x.index_select(0, here) if signed is None else x.view(signed).index_select(0, here).view(x.dtype)

    return mapped(batch, lambda x: rows(x) if x.dim() else x)


def add_entry(digest: Any, name: str, item: Any) -> None:
    """Add what an entry of the data holds to a digest."""
    if isinstance(item, torch.Tensor):
        if item.layout != torch.strided:
            item = item.to_sparse_coo().coalesce()
            add_entry(digest, f"{name} at", item.indices())
            item = item.values()
        digest.update(f"{name} {tuple(item.shape)} {item.dtype}".encode())
        plain = item.detach().cpu().resolve_conj().resolve_neg().contiguous()
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(item, Mapping | list | tuple):
        digest.update(f"{name} {type(item).__name__} {len(item)}".encode())
        for key, part in item.items() if isinstance(item, Mapping) else enumerate(item):
            add_entry(digest, f"{name} {key!r}", part)
    elif isinstance(item, np.ndarray | np.generic) and item.dtype != object:
        digest.update(f"{name} {item.shape} {item.dtype}".encode() + item.tobytes())
    elif hasattr(item, "iloc") and hasattr(item, "to_numpy"):
        labels = [item.index.tolist(), *([item.columns.tolist()] if hasattr(item, "columns") else [])]
        add_entry(digest, name, [labels, item.to_numpy().tolist()])
    else:
        simple = item is None or isinstance(item, bool | int | float | complex | str | bytes | torch.dtype)
        digest.update(f"{name} {type(item).__qualname__} {item if simple else ''!r}".encode())


def _remedy(data: Any) -> str:
    """Return what to pass in the place of data that programs do not take."""
    if isinstance(data, TensorDataset):
        return "pass dataset.tensors, and batch_size="
    if isinstance(data, Dataset):
        return "stack its items to tensors, and pass these and batch_size="
    if isinstance(data, DataLoader):
        return "pass the tensors that it reads, and batch_size="
    if hasattr(data, "iloc"):
        return "pass torch.tensor(data.to_numpy()), or (data,) if the programs take it as it is"
    if isinstance(data, list):
        return "pass tuple(data) for several arguments, or (data,) if the programs take a list"
    return "pass (data,) if the programs take it as their one argument"


def moved(batch: Any, device: torch.device) -> Any:
    """Return a batch on `device`."""
    return mapped(batch, lambda x: x.to(device, non_blocking=True))


def mapped(batch: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return a batch of the same form, with `function` applied to each tensor; arrays become tensors."""
    if isinstance(batch, np.ndarray):
        batch = checks.tensor("data", batch)
    if isinstance(batch, torch.Tensor):
        return function(batch.clone() if batch.is_inference() else batch)
    if isinstance(batch, Mapping):
        return {key: _entry(item, function) for key, item in batch.items()}
    return tuple(_entry(item, function) for item in batch) if isinstance(batch, tuple) else batch


def _entry(item: Any, function: Callable[[Tensor], Tensor]) -> Any:
    return mapped(item, function) if isinstance(item, torch.Tensor | np.ndarray) else item
