"""A data set of pictures that are numbered by their factors, and its parts."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from pyrogen.datasets.bitpacked import unpack
from pyrogen.datasets.images import Images, integers
from pyrogen.datasets.renderer import FACTOR_NAMES, FACTOR_SIZES, SIZE, factors_of
from pyrogen.datasets.storage import Source


class FactoredImages(Images):
    """What :class:`DSprites` and the parts that :meth:`split` gives have in common: a number tells the factors.

    Also a map-style torch data set: ``ds[i]`` is ``(image (1, 64, 64) uint8, factors (5,) int64)``.
    """

    factor_names: tuple[str, ...] = FACTOR_NAMES
    factor_sizes: tuple[int, ...] = FACTOR_SIZES
    image_shape: tuple[int, int, int] = (1, SIZE, SIZE)
    _source: Source

    @abstractmethod
    def _numbers(self, index: Tensor) -> Tensor:
        """Position in the whole data set of a checked index."""

    @abstractmethod
    def _places(self, index: Tensor) -> Tensor:
        """Position in the source of a checked index."""

    @abstractmethod
    def index(self, factors: Any) -> Tensor:
        """Return the index (B,) of factors (B, 5), or of one (5,): the inverse of :meth:`factors`. Raises
        ValueError."""

    @abstractmethod
    def to(self, device: torch.device | str) -> "FactoredImages":
        """Return a copy whose pictures lie, or are drawn, on a device, so that batches are made there."""

    @property
    def device(self) -> torch.device:
        return self._source.device

    def images(self, index: Any) -> Tensor:
        """Return pictures (B, 1, 64, 64), uint8 of {0, 1}. Raise ValueError out of range, TypeError for other
        types."""
        index = self._checked(index)
        return unpack(self._source.words(self._places(index), self._numbers(index)))

    def factors(self, index: Any) -> Tensor:
        """Return factors (B, 5) int64, in the order of ``factor_names``, each from 0 to its ``factor_sizes`` less
        one."""
        return factors_of(self._numbers(self._checked(index)))

    def split(self, n_train: int, n_test: int, seed: int = 0) -> tuple["Part", "Part"]:
        """Two disjoint random parts, the same for the same seed whatever the device. Raises ValueError, TypeError."""
        train, test = self._drawn(n_train, n_test, seed)
        return (
            Part(self._source, self._numbers(train), self._places(train)),
            Part(self._source, self._numbers(test), self._places(test)),
        )


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
            first = integers(factors, "factors").reshape(-1, len(FACTOR_SIZES))[int(missing.nonzero()[0])]
            raise ValueError(f"factors must be those of a picture in this part of the data, got {first.tolist()}")
        return self._order[at]

    def to(self, device: torch.device | str) -> "Part":
        device = torch.device(device)
        places = torch.arange(len(self), device=device)
        return Part(self._source.to(device, self._place), self._number.to(device), places)


def number_of(factors: Any) -> Tensor:
    """Return positions (B,) in the whole data set of factors (B, 5). Raise ValueError out of range, TypeError."""
    factors = integers(factors, "factors")
    if factors.ndim == 1 and len(factors) == len(FACTOR_SIZES):
        factors = factors[None]
    if factors.ndim != 2 or factors.shape[1] != len(FACTOR_SIZES):
        raise ValueError(f"factors must have shape (B, {len(FACTOR_SIZES)}), got {tuple(factors.shape)}")
    sizes = torch.tensor(FACTOR_SIZES, device=factors.device)
    wrong = ((factors < 0) | (factors >= sizes)).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        raise ValueError(
            f"factor {FACTOR_NAMES[column]!r} must be from 0 to {FACTOR_SIZES[column] - 1}, "
            f"got {int(factors[row, column])} in row {row}"
        )
    number = torch.zeros_like(factors[:, 0])
    for column, size in enumerate(FACTOR_SIZES):
        number = number * size + factors[:, column]
    return number
