r"""An ELBO with one parameter as a curve, the way of training on it, and the guide that it ends in."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyrogen import checks
from pyrogen.plots.canvas.inputs import LARGEST, to_array
from pyrogen.plots.canvas.style import COLORS, WIDTH, figure, panels, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, RED = COLORS[:2]


@styled
def elbo_paths(
    elbo: Mapping[str, Callable[[torch.Tensor], Any]],
    paths: Mapping[str, Any],
    optimum: Mapping[str, float],
    average: int = 0,
    span: float = 12.0,
) -> "Figure":
    r"""Draw ELBO(θ) for several data with the iterates of training on it, and beside it how they come to the optimum.

    Args:
        elbo: By label, a function from θ (T,) to the ELBO (T,), in nats.
        paths: By the same labels, θ after each step, (T,), all positive.
        optimum: By the same labels, the maximum θ* > 0 of the ELBO.
        average: How many of the last iterates the result averages: they are shaded.
        span: How many nats below the lowest maximum the left panel shows; what lies lower is cut.

    Returns:
        A figure of two panels: the ELBO by θ, and θ / θ* by training step.

    Raises:
        ValueError: If there is nothing to draw, labels differ, a path is not (T,) or not positive and finite.

    Example:
        >>> from pyrogen.plots import elbo_paths
        >>> curve = lambda theta: -2 * theta.log() - 8 / theta + 2
        >>> fig = elbo_paths({"x = 3": curve}, {"x = 3": [1.0, 2.0, 3.5, 4.0]}, {"x = 3": 4.0})
        >>> [axes.get_ylabel() for axes in fig.axes]
        ['ELBO (nats)', 'θ / θ*']
    """
    average = checks.whole("average", average, 0, checks.LARGEST_COUNT)
    span = checks.real("span", span, above=0, most=LARGEST)
    if not elbo or not (set(elbo) == set(paths) == set(optimum)):
        raise ValueError(
            "elbo, paths and optimum must have the same labels, one at least, got "
            f"{[*elbo]}, {[*paths]} and {[*optimum]}"
        )
    ways = {label: to_array(paths[label], f"path of {label!r}", 1) for label in elbo}
    for label, way in ways.items():
        if (way <= 0).any() or not 0 < optimum[label] < float("inf"):
            raise ValueError(
                f"theta of {label!r} must be positive, got {way.min():g} on its path, {optimum[label]:g} at its end"
            )

    fig = figure(WIDTH, 4.4)
    left, right = fig.subplots(1, 2, gridspec_kw={"width_ratios": (1.25, 1.0)})
    low = min(min(way.min() for way in ways.values()), *optimum.values()) / 3
    high = max(max(way.max() for way in ways.values()), *optimum.values()) * 5
    grid = np.geomspace(low, high, 600)
    peaks = {label: float(_values(curve, np.array([optimum[label]]))[0]) for label, curve in elbo.items()}
    longest = max(len(way) for way in ways.values())
    if average:
        right.axvspan(longest - average, longest, color="#F0F0F0", linewidth=0, zorder=0)
        right.text(longest - average / 2, 0.05, "averaged", transform=right.get_xaxis_transform(), ha="center")
    right.axhline(1.0, color="#333333", linewidth=0.9, linestyle=(0, (3, 2)))
    for i, (label, curve) in enumerate(elbo.items()):
        color, way, best = COLORS[i % len(COLORS)], ways[label], optimum[label]
        left.plot(grid, _values(curve, grid), color=color, linewidth=1.3, alpha=0.7)
        left.plot(way, _values(curve, way), "o", color=color, markersize=3.4, markeredgewidth=0, alpha=0.6)
        left.plot([best], [peaks[label]], marker="*", color=color, markersize=12, markeredgecolor="white", zorder=5)
        right.plot(np.arange(1, len(way) + 1), way / best, color=color, linewidth=1.2, alpha=0.9, label=label)
    left.set(xscale="log", xlim=(low, high), ylim=(min(peaks.values()) - span, max(peaks.values()) + 0.1 * span))
    left.set(xlabel="θ, the guide's rate", ylabel="ELBO (nats)", title="The ELBO, SVI's iterates on it, ★ its maximum")
    left.grid(axis="y")
    right.set(yscale="log", xlim=(0, longest), xlabel="training step", ylabel="θ / θ*", title="The iterates by step")
    right.grid(axis="y")
    fig.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(elbo), 8))
    return fig


@styled
def guide_and_posterior(pairs: Mapping[str, tuple[Any, Any]], kl: Mapping[str, float] | None = None) -> "Figure":
    r"""Draw the density of a guide over that of the exact posterior, one panel each.

    Args:
        pairs: By label, two distributions over a real z with `log_prob`, `mean` and `stddev`: guide, posterior.
        kl: By label, KL(guide ‖ posterior) in nats, for the titles.

    Returns:
        A figure with one panel a pair.

    Raises:
        ValueError: If no pair is given.

    Example:
        >>> from torch.distributions import Gamma
        >>> from pyrogen.plots import guide_and_posterior
        >>> fig = guide_and_posterior({"x = 3": (Gamma(2.0, 4.0), Gamma(2.0, 4.0))}, {"x = 3": 0.0})
        >>> fig.axes[0].get_title()
        'x = 3, KL 0.0000 nats'
    """
    if not pairs:
        raise ValueError("pairs must hold at least one guide and posterior, got none")
    if kl is not None and not pairs.keys() <= kl.keys():
        raise ValueError(f"kl must have the labels of pairs, which are {', '.join(map(str, pairs))}, got {[*kl]}")
    fig, axes = panels(len(pairs), height=2.7)
    handles: list[Any] = []
    for i, (ax, (label, (guide, posterior))) in enumerate(zip(axes, pairs.items(), strict=True)):
        z = _range(guide, posterior)
        shade = ax.fill_between(z, _density(posterior, z), color=RED, alpha=0.28, linewidth=0)
        line = ax.plot(z, _density(guide, z), color=BLUE, linewidth=1.8)[0]
        handles = [line, shade]
        ax.set_title(label if kl is None else f"{label}, KL {kl[label]:.4f} nats")
        ax.set(xlabel="z", xlim=(z[0], z[-1]), ylim=(0, None))
        ax.grid(axis="y")
        if i % 3 == 0:
            ax.set_ylabel("density")
    fig.legend(handles, ["guide q(z)", "exact posterior p(z | x)"], loc="outside lower center", ncols=2)
    return fig


def _values(curve: Callable[[torch.Tensor], Any], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    return to_array(curve(torch.from_numpy(theta)), "elbo", 1)


def _range(*distributions: Any) -> NDArray[np.float64]:
    r"""Return a grid over where either distribution has its mass, inside of both supports."""
    ends = [(float(d.mean) - 5 * float(d.stddev), float(d.mean) + 5 * float(d.stddev)) for d in distributions]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    bound = max(float(getattr(d.support, "lower_bound", -np.inf)) for d in distributions)
    return np.linspace(max(low, bound + 1e-6 * (high - bound)), high, 600)


def _density(distribution: Any, z: NDArray[np.float64]) -> NDArray[np.float64]:
    with torch.no_grad():
        value: NDArray[np.float64] = distribution.log_prob(torch.from_numpy(z)).exp().double().numpy()
        return value
