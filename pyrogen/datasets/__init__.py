"""Data sets with known factors."""

from pyrogen.datasets.digits import Digits
from pyrogen.datasets.dsprites import DSprites

__all__ = ["DSprites", "Digits"]
