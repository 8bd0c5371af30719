r"""How much of a codebook is used while it is trained."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyrogen import checks
from pyrogen.plots.canvas.inputs import curve, runs
from pyrogen.plots.canvas.style import COLORS, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def codebook_use(histories: Mapping[str, Any] | Any, codes: int) -> "Figure":
    r"""Draw the perplexity of the codes of each batch, and the share of codes that occur in it, by step.

    The perplexity exp(H) is the number of codes that would have the same entropy if all were used alike. It is at most
    `codes` (the dashed line), and 1 when the codebook has collapsed to one code.

    Args:
        histories: The runs by label, or one run alone; a run's `["step"]`, `["perplexity"]` and `["usage"]` are (T,).
        codes: The number of codes K.

    Returns:
        A figure of two panels.

    Raises:
        ValueError: If no run is given, `codes` is not positive, a column has not one value a step, or is not finite.

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import codebook_use
        >>> run = {"step": np.arange(9), "perplexity": np.linspace(1, 40, 9), "usage": np.linspace(0.1, 1, 9)}
        >>> [axes.get_title() for axes in codebook_use({"EMA": run}, codes=64).axes]
        ['Perplexity of the codes', 'Share of codes in use']
    """
    codes = checks.whole("codes", codes, 1, checks.LARGEST_COUNT)
    named = runs(histories, "histories")
    fig, axes = panels(2, height=3.2)
    columns = {"perplexity": "Perplexity of the codes", "usage": "Share of codes in use"}
    for ax, (term, title), most in zip(axes, columns.items(), (codes, 1), strict=True):
        for i, (label, history) in enumerate(named.items()):
            ax.plot(*curve(history, "step", term, label), color=COLORS[i % len(COLORS)], linewidth=1.0, label=label)
        ax.axhline(most, color="#333333", linewidth=0.9, linestyle=(0, (3, 2)))
        ax.set(title=title, xlabel="training step", ylim=(0, 1.06 * most))
        ax.grid(axis="y")
        ax.locator_params(axis="x", integer=True)
    axes[0].set_ylabel("codes")
    axes[1].set_ylabel("share")
    if len(named) > 1:
        axes[1].legend(loc="lower right")
    return fig
