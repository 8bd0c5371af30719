"""What every data set of pictures with factors shares: an index that is checked, splits, and items for torch."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from pyrogen import checks


class Images(Dataset[tuple[Tensor, Tensor]], ABC):
    """Pictures and the factors that go with them, both by index.

    An index is int64 (B,), counting from 0; lists, numpy arrays and single integers are taken too. Results lie on
    ``device``. An index on the CPU is checked. One that is already on an accelerator is not, because to look at it
    would wait for the device. There torch's own device-side assertion catches it.

    Also a map-style torch data set: ``ds[i]`` is ``(image, factors)``.
    """

    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    image_shape: tuple[int, int, int]

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def device(self) -> torch.device: ...

    @abstractmethod
    def images(self, index: Any) -> Tensor:
        """Return pictures ``(B, *image_shape)``. Raise ValueError out of range, TypeError for other types."""

    @abstractmethod
    def factors(self, index: Any) -> Tensor:
        """Return factors (B, K) int64, in the order of ``factor_names``, each from 0 to its ``factor_sizes`` less
        one."""

    @abstractmethod
    def to(self, device: torch.device | str) -> "Images":
        """Return a copy on a device, so that batches are made there."""

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        i = checks.whole("index", i)
        if not -len(self) <= i < len(self):
            raise IndexError(f"index {i} is out of range for {len(self)} pictures")
        index = torch.tensor([i % len(self)])
        return self.images(index)[0], self.factors(index)[0]

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, Tensor]]:
        # DataLoader asks for this before it asks one by one.
        return list(zip(self.images(indices), self.factors(indices), strict=True))

    def _checked(self, index: Any) -> Tensor:
        index = integers(index, "index")
        if index.ndim == 0:
            index = index[None]
        if index.ndim != 1:
            raise ValueError(f"index must have one dimension, got shape {tuple(index.shape)}")
        if index.device.type == "cpu" and len(index):
            low, high = (int(end) for end in index.aminmax())
            if low < 0 or high >= len(self):
                raise ValueError(f"index must be from 0 to {len(self) - 1}, got {low if low < 0 else high}")
        output: Tensor = index.to(self.device, non_blocking=True)
        return output

    def _drawn(self, n_train: int, n_test: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return the indices of two disjoint random parts, the same for the same seed whatever the device."""
        n_train, n_test = checks.whole("n_train", n_train, least=1), checks.whole("n_test", n_test, least=1)
        seed = checks.seed("seed", seed)
        if n_train + n_test > len(self):
            raise ValueError(f"n_train + n_test must be at most the {len(self)} pictures, got {n_train + n_test}")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed)).to(self.device)
        return order[:n_train], order[n_train : n_train + n_test]


def integers(value: Any, name: str) -> Tensor:
    """`value` as int64, of any shape; TypeError if it holds anything but integers."""
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be integers, got {type(value).__name__} ({error})") from error
    if tensor.numel() == 0 and not isinstance(value, Tensor):
        return tensor.long()  # an empty list has no type of its own
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"{name} must be integers, got {tensor.dtype}")
    return tensor.long()
