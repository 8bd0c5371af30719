"""Convolutions that halve height and width, and transposed ones that double them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from pyrogen.nn.base import check_shape, check_widths


def halved(shape: Sequence[int], channels: Sequence[int], example: str) -> tuple[int, int]:
    """Return height and width after one convolution of stride 2 for each entry of `channels`.

    Args:
        shape: the images' (channels, height, width).
        channels: output channels of each convolution.
        example: channels that would do, for the error.

    Raises:
        ValueError: if `shape` has not three sizes, or its sides cannot be halved so often.

    Example:
        >>> halved((1, 64, 64), (32, 64), "(32, 64)")
        (16, 16)
    """
    check_widths(channels, "channels", example)
    shape, factor = check_shape(shape), 2 ** len(channels)
    if len(shape) != 3 or shape[1] % factor or shape[2] % factor:
        raise ValueError(
            f"shape must be (channels, height, width), both divisible by {factor} to be halved {len(channels)} times, "
            f"got {shape}: pass fewer channels, or an MLP network"
        )
    return shape[1] // factor, shape[2] // factor


def halving(sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> list[nn.Module]:
    """Return a convolution (kernel 4, stride 2) from each number of channels to the next, each with its activation."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1), activation()]
    return layers


def doubling(sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> list[nn.Module]:
    """Return a transposed convolution from each number of channels to the next, each after its activation."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [activation(), nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1)]
    return layers
