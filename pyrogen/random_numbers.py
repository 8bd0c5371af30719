"""Torch's random numbers, drawn from a seed without moving the caller's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw the numbers of `seed` in this context, on the CPU and on `device`, and put the generators back at its end.

    Example:
        >>> with seeded(0):
        ...     once = torch.rand(3)
        >>> with seeded(0):
        ...     bool((torch.rand(3) == once).all())
        True
    """
    with torch.random.fork_rng([device] if device is not None and device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
