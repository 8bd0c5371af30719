"""Reads the published dSprites file, ``dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz``.

It holds ``imgs`` (737280, 64, 64) uint8 of {0, 1}, ``latents_classes`` (737280, 6) int64 (color, of one class,
before the five factors), ``latents_values`` and a pickled ``metadata``. Only the first two are read, by numpy's
header format and with no unpickling; the 3 GB of ``imgs`` lie compressed, and pass through in blocks.
"""

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from pyrogen.datasets.bitpacked import pack
from pyrogen.datasets.renderer import FACTOR_SIZES

_BLOCK = 4096  # pictures: 16 MB unpacked
_SOURCE = "the original is at https://github.com/google-deepmind/dsprites-dataset"


def check_original(path: str | os.PathLike[str], sizes: tuple[int, ...] = FACTOR_SIZES) -> None:
    """Raise FileNotFoundError or ValueError, saying what is wrong, unless the file looks like dSprites.

    Looks at the archive's directory, the two arrays' headers and all of ``latents_classes``; not at the pictures.
    ``sizes`` are the numbers of classes of the factors, so that a test can have a small file.
    """
    path = Path(path)
    count = int(np.prod(sizes))
    with _open(path) as archive:
        with _member(archive, path, "imgs") as file:
            _check_header(file, path, "imgs", np.dtype(np.uint8), (count, 64, 64))
        with _member(archive, path, "latents_classes") as file:
            _check_header(file, path, "latents_classes", np.dtype(np.int64), (count, 6))
            octets = _read(file, path, "latents_classes", count * 6 * 8)
    classes = np.frombuffer(octets, dtype=np.int64).reshape(count, 6)
    expected = np.stack(np.unravel_index(np.arange(count), (1, *sizes)), axis=-1)
    wrong = (classes != expected).any(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{str(path)!r} is not dSprites in its original order: row {row} of 'latents_classes' is "
            f"{classes[row].tolist()}, expected {expected[row].tolist()}; {_SOURCE}"
        )


def read_original(path: str | os.PathLike[str], sizes: tuple[int, ...] = FACTOR_SIZES) -> Iterator[Tensor]:
    """Yield the pictures in packed blocks (b, 64) int64, in the file's order. ValueError where the data is damaged."""
    path = Path(path)
    count = int(np.prod(sizes))
    with _open(path) as archive, _member(archive, path, "imgs") as file:
        _check_header(file, path, "imgs", np.dtype(np.uint8), (count, 64, 64))
        for start in range(0, count, _BLOCK):
            rows = min(_BLOCK, count - start)
            images = torch.frombuffer(_read(file, path, "imgs", rows * 64 * 64), dtype=torch.uint8).view(rows, 64, 64)
            if images.max() > 1:
                raise ValueError(f"'imgs' in {str(path)!r} holds the value {int(images.max())}, expected 0 and 1 only")
            yield pack(images)


def _open(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise FileNotFoundError(f"there is no dSprites file at {str(path)!r}; {_SOURCE}, DSprites() needs none")
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{str(path)!r} is not an .npz archive, or is cut short ({error}); {_SOURCE}") from error


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> IO[bytes]:
    try:
        return archive.open(f"{name}.npy")
    except KeyError:
        found = ", ".join(sorted(repr(n.removesuffix(".npy")) for n in archive.namelist())) or "nothing"
        raise ValueError(f"{str(path)!r} has no array {name!r}, it has {found}; {_SOURCE}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # damaged, exotic or encrypted
        raise ValueError(f"the array {name!r} in {str(path)!r} cannot be read ({error}); {_SOURCE}") from error


def _check_header(file: IO[bytes], path: Path, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        found_shape, fortran, found = read(file)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the array {name!r} in {str(path)!r} has no readable header ({error}); {_SOURCE}") from error
    if found != dtype or found_shape != shape or fortran:
        order = ", in Fortran order" if fortran else ""
        raise ValueError(
            f"the array {name!r} in {str(path)!r} is {found} of shape {found_shape}{order}, "
            f"expected {dtype} of shape {shape}; {_SOURCE}"
        )


def _read(file: IO[bytes], path: Path, name: str, size: int) -> bytearray:
    octets = bytearray()
    try:
        while len(octets) < size:
            part = file.read(size - len(octets))
            if not part:
                break
            octets += part
    except (EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the array {name!r} in {str(path)!r} is damaged ({error}); {_SOURCE}") from error
    if len(octets) < size:
        raise ValueError(f"the array {name!r} in {str(path)!r} ends {size - len(octets)} bytes early; {_SOURCE}")
    return octets
