r"""Scores of many runs against the values that they were run with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen.plots.canvas.style import COLORS, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {"elbo": "ELBO", "reconstruction": "Reconstruction term", "kl": "KL term", "nll": "−log p(x)", "mig": "MIG"}
IN_NATS = ("elbo", "reconstruction", "kl", "nll", "objective")


@styled
def sweep(
    table: Any, x: str = "beta", terms: Sequence[str] = ("elbo", "reconstruction", "kl"), by: str | None = None
) -> "Figure":
    r"""Draw mean and spread over seeds of some scores against a swept value, one panel a score.

    Runs that differ in neither `x` nor `by` are one point, its bar one standard deviation over them. Each run is a
    faint dot. A run that failed is left out.

    Args:
        table: What `pg.sweep` returned.
        x: The column of the horizontal axis, numbers.
        terms: The columns to draw.
        by: A column whose values have a line each.

    Returns:
        A figure with a panel for each score.

    Raises:
        TypeError: If `table` is not a DataFrame.
        ValueError: If a column is missing, or no run succeeded.

    Example:
        >>> import pandas as pd
        >>> from pyrogen.plots import sweep
        >>> table = pd.DataFrame({"beta": [1, 1, 4, 4], "seed": [0, 1, 0, 1], "kl": [9.0, 8.0, 4.0, 5.0], "error": ""})
        >>> [axes.get_title() for axes in sweep(table, terms=["kl"]).axes]
        ['KL term']
    """
    if not (hasattr(table, "columns") and hasattr(table, "groupby")):
        raise TypeError(f"table must be the DataFrame that pg.sweep returned, got a {type(table).__name__}")
    for column in (x, *terms, *([by] if by else [])):
        if column not in table.columns:
            raise ValueError(f"table must have a column {column!r}, got {', '.join(map(str, table.columns))}")
    rows = table.dropna(subset=list(terms), how="all")
    if not len(rows):
        raise ValueError("table must have a run that succeeded, got none")
    fig, axes = panels(len(terms), height=3.3)
    lines = list(rows.groupby(by)) if by else [("", rows)]
    for ax, term in zip(axes, terms, strict=True):
        for i, (label, part) in enumerate(lines):
            color = COLORS[i % len(COLORS)]
            ax.plot(part[x], part[term], "o", color=color, alpha=0.25, markersize=3)
            groups = part.groupby(x)[term]
            mean, spread = groups.mean(), groups.std().fillna(0.0)
            name = f"{by} = {label}" if by else ""
            ax.errorbar(mean.index, mean, yerr=spread, color=color, marker="o", capsize=3, linewidth=1.6, label=name)
        ax.set_title(LABELS.get(term, term))
        ax.set_xlabel(x)
        ax.set_ylabel("nats per image" if term in IN_NATS else "")
        values = np.unique(rows[x].to_numpy(dtype=float))
        if len(values) <= 8:
            ax.set_xticks(values)
    if by:
        axes[0].legend(loc="best")
    return fig
