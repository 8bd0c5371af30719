r"""Are two samples of one distribution? The energy distance and the squared MMD, each with a permutation p-value."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen import checks
from pyrogen.metrics.score import Score
from pyrogen.metrics.validation import _to_numpy, as_codes

Array = NDArray[np.float64]
Estimator: TypeAlias = Literal["unbiased", "biased"]
_AT_ONCE = 256  # permutations, which bounds the memory beside the matrix of all pairs


class TwoSampleScore(Score):
    r"""A :class:`Score` of two samples, with the p-value of the hypothesis that they are of one distribution.

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import energy_distance
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.standard_normal((2, 100, 3))
        >>> score = energy_distance(x, y + 1)
        >>> round(score, 1), score.p_value
        (1.1, 0.001)
    """

    @property
    def p_value(self) -> float | None:
        r"""(1 + the permutations with at least this distance) / (1 + all); None without permutations."""

        result: float | None = self.details["p_value"]
        return result

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, p_value={self.p_value})".replace("Score", "TwoSampleScore", 1)


def energy_distance(
    x: ArrayLike,
    y: ArrayLike,
    estimator: Estimator = "unbiased",
    permutations: int = 999,
    seed: int = 0,
) -> TwoSampleScore:
    r"""Return the energy distance between the distributions of two samples.

    It is, with Euclidean norms,

    .. math:: D^2 = 2 E|X - Y| - E|X - X'| - E|Y - Y'|,

    which is zero if and only if both distributions are the same, and has the unit of x. SciPy's one-dimensional
    `energy_distance` is :math:`D`, by the biased estimate.

    The p-value asks how often the pooled samples, dealt anew into groups of the same two sizes, are at least that far
    apart. It is exact: if both samples are of one distribution then P(p <= a) <= a for each a.

    Args:
        x: The first sample, (n, ...) with n >= 2; what is behind the first axis is one flat vector, so images will do.
        y: The second sample, (m, ...), with the same number of values each.
        estimator: `"unbiased"`, averages over different pairs, which can be negative. `"biased"` averages that count
            each draw's distance zero to itself: never negative, and greater by E|X - X'|/n + E|Y - Y'|/m.
        permutations: How many; the p-value is at least 1 / (1 + permutations). 0 for no p-value.
        seed: Of the permutations.

    Returns:
        The distance as a :class:`TwoSampleScore`, whose `details` hold the p-value and the mean and standard deviation
        of the permuted distances. Memory is 16 (n + m)² bytes.

    Raises:
        ValueError: If a sample has one draw, is not finite, or their sizes of one draw differ. Also if a sum of
            distances is more than float64 can hold, or a setting is unknown.
        TypeError: If a sample is anything but an array of real numbers.

    References:
        | Energy statistics: A class of statistics based on distances (Székely & Rizzo, 2013)
        | https://doi.org/10.1016/j.jspi.2013.03.018

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import energy_distance
        >>> round(energy_distance([0.0, 0.0], [1.0, 1.0], permutations=0), 6)
        2.0
    """

    x, y = _samples(x, y)
    permutations, seed = _check(estimator, permutations, seed)
    distance = _distances(np.concatenate([x, y]))
    return _tested(-distance, len(x), "energy_distance", estimator, permutations, seed, {})


def squared_mmd(
    x: ArrayLike,
    y: ArrayLike,
    estimator: Estimator = "unbiased",
    bandwidth: float | Sequence[float] | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> TwoSampleScore:
    r"""Return the squared maximum mean discrepancy between the distributions of two samples, under Gaussian kernels.

    It is, with :math:`k(x, y) = \exp(-|x - y|^2 / 2h^2)`,

    .. math:: \mathrm{MMD}^2 = E k(X, X') + E k(Y, Y') - 2 E k(X, Y),

    between 0, if and only if both distributions are the same, and 2. With several bandwidths h the kernel is the mean
    of theirs (their sum, but with k(x, x) = 1 whatever their number). The p-value is that of :func:`energy_distance`.

    Args:
        x: The first sample, (n, ...) with n >= 2; what is behind the first axis is one flat vector, so images will do.
        y: The second sample, (m, ...), with the same number of values each.
        estimator: `"unbiased"`, averages over different pairs, which can be negative, or `"biased"`, averages that
            count each draw's k(x, x) = 1 with itself: never negative.
        bandwidth: h > 0, in the unit of x, or several; None for the median of the distances between all draws of both
            samples (Gretton's heuristic). The pooled draws are the same under each permutation, so the test stays
            exact.
        permutations: How many; the p-value is at least 1 / (1 + permutations). 0 for no p-value.
        seed: Of the permutations.

    Returns:
        MMD² as a :class:`TwoSampleScore`, whose `settings` hold the bandwidths and whose `details` hold the p-value and
        the mean and standard deviation of the permuted values. Memory is 24 (n + m)² bytes.

    Raises:
        ValueError: If a sample has one draw, is not finite, or their sizes of one draw differ. Also if the median
            distance is zero, a sum of distances is more than float64 can hold, or a setting is unknown.
        TypeError: If a sample is anything but an array of real numbers.

    References:
        | A Kernel Two-Sample Test (Gretton et al., 2012), https://jmlr.org/papers/v13/gretton12a.html

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import squared_mmd
        >>> x = np.random.default_rng(0).standard_normal((200, 2))
        >>> score = squared_mmd(x[:100], x[100:], bandwidth=[0.5, 1, 2])
        >>> abs(score) < 0.02, score.p_value > 0.05, score.settings["bandwidth"]
        (True, True, [0.5, 1.0, 2.0])
    """

    x, y = _samples(x, y)
    permutations, seed = _check(estimator, permutations, seed)
    widths = None if bandwidth is None else _bandwidths(bandwidth)
    distance = _distances(np.concatenate([x, y]))
    if widths is None:
        median = float(np.median(distance[np.triu_indices(len(distance), 1)]))
        if median == 0:
            raise ValueError(
                "bandwidth must be given where the median distance of the draws is 0, got None: pass a positive number"
            )
        widths = [median]
    kernel = np.zeros_like(distance)
    with np.errstate(over="ignore", under="ignore"):  # of a ratio out of range the kernel is 0 or 1, as it should be
        for width in widths:
            kernel += np.exp(-0.5 * np.square(distance / width))
    settings = {"bandwidth": widths, "heuristic": "median" if bandwidth is None else None}
    return _tested(kernel / len(widths), len(x), "squared_mmd", estimator, permutations, seed, settings)


def _tested(
    kernel: Array, n: int, metric: str, estimator: str, permutations: int, seed: int, settings: Mapping[str, Any]
) -> TwoSampleScore:
    r"""Return mean k(x, x') + mean k(y, y') - 2 mean k(x, y) of pooled draws, the first n of them x, with its test.

    With a the indicator of a group, its sum is aᵀKa, and the other two sums follow from K's row sums: so all
    permutations together are one product of matrices.
    """

    size = len(kernel)
    rows, total = kernel.sum(1), kernel.sum()
    itself = np.diagonal(kernel).copy() if estimator == "unbiased" else np.zeros(size)
    pairs = [k * (k - 1) if estimator == "unbiased" else k * k for k in (n, size - n)]

    def statistic(member: Array) -> Array:
        r"""Return the statistic of groupings (P, N) of zeros and ones, (P,)."""

        inside, across = ((member @ kernel) * member).sum(1), member @ rows
        own = member @ itself
        outside = total - 2 * across + inside
        same = (inside - own) / pairs[0] + (outside - (itself.sum() - own)) / pairs[1]
        values: Array = same - 2 * (across - inside) / (n * (size - n))
        return values

    grouping = (np.arange(size) < n).astype(np.float64)
    value = float(statistic(grouping[None])[0])
    details: dict[str, Any] = {"p_value": None}
    if permutations:
        rng = np.random.default_rng(seed)
        counts = [min(_AT_ONCE, permutations - done) for done in range(0, permutations, _AT_ONCE)]
        null = np.concatenate([statistic(rng.permuted(np.tile(grouping, (k, 1)), axis=1)) for k in counts])
        rounding = 1e-10 * float(np.abs(kernel).max())  # permutations that only swap equal draws are ties
        at_least = int((null >= value - rounding).sum())
        unit = float(np.abs(null).max()) or 1.0  # whose square might overflow
        details = {
            "p_value": (1 + at_least) / (1 + permutations),
            "permuted_mean": float((null / unit).mean() * unit),
            "permuted_std": float((null / unit).std(ddof=1) * unit) if permutations > 1 else None,
        }
    settings = {"sizes": [n, size - n], "permutations": permutations, "seed": seed, **settings}
    return TwoSampleScore(value, metric, estimator, settings, details)


def _samples(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    first, second = _flat(x, "x"), _flat(y, "y")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"x and y must have draws of one size, got {first.shape[1]} and {second.shape[1]} values each")
    return first, second


def _flat(value: Any, name: str) -> Array:
    array = _to_numpy(value, name)
    if array.ndim == 0 or len(array) < 2:
        raise ValueError(f"{name} must be a sample (n, ...) of at least two draws, got shape {array.shape}")
    if not array.size:
        raise ValueError(f"{name} must have draws of at least one value each, got shape {array.shape}")
    return as_codes(array.reshape(len(array), -1), name)


def _distances(draws: Array) -> Array:
    r"""Return |draw_i - draw_j|, (N, N): from differences, so that equal draws have distance zero exactly."""

    from scipy.spatial.distance import pdist, squareform

    with np.errstate(over="ignore"):
        span = np.ptp(draws, axis=0)
        # Squares of differences must neither overflow nor vanish; a power of two as the unit rounds nothing.
        unit = np.ldexp(1.0, np.frexp(span.max())[1] - 1) if 0 < span.max() < np.inf else 1.0
        distance = squareform(pdist(draws[:, span > 0] / unit)) * unit if span.any() else np.zeros((len(draws),) * 2)
        most = distance.max() * 4 * float(len(draws)) ** 2
    if not np.isfinite([span.max(), most]).all():
        raise ValueError("x and y must have distances whose sum is finite, got inf: divide both by one number")
    return distance


def _check(estimator: str, permutations: int, seed: int) -> tuple[int, int]:
    checks.one_of("estimator", estimator, get_args(Estimator))
    return checks.whole("permutations", permutations, least=0, most=checks.LARGEST_COUNT), checks.seed("seed", seed)


def _bandwidths(bandwidth: float | Sequence[float]) -> list[float]:
    try:
        widths = np.atleast_1d(checks.array("bandwidth", bandwidth))
    except (TypeError, ValueError):
        widths = np.empty(0)
    if (
        widths.dtype.kind not in "iuf"
        or widths.ndim != 1
        or not widths.size
        or not ((widths > 0) & (widths < np.inf)).all()
    ):
        raise ValueError(f"bandwidth must be one positive number or several, got {bandwidth!r}")
    return [float(width) for width in widths]
