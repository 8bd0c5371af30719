"""Where a data set's packed pictures come from: words that are there (on disk or in memory), or a drawing each time."""

import os
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyrogen.datasets.bitpacked import open_words
from pyrogen.datasets.renderer import factors_of, render_packed


class Source(ABC):
    """Packed pictures by their place. Places are int64, on the source's device, and in range: callers check."""

    device: torch.device

    @abstractmethod
    def words(self, place: Tensor, number: Tensor) -> Tensor:
        """(B, 64) int64 of the pictures at ``place`` (B,) in this source, ``number`` (B,) in the whole data set."""

    @abstractmethod
    def to(self, device: torch.device, places: Tensor | None) -> "Source":
        """Return a copy on a device that need hold only the pictures at ``places``, which are its places 0, 1, ..."""


class Stored(Source):
    """Words that are stored, (N, 64) int64. With ``path`` they are mapped from that file, and pickle as its name."""

    def __init__(self, words: Tensor, path: Path | None = None) -> None:
        self._words = words
        self._path = path
        self.device = words.device
        self._watch()

    def _watch(self) -> None:
        """Keep the mapped file open: to read a map beyond the end of a file that was cut kills the process."""
        self._handle, self._size = -1, 0
        if self._path:
            self._handle = os.open(self._path, os.O_RDONLY)
            self._size = os.fstat(self._handle).st_size
            weakref.finalize(self, os.close, self._handle)

    def words(self, place: Tensor, number: Tensor) -> Tensor:
        if self._path and os.fstat(self._handle).st_size != self._size:
            raise OSError(f"the cached pictures {str(self._path)!r} were cut while in use; make the data set anew")
        return self._words.index_select(0, place)

    def to(self, device: torch.device, places: Tensor | None) -> "Stored":
        words = self._words if places is None else self._words.index_select(0, places)
        return Stored(words.to(device, copy=True))

    def __getstate__(self) -> dict[str, Any]:
        # A worker process maps the file itself; pickling the tensor would copy 377 MB for each.
        return {**self.__dict__, "_words": len(self._words), "_handle": -1} if self._path else self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._path:
            words = open_words(self._path, state["_words"])
            if words is None:
                raise FileNotFoundError(f"the cached pictures {str(self._path)!r} are gone; make the data set anew")
            self._words = words
            self._watch()


class Drawn(Source):
    """Nothing stored: each picture is drawn when asked for."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def words(self, place: Tensor, number: Tensor) -> Tensor:
        return render_packed(factors_of(number))

    def to(self, device: torch.device, places: Tensor | None) -> "Drawn":
        return Drawn(device)
