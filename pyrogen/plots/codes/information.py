r"""Mutual information of latents and factors as a heat map."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen.plots.canvas.inputs import arrays, to_array
from pyrogen.plots.canvas.style import panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def mutual_information(
    matrix: Mapping[str, Any] | Any,
    factor_names: Sequence[str] | None = None,
    entropies: Any = None,
) -> "Figure":
    r"""Draw the mutual information of each latent (row) with each factor (column).

    A disentangled code has one bright cell a column. With the factors' entropies, cells are shares of these, so that
    columns can be compared. A factor of 3 values has at most 1.1 nats, one of 40 has 3.7.

    Args:
        matrix: The mutual information (L, K) in nats, or several such arrays by label.
        factor_names: The names of the factors, (K,).
        entropies: The factors' entropies, (K,) in nats; cells are divided by them.

    Returns:
        A figure with one panel a model, on one color scale.

    Raises:
        ValueError: If shapes disagree, a value is not finite, or an entropy is not positive.

    Example:
        >>> from pyrogen.plots import mutual_information
        >>> fig = mutual_information([[1.0, 0.0], [0.1, 0.6]], ["shape", "scale"])
        >>> [label.get_text() for label in fig.axes[0].get_xticklabels()]
        ['shape', 'scale']
    """
    tables = arrays(matrix, "matrix", 2)
    number = next(iter(tables.values())).shape[1]
    names = [f"$v_{{{k}}}$" for k in range(number)] if factor_names is None else list(factor_names)
    for label, table in tables.items():
        if table.shape[1] != len(names):
            raise ValueError(
                f"the matrix{f' of {label!r}' if label else ''} must have one column a factor, expected {len(names)}, "
                f"got shape {table.shape}"
            )
    unit = "nats"
    if entropies is not None:
        bound = to_array(entropies, "entropies", 1)
        if len(bound) != len(names) or not (bound > 0).all():
            raise ValueError(f"entropies must be {len(names)} positive numbers, got {bound.tolist()}")
        tables = {label: table / bound for label, table in tables.items()}
        unit = "share of entropy"

    rows = max(len(table) for table in tables.values())
    fig, axes = panels(len(tables), height=1.5 + 0.26 * max(rows, 4))
    top = 1.0 if entropies is not None else max(float(table.max()) for table in tables.values()) or 1.0
    for ax, (label, table) in zip(axes, tables.items(), strict=True):
        image = ax.imshow(table, cmap="cividis", vmin=0.0, vmax=top, aspect="auto", interpolation="nearest")
        ax.set_title(label)
        ax.set_xticks(np.arange(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
        ax.set_yticks(np.arange(len(table)), [f"$z_{{{j}}}$" for j in range(len(table))])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        for (j, k), value in np.ndenumerate(table):
            if value >= 0.05 * top:  # enough to be read
                color = "black" if value > 0.55 * top else "white"
                ax.text(k, j, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8)
    fig.colorbar(image, ax=axes, label=f"information ({unit})", fraction=0.05, pad=0.02)
    return fig
