"""A limit on the bytes of tables, checked before any of them is made."""

from __future__ import annotations

from numbers import Integral
from typing import Any

MEMORY = 2**30  # bytes


def checked_memory(value: Any) -> int:
    """Return a limit in bytes; raise a ValueError for what is no positive whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"memory must be a positive whole number of bytes, got {value!r}")
    return int(value)


def check_memory(what: str, needed: int, memory: int) -> None:
    """Raise a ValueError if `what` needs more bytes than allowed; it says what would do."""
    if needed > memory:
        raise ValueError(
            f"{what} would take {needed:,} bytes ({size(needed)}), which is more than memory={memory:,}: observe more, "
            f"ask for less, or raise memory to {needed:,}"
        )


def size(number: int) -> str:
    """Return bytes as a short text."""
    return f"{number / 2**30:.3g} GiB"
