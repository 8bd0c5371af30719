r"""Mutual information of each latent with each factor, by a named estimator."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen import checks
from pyrogen.metrics.histogram import histogram_information
from pyrogen.metrics.posterior import posterior_log_ratios
from pyrogen.metrics.validation import MixedFactors, as_codes, as_factors, as_mixed_factors, as_scale, binned

Estimator: TypeAlias = Literal["histogram", "posterior"]


def entropy(factors: ArrayLike) -> NDArray[np.float64]:
    r"""Return the plug-in entropy of each factor, in nats.

    .. math:: H(v_k) = -\sum_v p_v \log p_v , \quad p_v = N_v / N .

    Args:
        factors: The factors' values, integers (N, K).

    Returns:
        The entropies (K,) in nats; 0 for a factor with a single value.

    Raises:
        TypeError: If the factors are not integers.
        ValueError: If the shape is not (N, K).

    Example:
        >>> from pyrogen.metrics import entropy
        >>> entropy([[0, 0], [1, 0], [0, 0], [1, 0]]).round(4)
        array([0.6931, 0.    ])
    """

    columns = as_factors(factors).T
    return np.array([_entropy(np.bincount(column)) for column in columns])


def mutual_information(
    codes: ArrayLike,
    factors: ArrayLike,
    estimator: Estimator = "histogram",
    *,
    scale: ArrayLike | None = None,
    bins: int = 20,
    samples: int = 10_000,
    seed: int = 0,
) -> NDArray[np.float64]:
    r"""Return the mutual information of each latent with each factor, in nats.

    .. math:: I(z_j; v_k) = H(z_j) - H(z_j \mid v_k)

    The estimators answer two questions, so their numbers differ:

    - `"histogram"`: z_j is the posterior mean, cut into equal-width bins from its least to its greatest value, and I is
      the plug-in value of the table of counts. It is never negative, and near (B - 1)(V - 1) / 2N too high (B bins, V
      values, N images). That is large for a factor of many values on few images. `scale` is not used.
    - `"posterior"` (Chen et al., 2018): z_j is a draw from q(z_j|x). The entropies are those of the aggregate posterior
      q(z_j) = 1/N Σ_n N(z_j; μ_nj, σ_nj²), and of q(z_j|v_k), the same mean over the images with that value. Both
      come from the same draws, n in the data and z ~ q(z|x_n), so that most of the noise cancels. The estimate is
      unbiased for the given images and can fall below 0 by its noise. The images of a value are those in the sample. On
      the full grid of dSprites these are all there are. On a random subset with few images a value, q(z_j|v_k) is a
      mixture of few narrow peaks, its entropy too low and I too high. (In the limit every code identifies its image,
      and I = H(v_k) for all latents.)

    Args:
        codes: The posterior means, (N, L).
        factors: The factors' values, integers (N, K).
        estimator: `"histogram"` or `"posterior"`.
        scale: The standard deviations of the diagonal Gaussian q(z|x), (N, L); for `"posterior"`.
        bins: The number of bins a latent; for `"histogram"`.
        samples: The number of draws from the aggregate posterior; for `"posterior"`. Time is samples × N × L.
        seed: The seed of these draws; no global generator is touched.

    Returns:
        The mutual information (L, K) in nats.

    Raises:
        TypeError: If the factors are not integers.
        ValueError: If shapes disagree, a code is not finite, the estimator is unknown, or scale is missing or not
            positive.

    References:
        | Isolating Sources of Disentanglement in Variational Autoencoders (Chen et al., 2018)
        | https://arxiv.org/abs/1802.04942

        | Estimation of Entropy and Mutual Information (Paninski, 2003), for the bias of the plug-in value
        | https://doi.org/10.1162/089976603321780272

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import mutual_information
        >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> mutual_information(1.5 * factors, factors).round(4)
        array([[0.6931, 0.    ],
               [0.    , 0.6931]])
    """

    means = as_codes(codes)
    values = as_factors(factors, rows=len(means))
    return estimate(means, values, estimator, scale=scale, bins=bins, samples=samples, seed=seed)[0]


def informed(
    codes: ArrayLike,
    factors: ArrayLike,
    estimator: str,
    scale: ArrayLike | None,
    bins: int,
    continuous: bool | int | str | Sequence[int | str],
    leave_out: int | str | Sequence[int | str],
    factor_names: Sequence[str] | None,
    samples: int,
    seed: int,
) -> tuple[MixedFactors, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64] | None, dict[str, Any]]:
    r"""Return what the scores made from mutual information start from, all checked.

    Returns:
        The factors, their values (N, K) with the continuous ones in bins, and the information (L, K) in nats. Then the
        draws (S, L, K) of the posterior estimator or None, and the settings in use.
    """

    means = as_codes(codes)
    mixed = as_mixed_factors(factors, continuous, factor_names, rows=len(means), leave_out=leave_out)
    values = binned(mixed, bins)
    information, draws, settings = estimate(
        means, values, estimator, scale=scale, bins=bins, samples=samples, seed=seed
    )
    settings |= {"bins": int(bins)} if mixed.real else {}
    return mixed, values, information, draws, settings | {"continuous": mixed.real, "n": len(means)}


def estimate(
    codes: NDArray[np.float64],
    factors: NDArray[np.int64],
    estimator: str,
    *,
    scale: ArrayLike | None,
    bins: int,
    samples: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, dict[str, Any]]:
    r"""Return the information (L, K), for the posterior estimator its draws (S, L, K), and the settings in use."""

    bins, samples = (
        checks.whole("bins", bins, least=2, most=checks.LARGEST_COUNT),
        checks.whole("samples", samples, least=2, most=checks.LARGEST_COUNT),
    )
    seed = checks.seed("seed", seed)
    checks.one_of("estimator", estimator, get_args(Estimator))
    if estimator == "histogram":
        return histogram_information(codes, factors, bins), None, {"bins": int(bins)}
    ratios = posterior_log_ratios(codes, as_scale(scale, codes.shape), factors, samples, seed)
    return ratios.mean(axis=0), ratios, {"samples": int(samples), "seed": int(seed)}


def _entropy(counts: NDArray[np.int64]) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum()) + 0.0  # not -0.0


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
