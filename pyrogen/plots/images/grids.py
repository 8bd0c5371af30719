r"""Images in grids, and in labeled rows such as originals above their reconstructions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen import checks
from pyrogen.plots.canvas.inputs import images_by_label, to_images
from pyrogen.plots.canvas.montage import labeled_rows, montage, titled
from pyrogen.plots.canvas.style import WIDTH, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    drawn = images_by_label(models, "models", "reconstruction")
    if "original" in drawn:
        raise ValueError(
            "models must have labels of their own, got 'original', which labels the first row: choose another"
        )
    rows |= drawn
    return _labeled_rows(rows, 1.05)


@styled
def image_rows(rows: Mapping[str, Any]) -> "Figure":
    r"""Draw one row of images a label, so that rows can be compared; a label may have several lines.

    Args:
        rows: The images by label, (n, H, W), (n, 1, H, W) or (n, 3, H, W), with values in [0, 1] (what is outside is
            clipped) or bytes. Each row has as many of them, all of one size.

    Returns:
        A figure with one row a label, labeled at its left.

    Raises:
        ValueError: If no row or image is given, shapes disagree, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import image_rows
        >>> fig = image_rows({"data": np.zeros((12, 8, 8)), "model\np = 0.001": np.ones((12, 8, 8))})
        >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
        ['data', 'model\np = 0.001']
    """
    return _labeled_rows(images_by_label(rows, "rows"), 0.62)


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
    grids = {label: montage(group, columns) for label, group in images_by_label(images, "images").items()}
    return titled(grids, WIDTH / 3 if len(grids) > 1 else 4.8)


def _labeled_rows(rows: Mapping[str, NDArray[np.float64]], tile: float) -> "Figure":
    (first, shape), *others = ((label, images.shape) for label, images in rows.items())
    for label, own in others:
        if own != shape:
            raise ValueError(
                f"{label!r} must have {shape[0]} images of {shape[1]} × {shape[2]} pixels, as {first!r} has, "
                f"got {own[0]} of {own[1]} × {own[2]}"
            )
    longest = max(len(line) for label in rows for line in label.split("\n"))
    return labeled_rows(np.concatenate(list(rows.values())), list(rows), tile, 0.25 + 0.07 * longest)[0]
