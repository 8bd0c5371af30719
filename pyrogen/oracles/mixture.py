r"""A linear decoder under a Gaussian-mixture prior: the evidence is a Gaussian mixture too.

z ~ Σₖ πₖ N(mₖ, diag sₖ²), x ~ N(Wz + b, σ²I). This is what a VampPrior over a linear encoder gives (Tomczak and Welling
2018, https://arxiv.org/abs/1705.07120), and then its evidence needs no sampling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyrogen.oracles import gaussian
from pyrogen.oracles.arguments import Array, closed_form, number, table


@closed_form(z=table("N", "L"), weights=table("K", least=0), locs=table("K", "L"), scales=table("K", "L", above=0))
def log_prior(z: ArrayLike, weights: ArrayLike, locs: ArrayLike, scales: ArrayLike) -> Array:
    """log Σₖ πₖ N(z; mₖ, diag sₖ²) of each row of z (N, L), (N,); see `evidence` for the arguments."""
    weights, locs, scales = _parts(weights, locs, scales)
    each = [gaussian.log_density(z, m, np.diag(s**2)) for m, s in zip(locs, scales, strict=True)]
    return _log_sum(np.stack(each), weights)


@closed_form(
    x=table("N", "D"),
    w=table("D", "L"),
    b=table("D"),
    sigma=number(above=0),
    weights=table("K", least=0),
    locs=table("K", "L"),
    scales=table("K", "L", above=0),
)
def evidence(
    x: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float, weights: ArrayLike, locs: ArrayLike, scales: ArrayLike
) -> Array:
    """log p(x) = log Σₖ πₖ N(x; Wmₖ + b, W diag(sₖ²) Wᵀ + σ²I) of each row, (N,), in nats.

    Args:
        x: the data, (N, D).
        w, b, sigma: the decoder's W (D, L), b (D,) and noise σ.
        weights: π, (K,), at least 0 with sum 1.
        locs: m, (K, L).
        scales: s, (K, L).

    Example:
        >>> from pyrogen.oracles import gaussian, mixture
        >>> one = mixture.evidence([[0.5]], [[3.0]], [0.0], 4.0, [1.0], [[0.0]], [[1.0]])
        >>> bool(one == gaussian.evidence([[0.5]], [[3.0]], [0.0], 4.0))
        True
    """
    w, b = gaussian.as_array(w), gaussian.as_array(b)
    weights, locs, scales = _parts(weights, locs, scales)
    noise = sigma**2 * np.eye(len(w))
    each = [gaussian.log_density(x, w @ m + b, (w * s**2) @ w.T + noise) for m, s in zip(locs, scales, strict=True)]
    return _log_sum(np.stack(each), weights)


def _parts(weights: ArrayLike, locs: ArrayLike, scales: ArrayLike) -> tuple[Array, Array, Array]:
    pi, m, s = (gaussian.as_array(value) for value in (weights, locs, scales))
    if pi.ndim != 1 or m.ndim != 2 or m.shape != s.shape or len(m) != len(pi):
        raise ValueError(
            f"weights (K,) must go with locs and scales (K, L), got shapes {pi.shape}, {m.shape} and {s.shape}"
        )
    if (pi < 0).any() or abs(pi.sum() - 1) > 1e-6 or (s <= 0).any():
        raise ValueError(
            "weights must be at least 0 with sum 1, and scales positive, got "
            f"weights from {pi.min():g} with sum {pi.sum():g}, and scales from {s.min():g}"
        )
    return pi, m, s


def _log_sum(log_parts: Array, weights: Array) -> Array:
    """log Σₖ πₖ exp(aₖ) for log_parts (K, N)."""
    top = log_parts.max(0)
    values: Array = top + np.log(weights @ np.exp(log_parts - top))
    return values
