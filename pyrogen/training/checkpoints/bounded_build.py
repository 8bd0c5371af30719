"""Building what a file describes, in no more memory than the file has earned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pyrogen.config import rebuild
from pyrogen.errors import CheckpointError

SPARE = 16 * 2**20  # bytes beside those of the weights, for what is made on the way
LEAST = 8192  # bytes that each new tensor counts for, so that a million of empty ones are too many
MAKERS = ("empty", "zeros", "ones", "full", "rand", "randn", "new_empty", "new_zeros", "new_ones", "new_full", "eye")
ONE_SIZE = ("arange", "linspace", "logspace", "range", "randperm", "eye")


class _Budget(TorchDispatchMode):
    """Refuses the operation that would make more than `most` bytes, before it is run where its size is in its call."""

    def __init__(self, most: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most, self.spent = most, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        makes = name.startswith(MAKERS)
        self._check(name, makes, args, kwargs)
        result = func(*args, **kwargs)
        if not makes and not name.endswith("_"):
            given = {t.untyped_storage().data_ptr() for t in args if isinstance(t, torch.Tensor)}
            for made in result if isinstance(result, tuple | list) else (result,):
                if isinstance(made, torch.Tensor) and made.untyped_storage().data_ptr() not in given:
                    self._spend(made.untyped_storage().nbytes())
        return result

    def _check(self, name: str, makes: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse a size that stands in the call."""
        itemsize = (kwargs.get("dtype") or torch.get_default_dtype()).itemsize
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, Sequence) and argument and all(isinstance(size, int) for size in argument):
                if makes:
                    self._spend(max(LEAST, math.prod(argument) * itemsize))
                elif name in ("repeat", "tile"):
                    self._spend(math.prod(argument) * args[0].numel() * args[0].element_size())
            elif name.startswith(ONE_SIZE) and isinstance(argument, int | float) and argument > self.most:
                self._spend(self.most + 1)

    def _spend(self, size: int) -> None:
        self.spent += size
        if size > self.most or self.spent > 4 * self.most:
            raise CheckpointError(f"it asks for tensors of {max(size, self.spent):,} bytes, far more than the file has")


def build(description: Any, size: int) -> Any:
    """Build the object of a description that came with `size` bytes of weights.

    Raises:
        CheckpointError: if it would take far more memory than that, before it is taken.
        Exception: whatever a constructor raises for arguments that are not sound.
    """
    with _Budget(2 * size + SPARE):
        return rebuild(description)
