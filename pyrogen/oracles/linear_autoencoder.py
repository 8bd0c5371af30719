r"""The linear autoencoder: principal component analysis, without a prior and without noise in the code.

x̂ = W (V x + c) + b with L latents reconstructs with a matrix of rank L. So the squared error, averaged over the data,
is least for the projection on the L leading eigenvectors U of the data's covariance (divided by N). It is then the sum
of the eigenvalues that are left out. Baldi and Hornik show more. The stationary points of full rank are the projections
on *any* L eigenvectors, each with the sum of the other eigenvalues. All but the leading ones are saddles. W and V are
known only up to an invertible L × L matrix C, as W = U C⁻¹ and V = C Uᵀ. No scale or rotation of the codes is better
than another.

Sources: Eckart and Young 1936, https://doi.org/10.1007/BF02288367; Baldi and Hornik 1989,
https://doi.org/10.1016/0893-6080(89)90014-2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen.oracles import gaussian
from pyrogen.oracles.arguments import closed_form, count, indices, table

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearAutoencoder:
    """A stationary point of a linear autoencoder; D pixels, L latents.

    Attributes:
        mean: the data's mean b, (D,).
        axes: the eigenvectors that it keeps, (D, L).
        eigenvalues: all D of the covariance, falling, in the square of the data's unit.
        residual: the squared error that is left, summed over pixels and averaged over the data.
    """

    mean: Array
    axes: Array
    eigenvalues: Array
    residual: float

    def reconstruct(self, x: ArrayLike) -> Array:
        """b + U Uᵀ(x − b), (N, D)."""
        return self.mean + (gaussian.as_array(x) - self.mean) @ self.axes @ self.axes.T

    def objective(self, sigma: float) -> float:
        """−log p(x | f(x)) under Gaussian noise σ, averaged over the data: residual / 2σ² + D log σ√2π, nats per image.

        Raises:
            ValueError: unless σ is positive and finite.
        """
        if not 0 < sigma < math.inf:
            raise ValueError(f"sigma must be positive and finite, got {sigma}")
        return self.residual / (2 * sigma**2) + 0.5 * len(self.mean) * math.log(2 * math.pi * sigma**2)


@closed_form(x=table("N", "D", rows=1), latent=count())
def optimum(x: ArrayLike, latent: int) -> LinearAutoencoder:
    """Return the least that training can reach on data x.

    Args:
        x: the data, (N, D).
        latent: L, between 1 and D.

    Raises:
        ValueError: for sizes outside of that.

    Example:
        >>> import numpy as np
        >>> from pyrogen.oracles import linear_autoencoder
        >>> x = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # eigenvalues 2 and ½
        >>> linear_autoencoder.optimum(x, latent=1).residual
        0.5
    """
    size = gaussian.as_array(x).shape[-1]
    if not 1 <= latent <= size:
        raise ValueError(f"latent must be from 1 to D = {size}, got {latent}")
    return stationary(x, range(latent))


@closed_form(x=table("N", "D", rows=1), kept=indices)
def stationary(x: ArrayLike, kept: Sequence[int]) -> LinearAutoencoder:
    """Return the stationary point that keeps these eigenvectors, numbered from 0 by falling eigenvalue.

    Raises:
        ValueError: if the data are not (N, D), or a number is not one of 0, …, D − 1 or comes twice.
    """
    x = gaussian.as_array(x)
    kept, size = list(kept), x.shape[1]
    if len(set(kept)) < len(kept) or not set(kept) <= set(range(size)):
        raise ValueError(f"kept must be different numbers from 0 to {size - 1}, got {kept}")
    mean = x.mean(0)
    values, vectors = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    return LinearAutoencoder(mean, vectors[:, kept], values, float(np.delete(values, kept).sum()))
