r"""Total correlation, mutual information and dimension-wise KL of Gaussians, where all of them are closed forms.

Let x ~ N(m, C) and q(z | x) = N(Ax + a, diag s²). The aggregated posterior q(z) = ∫ q(z | x) p(x) dx is then N(μ, Σ)
with μ = Am + a and Σ = A C Aᵀ + diag s². With p(z) = N(0, I)

    E KL(q(z | x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ Πₗ q(zₗ)) + Σₗ KL(q(zₗ) ‖ p(zₗ)).

Arrays may be numpy's or detached tensors; what is returned is in nats.
Source: Hoffman and Johnson 2016, http://approximateinference.org/accepted/HoffmanJohnson2016.pdf (the split); Bishop,
Pattern Recognition and Machine Learning, equation 2.115 (the marginal).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pyrogen.oracles.arguments import Array, as_array, closed_form, covariance, table
from pyrogen.oracles.gaussian import kl_diagonal


@dataclass(frozen=True)
class Split:
    """The KL of an encoder, averaged over the data, and its three parts, in nats; L latents.

    Attributes:
        kl: E KL(q(z | x) ‖ N(0, I)).
        mutual_information: I(x; z) = ½ log det Σ − Σₗ log sₗ.
        total_correlation: KL(q(z) ‖ Πₗ q(zₗ)).
        dimension_wise_kl: Σₗ KL(q(zₗ) ‖ N(0, 1)).
        each: I(x; zₗ) of each latent, (L,).
        loc: μ, (L,).
        covariance: Σ, (L, L).
    """

    kl: float
    mutual_information: float
    total_correlation: float
    dimension_wise_kl: float
    each: Array
    loc: Array
    covariance: Array

    def biases(self, batch: int, size: float) -> dict[str, float]:
        """Return what minibatch estimates with the weights 1/N and (N − 1) / (N (B − 1)) are off by, to first order.

        Write r = q(z | x) / q(z). Relative to q(z) such an estimate errs by 1/N (r − 1) from its own image. From the
        others it has the variance (1 − 1/N)² (r − 1) / (B − 1). For Gaussians, E r = exp 2 I(x; z). So log q(z) is off
        by g(I(x; z)) and log q(zₗ) by g(I(x; zₗ)), where

            g(I) = (exp 2I − 1) (1/N − (1 − 1/N)² / 2 (B − 1)).

        The next order is 1/B². The data are drawn anew for each batch, N of them for each B.

        Args:
            batch: B.
            size: N, which may be infinite.

        Returns:
            The bias of each of the three parts by name, in nats.
        """
        rate = 1 / size - (1 - 1 / size) ** 2 / (2 * (batch - 1))
        joint = rate * np.expm1(2 * self.mutual_information)
        product = rate * np.expm1(2 * self.each).sum()
        return {
            "mutual_information": float(-joint),
            "total_correlation": float(joint - product),
            "dimension_wise_kl": float(product),
        }


@closed_form(covariance=covariance("L"))
def gaussian(covariance: ArrayLike) -> float:
    """KL(N(μ, Σ) ‖ Πₗ N(μₗ, Σₗₗ)) = −½ log det R, with R the correlation matrix of Σ (L, L).

    Raises:
        ValueError: if Σ is not a symmetric positive definite matrix.

    Example:
        >>> from pyrogen.oracles import total_correlation
        >>> round(total_correlation.gaussian([[4.0, 1.2], [1.2, 1.0]]), 4)  # −½ log(1 − 0.6²)
        0.2231
    """
    sigma = as_array(covariance)
    scale = np.sqrt(np.diag(sigma).clip(0))
    return float(-0.5 * np.linalg.slogdet(sigma / np.outer(scale, scale))[1])


@closed_form(a=table("L", "D"), bias=table("L"), scale=table("L", above=0), loc=table("D"), covariance=covariance("D"))
def linear(a: ArrayLike, bias: ArrayLike, scale: ArrayLike, loc: ArrayLike, covariance: ArrayLike) -> Split:
    """Return the split of E KL(q(z | x) ‖ N(0, I)) for q(z | x) = N(Ax + a, diag s²) and x ~ N(m, C).

    Args:
        a: A, (L, D).
        bias: a, (L,).
        scale: s, (L,), positive.
        loc: m, (D,).
        covariance: C, (D, D).

    Example:
        >>> from pyrogen.oracles import total_correlation
        >>> split = total_correlation.linear([[1.0], [1.0]], [0.0, 0.0], [1.0, 1.0], [0.0], [[1.0]])
        >>> parts = (split.mutual_information, split.total_correlation, split.dimension_wise_kl)
        >>> [round(part, 4) for part in parts], round(split.kl, 4)
        ([0.5493, 0.1438, 0.3069], 1.0)
    """
    matrix, s, c = as_array(a), as_array(scale), as_array(covariance)
    mu = matrix @ as_array(loc) + as_array(bias)
    sigma = matrix @ c @ matrix.T + np.diag(s**2)
    own = np.sqrt(np.diag(sigma))  # of each latent in q(z)
    return Split(
        kl=float(0.5 * (np.diag(sigma) + mu**2 - 1).sum() - np.log(s).sum()),
        mutual_information=float(0.5 * np.linalg.slogdet(sigma)[1] - np.log(s).sum()),
        total_correlation=gaussian(sigma),
        dimension_wise_kl=float(kl_diagonal(mu, own).sum()),
        each=np.log(own / s),
        loc=mu,
        covariance=sigma,
    )
