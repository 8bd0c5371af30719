r"""The KL of one-dimensional Gaussians to a mixture of Gaussians, by quadrature.

It has no closed form, so an estimate by sampling is held against this one. Let the mixture be made of the N Gaussians
themselves, in equal parts. Then the mean over them is the mutual information I(n; z) between z and the index of the
Gaussian that it was drawn from. It is at most log N. This KL is left to a VampPrior with all data as pseudo-inputs
(Hoffman and Johnson 2016, http://approximateinference.org/accepted/HoffmanJohnson2016.pdf).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyrogen.oracles.arguments import Array, as_array, closed_form, table

POINTS = 4001  # of ε in [−9, 9]: a step of 0.0045, so parts down to 0.02 of a Gaussian's width are resolved


@closed_form(
    loc=table("N"),
    scale=table("N", above=0),
    weights=table("K", least=0, rows=1),
    locs=table("K"),
    scales=table("K", above=0),
)
def kl(loc: ArrayLike, scale: ArrayLike, weights: ArrayLike, locs: ArrayLike, scales: ArrayLike) -> Array:
    """KL(N(m, s²) ‖ Σₖ πₖ N(mₖ, sₖ²)) = E [log N(z; m, s²) − log Σₖ πₖ N(z; mₖ, sₖ²)], (N,) in nats, to about 1e-10.

    A trapezoidal sum over ε of z = m + sε, which converges faster than any power of its step.

    Args:
        loc, scale: m and s, (N,).
        weights: π, (K,), at least 0 with sum 1.
        locs, scales: mₖ and sₖ, (K,); no sₖ below 0.02 s.

    Example:
        >>> from pyrogen.oracles import mixture_kl
        >>> mixture_kl.kl([1.0], [1.0], [1.0], [0.0], [1.0]).round(9).tolist()
        [0.5]
    """
    m, s, pi, mk, sk = (as_array(value) for value in (loc, scale, weights, locs, scales))
    if not (m.shape == s.shape and m.ndim == 1 and pi.shape == mk.shape == sk.shape and pi.ndim == 1):
        raise ValueError(
            "loc and scale must be (N,), and weights, locs and scales (K,), got shapes "
            f"{[value.shape for value in (m, s, pi, mk, sk)]}"
        )
    if (pi < 0).any() or abs(pi.sum() - 1) > 1e-6 or (s <= 0).any() or sk.min() < 0.02 * s.max():
        raise ValueError(
            "weights must be at least 0 with sum 1, and scales positive, in the mixture at least 0.02 s, got "
            f"{pi.tolist()}, {s.tolist()} and {sk.tolist()}"
        )
    noise, step = np.linspace(-9.0, 9.0, POINTS, retstep=True)
    density = np.exp(-0.5 * noise**2) * step / math.sqrt(2 * math.pi)
    values = np.empty(len(m))
    for n in range(len(m)):
        parts = -0.5 * ((m[n] + s[n] * noise[:, None] - mk) / sk) ** 2 - np.log(sk)  # (points, K), all but √2π
        top = parts.max(1)
        log_mixture = top + np.log(np.exp(parts - top[:, None]) @ pi)
        values[n] = density @ (-0.5 * noise**2 - math.log(s[n]) - log_mixture)
    return values


@closed_form(locs=table("N", rows=1), scales=table("N", above=0))
def mutual_information(locs: ArrayLike, scales: ArrayLike) -> float:
    """I(n; z) in nats of n uniform over the N Gaussians and z ~ N(mₙ, sₙ²): from 0, where all are one, to log N.

    Args:
        locs, scales: m and s, (N,).

    Example:
        >>> from pyrogen.oracles import mixture_kl
        >>> round(mixture_kl.mutual_information([-50.0, 50.0], [1.0, 1.0]), 6)  # log 2
        0.693147
    """
    m = as_array(locs)
    return float(kl(m, scales, np.full(len(m), 1 / len(m)), m, scales).mean())
