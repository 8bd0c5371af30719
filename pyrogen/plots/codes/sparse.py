r"""Sparse codes: atoms as images, the error by the number of active entries, and convergence against its bounds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen import checks
from pyrogen.plots.canvas.inputs import labeled, to_array
from pyrogen.plots.canvas.montage import montage, titled
from pyrogen.plots.canvas.style import COLORS, WIDTH, figure, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def atoms(images: Mapping[str, Any] | Any, columns: int | None = None) -> "Figure":
    r"""Draw atoms, or other differences of images, in a grid: red is positive, blue negative, white zero.

    Each is scaled by its own largest absolute value, for an atom's sign and scale are the code's to choose.

    Args:
        images: The atoms, (n, H, W) or (n, 1, H, W); or several such arrays by label.
        columns: The number in a row; by default as many as make it square.

    Returns:
        A figure with one panel a label, at most three in a row.

    Raises:
        ValueError: If no atom is given, a shape is another one, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import atoms
        >>> fig = atoms({"learned": np.random.default_rng(0).normal(size=(16, 1, 8, 8))})
        >>> [axes.get_title() for axes in fig.axes]
        ['learned']
    """
    from matplotlib import colormaps

    columns = None if columns is None else checks.whole("columns", columns, 1)
    colors, grids = colormaps["RdBu_r"], {}
    for label, group in labeled(images, "images").items():
        name = f"the atoms of {label!r}" if label else "atoms"
        given = checks.array(name, group)
        values = to_array(given[:, 0] if given.ndim == 4 and given.shape[1] == 1 else given, name, 3)
        most = np.abs(values).max((1, 2), keepdims=True)
        pixels = colors(0.5 + 0.5 * values / np.where(most > 0, most, 1.0))[..., :3]
        grids[label] = montage(np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=0.55), columns)
    return titled(grids, WIDTH / min(max(2, len(grids)), 3))


@styled
def convergence(gaps: Mapping[str, tuple[Any, Any]], bounds: Mapping[str, tuple[Any, Any]] | None = None) -> "Figure":
    r"""Draw the excess of an objective over its minimum by the number of steps, both on log scales.

    Args:
        gaps: By label, steps (T,) and F(z) − F* (T,); what is not positive is left out.
        bounds: By the same labels (some or all), steps and a bound on the excess: dashed, in the same color.

    Returns:
        A figure of one panel.

    Raises:
        ValueError: If there is nothing to draw, shapes disagree, or a bound has no curve.

    Example:
        >>> from pyrogen.plots import convergence
        >>> fig = convergence({"ISTA": ([1, 10, 100], [1.0, 0.1, 0.01])}, {"ISTA": ([1, 100], [2.0, 0.02])})
        >>> fig.axes[0].get_ylabel()
        'F(zₖ) − F*'
    """
    bounds = bounds or {}
    if not gaps or not set(bounds) <= set(gaps):
        raise ValueError(
            f"gaps must hold at least one curve, and bounds only labels of gaps, got {[*gaps]} and {[*bounds]}"
        )
    fig = figure(6.4, 4.4)
    ax = fig.subplots()
    for i, (label, (steps, values)) in enumerate(gaps.items()):
        x, y = _pair(steps, values, label)
        kept = y > 0
        ax.plot(x[kept], y[kept], "o-", color=COLORS[i % len(COLORS)], markersize=4, linewidth=1.5, label=label)
        if label in bounds:
            x, y = _pair(*bounds[label], f"bound of {label}")
            ax.plot(x, y, "--", color=COLORS[i % len(COLORS)], linewidth=1.1, label=f"bound of {label}")
    ax.set(xscale="log", yscale="log", xlabel="steps k", ylabel="F(zₖ) − F*")
    ax.grid(which="major")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


@styled
def error_by_active(
    curves: Mapping[str, tuple[Any, Any]], ylabel: str = "squared error per pixel", logarithmic: bool = True
) -> "Figure":
    r"""Draw the error of reconstructions by how many numbers of the code are not zero.

    Args:
        curves: By label, the mean number of active entries (T,) and the error (T,).
        ylabel: What the error is, with its unit.
        logarithmic: Whether both axes are.

    Returns:
        A figure of one panel.

    Raises:
        ValueError: If there is nothing to draw or shapes disagree.

    Example:
        >>> from pyrogen.plots import error_by_active
        >>> fig = error_by_active({"sparse code": ([2, 5, 10], [0.05, 0.02, 0.01])})
        >>> fig.axes[0].get_xlabel()
        'active entries per image'
    """
    if not curves:
        raise ValueError("curves must hold at least one, got none")
    fig, (ax,) = panels(1, height=3.9)
    for i, (label, (active, error)) in enumerate(curves.items()):
        x, y = _pair(active, error, label)
        ax.plot(x, y, "o-", color=COLORS[i % len(COLORS)], markersize=4, linewidth=1.5, label=label)
    scale = "log" if logarithmic else "linear"
    ax.set(xscale=scale, yscale=scale, xlabel="active entries per image", ylabel=ylabel)
    if logarithmic:
        from matplotlib.ticker import LogLocator, ScalarFormatter

        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter("")
    ax.grid(which="major")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig


def _pair(x: Any, y: Any, label: str) -> tuple[np.ndarray, np.ndarray]:
    first, second = to_array(x, f"steps of {label!r}", 1), to_array(y, f"values of {label!r}", 1)
    if len(first) != len(second):
        raise ValueError(f"{label!r} must have a value for each step, got {len(first)} and {len(second)}")
    return first, second
