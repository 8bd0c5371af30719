r"""The importance-weighted bound of a Gaussian model with one latent, for every K, without sampling.

z ~ N(0, 1), x ~ N(wz + b, σ²I), q = N(m, s²), and v(z) = p(x, z) / q(z):

    bound(K) = E log (1/K) Σₖ v(zₖ),  z₁ … z_K ~ q.

K = 1 is the ELBO. The bound rises with K to log p(x) (Burda et al. 2016, https://arxiv.org/abs/1509.00519). To first
order in 1/K it is Var(v / p(x)) / 2K below that (Domke and Sheldon 2018, https://arxiv.org/abs/1808.09034).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyrogen.oracles import gaussian
from pyrogen.oracles.arguments import closed_form, count, number, vector

STEP = 0.1  # in log t: e^(−t) is smooth on the scale 1, and the error of the sum is of order e^(−π² / step)

one_latent = closed_form(
    x=vector("D"),
    w=vector("D"),
    b=vector("D"),
    sigma=number(above=0),
    loc=number(),
    scale=number(above=0),
    samples=count(),
)


@one_latent
def bound(x: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float, loc: float, scale: float, samples: int) -> float:
    """bound(K) of one x, in nats, by two one-dimensional integrals; to about 1e-10.

    For positive Y, E log Y = ∫₀^∞ (e^(−t) − E e^(−tY)) dt/t. With Y the sum of K independent weights the expectation is
    the K-th power of E e^(−tv), so that K costs nothing. Both integrals are trapezoidal sums of smooth functions that
    vanish at both ends, which converge faster than any power of the step.

    Args:
        x: one observation, (D,).
        w, b, sigma: the decoder's column (D,), offset (D,) and noise σ.
        loc, scale: the guide's m and s. A guide narrower than 1/√2 of the posterior has weights without a variance:
            the bound is still right, the first-order `gap` is infinite.
        samples: K, the number of draws.

    Example:
        >>> from pyrogen.oracles import importance_weighted
        >>> [round(importance_weighted.bound([1.0], [1.0], [0.0], 1.0, 0.0, 1.0, k), 4) for k in (1, 10, 1000)]
        [-1.9189, -1.5349, -1.5157]
    """
    x, w, b = (gaussian.as_array(value).reshape(-1) for value in (x, w, b))
    noise, step = np.linspace(-9.0, 9.0, 2001, retstep=True)  # ε of z = m + sε, but for 2e-19 of it
    weights = np.exp(-0.5 * noise**2) * step / math.sqrt(2 * math.pi)
    z = loc + scale * noise
    quadratic = ((x - b) ** 2).sum() - 2 * (w @ (x - b)) * z + (w @ w) * z**2  # ‖x − wz − b‖²
    log_v = (
        -quadratic / (2 * sigma**2)
        - len(x) * math.log(sigma * math.sqrt(2 * math.pi))
        + 0.5 * (noise**2 - z**2)
        + math.log(scale)
    )
    center = log_v.max()  # weights are taken relative to the greatest, and its logarithm is added again
    log_v = log_v - center
    if not log_v.min() > -1e5:
        raise ValueError(
            f"the guide must lie where the posterior is, got log-weights that span {-log_v.min():.3g} nats"
        )
    log_t = np.arange(-60.0, 40.0 - log_v.min(), STEP)
    laplace = np.zeros(len(log_t))  # E e^(−tv), which falls with t
    for i, value in enumerate(log_t):
        laplace[i] = weights @ np.exp(-np.exp(np.minimum(value + log_v, 50.0)))
        if laplace[i] < 1e-18:
            break
    integrand = np.exp(-np.exp(np.minimum(log_t, 50.0))) - laplace**samples
    return float(center - math.log(samples) + integrand.sum() * STEP)


@one_latent
def gap(x: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float, loc: float, scale: float, samples: int) -> float:
    """Var(v / p(x)) / 2K, the first term of log p(x) − bound(K) in 1/K, in nats; see `bound` for the arguments.

    With N(μ, ρ²) the exact posterior, E (v / p(x))² = s² exp((μ − m)² / (2s² − ρ²)) / √(ρ²(2s² − ρ²)), and infinite if
    2s² ≤ ρ².
    """
    x, w, b = (gaussian.as_array(value).reshape(-1) for value in (x, w, b))
    mean, covariance = gaussian.posterior(x[None], w[:, None], b, sigma)
    rho2 = float(covariance[0, 0])
    room = 2 * scale**2 - rho2
    if room <= 0:
        return math.inf
    second = scale**2 * math.exp((float(mean[0, 0]) - loc) ** 2 / room) / math.sqrt(rho2 * room)
    return (second - 1) / (2 * samples)


@closed_form(x=vector("D"), w=vector("D"), b=vector("D"), sigma=number(above=0))
def evidence(x: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float) -> float:
    """log p(x) of one x, the limit of the bound, in nats."""
    x, w = (gaussian.as_array(value).reshape(-1) for value in (x, w))
    return float(gaussian.evidence(x[None], w[:, None], b, sigma)[0])
