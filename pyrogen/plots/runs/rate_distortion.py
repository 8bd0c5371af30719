r"""What a code costs against what it loses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyrogen.plots.canvas.inputs import to_array
from pyrogen.plots.canvas.style import COLORS, figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = "osD^vP*"


@styled
def rate_distortion(
    models: Mapping[str, Sequence[tuple[float, float]]], notes: Mapping[str, Sequence[str]] | None = None
) -> "Figure":
    r"""Draw models by their rate (the KL term) and distortion (the reconstruction term), both in nats per image.

    Lines of equal ELBO = −(rate + distortion) are drawn faintly: of two models, that nearer to the lower left has the
    better bound, and models can be compared at equal rate. The upper axis has the rate in bits.

    Args:
        models: (rate, distortion) of one or more models by label, those of one label joined by a line.
        notes: A short text for each point of a label, such as "β = 4".

    Returns:
        A figure of one panel.

    Raises:
        ValueError: If no model is given, a label has no points or not one note a point, or a value is not finite.

    Example:
        >>> from pyrogen.plots import rate_distortion
        >>> fig = rate_distortion({"VAE": [(5.0, 13.0), (14.0, 8.0)], "VQ-VAE": [(16.6, 15.9)]})
        >>> fig.axes[0].get_xlabel()
        'rate: KL term (nats per image)'
    """
    if not models:
        raise ValueError("models must hold at least one label, got none")
    points = {label: to_array(list(rows), f"the points of {label!r}", 2) for label, rows in models.items()}
    fig = figure(6.4, 4.4)
    ax = fig.subplots()
    for i, (label, rows) in enumerate(points.items()):
        texts = list((notes or {}).get(label, [""] * len(rows)))
        if len(texts) != len(rows):
            raise ValueError(f"{label!r} must have a note for each of its {len(rows)} points, got {len(texts)}")
        rows = rows[(order := np.argsort(rows[:, 0]))]
        ax.plot(*rows.T, marker=MARKERS[i % len(MARKERS)], color=COLORS[i % len(COLORS)], linewidth=1.2, label=label)
        for (rate, distortion), text in zip(rows, [texts[k] for k in order], strict=True):
            ax.annotate(text, (rate, distortion), (6, 5), textcoords="offset points", fontsize=9)
    everything = np.concatenate(list(points.values()))
    span = np.maximum(np.ptp(everything, axis=0), 1.0)
    low, high = everything.min(0) - 0.08 * span, everything.max(0) + [0.16, 0.1] * span
    ax.set(xlim=(max(low[0], 0.0 - 0.02 * span[0]), high[0]), ylim=(low[1], high[1]))
    for total in np.linspace(low.sum(), high.sum(), 9)[1:-1]:
        ax.axline((0.0, total), slope=-1.0, color="#DDDDDD", linewidth=0.8, zorder=0)
    ax.set_xlabel("rate: KL term (nats per image)")
    ax.set_ylabel("distortion: reconstruction term (nats per image)")
    bits = ax.secondary_xaxis("top", functions=(lambda nats: nats / np.log(2), lambda bits: bits * np.log(2)))
    bits.set_xlabel("bits per image; gray lines: equal ELBO")
    ax.legend(loc="best")
    return fig
