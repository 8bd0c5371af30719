r"""Labels: y uniform over C classes, z ~ N(0, I), x ~ N(Wz + v_y + b, σ²I), where everything is known.

Given its label, x is a Gaussian with mean v_y + b and covariance WWᵀ + σ²I. Without, it is the mixture of these, and
p(y | x) is linear discriminant analysis: a softmax of linear functions, because the covariance is shared.

Arrays may be numpy's or detached tensors; what is returned is float64, in nats. W is (D, L), V is (D, C) with columns
v_y, b is (D,), x is (N, D), y is (N,).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from pyrogen.oracles import gaussian
from pyrogen.oracles.arguments import Array, closed_form, count, labels, number, table


@dataclass(frozen=True)
class Optimum:
    """The best W, V and b for given data and noise, and the log-likelihood that they reach, nats a row."""

    w: Array
    v: Array
    log_likelihood: float


@closed_form(x=table("N", "D"), w=table("D", "L"), v=table("D", "C", rows=1), b=table("D"), sigma=number(above=0))
def of_each_label(x: ArrayLike, w: ArrayLike, v: ArrayLike, b: ArrayLike, sigma: float) -> Array:
    """Return log p(x | y) of each row and class, (N, C)."""
    v = gaussian.as_array(v)
    columns = [gaussian.evidence(gaussian.as_array(x) - column, w, b, sigma) for column in v.T]
    return np.stack(columns, 1)


@closed_form(
    x=table("N", "D"),
    w=table("D", "L"),
    v=table("D", "C", rows=1),
    b=table("D"),
    sigma=number(above=0),
    y=labels("N", "C"),
)
def evidence(x: ArrayLike, y: ArrayLike, w: ArrayLike, v: ArrayLike, b: ArrayLike, sigma: float) -> Array:
    """Return log p(x | y) of each row with its label, (N,).

    Example:
        >>> from pyrogen.oracles import labels
        >>> labels.evidence([[2.0]], [1], [[3.0]], [[0.0, 2.0]], [0.0], 4.0).round(4).tolist()  # −½ log 2π25
        [-2.5284]
    """
    index = np.asarray(y, dtype=np.int64)
    return of_each_label(x, w, v, b, sigma)[np.arange(len(index)), index]


@closed_form(x=table("N", "D"), w=table("D", "L"), v=table("D", "C", rows=1), b=table("D"), sigma=number(above=0))
def marginal(x: ArrayLike, w: ArrayLike, v: ArrayLike, b: ArrayLike, sigma: float) -> Array:
    """Return log p(x) = log 1/C Σ_y p(x | y) of each row, (N,)."""
    each = of_each_label(x, w, v, b, sigma)
    return np.asarray(logsumexp(each, axis=1) - math.log(each.shape[1]))


@closed_form(x=table("N", "D"), w=table("D", "L"), v=table("D", "C", rows=1), b=table("D"), sigma=number(above=0))
def posterior(x: ArrayLike, w: ArrayLike, v: ArrayLike, b: ArrayLike, sigma: float) -> Array:
    """Return p(y | x), (N, C)."""
    each = of_each_label(x, w, v, b, sigma)
    return np.asarray(np.exp(each - logsumexp(each, axis=1, keepdims=True)))


@closed_form(w=table("D", "L"), v=table("D", "C", rows=1), b=table("D"), sigma=number(above=0))
def discriminant(w: ArrayLike, v: ArrayLike, b: ArrayLike, sigma: float) -> tuple[Array, Array]:
    """Return the weights (C, D) and offsets (C,) of the logits of p(y | x) = softmax(Ux + u)."""
    w, v, b = gaussian.as_array(w), gaussian.as_array(v), gaussian.as_array(b)
    weights = np.linalg.solve(w @ w.T + sigma**2 * np.eye(len(w)), v).T  # (C, D)
    return gaussian.as_array(weights), gaussian.as_array(-0.5 * (weights * v.T).sum(1) - weights @ b)


@closed_form(x=table("N", "D", rows=1), y=labels("N", "C"), classes=count(), latent=count(), sigma=number(above=0))
def optimum(x: ArrayLike, y: ArrayLike, classes: int, latent: int, sigma: float) -> Optimum:
    """Return the best log p(x | y) at a fixed σ: class means, and pPCA of what is left of x around them.

    With S the covariance within classes, W = U(Λ − σ²I)₊^½ of its leading eigenvectors (Tipping and Bishop 1999).

    Args:
        x: (N, D).
        y: (N,), each of the C labels at least once.
        classes: C.
        latent: L.
        sigma: σ.
    """
    x, index = gaussian.as_array(x), np.asarray(y, dtype=np.int64)
    if len(seen := np.unique(index)) != classes or seen[-1] != classes - 1:
        raise ValueError(f"y must hold each of the {classes} labels from 0 on, got {seen[:9].tolist()}")
    v = np.stack([x[index == label].mean(0) for label in range(classes)], 1)
    rest = x - v.T[index]
    values, vectors = np.linalg.eigh(rest.T @ rest / len(x))
    w = vectors[:, ::-1][:, :latent] * np.sqrt(np.maximum(values[::-1][:latent] - sigma**2, 0))
    return Optimum(w, v, float(evidence(x, index, w, v, np.zeros(len(v)), sigma).mean()))
