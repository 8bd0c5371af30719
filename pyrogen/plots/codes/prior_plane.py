r"""A prior's density in a latent plane, under the codes that it should lie beneath."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.plots.canvas.inputs import arrays, to_array
from pyrogen.plots.canvas.style import panels, styled
from pyrogen.plots.codes.latent_space import TEN, scatter, values_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MASS = (0.99, 0.9, 0.5)  # of the regions that are shaded, from faint to full
SHADES = ("#EDEDED", "#D2D2D2", "#ABABAB")
CELLS = 201  # a side, of the grid on which a density is known


@styled
def prior_plane(
    codes: Mapping[str, Any],
    log_density: Mapping[str, Callable[[NDArray[np.float64]], Any]],
    labels: Any = None,
    factor: str = "digit",
    names: tuple[str, str] = ("z₁", "z₂"),
) -> "Figure":
    r"""Draw codes z ~ q(z | x) over the regions in which a prior over the plane has 50, 90 and 99 % of its mass.

    Each region is the smallest of its mass: {z : p(z) ≥ c}. Where the prior is the aggregated posterior, one code in
    two lies in the darkest region, and shaded places without codes are where samples come from that no datum has.

    Args:
        codes: The codes of each model by its label, (N, 2).
        log_density: log p(z) of its prior by the same labels: functions of (M, 2) arrays that return (M,), in nats.
        labels: What colors the codes, integers (N,) of at least 0 with at most ten values, the same for all models; the
            number stands at the median of its codes. None for one color.
        factor: What the labels are.
        names: The names of the two axes.

    Returns:
        A figure with one panel a model, each with a scale of its own.

    Raises:
        ValueError: If no model is given, labels or shapes disagree, or a value is not finite.

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import prior_plane
        >>> z = np.random.default_rng(0).standard_normal((50, 2))
        >>> fig = prior_plane({"N(0, I)": z}, {"N(0, I)": lambda z: -0.5 * (z**2).sum(1)})
        >>> fig.axes[0].get_title()
        'N(0, I)'
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if not codes or codes.keys() != log_density.keys():
        raise ValueError(f"codes and log_density must have the same labels, got {[*codes]} and {[*log_density]}")
    groups = arrays(codes, "codes", 2)
    for label, z in groups.items():
        if z.shape[1] != 2:
            raise ValueError(f"codes of {label!r} must lie in a plane, (N, 2), got shape {z.shape}")
    given = None if labels is None else values_of(labels, groups)
    fig, axes = panels(len(groups), height=3.9)
    for ax, (label, z) in zip(axes, groups.items(), strict=True):
        sides, values = _on_grid(z, log_density[label], label)
        ax.contourf(*sides, values, levels=[*region_levels(values), np.inf], colors=SHADES)
        scatter(ax, z, np.zeros(len(z), dtype=int) if given is None else given, numbers=given is not None)
        ax.set_title(label)
        ax.set_xlabel(names[0])
        ax.set_aspect("equal")
    axes[0].set_ylabel(names[1])
    handles: list[Any] = [
        Patch(color=shade, label=f"{mass:.0%} of the prior") for shade, mass in zip(SHADES, MASS, strict=True)
    ]
    dot = Line2D([], [], marker="o", linestyle="", color=TEN[0] if given is None else "#555555", label="z ~ q(z | x)")
    numbers = f"numbers: {factor} of x" if given is not None else None
    fig.legend(handles=[*handles, dot], title=numbers, loc="outside lower center", ncols=len(handles) + 1)
    return fig


def _on_grid(
    z: NDArray[np.float64], log_density: Callable[[NDArray[np.float64]], Any], label: str
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    r"""Return the sides of a square around the codes and the log density on its grid, (CELLS, CELLS)."""
    middle, reach = (z.max(0) + z.min(0)) / 2, max(np.ptp(z, axis=0).max() * 0.58, 1e-3)
    sides = [np.linspace(center - reach, center + reach, CELLS) for center in middle]
    grid = np.stack(np.meshgrid(*sides), axis=-1)  # rows along the second axis
    return sides, to_array(log_density(grid.reshape(-1, 2)), f"log_density of {label!r}", 1).reshape(CELLS, CELLS)


def region_levels(values: NDArray[np.float64]) -> list[float]:
    r"""Return the log densities above which lie 99, 90 and 50 % of the mass on an even grid, ascending."""
    ordered = np.sort(values, axis=None)[::-1]
    mass = np.cumsum(np.exp(ordered - ordered[0]))
    levels = [float(ordered[np.searchsorted(mass, share * mass[-1])]) for share in MASS]
    return [level - 1e-9 * i for i, level in zip((2, 1, 0), levels, strict=True)]  # apart, where the density is flat
