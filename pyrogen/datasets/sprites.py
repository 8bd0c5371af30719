r"""The three outlines of dSprites, as polygons around the sprite's own origin.

No source of the original drawing program was published with the data. The outlines below were fitted to real
frames, whose every pixel says on which side of the outline its center lies, and the numbers that came out were
round. With :math:`L = 19.2` pixels (0.3 of the picture) the side at scale 1, and :math:`t_i = 2\pi i/150`:

* square: the corners :math:`(\pm L/2, \pm L/2)`;
* ellipse: :math:`\tfrac L2 (1.33 \sin t_i,\ \cos t_i / 1.33)`, so that its area is that of the circle of diameter L;
* heart: :math:`L\,\bigl(\tfrac{16\sin^3 t_i}{32},\ \tfrac{13\cos t_i - 5\cos 2t_i - 2\cos 3t_i - \cos 4t_i}{29}
  + 0.075\bigr)`, with y upwards.

How sure each number is, on the sub-pixel grid of :mod:`pyrogen.datasets.renderer` and with the others held. The 189
different frames used leave the heart's width free to 1e-4, its height to 8e-4 of their size, and its offset to 0.003
pixels. Of 13 numbers of sides from 100 to 200 only 150 and 154 make all its frames exact. The ellipse's half-axes are
free to 0.003 and 0.008 pixels. Its number of sides is not settled (100 and 200 also make all frames exact) and is taken
to be the heart's. Within what is left free, up to one ellipse in ten changes by a pixel or a few.

Reference: L. Matthey, I. Higgins, D. Hassabis, A. Lerchner, "dSprites: Disentanglement testing Sprites dataset",
2017, https://github.com/google-deepmind/dsprites-dataset
"""

import math

import torch
from torch import Tensor

SIDE = 19.2  # pixels: the square's side, and the heart's width, at scale 1
SIDES = 150  # of the ellipse and the heart
ASPECT = 1.33  # the ellipse is a circle stretched by this along x and shrunk by it along y
SHAPES = ("square", "ellipse", "heart")


def square() -> Tensor:
    """Return corners of the square at scale 1, (4, 2) float64, pixels, y downwards."""
    h = SIDE / 2
    return torch.tensor([[-h, -h], [h, -h], [h, h], [-h, h]], dtype=torch.float64)


def ellipse() -> Tensor:
    """Return vertices of the ellipse at scale 1, (150, 2) float64, pixels, y downwards."""
    t = _angles()
    return torch.stack([SIDE / 2 * ASPECT * t.sin(), -SIDE / 2 / ASPECT * t.cos()], dim=-1)


def heart() -> Tensor:
    """Return vertices of the heart at scale 1, (150, 2) float64, pixels, y downwards."""
    t = _angles()
    x = 16 * t.sin() ** 3 / 32
    y = (13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos()) / 29 + 0.075
    return torch.stack([SIDE * x, -SIDE * y], dim=-1)


def outlines() -> Tensor:
    """Return all three, (3, 150, 2) float64; the square's last corner is repeated, which adds edges of no length."""
    corners = square()
    padded = torch.cat([corners, corners[-1:].expand(SIDES - len(corners), 2)])
    return torch.stack([padded, ellipse(), heart()])


def _angles() -> Tensor:
    return torch.arange(SIDES, dtype=torch.float64) * (2 * math.pi / SIDES)
