r"""Gaussians: the KL of diagonal ones, and z ~ N(0, I), x ~ N(Wz + b, σ²I), where everything is known.

Arrays may be numpy's or detached tensors; what is returned is float64, in nats. W is (D, L), b is (D,), x is (N, D).
Source: Bishop, Pattern Recognition and Machine Learning, equations 2.113 to 2.117.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyrogen.oracles.arguments import Array, closed_form, covariance, number, table
from pyrogen.oracles.arguments import as_array as as_array


@closed_form(loc_q=table("..."), scale_q=table("...", above=0), loc_p=table("..."), scale_p=table("...", above=0))
def kl_diagonal(loc_q: ArrayLike, scale_q: ArrayLike, loc_p: ArrayLike = 0.0, scale_p: ArrayLike = 1.0) -> Array:
    """KL(N(m, s²) ‖ N(μ, σ²)) = log(σ / s) + (s² + (m − μ)²) / 2σ² − ½ of each dimension, by default to N(0, 1).

    The shape is that of the arguments together; sum over the last axis for the KL of a vector.

    Example:
        >>> from pyrogen.oracles import gaussian
        >>> gaussian.kl_diagonal([0.0, 1.0], [1.0, 1.0]).tolist()
        [0.0, 0.5]
    """
    m, s, mu, sigma = (as_array(value) for value in (loc_q, scale_q, loc_p, scale_p))
    return np.log(sigma / s) + (s**2 + (m - mu) ** 2) / (2 * sigma**2) - 0.5


@closed_form(x=table("N", "D"), loc=table("D"), covariance=covariance("D"))
def log_density(x: ArrayLike, loc: ArrayLike, covariance: ArrayLike) -> Array:
    """log N(x; μ, C) of each row of x, (N,), by the Cholesky factor of C, (D, D)."""
    rest, root = as_array(x) - as_array(loc), np.linalg.cholesky(as_array(covariance))
    white = np.linalg.solve(root, rest.T)  # (D, N)
    values: Array = -0.5 * (white**2).sum(0) - np.log(np.diag(root)).sum() - 0.5 * len(root) * math.log(2 * math.pi)
    return values


@closed_form(x=table("N", "D"), w=table("D", "L"), b=table("D"), sigma=number(above=0))
def evidence(x: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float) -> Array:
    """log p(x) = log N(x; b, WWᵀ + σ²I) of each row, (N,).

    Example:
        >>> from pyrogen.oracles import gaussian
        >>> gaussian.evidence([[0.0]], [[3.0]], [0.0], 4.0).round(4).tolist()  # −½ log 2π25
        [-2.5284]
    """
    w = as_array(w)
    return log_density(x, b, w @ w.T + sigma**2 * np.eye(len(w)))


@closed_form(x=table("N", "D"), w=table("D", "L"), b=table("D"), sigma=number(above=0))
def posterior(x: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float) -> tuple[Array, Array]:
    """p(z | x) = N(M⁻¹Wᵀ(x − b), σ²M⁻¹) with M = WᵀW + σ²I: the means (N, L) and the one covariance (L, L)."""
    w = as_array(w)
    inverse = as_array(np.linalg.inv(w.T @ w + sigma**2 * np.eye(w.shape[1])))
    return (as_array(x) - as_array(b)) @ w @ inverse, sigma**2 * inverse


@closed_form(
    x=table("N", "D"),
    w=table("D", "L"),
    b=table("D"),
    sigma=number(above=0),
    loc=table("N", "L"),
    scale=table(above=0),
    beta=number(least=0),
)
def elbo(
    x: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float, loc: ArrayLike, scale: ArrayLike, beta: float = 1.0
) -> Array:
    """E_q log p(x | z) − β KL(q ‖ N(0, I)) for q = N(m, diag s²), of each row, (N,); for β = 1 the ELBO.

    E_q ‖x − Wz − b‖² = ‖x − Wm − b‖² + Σₗ ‖wₗ‖² sₗ², with wₗ the columns of W.

    Args:
        x, w, b, sigma: data and model.
        loc: m, (N, L).
        scale: s, (N, L) or (L,).
        beta: the weight of the KL.
    """
    x, w, m = as_array(x), as_array(w), as_array(loc)
    s = as_array(scale)
    if s.shape not in ((), m.shape[1:], m.shape):
        raise ValueError(f"scale must be of shape (N, L) = {m.shape} as loc has, or (L,), got {s.shape}")
    s = np.broadcast_to(s, m.shape)
    squares = ((x - m @ w.T - as_array(b)) ** 2).sum(1) + (s**2) @ (w**2).sum(0)
    reconstruction = squares / (2 * sigma**2) + 0.5 * len(w) * math.log(2 * math.pi * sigma**2)
    values: Array = -reconstruction - beta * kl_diagonal(m, s).sum(1)
    return values
