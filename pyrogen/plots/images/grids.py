r"""Grids of images: originals above their reconstructions, and samples."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen import checks
from pyrogen.plots.canvas.inputs import labeled, to_images
from pyrogen.plots.canvas.montage import centers, montage
from pyrogen.plots.canvas.style import WIDTH, figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE = 1.05  # inches an image may take


@styled
def reconstructions(originals: Any, models: Mapping[str, Any] | Any) -> "Figure":
    r"""Draw originals in a row above one row of reconstructions a model.

    Args:
        originals: The images, (n, H, W), (n, 1, H, W) or (n, 3, H, W), with values in [0, 1] (what is outside is
            clipped) or bytes.
        models: The reconstructions of the same shape, by label; a single array is labeled "reconstruction".

    Returns:
        A figure with one row a label, labeled at its left, and one column an original.

    Raises:
        ValueError: If no image or model is given, shapes disagree, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import reconstructions
        >>> images = np.eye(16)[None].repeat(8, axis=0)
        >>> fig = reconstructions(images, {"β = 1": 0.9 * images, "β = 8": 0.5 * images})
        >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
        ['original', 'β = 1', 'β = 8']
    """

    rows = {"original": to_images(originals, "originals")}
    shape = rows["original"].shape
    for label, images in labeled(models, "models", "reconstruction").items():
        if label in rows:
            raise ValueError(
                "models must have labels of their own, got 'original', which labels the first row: choose another"
            )
        rows[label] = to_images(images, f"the images of {label!r}")
        if rows[label].shape[:3] != shape[:3]:
            raise ValueError(
                f"{label!r} must have an image for each original, expected {shape[0]} of {shape[1]} × {shape[2]} "
                f"pixels, got {rows[label].shape[0]} of {rows[label].shape[1]} × {rows[label].shape[2]}"
            )
    number, height, width, _ = shape
    margin = 0.3 + 0.085 * max(map(len, rows))  # inches that the labels take
    tile = min(TILE, (WIDTH - margin) / number)
    fig = figure(tile * number + margin, len(rows) * tile * height / width + 0.1)
    ax = fig.subplots()
    ax.set_anchor("SW")  # spare room goes where no label is, else the layout misjudges their place
    _show(ax, montage(np.concatenate(list(rows.values())), columns=number))
    ax.set_yticks(centers(len(rows), height), list(rows))
    ax.tick_params(length=0, labelsize=10)
    return fig


@styled
def samples(images: Mapping[str, Any] | Any, columns: int | None = None) -> "Figure":
    r"""Draw images in a grid, one grid a label.

    Args:
        images: The images, (n, H, W), (n, 1, H, W) or (n, 3, H, W), with values in [0, 1] (what is outside is clipped)
            or bytes. Or several such arrays by label.
        columns: The number of images in a row of a grid; by default as many as make it square.

    Returns:
        A figure with one panel a label, at most three in a row.

    Raises:
        ValueError: If no image is given, a shape is another one, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import samples
        >>> fig = samples({"β = 1": np.zeros((16, 1, 8, 8)), "β = 8": np.ones((16, 1, 8, 8))})
        >>> [axes.get_title() for axes in fig.axes]
        ['β = 1', 'β = 8']
    """

    columns = None if columns is None else checks.whole("columns", columns, 1)
    grids = {}
    for label, group in labeled(images, "images").items():
        group = to_images(group, f"the images of {label!r}" if label else "images")
        grids[label] = montage(group, columns=min(columns or int(np.ceil(np.sqrt(len(group)))), len(group)))
    across = min(len(grids), 3)
    down = -(-len(grids) // across)
    side = WIDTH / 3 if across > 1 else 4.8
    ratio = max(picture.shape[0] / picture.shape[1] for picture in grids.values())
    fig = figure(side * across, down * (min(side * ratio, 9.0) + (0.25 if any(grids) else 0.0)))
    axes = list(fig.subplots(down, across, squeeze=False).flat)
    for ax in axes[len(grids) :]:
        ax.remove()
    for ax, (label, picture) in zip(axes, grids.items(), strict=False):
        ax.set_anchor("N")
        _show(ax, picture)
        ax.set_title(label)
    return fig


def _show(ax: Any, picture: np.ndarray) -> None:
    ax.imshow(picture, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
