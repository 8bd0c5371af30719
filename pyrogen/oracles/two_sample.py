r"""Distances between two Gaussians in closed form: energy distance in one dimension, squared MMD in any.

X − Y is N(δ, s²) with s² the sum of the variances, so E|X − Y| is the mean of a folded normal. A Gaussian kernel of
bandwidth h is, but for its norm, the density of N(0, h²I). So its mean over X − Y ~ N(δ, S) is a density too:

    E|X − Y| = s √(2/π) e^(−δ²/2s²) + δ (1 − 2Φ(−δ/s)),
    E k(X, Y) = |I + S/h²|^(−½) e^(−½ δᵀ(h²I + S)⁻¹δ).

Sources: Leone, Nelson and Nottingham 1961, https://doi.org/10.1080/00401706.1961.10489974 (the folded normal). Székely
and Rizzo 2013, https://doi.org/10.1016/j.jspi.2013.03.018. Gretton et al. 2012,
https://jmlr.org/papers/v13/gretton12a.html.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyrogen.oracles.arguments import closed_form, covariance, number, table


@closed_form(mean=number(), scale=number(above=0), other_mean=number(), other_scale=number(above=0))
def energy_distance(mean: float, scale: float, other_mean: float, other_scale: float) -> float:
    """2E|X − Y| − E|X − X'| − E|Y − Y'| of N(mean, scale²) and N(other_mean, other_scale²), in the unit of x.

    Example:
        >>> round(energy_distance(0.0, 1.0, 0.0, 1.0), 12)
        0.0
        >>> round(energy_distance(0.0, 1e-9, 3.0, 1e-9), 6)  # two points
        6.0
    """

    def folded(delta: float, variance: float) -> float:
        s = math.sqrt(variance)
        phi = 0.5 * math.erfc(delta / s / math.sqrt(2))  # Φ(−δ/s)
        return s * math.sqrt(2 / math.pi) * math.exp(-0.5 * delta**2 / variance) + delta * (1 - 2 * phi)

    between = folded(mean - other_mean, scale**2 + other_scale**2)
    return 2 * between - folded(0.0, 2 * scale**2) - folded(0.0, 2 * other_scale**2)


@closed_form(
    mean=table("D"),
    covariance=covariance("D"),
    other_mean=table("D"),
    other_covariance=covariance("D"),
    bandwidth=number(above=0),
)
def squared_mmd(
    mean: ArrayLike, covariance: ArrayLike, other_mean: ArrayLike, other_covariance: ArrayLike, bandwidth: float
) -> float:
    """E k(X, X') + E k(Y, Y') − 2 E k(X, Y) of two Gaussians, means (D,) and covariances (D, D).

    Example:
        >>> import numpy as np
        >>> squared_mmd([0.0], [[1.0]], [0.0], [[1.0]], bandwidth=1.0)
        0.0
        >>> round(squared_mmd(np.zeros(2), 1e-9 * np.eye(2), [99.0, 0.0], 1e-9 * np.eye(2), bandwidth=1.0), 6)
        2.0
    """
    delta = np.asarray(mean, dtype=np.float64) - np.asarray(other_mean, dtype=np.float64)
    first, second = np.asarray(covariance, dtype=np.float64), np.asarray(other_covariance, dtype=np.float64)

    def kernel(shift: np.ndarray, spread: np.ndarray) -> float:
        whole = bandwidth**2 * np.eye(len(shift)) + spread
        _, log_determinant = np.linalg.slogdet(whole / bandwidth**2)
        return math.exp(-0.5 * (log_determinant + shift @ np.linalg.solve(whole, shift)))

    same = kernel(0 * delta, 2 * first) + kernel(0 * delta, 2 * second)
    return same - 2 * kernel(delta, first + second)
