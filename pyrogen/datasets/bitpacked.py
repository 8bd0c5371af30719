"""Pictures of 64 x 64 bits as 64 words each, and a file of them that is mapped into memory.

The file is the words, in the machine's byte order: (N, 64) int64, 512 bytes a picture, and a seal. Whatever decides
what is in it (the renderer, the file it was read from) belongs in its *name*, so that a stale file is never found.
"""

import functools
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from pyrogen.datasets.seal import Seal, is_sound, seal_size
from pyrogen.files import remove_leftovers, replacing

SPOTS = 8  # blocks that are compared with their digests at each opening
WORDS = 64  # to a picture
_BYTES = 8 * WORDS


def pack(images: Tensor) -> Tensor:
    """Return words (B, 64) int64 of pictures (B, 64, 64) of zeros and ones; bit j of a row's word is column j."""
    weight = torch.bitwise_left_shift(torch.ones(64, dtype=torch.int64), torch.arange(64))
    return (images.long() * weight.to(images.device)).sum(-1)


def unpack(words: Tensor) -> Tensor:
    """Return pictures (B, 1, 64, 64) uint8 of words (B, 64) int64: the inverse of :func:`pack`, with a channel."""
    octets = words.contiguous().view(torch.uint8).flatten()  # (B * 512,), little-endian, so columns ascend
    return _bits_of_octets(words.device).index_select(0, octets.int()).view(torch.uint8).view(-1, 1, 64, 64)


@functools.cache
def _bits_of_octets(device: torch.device) -> Tensor:
    """(256,) int64, in each the eight bits of its index as eight bytes: one look-up for eight pixels.

    A batch of 64 then is few enough elements for torch to use one thread, which does not wait for another.
    """
    octet = torch.arange(256, dtype=torch.uint8)
    bits = torch.bitwise_right_shift(octet[:, None], torch.arange(8, dtype=torch.uint8)) & 1
    return bits.view(torch.int64).flatten().to(device)


def open_words(path: Path, count: int, spots: int = SPOTS) -> Tensor | None:
    """Return the words (count, 64) of a file, mapped and read when touched; None if no sound file is there.

    The file must have its very length, and a seal of digests of its blocks; some blocks are compared with theirs, which
    takes milliseconds. To compare all of them, pass ``spots=0``.

    Args:
        path: the file.
        count: how many pictures it should hold.
        spots: how many blocks are compared, drawn anew each time beside the first and the last; 0 for all.
    """
    try:
        if path.stat().st_size != count * _BYTES + seal_size(count * _BYTES):
            return None
        with path.open("rb") as file:
            if not is_sound(file, count * _BYTES, spots):
                return None
    except OSError:  # not there, or not to be seen: check_folder says why when it is to be written
        return None
    # Not shared: a private map, so that nothing done to the tensor reaches the file.
    return torch.from_file(str(path), shared=False, size=count * WORDS, dtype=torch.int64).view(count, WORDS)


def check_folder(folder: Path, count: int) -> None:
    """Make the folder, and raise OSError unless a file of ``count`` pictures can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f"the cache folder {str(folder)!r} cannot be written ({error.strerror or error}); "
            "pass cache='another/folder', or cache=None to keep nothing on disk"
        ) from error
    free, needed = shutil.disk_usage(folder).free, count * _BYTES + seal_size(count * _BYTES)
    if free < needed:
        raise OSError(
            f"the cache folder {str(folder)!r} has {free / 1e6:.0f} MB free and needs {needed / 1e6:.0f} MB; "
            "pass cache='another/folder', or cache=None to keep nothing on disk"
        )


def write_words(path: Path, blocks: Iterable[Tensor], count: int) -> None:
    """Write blocks (b, 64) of words, ``count`` rows in all, so that the file is there whole or not at all.

    What a writer that was killed left behind is removed.

    Raises:
        ValueError: if there are more or fewer rows.
        OSError: as `replacing`.
    """
    remove_leftovers(path.parent, path.name)
    with replacing(path) as file:
        seal = Seal()
        rows = 0
        for block in blocks:
            content = block.cpu().contiguous().numpy().data.cast("B")
            file.write(content)
            seal.add(content)
            rows += len(block)
        if rows != count:
            raise ValueError(f"blocks must hold {count} pictures to write to {str(path)!r}, got {rows}")
        file.write(seal.content())
