r"""Draws dSprites pictures from their factors.

The drawing is that of a graphics card. A vertex :math:`v` of the outline goes to

.. math:: p = c + s R(-2\pi k/39)\, v, \qquad s = 0.5 + 0.1\,\text{scale}, \qquad
          c = 16 + \tfrac{32}{31} (\text{posX}, \text{posY}),

is rounded to the grid of 1/256 pixel on which such hardware works. A pixel is set when its center (i + 1/2) lies inside
the polygon. A center exactly on an edge counts when that is a left or an upper edge. The grid is seen in the data:
rounded to the nearest 1/256, all the frames the outlines were fitted to come out exact. With finer, coarser or shifted
rounding, and the same outlines, some do not. Which edges count was not seen in the data: it is the rule of such
hardware, and decides one picture in 3000 (upright squares at scale 0.6).

From the rounded vertices on all arithmetic is on integers, so that no device or thread count changes a pixel.

A row of a picture is one int64 word, bit j (value 2^j) being column j. Along a row, the polygon is filled by the
even-odd rule: each crossing of its outline toggles every pixel from the crossing rightwards.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from pyrogen.datasets import sprites
from pyrogen.datasets.bitpacked import unpack

FACTOR_NAMES = ("shape", "scale", "orientation", "posX", "posY")
FACTOR_SIZES = (3, 6, 40, 32, 32)
SIZE = 64  # pixels, the side of a picture: one 64-bit word a row
_GRID = 256  # steps of the rasterizer to a pixel
_ROWS = 28  # no shape is higher: the square's diagonal is 27.2
_CROSSINGS = 4  # no row meets a heart more often, at any angle
_CHUNK = 1024  # pictures drawn at once: bounds the memory at about 10 MB
VERSION = 1  # part of the name of a file of drawn pictures: raise it with any change that changes a pixel


def factors_of(number: Tensor) -> Tensor:
    """Return factors (B, 5) of the pictures ``number`` (B,) in the original order, posY varying fastest."""
    return torch.stack(torch.unravel_index(number, FACTOR_SIZES), dim=-1)


def render(factors: Tensor) -> Tensor:
    """Return pictures (B, 1, 64, 64), uint8 of {0, 1}, of the factors (B, 5), int64 in the order of ``FACTOR_NAMES``.

    On the device of ``factors``. The factors are not checked here: see :meth:`pyrogen.datasets.DSprites.index`.
    """
    return unpack(render_packed(factors))


def render_packed(factors: Tensor) -> Tensor:
    """Return the same pictures with a bit a pixel: (B, 64) int64, one word a row."""
    if len(factors) > _CHUNK:
        return torch.cat([render_packed(part) for part in factors.split(_CHUNK)])
    shape, scale, orientation, pos_x, pos_y = factors.unbind(-1)
    local = _turned(shape, scale, orientation)  # (B, V, 2)
    x = _snap(local[..., 0] + _center(pos_x)[:, None])
    y = _snap(local[..., 1] + _center(pos_y)[:, None])
    image, row, edge, slot = _crossings(y)
    after = (edge + 1) % x.shape[1]
    column = _column(x[image, edge], x[image, after], y[image, edge], y[image, after], row)
    words = column.new_zeros((_CROSSINGS, len(factors), SIZE))
    words[slot, image, row] = _from(column)
    return _fill(words)


def render_all(turns: int = 10) -> Iterator[Tensor]:
    """Yield every picture in the original order, in packed blocks (turns * 1024, 64) int64; 3 * 6 * 40 / turns of them.

    Quicker than :func:`render_packed` on all factors, because where the outline meets the rows does not depend on
    posX: it is found once for 32 pictures.
    """
    centers = _center(torch.arange(32))
    for index in range(0, 3 * 6 * 40, turns):
        turn = torch.arange(index, index + turns)
        local = _turned(turn // 240, turn // 40 % 6, turn % 40)  # (T, V, 2)
        x = _snap(local[:, :, 0, None] + centers)  # (T, V, X)
        y = _snap(local[:, None, :, 1] + centers[:, None]).flatten(0, 1)  # (T Y, V)
        outline, row, edge, slot = _crossings(y)
        after = (edge + 1) % y.shape[1]
        which, pos_y = outline // 32, outline % 32
        y0, y1 = y[outline, edge][:, None], y[outline, after][:, None]
        column = _column(x[which, edge], x[which, after], y0, y1, row[:, None])  # (n, X)
        words = column.new_zeros((_CROSSINGS, turns, 32, SIZE, 32))  # slot, turn, posY, row, posX
        words[slot, which, pos_y, row] = _from(column)
        yield _fill(words).permute(0, 3, 1, 2).reshape(-1, SIZE)


def _center(position: Tensor) -> Tensor:
    return 16 + position.double() * (32 / 31)


def _turned(shape: Tensor, scale: Tensor, orientation: Tensor) -> Tensor:
    """Return the outlines (B, V, 2) of some shapes, scaled and rotated, around the origin."""
    outline = sprites.outlines().to(shape.device)[shape]
    # Orientation 39 is the full turn: % 39 makes it orientation 0 to the last bit.
    angle = (orientation % 39).double() * (-2 * math.pi / 39)
    size = 0.5 + 0.1 * scale.double()
    cos, sin = (size * angle.cos())[:, None], (size * angle.sin())[:, None]
    x, y = outline.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def _snap(pixels: Tensor) -> Tensor:
    return (pixels * _GRID + 0.5).floor().long()


def _crossings(y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return where the outlines with heights y (N, V) meet the row centers: (outline, row, edge, rank among the
    row's)."""
    first = y.amin(1).div(_GRID, rounding_mode="floor")
    rows = first[:, None] + torch.arange(_ROWS, device=y.device)  # (N, R)
    below = y[:, None] > (rows * _GRID + _GRID // 2)[..., None]  # (N, R, V)
    outline, row, edge = (below != below.roll(-1, dims=-1)).nonzero(as_tuple=True)
    row = row + first[outline]
    key = outline * SIZE + row  # ascending
    slot = torch.arange(len(key), device=y.device) - torch.searchsorted(key, key)
    return outline, row, edge, slot


def _column(x0: Tensor, x1: Tensor, y0: Tensor, y1: Tensor, row: Tensor) -> Tensor:
    """Return the first column whose center is not left of the edge, ceil(x(row) - 1/2), by exact integer division."""
    half = _GRID // 2
    rise = y1 - y0  # never 0: the edge crosses a row
    run = (x0 - half) * rise + (row * _GRID + half - y0) * (x1 - x0)
    return -torch.div(-run, rise * _GRID, rounding_mode="floor")


def _from(column: Tensor) -> Tensor:
    """Return the word with every bit from ``column`` on set."""
    return torch.bitwise_left_shift(torch.full_like(column, -1), column)


def _fill(words: Tensor) -> Tensor:
    return words[0] ^ words[1] ^ words[2] ^ words[3]
