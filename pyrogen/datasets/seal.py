"""The seal at the end of a cached file: digests of its blocks, by which a damaged file is known for one.

After the content stand a 16-byte BLAKE2b digest of each block of 1 MiB, the digest of these digests, and a mark.
"""

from __future__ import annotations

import hashlib
import random
import time
from typing import IO, Any

BLOCK = 2**20  # bytes
DIGEST = 16  # bytes of a digest
MARK = b"pyrogen seal 1\n\0"


class Seal:
    """The digests of content that is written piece by piece."""

    def __init__(self) -> None:
        self._digests: list[bytes] = []
        self._block, self._filled = _new(), 0

    def add(self, content: memoryview) -> None:
        """Add the next bytes."""
        while len(content):
            piece = content[: BLOCK - self._filled]
            self._block.update(piece)
            self._filled += len(piece)
            content = content[len(piece) :]
            if self._filled == BLOCK:
                self._end_block()

    def content(self) -> bytes:
        """Return the seal."""
        if self._filled:
            self._end_block()
        digests = b"".join(self._digests)
        own: bytes = _new(digests).digest()
        return digests + own + MARK

    def _end_block(self) -> None:
        self._digests.append(self._block.digest())
        self._block, self._filled = _new(), 0


def seal_size(size: int) -> int:
    """Return how many bytes the seal of `size` bytes takes."""
    return -(-size // BLOCK) * DIGEST + DIGEST + len(MARK)


def is_sound(file: IO[bytes], size: int, spots: int) -> bool:
    """Return whether a sealed file of `size` bytes agrees with its seal where it is looked at.

    Args:
        file: the file, open for reading.
        size: the bytes before the seal.
        spots: how many blocks are looked at, beside the first and the last; 0 for all.
    """
    blocks = -(-size // BLOCK)
    file.seek(size)
    seal = file.read(seal_size(size))
    digests, rest = seal[: blocks * DIGEST], seal[blocks * DIGEST :]
    if rest != _new(digests).digest() + MARK:
        return False
    drawn = random.Random(time.perf_counter_ns())  # a generator of its own: the caller's random numbers stay
    looked_at = {0, blocks - 1, *drawn.sample(range(blocks), min(spots, blocks))} if spots else set(range(blocks))
    for number in sorted(looked_at - {-1}):
        file.seek(number * BLOCK)
        content = file.read(min(BLOCK, size - number * BLOCK))
        if _new(content).digest() != digests[number * DIGEST : (number + 1) * DIGEST]:
            return False
    return True


def _new(content: bytes = b"") -> Any:
    return hashlib.blake2b(content, digest_size=DIGEST)
