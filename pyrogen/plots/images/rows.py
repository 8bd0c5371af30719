r"""Images in labeled rows, such as data above the samples of several models."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen import checks
from pyrogen.plots.canvas.inputs import labeled, to_images
from pyrogen.plots.canvas.montage import centers, montage
from pyrogen.plots.canvas.style import WIDTH, figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE = 0.62  # inches an image may take


@styled
def image_rows(rows: Mapping[str, Any], label_width: float = 2.6) -> "Figure":
    r"""Draw one row of images a label, so that rows can be compared; a label may have several lines.

    Args:
        rows: The images by label, (n, H, W), (n, 1, H, W) or (n, 3, H, W), with values in [0, 1] (what is outside is
            clipped) or bytes. Each row has as many of them, all of one size.
        label_width: The room for the labels, in inches.

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

    label_width = checks.real("label_width", label_width, least=0, below=WIDTH)
    pictures = {label: to_images(images, f"the images of {label!r}") for label, images in labeled(rows, "rows").items()}
    first, shape = next((label, images.shape) for label, images in pictures.items())
    for label, images in pictures.items():
        if images.shape != shape:
            raise ValueError(
                f"{label!r} must have {shape[0]} images of {shape[1]} × {shape[2]} pixels, as {first!r} has, "
                f"got {images.shape[0]} of {images.shape[1]} × {images.shape[2]}"
            )
    number, height, width, _ = shape
    tile = min(TILE, (WIDTH - label_width) / number)
    fig = figure(tile * number + label_width, len(pictures) * tile * height / width + 0.1)
    ax = fig.subplots()
    ax.set_anchor("SW")  # spare room goes where no label is, else the layout misjudges their place
    ax.imshow(montage(np.concatenate(list(pictures.values())), columns=number), interpolation="nearest")
    ax.set(xticks=[])
    ax.set_yticks(centers(len(pictures), height), list(pictures))
    ax.tick_params(length=0, labelsize=9)
    ax.spines[:].set_visible(False)
    return fig
