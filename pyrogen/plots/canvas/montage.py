r"""Images side by side in one array."""

import numpy as np
from numpy.typing import NDArray

GAP = 2  # pixels between images
PAPER = 1.0  # their color, and that of places without an image


def montage(images: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    r"""Return images (n, H, W, 3) row by row as one picture, (rows (H + GAP) - GAP, columns (W + GAP) - GAP, 3)."""

    number, height, width, _ = images.shape
    rows = -(-number // columns)
    picture = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), PAPER)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + GAP), (i % columns) * (width + GAP)
        picture[top : top + height, left : left + width] = image
    return picture


def centers(number: int, size: int) -> NDArray[np.floating]:
    r"""Return the pixel coordinates of the middles of that many images of that size along an axis of a montage."""

    return np.arange(number) * (size + GAP) + (size - 1) / 2
