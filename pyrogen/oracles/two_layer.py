r"""Two linear-Gaussian layers: z₂ ~ N(0, I), z ~ N(Az₂ + a, diag s²), x ~ N(Wz + b, σ²I), where everything is known.

x is a Gaussian with mean Wa + b and covariance W(AAᵀ + diag s²)Wᵀ + σ²I. Arrays may be numpy's or detached tensors;
what is returned is float64, in nats. A is (L, L₂), a and s are (L,), W is (D, L), b is (D,), x is (N, D).
Source: Bishop, Pattern Recognition and Machine Learning, equations 2.113 to 2.117.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyrogen.oracles import gaussian
from pyrogen.oracles.arguments import Array, closed_form, number, table

TOP = {"a": table("L", "K", rows=1), "loc": table("L"), "scale": table(above=0)}
BOTTOM = {"x": table("N", "D"), "w": table("D", "L"), "b": table("D"), "sigma": number(above=0)}


@closed_form(**TOP)
def prior_of_z(a: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> tuple[Array, Array]:
    """Return mean (L,) and covariance (L, L) of p(z) = N(a, AAᵀ + diag s²)."""
    a = gaussian.as_array(a)
    return gaussian.as_array(loc), a @ a.T + np.diag(_scales(scale, len(a)) ** 2)


@closed_form(**TOP, **BOTTOM)
def evidence(
    x: ArrayLike, a: ArrayLike, loc: ArrayLike, scale: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float
) -> Array:
    """Return log p(x) of each row, (N,).

    Example:
        >>> from pyrogen.oracles import two_layer
        >>> two_layer.evidence([[0.0]], [[2.0]], [0.0], 1.0, [[2.0]], [0.0], 2.0).round(4).tolist()  # variance 24
        [-2.508]
    """
    mean, covariance = prior_of_z(a, loc, scale)
    w, b = gaussian.as_array(w), gaussian.as_array(b)
    return gaussian.log_density(x, w @ mean + b, w @ covariance @ w.T + sigma**2 * np.eye(len(w)))


@closed_form(**TOP, **BOTTOM)
def posterior(
    x: ArrayLike, a: ArrayLike, loc: ArrayLike, scale: ArrayLike, w: ArrayLike, b: ArrayLike, sigma: float
) -> tuple[Array, Array]:
    """Return the means (N, L) and the one covariance (L, L) of p(z | x)."""
    mean, covariance = prior_of_z(a, loc, scale)
    w = gaussian.as_array(w)
    precision = np.linalg.inv(covariance)
    found = np.linalg.inv(precision + w.T @ w / sigma**2)
    rest = (gaussian.as_array(x) - gaussian.as_array(b)) @ w / sigma**2
    return gaussian.as_array((rest + precision @ mean) @ found), gaussian.as_array(found)


@closed_form(z=table("N", "L"), **TOP)
def posterior_of_top(z: ArrayLike, a: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> tuple[Array, Array]:
    """Return the means (N, L₂) and the one covariance (L₂, L₂) of p(z₂ | z), which x adds nothing to."""
    a = gaussian.as_array(a)
    weighted = a / (_scales(scale, len(a)) ** 2)[:, None]  # diag s⁻² A
    found = np.linalg.inv(np.eye(a.shape[1]) + a.T @ weighted)
    rest = gaussian.as_array(z) - gaussian.as_array(loc)
    return gaussian.as_array(rest @ weighted @ found), gaussian.as_array(found)


def _scales(scale: ArrayLike, size: int) -> Array:
    """s, (L,), of one number or L."""
    values = gaussian.as_array(scale)
    if values.shape not in ((), (size,)):
        raise ValueError(f"scale must be of shape (L) = ({size}), or be one number, got {values.shape}")
    return np.broadcast_to(values, size)
