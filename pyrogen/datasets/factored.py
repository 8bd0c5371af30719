"""A data set of pictures that are numbered by their factors, and its parts."""

import operator
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from pyrogen.datasets.packed import unpack
from pyrogen.datasets.renderer import FACTOR_NAMES, FACTOR_SIZES, SIZE, factors_of
from pyrogen.datasets.sources import Source


class FactoredImages(Dataset[tuple[Tensor, Tensor]], ABC):
    """What :class:`DSprites` and the parts that :meth:`split` gives have in common.

    Also a map-style torch data set: ``ds[i]`` is ``(image (1, 64, 64) uint8, factors (5,) int64)``.

    An index is int64 (B,), counting from 0; lists, numpy arrays and single integers are taken too. Results lie on
    ``device``. An index on the CPU is checked; one that is already on an accelerator is not, because to look at it
    would wait for the device (there torch's own device-side assertion catches it).
    """

    factor_names: tuple[str, ...] = FACTOR_NAMES
    factor_sizes: tuple[int, ...] = FACTOR_SIZES
    image_shape: tuple[int, int, int] = (1, SIZE, SIZE)
    _source: Source

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _numbers(self, index: Tensor) -> Tensor:
        """Position in the whole data set of a checked index."""

    @abstractmethod
    def _places(self, index: Tensor) -> Tensor:
        """Position in the source of a checked index."""

    @abstractmethod
    def index(self, factors: Any) -> Tensor:
        """The index (B,) of factors (B, 5), or of one (5,): the inverse of :meth:`factors`. Raises ValueError."""

    @abstractmethod
    def to(self, device: torch.device | str) -> "FactoredImages":
        """A copy whose pictures lie, or are drawn, on a device, so that batches are made there."""

    @property
    def device(self) -> torch.device:
        return self._source.device

    def images(self, index: Any) -> Tensor:
        """Pictures (B, 1, 64, 64), uint8 of {0, 1}. Raises ValueError out of range, TypeError for other types."""
        index = self._checked(index)
        return unpack(self._source.words(self._places(index), self._numbers(index)))

    def factors(self, index: Any) -> Tensor:
        """Factors (B, 5) int64, in the order of ``factor_names``, each from 0 to its ``factor_sizes`` less one."""
        return factors_of(self._numbers(self._checked(index)))

    def split(self, n_train: int, n_test: int, seed: int = 0) -> tuple["Part", "Part"]:
        """Two disjoint random parts, the same for the same seed whatever the device. Raises ValueError, TypeError."""
        n_train, n_test, seed = (
            _integer(value, name) for value, name in ((n_train, "n_train"), (n_test, "n_test"), (seed, "seed"))
        )
        if n_train < 1 or n_test < 1:
            raise ValueError(f"both parts need at least one picture, got n_train={n_train} and n_test={n_test}")
        if n_train + n_test > len(self):
            raise ValueError(f"n_train + n_test is {n_train + n_test}, more than the {len(self)} pictures there are")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed)).to(self.device)
        train, test = order[:n_train], order[n_train : n_train + n_test]
        return (
            Part(self._source, self._numbers(train), self._places(train)),
            Part(self._source, self._numbers(test), self._places(test)),
        )

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        i = operator.index(i)
        if not -len(self) <= i < len(self):
            raise IndexError(f"index {i} is out of range for {len(self)} pictures")
        index = torch.tensor([i % len(self)])
        return self.images(index)[0], self.factors(index)[0]

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, Tensor]]:
        # DataLoader asks for this before it asks one by one.
        return list(zip(self.images(indices), self.factors(indices), strict=True))

    def _checked(self, index: Any) -> Tensor:
        index = _integers(index, "index")
        if index.ndim == 0:
            index = index[None]
        if index.ndim != 1:
            raise ValueError(f"index must have one dimension, got shape {tuple(index.shape)}")
        if index.device.type == "cpu" and len(index):
            low, high = (int(end) for end in index.aminmax())
            if low < 0 or high >= len(self):
                raise ValueError(f"index {low if low < 0 else high} is out of range for {len(self)} pictures")
        return index.to(self.device, non_blocking=True)


class Part(FactoredImages):
    """Some of a data set's pictures, numbered anew from 0: ``numbers`` in the whole, ``places`` in the source."""

    def __init__(self, source: Source, numbers: Tensor, places: Tensor) -> None:
        self._source = source
        # Own copies: a slice would keep, and pickle, all of what it was cut from.
        self._number = numbers.clone()
        self._place = places.clone()
        self._sorted, self._order = numbers.sort()

    def __len__(self) -> int:
        return len(self._number)

    def _numbers(self, index: Tensor) -> Tensor:
        return self._number.index_select(0, index)

    def _places(self, index: Tensor) -> Tensor:
        return self._place.index_select(0, index)

    def index(self, factors: Any) -> Tensor:
        number = number_of(factors).to(self.device)
        at = torch.searchsorted(self._sorted, number).clamp(max=len(self) - 1)
        missing = self._sorted[at] != number
        if missing.any():
            first = _integers(factors, "factors").reshape(-1, len(FACTOR_SIZES))[int(missing.nonzero()[0])]
            raise ValueError(f"the picture with factors {first.tolist()} is not in this part of the data")
        return self._order[at]

    def to(self, device: torch.device | str) -> "Part":
        device = torch.device(device)
        places = torch.arange(len(self), device=device)
        return Part(self._source.to(device, self._place), self._number.to(device), places)


def number_of(factors: Any) -> Tensor:
    """Positions (B,) in the whole data set of factors (B, 5). Raises ValueError out of range, TypeError."""
    factors = _integers(factors, "factors")
    if factors.ndim == 1 and len(factors) == len(FACTOR_SIZES):
        factors = factors[None]
    if factors.ndim != 2 or factors.shape[1] != len(FACTOR_SIZES):
        raise ValueError(f"factors must have shape (B, {len(FACTOR_SIZES)}), got {tuple(factors.shape)}")
    sizes = torch.tensor(FACTOR_SIZES, device=factors.device)
    wrong = ((factors < 0) | (factors >= sizes)).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        raise ValueError(
            f"factor {FACTOR_NAMES[column]!r} is {int(factors[row, column])}, "
            f"expected 0 to {FACTOR_SIZES[column] - 1} (row {row})"
        )
    number = torch.zeros_like(factors[:, 0])
    for column, size in enumerate(FACTOR_SIZES):
        number = number * size + factors[:, column]
    return number


def _integers(value: Any, name: str) -> Tensor:
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be integers, got {type(value).__name__} ({error})") from error
    if tensor.numel() == 0 and not isinstance(value, Tensor):
        return tensor.long()  # an empty list has no type of its own
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"{name} must be integers, got {tensor.dtype}")
    return tensor.long()


def _integer(value: Any, name: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
