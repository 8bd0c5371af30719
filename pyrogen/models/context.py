"""Labels as a second input of a pair: checked, coded one-hot, and joined to what a network takes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from pyrogen import checks, tensors
from pyrogen.nn.base import batch_shape


def one_hot(y: Any, classes: int, like: Tensor, rows: int | None = None) -> Tensor:
    """Return labels as vectors: int64 ``(*batch,)`` one-hot, floating ``(*batch, C)`` as they are; −1 is all zeros.

    Args:
        y: labels 0 to C − 1, or weights of the classes or any other C numbers a row; a number stands for one row.
        classes: C.
        like: a tensor whose type and device the vectors get.
        rows: how many there must be.

    Raises:
        TypeError: for labels of another kind.
        ValueError: for another number of rows or columns, or labels that are not in 0 to C − 1. The values are looked
            at while Pyro's validation is on, which it is not while ``pg.fit`` replays a step on data that it checked.
    """
    y = checks.tensor("y", y).to(like.device)
    code: Tensor
    if y.dtype.is_floating_point:
        if y.shape[-1:] != (classes,):
            raise ValueError(f"`y` must be labels (B,) or vectors (B, {classes}), got shape {tuple(y.shape)}")
        code = y.to(like)
    else:
        y = tensors.indices("`y`", y, classes)
        code = (y.unsqueeze(-1) == torch.arange(classes, device=like.device)).to(like.dtype)
    if rows is not None and tuple(code.shape) != (rows, classes):
        raise ValueError(f"`y` must have one label for each of {rows} images, got shape {tuple(y.shape)}")
    return code


def joined(x: Tensor, code: Tensor, shape: tuple[int, ...], into: tuple[int, ...]) -> Tensor:
    """Return images and their labels as a network of shape `into` takes them.

    Args:
        x: ``(*batch, *shape)``.
        code: ``(*batch, C)``.
        shape: of one image.
        into: ``(D + C,)`` for the pixels and the code in one vector, or ``(channels + C, height, width)`` for a plane
            of each class. `shape` itself leaves the label out.
    """
    batch = tensors.broadcast(x=batch_shape(x, shape, "x"), y=code.shape[:-1])
    x = x.expand(*batch, *shape)
    if into == shape:
        return x
    if len(into) == 1:
        return torch.cat((x.flatten(-len(shape)), code.expand(*batch, -1)), -1)
    return torch.cat((x, code[..., None, None].expand(*batch, -1, *shape[1:])), -3)


def check_networks(encoder: Any, decoder: Any, classes: Any) -> tuple[tuple[int, ...], int, int]:
    """Return the shape of x, L and C, on which encoder and decoder of a pair with labels must agree.

    Raises:
        TypeError: if a network does not say its shape and latent.
        ValueError: if they disagree.
    """
    classes = checks.whole("classes", classes, least=1)
    for network in (encoder, decoder):
        if not (hasattr(network, "latent") and hasattr(network, "shape")):
            raise TypeError(
                f"encoder and decoder must both say their latent, got a {type(network).__name__}: "
                "subclass pg.nn.Encoder and pg.nn.Decoder"
            )
    shape, latent = tuple(decoder.shape), encoder.latent
    if decoder.latent != latent + classes:
        raise ValueError(
            f"the decoder takes z and a label, so its latent must be {latent} + {classes}, got {decoder.latent}"
        )
    flat, planes = (math.prod(shape) + classes,), (shape[0] + classes, *shape[1:])
    if tuple(encoder.shape) not in (flat, shape, *([planes] if len(shape) == 3 else [])):
        raise ValueError(
            f"the encoder takes x and a label, so its shape must be {flat} (pixels, then classes), or {shape} if it "
            f"does not look at the label, got {tuple(encoder.shape)}"
        )
    return shape, latent, classes
