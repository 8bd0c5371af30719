r"""Curves of training."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen import checks
from pyrogen.plots.canvas.inputs import columns, curve, runs
from pyrogen.plots.canvas.style import COLORS, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    "objective": "Total objective",
    "reconstruction": "Reconstruction term",
    "kl": "KL term",
    "penalty": "Penalty −log p(z)",
    "dimension_wise_kl": "Dimension-wise KL",
}
USUAL = ("objective", "reconstruction", "kl")


@styled
def loss_curves(
    histories: Mapping[str, Any] | Any,
    x: str = "step",
    smooth: float = 0.02,
    skip: float = 0.02,
    terms: Sequence[str] | None = None,
) -> "Figure":
    r"""Draw objective, reconstruction and KL by step (or epoch), one panel each and one color a run.

    Each run is a faint raw line under its moving average. Held-out terms (``history.validation``) are dashed, a dot a
    validation. The vertical axis is fitted to what comes after the first `skip` of the steps: the start of training
    lies so much higher that it would flatten all the rest.

    Args:
        histories: The runs by label, or one run alone; a run's `[x]`, `["objective"]`, `["reconstruction"]`, `["kl"]`
            are (T,), in nats per image, or in the run's own ``units``. A term that a run lacks (no such key, or None)
            is left out of its panel.
        x: The horizontal axis, "step" or another column of the runs such as "epoch".
        smooth: The width of the moving average, as a share of the steps.
        skip: The share of steps that does not count for the vertical axis.
        terms: The columns to draw, such as "penalty" or "commitment" for a pair that has them, each
            of them in at least one run. The default is objective, reconstruction and KL; a panel says so where no run
            has one.

    Returns:
        A figure with a panel for each term.

    Raises:
        ValueError: If no run or no term is given, a run is empty, a value is not finite, or a term has not one value a
            step. Also if a term that is asked for is in no run.

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import loss_curves
        >>> step = np.arange(100)
        >>> history = {"step": step, "objective": 50 - step / 9, "reconstruction": 30 - step / 9, "kl": 20 + 0 * step}
        >>> fig = loss_curves({"β = 1": history})
        >>> [axes.get_title() for axes in fig.axes]
        ['Total objective', 'Reconstruction term', 'KL term']
    """
    import pandas as pd

    histories = runs(histories, "histories")
    for name, share in (("smooth", smooth), ("skip", skip)):
        checks.real(name, share, least=0, below=1)
    if terms is None:
        terms = USUAL
    elif not terms:
        raise ValueError("terms must be a list of columns such as ['objective', 'kl'], got none")
    else:
        known = {column: None for history in histories.values() for column in columns(history)}
        for term in terms:
            if term not in known:
                raise ValueError(f"terms must be columns of the runs, which are {', '.join(known)}, got {term!r}")
    fig, axes = panels(len(terms), height=3.3)
    handles: dict[str, Any] = {}
    for ax, term in zip(axes, terms, strict=True):
        settled = []
        for i, (label, history) in enumerate(histories.items()):
            if term not in columns(history):
                continue
            step, value = curve(history, x, term, label)
            color = COLORS[i % len(COLORS)]
            ax.plot(step, value, color=color, alpha=0.22, linewidth=0.8)
            width = round(smooth * len(value)) // 2 * 2 + 1
            average = pd.Series(value).rolling(width, center=True, min_periods=1).mean()
            handles[label] = ax.plot(step, average, color=color, linewidth=1.8, label=label)[0]
            settled.append(value[int(skip * len(value)) :])
            held_out = getattr(history, "validation", None)
            if held_out is not None and len(held_out) and x in held_out and term in held_out:
                ax.plot(held_out[x], held_out[term], "o--", color=color, markersize=3, linewidth=1.0, gid="held out")
                settled.append(np.asarray(held_out[term])[int(skip * len(held_out)) :])
        ax.set_title(TITLES.get(term, term.replace("_", " ").capitalize()))
        ax.set_xlabel("training step" if x == "step" else x)
        ax.grid(axis="y")
        if settled:
            _fit(ax, np.concatenate(settled))
            if x == "step":
                ax.locator_params(axis="x", integer=True)
        else:
            ax.text(0.5, 0.5, "no such term", transform=ax.transAxes, ha="center", va="center")
            ax.set(xticks=[], yticks=[])
    units = {getattr(history, "units", "nats per image") for history in histories.values()}
    axes[0].set_ylabel(units.pop() if len(units) == 1 else "nats")
    if len(handles) > 1 or "" not in handles:
        fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(len(handles), 6) or 1)
    return fig


def _fit(ax: Any, values: NDArray[np.float64]) -> None:
    low, high = values.min(), values.max()
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    ax.set_ylim(low - margin, high + margin)
