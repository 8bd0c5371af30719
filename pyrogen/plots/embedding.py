r"""Codes in two dimensions, colored by a factor."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.plots.inputs import labeled, to_array
from pyrogen.plots.style import COLORS, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHAPES = ("square", "ellipse", "heart")


@styled
def pca_by_factor(
    codes: Mapping[str, Any] | Any,
    labels: Any,
    names: Sequence[str] | None = SHAPES,
    factor: str = "shape",
) -> "Figure":
    r"""Draws codes on their first two principal components, colored by the value of a factor.

    Each model has components of its own (scikit-learn's PCA), and its axes say how much of the variance they hold: with
    little of it, clusters can hide in the rest. Points are drawn in a shuffled order, so that no value covers another.

    Args:
        codes: The codes (N, L) with L >= 2, or several such arrays by label.
        labels: The factor's value of each row, integers (N,), numbered from 0; the same for all models.
        names: The names of the values 0, 1, ...; None for the numbers themselves.
        factor: The factor's name, for the legend.

    Returns:
        A figure with one panel a model.

    Raises:
        ValueError: If shapes disagree, a label has no name, values outnumber colors, or a code is not finite.

    References:
        | Principal component analysis in scikit-learn
        | https://scikit-learn.org/stable/modules/generated/sklearn.decomposition.PCA.html

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import pca_by_factor
        >>> shape = np.arange(60) % 3
        >>> codes = np.stack([shape, np.arange(60) / 60, 0 * shape], axis=1)
        >>> fig = pca_by_factor({"β = 8": codes}, shape)
        >>> fig.axes[0].get_xlabel()
        'component 1 (89% of variance)'
    """

    groups = {
        label: to_array(z, f"codes of {label!r}" if label else "codes", 2)
        for label, z in labeled(codes, "codes").items()
    }
    value = to_array(labels, "labels", 1).astype(int)
    if (value != to_array(labels, "labels", 1)).any() or value.min() < 0:
        raise ValueError("labels must be integers of at least 0.")
    present = np.unique(value)
    if names is not None and present[-1] >= len(names):
        raise ValueError(f"labels go up to {present[-1]} but names has {len(names)}; give one name a value, or None.")
    if len(present) > len(COLORS):
        raise ValueError(f"at most {len(COLORS)} values can be told apart by color, got {len(present)}.")
    for label, z in groups.items():
        if len(z) != len(value):
            raise ValueError(
                f"codes of {label!r} and labels must have one row an image, got {len(z)} and {len(value)}."
            )
        if z.shape[1] < 2 or len(z) < 2:
            raise ValueError(f"codes of {label!r} must have at least two rows and two latents, got shape {z.shape}.")

    fig, axes = panels(len(groups), height=3.6)
    color = np.array(COLORS)[np.searchsorted(present, value)]
    order = np.random.default_rng(0).permutation(len(value))
    for ax, (label, z) in zip(axes, groups.items(), strict=True):
        point, share = _components(z)
        ax.scatter(point[order, 0], point[order, 1], s=4, c=color[order], alpha=0.6, linewidths=0, rasterized=True)
        ax.set_title(label)
        ax.set_xlabel(f"component 1 ({share[0]:.0%} of variance)")
        ax.set_ylabel(f"component 2 ({share[1]:.0%})")
        ax.set_aspect("equal", adjustable="datalim")
    _legend(fig, present, names, factor)
    return fig


def _components(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Returns the coordinates on the first two components, (N, 2), and their shares of the variance, (2,)."""

    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore", divide="ignore"):  # codes that are all equal have no variance to share
        pca = PCA(n_components=2, svd_solver="full").fit(z)
    return pca.transform(z), np.nan_to_num(pca.explained_variance_ratio_)


def _legend(fig: "Figure", present: NDArray[np.int64], names: Sequence[str] | None, factor: str) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", linestyle="", color=COLORS[i], label=str(v) if names is None else names[v])
        for i, v in enumerate(present)
    ]
    fig.legend(handles=handles, title=factor, loc="outside lower center", ncols=len(handles))
