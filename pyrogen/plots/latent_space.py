r"""Where a model puts the codes of data, and where its prior looks for them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.plots.inputs import labeled, to_array
from pyrogen.plots.style import COLORS, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Three of Paul Tol's muted colors (https://sronpersonalpages.nl/~pault/) beside the house's seven: ten for digits.
TEN = (*COLORS[:6], "#882255", "#999933", "#44AA99", "#000000")


@styled
def latent_space(
    codes: Mapping[str, Any] | Any, labels: Any, names: Sequence[str] | None = None, factor: str = "digit"
) -> "Figure":
    r"""Draws codes on their first two principal components, colored by a label, with N(0, I) and their own Gaussian.

    Each ellipse is that of two standard deviations, which holds 86% of a Gaussian's mass in the plane: solid that of
    N(0, I), projected on the same two components, dashed that of the Gaussian with the codes' mean and covariance.
    Where both agree, draws from N(0, I) are codes such as the data have.

    Args:
        codes: The codes (N, L) with L >= 2, or several such arrays by label, one panel each.
        labels: The label of each code, integers (N,) with at most ten different values; the same for all models. The
            number stands at the median of its codes.
        names: The names of the values 0, 1, ...; None for the numbers themselves.
        factor: What the labels are, for the legend.

    Returns:
        A figure with one panel a model, each with axes of its own.

    Raises:
        ValueError: If shapes disagree, a label has no name, values outnumber colors, or a code is not finite.

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import latent_space
        >>> codes = np.random.default_rng(0).standard_normal((50, 3))
        >>> fig = latent_space({"VAE": codes, "autoencoder": 9 * codes}, np.arange(50) % 10)
        >>> [axes.get_title() for axes in fig.axes]
        ['VAE', 'autoencoder']
    """

    from matplotlib.lines import Line2D
    from matplotlib.patches import Ellipse
    from matplotlib.patheffects import withStroke

    groups = {
        label: to_array(z, f"codes of {label!r}" if label else "codes", 2)
        for label, z in labeled(codes, "codes").items()
    }
    value = _values(labels, names)
    present = np.unique(value)
    for label, z in groups.items():
        if len(z) != len(value):
            raise ValueError(f"codes of {label!r} and labels must have one row each, got {len(z)} and {len(value)}.")
        if z.shape[1] < 2 or len(z) < 3:
            raise ValueError(f"codes of {label!r} must have at least three rows and two latents, got shape {z.shape}.")

    fig, axes = panels(len(groups), height=4.6, columns=2)
    color = np.array(TEN)[np.searchsorted(present, value)]
    order = np.random.default_rng(0).permutation(len(value))
    for ax, (label, z) in zip(axes, groups.items(), strict=True):
        mean, axis, deviation, share = _principal(z)
        point = (z - mean) @ axis
        ax.scatter(point[order, 0], point[order, 1], s=6, c=color[order], alpha=0.55, linewidths=0, rasterized=True)
        for v, c in zip(present, TEN, strict=False):
            ax.annotate(
                str(v) if names is None else names[v],
                np.median(point[value == v], axis=0),
                color=c,
                fontsize=13,
                fontweight="bold",
                ha="center",
                va="center",
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )
        x, y = -mean @ axis
        normal = Ellipse((x, y), 4, 4, fill=False, edgecolor="#1A1A1A", linewidth=1.8)
        fitted = Ellipse((0, 0), *(4 * deviation), fill=False, edgecolor="#1A1A1A", linewidth=1.4, linestyle="--")
        for ellipse in (normal, fitted):
            ax.add_patch(ellipse)
        ax.set_title(label)
        ax.set_xlabel(f"component 1 ({share[0]:.0%} of variance)")
        ax.set_ylabel(f"component 2 ({share[1]:.0%})")
        ax.set_aspect("equal", adjustable="datalim")
    lines = [
        Line2D([], [], color="#1A1A1A", linewidth=1.8, label="N(0, I), two standard deviations"),
        Line2D([], [], color="#1A1A1A", linewidth=1.4, linestyle="--", label="Gaussian fitted to the codes, the same"),
    ]
    fig.legend(handles=lines, title=f"numbers: {factor}", loc="outside lower center", ncols=2)
    return fig


def _values(labels: Any, names: Sequence[str] | None) -> NDArray[np.int64]:
    given = to_array(labels, "labels", 1)
    value = given.astype(int)
    if (value != given).any() or value.min() < 0:
        raise ValueError("labels must be integers of at least 0.")
    if names is not None and value.max() >= len(names):
        raise ValueError(f"labels go up to {value.max()} but names has {len(names)}; give one name a value, or None.")
    if len(np.unique(value)) > len(TEN):
        raise ValueError(f"at most {len(TEN)} values can be told apart by color, got {len(np.unique(value))}.")
    return value


def _principal(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    r"""Returns mean (L,), the first two axes (L, 2), the standard deviations on them, and their shares of variance."""

    mean = z.mean(0)
    values, vectors = np.linalg.eigh(np.cov(z.T))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    axis = vectors[:, :2] * np.sign(vectors[np.abs(vectors[:, :2]).argmax(0), [0, 1]])  # one sign, run after run
    return mean, axis, np.sqrt(values[:2]), values[:2] / max(values.sum(), np.finfo(float).tiny)
