r"""A prior's density in a latent plane, under the codes that it should lie beneath."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.plots.inputs import to_array
from pyrogen.plots.latent_space import TEN
from pyrogen.plots.style import panels, styled

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
    names: tuple[str, str] = ("z₁", "z₂"),
) -> "Figure":
    r"""Draws codes z ~ q(z | x) over the regions in which a prior over the plane has 50, 90 and 99 % of its mass.

    Each region is the smallest of its mass: {z : p(z) ≥ c}. Where the prior is the aggregated posterior, one code in
    two lies in the darkest region, and shaded places without codes are where samples come from that no datum has.

    Args:
        codes: The codes of each model by its label, (N, 2).
        log_density: log p(z) of its prior by the same labels: functions of (M, 2) arrays that return (M,), in nats.
        labels: What colours the codes, integers (N,) with at most ten values, the same for all models; None for one
            colour.
        names: The names of the two axes.

    Returns:
        A figure with one panel a model. All share one scale.

    Raises:
        ValueError: If there is no model, labels or shapes disagree, or a value is not finite.

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
        raise ValueError(f"codes and log_density must have the same labels, got {[*codes]} and {[*log_density]}.")
    groups = {label: to_array(z, f"codes of {label!r}", 2) for label, z in codes.items()}
    for label, z in groups.items():
        if z.shape[1] != 2:
            raise ValueError(f"codes of {label!r} must lie in a plane, (N, 2), got shape {z.shape}.")
    colour = None if labels is None else _colours(labels, groups)
    every = np.concatenate(list(groups.values()))
    middle, reach = (every.max(0) + every.min(0)) / 2, max(np.ptp(every, axis=0).max() * 0.55, 3.0)
    sides = [np.linspace(centre - reach, centre + reach, CELLS) for centre in middle]
    grid = np.stack(np.meshgrid(*sides), axis=-1)  # (CELLS, CELLS, 2), rows along the second axis

    fig, axes = panels(len(groups), height=3.5, sharex=True, sharey=True)
    for ax, (label, z) in zip(axes, groups.items(), strict=True):
        values = to_array(log_density[label](grid.reshape(-1, 2)), f"log_density of {label!r}", 1).reshape(CELLS, CELLS)
        ax.contourf(*sides, values, levels=[*region_levels(values), np.inf], colors=SHADES)
        order = np.random.default_rng(0).permutation(len(z))
        shades: Any = TEN[0] if colour is None else colour[order]
        ax.scatter(z[order, 0], z[order, 1], s=4, c=shades, alpha=0.6, linewidths=0, rasterized=True)
        ax.set_title(label)
        ax.set_xlabel(names[0])
        ax.set_aspect("equal")
    axes[0].set_ylabel(names[1])
    handles: list[Any] = [
        Patch(color=shade, label=f"{mass:.0%} of the prior") for shade, mass in zip(SHADES, MASS, strict=True)
    ]
    if labels is None:
        handles.append(Line2D([], [], marker="o", linestyle="", color=TEN[0], label="z ~ q(z | x)"))
    else:
        present = np.unique(to_array(labels, "labels", 1).astype(int))
        handles += [
            Line2D([], [], marker="o", linestyle="", color=c, label=str(v)) for v, c in zip(present, TEN, strict=False)
        ]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles) if labels is None else 7)
    return fig


def region_levels(values: NDArray[np.float64]) -> list[float]:
    r"""Returns the log densities above which lie 99, 90 and 50 % of the mass on an even grid, ascending."""

    ordered = np.sort(values, axis=None)[::-1]
    mass = np.cumsum(np.exp(ordered - ordered[0]))
    levels = [float(ordered[np.searchsorted(mass, share * mass[-1])]) for share in MASS]
    return [level - 1e-9 * i for i, level in zip((2, 1, 0), levels, strict=True)]  # apart, where the density is flat


def _colours(labels: Any, groups: Mapping[str, NDArray[np.float64]]) -> NDArray[np.str_]:
    value = to_array(labels, "labels", 1)
    present = np.unique(value)
    if len(present) > len(TEN):
        raise ValueError(f"at most {len(TEN)} values can be told apart by colour, got {len(present)}.")
    for label, z in groups.items():
        if len(z) != len(value):
            raise ValueError(f"codes of {label!r} and labels must have one row each, got {len(z)} and {len(value)}.")
    return np.array(TEN)[np.searchsorted(present, value)]
