r"""The KL of each latent."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen.plots.canvas.inputs import arrays
from pyrogen.plots.canvas.style import COLORS, FAINT, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def kl_per_latent(kl: Mapping[str, Any] | Any, threshold: float = 0.01) -> "Figure":
    r"""Draw the mean KL of each latent as bars in falling order, one panel a model, and counts the active latents.

    A latent is active if its KL is above the threshold; the others carry nothing of the image (posterior collapse).

    Args:
        kl: The mean KL of each latent over images, (L,) in nats, or several such arrays by label.
        threshold: The least KL of an active latent, in nats.

    Returns:
        A figure with one panel a model, titled with the number of active latents and the sum of all KL.

    Raises:
        ValueError: If no latent is given, an array is not (L,), or a value is not finite.

    Example:
        >>> from pyrogen.plots import kl_per_latent
        >>> fig = kl_per_latent({"β = 4": [0.0, 2.5, 0.001, 1.5]})
        >>> fig.axes[0].get_title()
        'β = 4: 2 of 4 active, 4.0 nats'
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    groups = arrays(kl, "kl", 1)
    fig, axes = panels(len(groups), height=3.2, sharey=True)
    for i, (ax, (label, value)) in enumerate(zip(axes, groups.items(), strict=True)):
        order = np.argsort(-value, kind="stable")
        active = value[order] > threshold
        colors = [COLORS[0] if on else FAINT for on in active]
        ax.bar(np.arange(len(value)), value[order], width=0.75, color=colors)
        ax.axhline(threshold, color="#333333", linewidth=0.9, linestyle=(0, (3, 2)))
        ax.set_title(f"{label + ': ' if label else ''}{active.sum()} of {len(value)} active, {value.sum():.1f} nats")
        ax.set_xlabel("latent, by falling KL")
        ax.set_xticks(np.arange(len(value)), order.tolist())
        if len(value) > 10:
            ax.tick_params(axis="x", labelsize=8, length=2, rotation=90)
        if len(value) > 32:  # no room for an index a bar
            ax.set_xticks([])
        ax.grid(axis="y")
        if i == 0:
            ax.set_ylabel("KL (nats per image)")
    handles = [
        Patch(color=COLORS[0], label="active"),
        Patch(color=FAINT, label="inactive"),
        Line2D([], [], color="#333333", linewidth=0.9, linestyle=(0, (3, 2)), label=f"threshold, {threshold:g} nats"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    return fig
