"""The dSprites data set: drawn here, or read from the original file."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyrogen import checks
from pyrogen.datasets import sprites
from pyrogen.datasets.bitpacked import check_folder, open_words, write_words
from pyrogen.datasets.factored import FactoredImages, number_of
from pyrogen.datasets.original import check_original, read_original
from pyrogen.datasets.renderer import FACTOR_SIZES, VERSION, factors_of, render_all, render_packed
from pyrogen.datasets.storage import Drawn, Source, Stored
from pyrogen.progress import progress_bar
from pyrogen.warn import warn

_COUNT = prod(FACTOR_SIZES)


class DSprites(FactoredImages):
    r"""dSprites: 737,280 binary pictures of 64 x 64, one for each value of five independent factors.

    Picture ``i`` has the factors of mixed-radix numeral ``i``: with sizes :math:`K = (3, 6, 40, 32, 32)`,

    .. math:: i = (((\text{shape} \cdot 6 + \text{scale}) \cdot 40 + \text{orientation}) \cdot 32
                  + \text{posX}) \cdot 32 + \text{posY},

    which is the order of the original file. Shapes are 0 square, 1 ellipse, 2 heart.

    Nothing is downloaded: the pictures are drawn (see ``pyrogen/datasets/renderer.py``), the first time into a file of
    377 MB in a cache folder. That takes seconds. From then on the file is mapped into memory.

    Args:
        path: the original ``.npz``, to use its pictures in place of drawn ones. It is read once into the cache.
        cache: True for the user's cache folder ($PYROGEN_CACHE, else $XDG_CACHE_HOME/pyrogen, else
            ~/.cache/pyrogen), a folder, or None or False to keep nothing on disk. Then each batch is drawn when it is
            asked for, and an original file is held in memory. Where the user's cache folder cannot be written, this
            happens too, with a warning; a folder named here must be writable.
        progress: show a progress bar while the cache is filled.

    Raises:
        FileNotFoundError: nothing lies at ``path``.
        ValueError: the file at ``path`` is not the original, or is damaged.
        TypeError: ``cache`` is neither of those.
        OSError: the folder named as ``cache`` cannot be written, or is full.

    Example:
        >>> ds = DSprites(cache=None)
        >>> heart = ds.index([[2, 5, 0, 16, 16]])
        >>> ds.images(heart).shape, ds.factors(heart).tolist()
        (torch.Size([1, 1, 64, 64]), [[2, 5, 0, 16, 16]])
        >>> train, test = ds.split(10_000, 1_000, seed=0)
        >>> len(train), len(test)
        (10000, 1000)

    Reference: L. Matthey, I. Higgins, D. Hassabis, A. Lerchner, "dSprites: Disentanglement testing Sprites dataset",
    2017, https://github.com/google-deepmind/dsprites-dataset
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        cache: bool | str | os.PathLike[str] | None = True,
        *,
        progress: bool = True,
    ) -> None:
        if cache is not None and not isinstance(cache, bool | str | os.PathLike):
            raise TypeError(f"cache must be True, False, None or a folder, got {cache!r}")
        if path is None:
            name = f"dsprites-drawn-{_fingerprint()}-sealed.words"
            self._source: Source = _stored(name, render_all, cache, progress) or Drawn()
        else:
            original = checks.path("path", path)
            name = f"dsprites-read-{_identity(original)}-sealed.words"

            def read() -> Iterator[Tensor]:
                check_original(original)
                yield from read_original(original)

            stored = _stored(name, read, cache, progress)
            self._source = stored or Stored(torch.cat(list(_shown(read(), progress))))

    def __len__(self) -> int:
        return _COUNT

    def _numbers(self, index: Tensor) -> Tensor:
        return index

    def _places(self, index: Tensor) -> Tensor:
        return index

    def index(self, factors: Any) -> Tensor:
        return number_of(factors).to(self.device)

    def to(self, device: torch.device | str) -> "DSprites":
        copy = DSprites.__new__(DSprites)
        copy._source = self._source.to(torch.device(device), None)
        return copy


def default_cache() -> Path:
    """Return the user's cache folder: $PYROGEN_CACHE, else $XDG_CACHE_HOME/pyrogen, else ~/.cache/pyrogen."""
    if named := os.environ.get("PYROGEN_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyrogen"


def _stored(
    name: str,
    blocks: Callable[[], Iterable[Tensor]],
    cache: bool | str | os.PathLike[str] | None,
    progress: bool,
) -> Stored | None:
    """Return the words of a cached file, which is made if need be; None if there is to be no cache, or can be none."""
    if cache is None or cache is False:
        return None
    folder = default_cache() if cache is True else Path(cache).expanduser()
    file = folder / name
    words = open_words(file, _COUNT)
    if words is None:
        try:
            check_folder(folder, _COUNT)
        except OSError as error:
            if cache is not True:
                raise
            warn(f"dSprites is not cached: {error}")
            return None
        with _one_thread():
            write_words(file, _shown(blocks(), progress), _COUNT)
        words = open_words(file, _COUNT)
        if words is None:
            raise OSError(f"the cached pictures {str(file)!r} went away while they were made; try again")
    return Stored(words, file)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Drawing is many short operations, and a second thread saves a third at best. Where other processes hold the
    cores, it makes every operation wait for its turn, which took ten times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _shown(blocks: Iterable[Tensor], progress: bool) -> Iterator[Tensor]:
    with progress_bar(total=_COUNT, desc="dSprites", unit=" images", unit_scale=True, shown=progress) as bar:
        for block in blocks:
            yield block
            bar.update(len(block))


def _fingerprint() -> str:
    """Name what the renderer draws: its version, its outlines, and a sample of its pictures."""
    sample = torch.arange(0, _COUNT, 4099)  # 180 pictures; a prime, to meet all kinds
    digest = hashlib.sha256(str(VERSION).encode())
    # In whole 1e-6 pixels: the last bits of a cosine differ between processors.
    digest.update((sprites.outlines() * 1e6).round().long().numpy().tobytes())
    digest.update(render_packed(factors_of(sample)).numpy().tobytes())
    return digest.hexdigest()[:16]


def _identity(path: Path) -> str:
    """Name one state of one file: its place, size and time."""
    try:
        missing = not path.is_file()
    except OSError as error:
        raise ValueError(f"path must be the path of a file, got {str(path)[:80]!r}: {error.strerror}") from error
    if missing:
        check_original(path)  # raises, saying so
    stat = path.stat()
    return hashlib.sha256(f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}".encode()).hexdigest()[:16]
