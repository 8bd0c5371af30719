"""Data sets with known factors."""

from pyrogen.datasets.dsprites import DSprites

__all__ = ["DSprites"]
