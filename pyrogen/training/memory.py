"""Memory that a step frees and the next one asks for again, kept in between."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the numbers of mallopt's settings
KEPT = 2**30  # bytes
USUAL = 2**26, 2**25  # bytes; what glibc ends at by itself once a program has freed large blocks


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory in this context, and return it to the system at the end.

    glibc returns large blocks at once. For feature maps the system then hands out the same pages anew at each step,
    filled with zeros, which takes a fifth of a convolutional pair's step. With another C library this does nothing.
    Source: https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html
    """
    try:
        library = ctypes.CDLL(None)
        adjust, trim = library.mallopt, library.malloc_trim
    except (OSError, TypeError, AttributeError):
        yield
        return
    adjust(TRIM_THRESHOLD, KEPT)
    adjust(MMAP_THRESHOLD, KEPT)
    try:
        yield
    finally:
        adjust(TRIM_THRESHOLD, USUAL[0])
        adjust(MMAP_THRESHOLD, USUAL[1])
        trim(0)
