r"""The lasso: what a sparse code with Laplace prior and Gaussian noise is the most probable point of.

z ~ Laplace(0, 1/ρ) independently and x | z ~ N(Dz, σ²I) have, up to a constant, −σ² log p(x, z) equal to

    F(z) = ½‖x − Dz‖² + λ‖z‖₁,    λ = ρσ²,

which is convex. z is a minimum exactly if Dᵀ(x − Dz) is λ sign z where z ≠ 0, and within ±λ elsewhere. So z = 0 for
every λ ≥ max |Dᵀx|. Any u with ‖Dᵀu‖∞ ≤ λ bounds F from below by ½‖x‖² − ½‖x − u‖². The two are equal for u = x − Dz at
the minimum, so the gap certifies how far a point is from it. With orthonormal columns z = S(Dᵀx, λ), S soft
thresholding.

Sources: Tibshirani 1996, https://doi.org/10.1111/j.2517-6161.1996.tb02080.x. Beck and Teboulle 2009,
https://doi.org/10.1137/080716542 (the rates of ISTA and FISTA). Kim et al. 2007,
https://doi.org/10.1109/JSTSP.2007.910971 (the dual point).

Shapes: x (N, n), D (n, atoms), z (N, atoms); each row is a problem of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyrogen.oracles.arguments import Array, closed_form, count, number, table


@closed_form(x=table("N", "n"), d=table("n", "atoms", rows=1), z=table("N", "atoms"), penalty=number(least=0))
def objective(x: ArrayLike, d: ArrayLike, z: ArrayLike, penalty: float) -> Array:
    """F(z) = ½‖x − Dz‖² + λ‖z‖₁, (N,)."""
    x, d, z = _arrays(x, d, z)
    values: Array = 0.5 * ((x - z @ d.T) ** 2).sum(1) + penalty * np.abs(z).sum(1)
    return values


@closed_form(v=table(), threshold=number(least=0))
def soft_threshold(v: ArrayLike, threshold: float) -> Array:
    """sign(v) max(|v| − θ, 0).

    Example:
        >>> from pyrogen.oracles import lasso
        >>> lasso.soft_threshold([-3.0, 0.5, 2.0], 1.0).tolist()
        [-2.0, 0.0, 1.0]
    """
    values = np.asarray(v, dtype=np.float64)
    return np.where(np.abs(values) <= threshold, 0.0, values - np.sign(values) * threshold)


@closed_form(x=table("N", "n"), d=table("n", "atoms", rows=1))
def largest_penalty(x: ArrayLike, d: ArrayLike) -> Array:
    """max |Dᵀx|, (N,): the least λ at which the code is zero."""
    x, d = _arrays(x, d)
    values: Array = np.abs(x @ d).max(1)
    return values


@closed_form(x=table("N", "n"), d=table("n", "atoms", rows=1), z=table("N", "atoms"), penalty=number(least=0))
def optimality(x: ArrayLike, d: ArrayLike, z: ArrayLike, penalty: float) -> Array:
    """Return the largest violation of the optimality conditions, (N,), in units of λ; zero at the minimum alone."""
    x, d, z = _arrays(x, d, z)
    correlation = (x - z @ d.T) @ d
    active = np.abs(correlation - penalty * np.sign(z))
    silent = (np.abs(correlation) - penalty).clip(0)
    values: Array = np.where(z != 0, active, silent).max(1)
    return values


@closed_form(x=table("N", "n"), d=table("n", "atoms", rows=1), z=table("N", "atoms"), penalty=number(least=0))
def duality_gap(x: ArrayLike, d: ArrayLike, z: ArrayLike, penalty: float) -> Array:
    """F(z) minus the dual objective at the scaled residual, (N,): at least F(z) − F*, and 0 at the minimum."""
    x, d, z = _arrays(x, d, z)
    residual = x - z @ d.T
    steepest = np.abs(residual @ d).max(1)
    scale = np.minimum(1.0, penalty / np.maximum(steepest, np.finfo(float).tiny))
    dual = 0.5 * (x**2).sum(1) - 0.5 * ((x - scale[:, None] * residual) ** 2).sum(1)
    values: Array = objective(x, d, z, penalty) - dual
    return values


@closed_form(
    x=table("N", "n", rows=1),
    d=table("n", "atoms", rows=1),
    penalty=number(above=0),
    gap=number(least=0),
    sweeps=count(),
)
def minimum(x: ArrayLike, d: ArrayLike, penalty: float, gap: float = 1e-12, sweeps: int = 100_000) -> Array:
    """Return the minimum z* by coordinate descent, (N, atoms), until the duality gap of every row is at most `gap`.

    Args:
        x: (N, n).
        d: (n, atoms), no column zero.
        penalty: λ > 0.
        gap: the certificate asked for.
        sweeps: the most passes over the coordinates.

    Raises:
        ValueError: if `gap` is not reached, or λ is not positive.

    Example:
        >>> import numpy as np
        >>> from pyrogen.oracles import lasso
        >>> lasso.minimum([[3.0, 0.5]], np.eye(2), penalty=1.0).tolist()
        [[2.0, 0.0]]
    """
    x, d = _arrays(x, d)
    if not d.any(0).all():
        raise ValueError(f"d must have no column of zeros, got {np.flatnonzero(~d.any(0)).tolist()}")
    gram, linear = d.T @ d, x @ d
    z = np.zeros_like(linear)
    for sweep in range(sweeps):
        before = z.copy()
        for j in range(d.shape[1]):
            rest = linear[:, j] - z @ gram[:, j] + gram[j, j] * z[:, j]
            z[:, j] = soft_threshold(rest, penalty) / gram[j, j]
        if sweep % 10 == 9 and duality_gap(x, d, z, penalty).max() <= gap:
            return z
        if np.array_equal(z, before):
            break  # nothing moves any more
    reached = duality_gap(x, d, z, penalty).max()
    if reached <= gap:
        return z
    raise ValueError(f"the duality gap is {reached:.1e} after {sweep + 1} sweeps, not {gap}")


@closed_form(
    d=table("n", "atoms", rows=1), z=table("N", "atoms"), penalty=number(least=0), slack=number(least=-1, most=1)
)
def planted(d: ArrayLike, z: ArrayLike, penalty: float, slack: float = 0.5) -> Array:
    """Return the x whose minimum is z, (N, n), for a D with independent columns: Dᵀ(x − Dz) is λ sign z, or 0 where z
    is.

    Args:
        d: (n, atoms) of rank atoms.
        z: (N, atoms), the codes to be found.
        penalty: λ.
        slack: Dᵀ(x − Dz) / λ where z = 0; within ±1.
    """
    d, z = _arrays(d, z)
    subgradient = np.where(z != 0, np.sign(z), slack)
    residual = penalty * np.linalg.lstsq(d.T, subgradient.T, rcond=None)[0].T
    return z @ d.T + residual


@closed_form(largest=number(least=0), distance=table("...", least=0), steps=table("...", above=0))
def ista_bound(largest: float, distance: ArrayLike, steps: ArrayLike) -> Array:
    """L‖z₀ − z*‖² / 2k, which F(zₖ) − F* of ISTA does not exceed; `distance` is ‖z₀ − z*‖."""
    return largest * np.asarray(distance) ** 2 / (2 * np.asarray(steps, dtype=np.float64))


@closed_form(largest=number(least=0), distance=table("...", least=0), steps=table("...", least=0))
def fista_bound(largest: float, distance: ArrayLike, steps: ArrayLike) -> Array:
    """2L‖z₀ − z*‖² / (k + 1)², which F(zₖ) − F* of FISTA does not exceed; `distance` is ‖z₀ − z*‖."""
    return 2 * largest * np.asarray(distance) ** 2 / (np.asarray(steps, dtype=np.float64) + 1) ** 2


def _arrays(*values: ArrayLike) -> tuple[Array, ...]:
    arrays = tuple(np.asarray(value, dtype=np.float64) for value in values)
    for array in arrays:
        if array.ndim != 2:
            raise ValueError(f"x, D and z must be matrices (N, n), (n, atoms) and (N, atoms), got shape {array.shape}")
    return arrays
