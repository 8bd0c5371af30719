"""Handwritten digits of 8 x 8, the real images that come with scikit-learn."""

from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from pyrogen import checks
from pyrogen.datasets.images import Images

Levels: TypeAlias = Literal["gray", "binary"]
GRAYS = 16  # a pixel counts the dark ones of 4 x 4 finer pixels


class Digits(Images):
    r"""1,797 handwritten digits of 8 x 8 pixels with 17 levels of gray, about 180 of each digit.

    Each pixel is the share of dark ones among the 4 x 4 of a finer, black and white scan. Nothing is downloaded: the
    file is part of scikit-learn, and its order is kept. Both parts of a :meth:`split` have the same 13 writers:
    held-out images are new, their writers are not.

    Also a map-style torch data set: ``ds[i]`` is ``(image (1, 8, 8) float32, factors (1,) int64)``.

    Args:
        levels: ``"gray"`` for the share of dark ones, a multiple of 1/16 in [0, 1]. ``"binary"`` for 1 where that share
            is at least 8/16, and 0 elsewhere (32.3% of the pixels are then 1).

    Raises:
        ValueError: ``levels`` is neither of those.

    Example:
        >>> ds = Digits(levels="binary")
        >>> len(ds), ds.images([0, 1]).shape, ds.factors([0, 1]).tolist()
        (1797, torch.Size([2, 1, 8, 8]), [[0], [1]])
        >>> train, test = ds.split(1_297, 500, seed=0)
        >>> len(train), len(test)
        (1297, 500)

    Reference: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", 1998, UCI Machine Learning
    Repository (its part for testing), https://doi.org/10.24432/C50P49
    """

    factor_names = ("digit",)
    factor_sizes = (10,)
    image_shape = (1, 8, 8)

    def __init__(self, levels: Levels = "gray") -> None:
        checks.one_of("levels", levels, get_args(Levels))
        from sklearn.datasets import load_digits

        pixels, digits = load_digits(return_X_y=True)
        gray = torch.from_numpy(pixels).float().view(-1, *self.image_shape)
        self.levels = levels
        self._pixels = gray / GRAYS if levels == "gray" else (gray >= GRAYS / 2).float()
        self._digits = torch.from_numpy(digits).long()[:, None]

    def __len__(self) -> int:
        return len(self._digits)

    @property
    def device(self) -> torch.device:
        return self._pixels.device

    def images(self, index: Any) -> Tensor:
        """Return pictures (B, 1, 8, 8), float32 in [0, 1] or of {0, 1}. Raise ValueError out of range, TypeError."""
        return self._pixels.index_select(0, self._checked(index))

    def factors(self, index: Any) -> Tensor:
        """Return the digit that was meant, (B, 1) int64 from 0 to 9. Raise ValueError out of range, TypeError."""
        return self._digits.index_select(0, self._checked(index))

    def split(self, n_train: int, n_test: int, seed: int = 0) -> tuple["Digits", "Digits"]:
        """Two disjoint random parts, the same for the same seed whatever the device. Raises ValueError, TypeError."""
        train, test = self._drawn(n_train, n_test, seed)
        return self._with(self._pixels[train], self._digits[train]), self._with(self._pixels[test], self._digits[test])

    def to(self, device: torch.device | str) -> "Digits":
        return self._with(self._pixels.to(device), self._digits.to(device))

    def _with(self, pixels: Tensor, digits: Tensor) -> "Digits":
        other = Digits.__new__(Digits)
        other.levels, other._pixels, other._digits = self.levels, pixels, digits
        return other
