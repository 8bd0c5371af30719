r"""Vector quantization: the nearest of K codes, Lloyd's step, and the rate of a code.

A quantizer with codes c₁ … c_K maps a vector e to c_k(e), k(e) = argmin ‖e − c_k‖². Its distortion (inertia) over a
data set is Σ min_k ‖e − c_k‖². Lloyd's step moves each code to the mean of the vectors nearest to it, and never raises
the distortion. Its fixed points are k-means. A token of K equally likely codes costs log K nats.

Source: Lloyd 1982, https://doi.org/10.1109/TIT.1982.1056489; van den Oord et al. 2017,
https://arxiv.org/abs/1711.00937 (the VQ-VAE).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen.oracles.arguments import Array, closed_form, count, table


@closed_form(points=table("N", "D"), codes=table("K", "D", rows=1))
def nearest(points: ArrayLike, codes: ArrayLike) -> NDArray[np.int64]:
    """Return the index of the code nearest to each point, by looking at every pair.

    Args:
        points: (N, D).
        codes: (K, D).

    Returns:
        (N,), the lowest index of equally near codes.

    Example:
        >>> nearest([[0.2], [0.9]], [[1.0], [0.0]]).tolist()
        [1, 0]
    """
    points, codes = _vectors(points, codes)
    return np.array([np.argmin([((point - code) ** 2).sum() for code in codes]) for point in points], dtype=np.int64)


@closed_form(points=table("N", "D"), codes=table("K", "D", rows=1))
def lloyd_step(points: ArrayLike, codes: ArrayLike) -> Array:
    """Return each code moved to the mean of the points nearest to it, (K, D); a code without points stays.

    Example:
        >>> lloyd_step([[0.0], [1.0], [5.0]], [[0.0], [4.0], [99.0]]).tolist()
        [[0.5], [5.0], [99.0]]
    """
    points, codes = _vectors(points, codes)
    index = nearest(points, codes)
    return np.stack([points[index == k].mean(0) if (index == k).any() else code for k, code in enumerate(codes)])


@closed_form(points=table("N", "D"), codes=table("K", "D", rows=1))
def inertia(points: ArrayLike, codes: ArrayLike) -> float:
    """Return the distortion Σ min_k ‖e − c_k‖², summed over the points (N, D)."""
    points, codes = _vectors(points, codes)
    return float(((points - codes[nearest(points, codes)]) ** 2).sum())


@closed_form(tokens=count(), codes=count())
def rate(tokens: int, codes: int) -> float:
    """tokens × log K: nats that one image's codes cost under a uniform prior; divide by log 2 for bits.

    Example:
        >>> round(rate(16, 64) / math.log(2))  # 16 tokens of 6 bits
        96
    """
    return tokens * math.log(codes)


@closed_form(counts=table("K", least=0))
def perplexity(counts: ArrayLike) -> float:
    """exp of the entropy of codes that were used so often, (K,): K if all alike, 1 if only one.

    Example:
        >>> round(perplexity([3, 3, 0]), 12)
        2.0
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.sum() == 0:
        raise ValueError(f"counts must be at least 0 for each code and not all 0, got {counts.size} of 0")
    share = counts[counts > 0] / counts.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _vectors(points: ArrayLike, codes: ArrayLike) -> tuple[Array, Array]:
    p, c = np.asarray(points, dtype=np.float64), np.asarray(codes, dtype=np.float64)
    if p.ndim != 2 or c.ndim != 2 or p.shape[1] != c.shape[1] or not len(c):
        raise ValueError(f"points must be (N, D) and codes (K, D), got shapes {p.shape} and {c.shape}")
    return p, c
