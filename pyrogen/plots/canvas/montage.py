r"""Images side by side in one array, and figures of such arrays."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyrogen.plots.canvas.style import WIDTH, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAP = 2  # pixels between images
PAPER = 1.0  # their color, and that of places without an image


def montage(images: NDArray[np.float64], columns: int | None = None) -> NDArray[np.float64]:
    r"""Return images (n, H, W, 3) row by row as one picture, (rows (H + GAP) - GAP, columns (W + GAP) - GAP, 3).

    Without a number of columns, it has as many as make it square.
    """
    number, height, width, _ = images.shape
    columns = min(columns or int(np.ceil(np.sqrt(number))), number)
    rows = -(-number // columns)
    picture = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), PAPER)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + GAP), (i % columns) * (width + GAP)
        picture[top : top + height, left : left + width] = image
    return picture


def centers(number: int, size: int) -> NDArray[np.floating]:
    r"""Return the pixel coordinates of the middles of that many images of that size along an axis of a montage."""
    return np.arange(number) * (size + GAP) + (size - 1) / 2


def labeled_rows(
    images: NDArray[np.float64], labels: Sequence[str], tile: float, margin: float, below: float = 0.1
) -> tuple["Figure", "Axes"]:
    r"""Draw images (n, H, W, 3) in one row a label.

    Args:
        images: Row by row, as many in each.
        labels: One for each row.
        tile: The most inches that an image is wide.
        margin: The inches that the labels take.
        below: The inches that are left below.
    """
    number, height, width, _ = images.shape
    columns = number // len(labels)
    tile = min(tile, max(WIDTH - margin, WIDTH / 4) / columns)  # beside long labels the figure is wider
    fig = figure(tile * columns + margin, len(labels) * tile * height / width + below)
    ax = fig.subplots()
    ax.set_anchor("SW")  # spare room goes where no label is, else the layout misjudges their place
    _show(ax, montage(images, columns))
    ax.set_yticks(centers(len(labels), height), labels)
    ax.tick_params(length=0)
    return fig, ax


def titled(pictures: Mapping[str, NDArray[np.float64]], side: float) -> "Figure":
    r"""Draw each picture in a panel of that many inches under its label, at most three in a row."""
    across = min(len(pictures), 3)
    down = -(-len(pictures) // across)
    ratio = max(picture.shape[0] / picture.shape[1] for picture in pictures.values())
    fig = figure(side * across, down * (min(side * ratio, 9.0) + (0.25 if any(pictures) else 0.0)))
    axes = list(fig.subplots(down, across, squeeze=False).flat)
    for ax in axes[len(pictures) :]:
        ax.remove()
    for ax, (label, picture) in zip(axes, pictures.items(), strict=False):
        ax.set_anchor("N")
        _show(ax, picture)
        ax.set_title(label)
    return fig


def _show(ax: "Axes", picture: NDArray[np.float64]) -> None:
    ax.imshow(picture, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
