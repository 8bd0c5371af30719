r"""Mutual information under the aggregate posterior, by draws from it."""

import numpy as np
from numpy.typing import NDArray

_CELLS = 1 << 17  # draws × images at a time: 1 MiB of float64, which stays in a core's cache


def posterior_log_ratios(
    codes: NDArray[np.float64],
    scale: NDArray[np.float64],
    factors: NDArray[np.int64],
    samples: int,
    seed: int,
) -> NDArray[np.float64]:
    r"""Return log q(z_j|v_k) - log q(z_j) in nats, (S, L, K), for draws of an image n and z ~ q(z|x_n).

    The mean over the draws estimates I(z_j; v_k); v_k is the factor's value of the image drawn. Images are taken as
    evenly as the number of draws allows (each one S // N times, the rest without replacement): unbiased, less noisy.
    """

    rng = np.random.default_rng(seed)
    n, _ = codes.shape
    whole, rest = divmod(samples, n)
    image = np.concatenate([np.tile(np.arange(n), whole), rng.permutation(n)[:rest]])
    z = codes[image] + scale[image] * rng.standard_normal((samples, codes.shape[1]))

    groups = [_groups(factors[:, k], image) for k in range(factors.shape[1])]
    ratios = np.empty((samples, codes.shape[1], factors.shape[1]))
    for j in range(codes.shape[1]):
        marginal = log_density(z[:, j], codes[:, j], scale[:, j])
        for k, pairs in enumerate(groups):
            for drawn, members in pairs:
                conditional = log_density(z[drawn, j], codes[members, j], scale[members, j])
                ratios[drawn, j, k] = conditional - marginal[drawn]
    return ratios


def log_density(z: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return log 1/M Σ_m N(z; μ_m, σ_m²) in nats, (S,), for z (S,), mean (M,) and scale (M,).

    The sum is not shifted by its greatest term: each z was drawn from one of the parts, which alone keeps it positive.
    """

    weight = 1.0 / (len(mean) * np.sqrt(2 * np.pi) * scale)
    inverse = np.sqrt(0.5) / scale
    step = max(1, _CELLS // len(mean))
    density = np.empty(len(z))
    for start in range(0, len(z), step):
        part = z[start : start + step, None] - mean  # (step, M)
        part *= inverse
        with np.errstate(over="ignore"):  # exp(-inf) is the 0 that it would round to
            np.square(part, out=part)
        np.negative(part, out=part)
        np.exp(part, out=part)
        density[start : start + step] = part @ weight
    return np.log(density)


def _groups(value: NDArray[np.int64], image: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    drawn = value[image]
    pairs = [(np.flatnonzero(drawn == v), np.flatnonzero(value == v)) for v in range(int(value.max()) + 1)]
    return [(draws, members) for draws, members in pairs if len(draws)]
