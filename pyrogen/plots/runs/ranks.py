r"""Ranks of simulation-based calibration."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen import checks
from pyrogen.plots.canvas.inputs import labeled
from pyrogen.plots.canvas.style import COLORS, FAINT, WIDTH, figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_SITES = 8


@styled
def ranks(calibration: Any, draws: int | None = None, *, prob: float = 0.95, bins: int | None = None) -> "Figure":
    r"""Draw the ranks of each site as a histogram and as the difference of their distribution function from uniform.

    The histogram's band holds the count of one bin with probability `prob`, exactly. The distribution function's band
    holds the whole curve of one element with that probability (Säilynoja et al. 2022, https://arxiv.org/abs/2103.10522,
    by ArviZ). A site of several numbers has a line for each; those that leave the band somewhere are red. Of many lines
    a few leave it by chance: 1 − `prob` of them.

    Ranks that pile up at both ends (∪, a curve above 0 on the left and below on the right) say that the guide is too
    narrow. Ranks in the middle (∩) say too wide, and at one end, biased.

    Args:
        calibration: What `pg.testing.calibrate` returns, or ranks in 0 … `draws` by site, each (simulations,) or
            (simulations, ...).
        draws: L, the number of draws that each truth was ranked among; needed if it is not a calibration.
        prob: The probability of the bands.
        bins: The bars of the histogram, chosen by the number of simulations if None.

    Returns:
        A figure with a row of two panels for each of the first 8 sites.

    Raises:
        ValueError: If a rank is not a whole number in 0 … `draws`, a site has none, or `prob` is not in (0, 1).

    Example:
        >>> import numpy as np
        >>> from pyrogen.plots import ranks
        >>> fig = ranks({"z": np.arange(200) % 100}, draws=99)
        >>> fig.axes[0].get_title()
        'z: 200 ranks'
    """
    by_site = labeled(getattr(calibration, "ranks", calibration), "ranks", "z")
    number = getattr(calibration, "draws", None) if draws is None else draws
    if number is None:
        raise ValueError(
            "draws must be the number of draws that each truth was ranked among, got None: give it with the ranks"
        )
    number = checks.whole("draws", number, 1, checks.LARGEST_COUNT)
    prob = checks.probability("prob", prob, open=True)
    bins = None if bins is None else checks.whole("bins", bins, 2, number + 1)
    sites = {name: _checked(value, name, number) for name, value in list(by_site.items())[:MOST_SITES]}
    fig = figure(WIDTH, 2.5 * len(sites) + 0.4)
    axes = fig.subplots(len(sites), 2, squeeze=False)
    for i, ((name, value), (left, right)) in enumerate(zip(sites.items(), axes, strict=True)):
        _histogram(left, value, number, prob, bins)
        outside = _difference(right, value, number, prob)
        left.set_title(f"{name}: {len(value)} ranks" + (f" of {value.shape[1]} elements" if value.shape[1] > 1 else ""))
        right.set_title("inside the band" if not outside else f"{outside} of {value.shape[1]} outside the band")
        if i == len(sites) - 1:
            left.set_xlabel(f"rank of the truth among {number} draws")
            right.set_xlabel("rank / draws")
        left.set_ylabel("simulations")
        right.set_ylabel("ECDF − uniform")
    _legend(fig, prob)
    return fig


def _checked(value: Any, name: str, draws: int) -> NDArray[np.int64]:
    r"""Return the ranks as whole numbers (simulations, elements)."""
    array = checks.array(f"ranks of {name!r}", value)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"ranks of {name!r} must be (simulations, ...) and not empty, got shape {array.shape}")
    if not (array == np.floor(array)).all():
        raise ValueError(f"ranks of {name!r} must be whole numbers, got {array[array != np.floor(array)][0]:g}")
    if array.min() < 0 or array.max() > draws:
        raise ValueError(f"ranks of {name!r} must lie in 0 … {draws}, got {array.min()} to {array.max()}")
    return array.reshape(len(array), -1).astype(np.int64)


def _histogram(ax: "Axes", value: NDArray[np.int64], draws: int, prob: float, bins: int | None) -> None:
    from scipy.stats import binom

    number = bins or int(np.clip(len(value) // 10, 5, 20))
    edges = np.linspace(0, draws + 1, min(number, draws + 1) + 1).round().astype(int)
    share = np.diff(edges) / (draws + 1)
    low, high = binom.interval(prob, len(value), share)
    x = np.repeat(edges - 0.5, 2)[1:-1]
    ax.fill_between(x, np.repeat(low, 2), np.repeat(high, 2), color=FAINT, alpha=0.45, linewidth=0)
    ax.plot(x, np.repeat(share * len(value), 2), color="#555555", linewidth=0.9, linestyle=(0, (3, 2)))
    counts = [np.histogram(column, edges)[0] for column in value.T]
    if len(counts) == 1:
        ax.bar(edges[:-1] - 0.5, counts[0], np.diff(edges), align="edge", color=COLORS[0], alpha=0.75, ec="white")
    else:
        for count in counts:
            ax.stairs(count, edges - 0.5, color=COLORS[0], alpha=_alpha(len(counts)), linewidth=1.1)
    ax.set_xlim(-0.5, draws + 0.5)
    ax.set_ylim(0, 1.12 * max(high.max(), max(count.max() for count in counts)))
    ax.grid(axis="y")


def _difference(ax: "Axes", value: NDArray[np.int64], draws: int, prob: float) -> int:
    r"""Draw the curves and returns how many leave the band."""
    x, low, high = _band(len(value), draws, prob)
    cuts = np.round(x * (draws + 1)).astype(int) - 1
    ax.fill_between(x, low - x, high - x, color=FAINT, alpha=0.45, linewidth=0, step=None)
    ax.axhline(0, color="#555555", linewidth=0.9, linestyle=(0, (3, 2)))
    outside = 0
    for column in value.T:
        curve = np.searchsorted(np.sort(column), cuts, side="right") / len(value)
        out = bool(((curve < low - 1e-9) | (curve > high + 1e-9)).any())
        outside += out
        ax.plot(x, curve - x, color=COLORS[1] if out else COLORS[0], alpha=_alpha(value.shape[1]), linewidth=1.3)
    ax.set_xlim(0, 1)
    ax.grid(axis="y")
    return outside


@lru_cache
def _band(simulations: int, draws: int, prob: float) -> tuple[NDArray[np.float64], ...]:
    r"""Return up to 50 points (k + 1)/(draws + 1) with the least and largest share of ranks up to k."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from arviz.stats.ecdf_utils import ecdf_confidence_band

    cuts = np.unique(np.linspace(0, draws - 1, min(draws, 50)).round().astype(int))
    x = (cuts + 1) / (draws + 1)
    low, high = ecdf_confidence_band(simulations, x, x, prob=prob)
    return x, low, high


def _alpha(number: int) -> float:
    return float(np.clip(4 / number, 0.25, 1.0))


def _legend(fig: "Figure", prob: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=COLORS[0], label="ranks"),
        Line2D([], [], color=COLORS[1], label="leaves the band"),
        Patch(color=FAINT, alpha=0.45, label=f"{prob:.0%} band of a calibrated guide"),
        Line2D([], [], color="#555555", linewidth=0.9, linestyle=(0, (3, 2)), label="uniform"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=4)
