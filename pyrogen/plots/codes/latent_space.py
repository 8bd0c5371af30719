r"""Where a model puts the codes of data, and where its prior looks for them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.plots.canvas.inputs import arrays, to_array
from pyrogen.plots.canvas.style import COLORS, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Three of Paul Tol's muted colors (https://sronpersonalpages.nl/~pault/) beside the house's seven: ten for digits.
TEN = (*COLORS[:6], "#882255", "#999933", "#44AA99", "#000000")
INK = "#1A1A1A"


@styled
def latent_space(
    codes: Mapping[str, Any] | Any,
    labels: Any,
    names: Sequence[str] | None = None,
    factor: str = "label",
    gaussians: bool = False,
) -> "Figure":
    r"""Draw codes on their first two principal components, colored by a label.

    Each model has components of its own, and its axes say how much of the variance they hold. With little of it,
    clusters can hide in the rest. Points are drawn in a shuffled order, so that no value covers another.

    With ``gaussians=True`` two ellipses of two standard deviations are added. Each holds 86% of a Gaussian's mass in
    the plane. The solid one is N(0, I), projected on the same two components. The dashed one is the Gaussian with the
    codes' mean and covariance. Where both agree, draws from N(0, I) are codes such as the data have.

    Args:
        codes: The codes (N, L) with L >= 2, or several such arrays by label, one panel each.
        labels: The label of each code, integers (N,) with at most ten different values; the same for all models.
        names: The names of the values 0, 1, ..., for the legend. Without them, the number of each value stands at the
            median of its codes.
        factor: What the labels are, for the legend.
        gaussians: Whether to draw the two ellipses.

    Returns:
        A figure with one panel a model.

    Raises:
        ValueError: If shapes disagree, a label has no name, values outnumber colors, or a code is not finite.

    References:
        | Principal component analysis in scikit-learn
        | https://scikit-learn.org/stable/modules/generated/sklearn.decomposition.PCA.html

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import latent_space
        >>> shape = np.arange(60) % 3
        >>> codes = np.stack([shape, np.arange(60) / 60, 0 * shape], axis=1)
        >>> fig = latent_space({"β = 8": codes}, shape, names=("square", "ellipse", "heart"), factor="shape")
        >>> fig.axes[0].get_xlabel()
        'component 1 (89% of variance)'
    """
    groups = arrays(codes, "codes", 2)
    value = values_of(labels, groups)
    if names is not None and value.max() >= len(names):
        raise ValueError(
            f"names must have one name a label, {value.max() + 1} of them, got {len(names)}: give all, or None"
        )
    for label, z in groups.items():
        if z.shape[1] < 2 or len(z) < 3:
            raise ValueError(f"codes of {label!r} must have at least three rows and two latents, got shape {z.shape}")

    present = np.unique(value)
    fig, axes = panels(len(groups), height=4.6, columns=2) if gaussians else panels(len(groups), height=3.6)
    for ax, (label, z) in zip(axes, groups.items(), strict=True):
        mean, axis, deviation, share = _principal(z)
        scatter(ax, (z - mean) @ axis, value, numbers=names is None)
        if gaussians:
            _draw_ellipses(ax, -mean @ axis, deviation)
        ax.set_title(label)
        ax.set_xlabel(f"component 1 ({share[0]:.0%} of variance)")
        ax.set_ylabel(f"component 2 ({share[1]:.0%})")
        ax.set_aspect("equal", adjustable="datalim")
    handles = _handles(present, names, gaussians)
    fig.legend(handles=handles, title=factor, loc="outside lower center", ncols=min(len(handles), 5))
    return fig


def values_of(labels: Any, groups: Mapping[str, NDArray[np.float64]]) -> NDArray[np.int64]:
    r"""Return labels as integers, one for each row of each group of codes, and no more different ones than colors."""
    given = to_array(labels, "labels", 1)
    value = given.astype(int)
    if (value != given).any() or value.min() < 0:
        raise ValueError(f"labels must be integers of at least 0, got {given.min():g} to {given.max():g}")
    for label, z in groups.items():
        if len(z) != len(value):
            raise ValueError(f"codes of {label!r} and labels must have one row each, got {len(z)} and {len(value)}")
    if len(np.unique(value)) > len(TEN):
        raise ValueError(f"labels must have at most {len(TEN)} values, one a color, got {len(np.unique(value))}")
    return value


def _principal(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    r"""Return mean (L,), the first two axes (L, 2), the standard deviations on them, and their shares of variance."""
    mean = z.mean(0)
    values, vectors = np.linalg.eigh(np.cov(z.T))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    axis = vectors[:, :2] * np.sign(vectors[np.abs(vectors[:, :2]).argmax(0), [0, 1]])  # one sign, run after run
    return mean, axis, np.sqrt(values[:2]), values[:2] / max(values.sum(), np.finfo(float).tiny)


def scatter(ax: "Axes", point: NDArray[np.float64], value: NDArray[np.int64], numbers: bool) -> None:
    r"""Draw points (N, 2) in a shuffled order, colored by their values; perhaps each value at the median of its own."""
    from matplotlib.patheffects import withStroke

    present = np.unique(value)
    color = np.array(TEN)[np.searchsorted(present, value)]
    order = np.random.default_rng(0).permutation(len(value))
    ax.scatter(point[order, 0], point[order, 1], s=4, c=color[order], alpha=0.6, linewidths=0, rasterized=True)
    for v, c in zip(present, TEN, strict=False) if numbers else ():
        x, y = np.median(point[value == v], axis=0)
        text = ax.annotate(str(v), (x, y), color=c, fontsize=13, fontweight="bold", ha="center", va="center")
        text.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _draw_ellipses(ax: "Axes", center: NDArray[np.float64], deviation: NDArray[np.float64]) -> None:
    from matplotlib.patches import Ellipse

    normal = Ellipse((center[0], center[1]), 4, 4, fill=False, edgecolor=INK, linewidth=1.8)
    fitted = Ellipse((0, 0), *(4 * deviation), fill=False, edgecolor=INK, linewidth=1.4, linestyle="--")
    for ellipse in (normal, fitted):
        ax.add_patch(ellipse)


def _handles(present: NDArray[np.int64], names: Sequence[str] | None, gaussians: bool) -> list["Line2D"]:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", linestyle="", color=c, label=str(v) if names is None else names[v])
        for v, c in zip(present, TEN, strict=False)
    ]
    if gaussians:
        handles.append(Line2D([], [], color=INK, linewidth=1.8, label="N(0, I), two standard deviations"))
        label = "Gaussian fitted to the codes, the same"
        handles.append(Line2D([], [], color=INK, linewidth=1.4, linestyle="--", label=label))
    return handles
