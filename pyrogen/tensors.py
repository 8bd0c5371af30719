"""Argument checks of tensors: their type, their shapes, and the whole numbers among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pyro.distributions import is_validation_enabled

from pyrogen import checks


def like(name: str, value: Any, weights: torch.Tensor) -> torch.Tensor:
    """Return real numbers as a tensor of the type and on the device of `weights`, such as those of a network.

    Raises:
        TypeError, ValueError: as `array`.

    Example:
        >>> like("x", [0, 1], torch.zeros(3))
        tensor([0., 1.])
    """
    return checks.tensor(name, value).to(weights)


def indices(name: str, value: Any, below: int, least: int = 0) -> torch.Tensor:
    """Return whole numbers from `least` to `below` − 1 as int64.

    The values are looked at while Pyro's validation is on, for that waits for the device.

    Raises:
        TypeError, ValueError: as `array`, and for other numbers.
    """
    result = checks.tensor(name, value)
    if result.is_floating_point() or result.dtype == torch.bool:
        raise TypeError(f"{name} must be whole numbers from {least} to {below - 1}, got {result.dtype}")
    result = result.long()
    if is_validation_enabled():
        check_range(name, result, below, least)
    return result


def check_range(name: str, values: torch.Tensor, below: int, least: int = 0) -> None:
    """Raise ``ValueError`` for whole numbers that are not from `least` to `below` − 1; this waits for the device."""
    if values.numel() and not (least <= values.min() and values.max() < below):
        wrong = values[(values < least) | (values >= below)]
        missing = ", or -1 where it is missing" if least == -1 else ""
        raise ValueError(
            f"{name} must be whole numbers from 0 to {below - 1}{missing}, got {int(wrong[0])} and "
            f"{wrong.numel() - 1} more that are not"
        )


def broadcast(**shapes: Sequence[int]) -> tuple[int, ...]:
    """Return the shape to which shapes broadcast; the keywords name what has them.

    Raises:
        ValueError: if they do not fit.
    """
    try:
        return tuple(torch.broadcast_shapes(*shapes.values()))
    except RuntimeError:
        found = " and ".join(f"{tuple(shape)} of {name}" for name, shape in shapes.items())
        raise ValueError(f"the batch shapes must fit, got {found}") from None
