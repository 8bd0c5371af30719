"""A limit on the bytes of tables, checked before any of them is made."""

from __future__ import annotations

MEMORY = 2**30  # bytes


def check_memory(what: str, needed: int, memory: int) -> None:
    """Raise a ValueError if `what` needs more bytes than allowed; it says what would do."""
    if needed > memory:
        raise ValueError(
            f"{what} must take at most memory={memory:,} bytes, got {needed:,} ({needed / 2**30:,.3g} GiB): "
            "observe more, ask for less, or raise memory"
        )
