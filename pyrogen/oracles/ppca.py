r"""Probabilistic PCA: what a linear VAE with fixed noise σ² and weight β converges to.

With q(z | x) free, β KL(q ‖ p) − E_q log p(x | z) is least at the posterior of the same model with noise τ = βσ². With
N(·) the pPCA density of that noise, it is then

    −β log N(x; b, WWᵀ + τI) − (βD/2) log 2πτ + (D/2) log 2πσ².

So the best W is Tipping and Bishop's at noise τ, U (Λ − τI)₊^½ R. U and Λ are the leading eigenvectors and eigenvalues
of the data's covariance (divided by N). Axes with λ ≤ τ = βσ² collapse. A guide with diagonal covariance needs WᵀW
diagonal, so R is then a permutation with signs, and the principal axes themselves are found.

Sources: Tipping and Bishop 1999, https://doi.org/10.1111/1467-9868.00196. Lucas et al. 2019,
https://arxiv.org/abs/1911.02469 (linear VAEs). Sicks et al. 2021, https://arxiv.org/abs/2006.06267 (β and the ELBO).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen.oracles import gaussian
from pyrogen.oracles.arguments import closed_form, count, number, table

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PPCA:
    """The optimum of a linear VAE; D pixels, L latents in falling order of λ.

    Attributes:
        mean: b, (D,).
        w: W = U (Λ − βσ²I)₊^½, (D, L); every W R with R orthogonal has the same likelihood.
        axes: U, (D, L), the principal axes.
        eigenvalues: all D of the covariance, falling.
        collapsed: (L,), where λ ≤ βσ².
        scale: (L,), the guide's standard deviations, √(βσ²/λ), and 1 where collapsed.
        kl: (L,), the mean KL of each latent over the data, ½ log(λ/βσ²), and 0 where collapsed; nats per image.
        reconstruction: −E log p(x | z), nats per image.
        objective: reconstruction + β Σ kl, the least that training can reach; nats per image.
        log_likelihood: the mean of log N(x; b, WWᵀ + σ²I) over the data, nats per image. For β = 1 it is minus the
            objective.
        sigma: σ.
        beta: β.
    """

    mean: Array
    w: Array
    axes: Array
    eigenvalues: Array
    collapsed: NDArray[np.bool_]
    scale: Array
    kl: Array
    reconstruction: float
    objective: float
    log_likelihood: float
    sigma: float
    beta: float

    def encode(self, x: ArrayLike) -> Array:
        """Return the guide's means Λ⁻¹Wᵀ(x − b), (N, L)."""
        latent = self.w.shape[1]
        values: Array = (
            (gaussian.as_array(x) - self.mean) @ self.w / self.eigenvalues[:latent].clip(self.beta * self.sigma**2)
        )
        return values


@closed_form(x=table("N", "D", rows=1), latent=count(), sigma=number(above=0), beta=number(above=0))
def optimum(x: ArrayLike, latent: int, sigma: float, beta: float = 1.0) -> PPCA:
    """Return the closed-form optimum for data x.

    Args:
        x: the data, (N, D).
        latent: L, between 1 and D.
        sigma: the likelihood's fixed noise σ > 0, in the data's units.
        beta: β > 0.

    Raises:
        ValueError: for sizes or weights outside of that.

    Example:
        >>> import numpy as np
        >>> from pyrogen.oracles import ppca
        >>> x = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # eigenvalues 2 and ½
        >>> ppca.optimum(x, latent=2, sigma=0.5).w.round(3).tolist()
        [[1.323, 0.0], [0.0, 0.5]]
        >>> ppca.optimum(x, latent=2, sigma=0.5, beta=4.0).collapsed.tolist()
        [False, True]
    """
    x = gaussian.as_array(x)
    if x.ndim != 2 or len(x) < 1:
        raise ValueError(f"the data must be (N, D), got {x.shape}")
    if not 1 <= latent <= x.shape[1]:
        raise ValueError(f"latent must be from 1 to D = {x.shape[1]}, got {latent}")
    if not (0 < sigma < math.inf and 0 < beta < math.inf):
        raise ValueError(f"sigma and beta must be positive and finite, got {sigma} and {beta}")
    mean, size = x.mean(0), x.shape[1]
    values, vectors = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(size)])  # largest entry positive
    tau, kept = beta * sigma**2, values[:latent]
    w = vectors[:, :latent] * np.sqrt((kept - tau).clip(0))
    kl = 0.5 * np.log(kept.clip(tau) / tau)
    left = np.minimum(kept, tau).sum() + values[latent:].sum()  # squared error that is left, per image
    reconstruction = left / (2 * sigma**2) + 0.5 * size * math.log(2 * math.pi * sigma**2)
    return PPCA(
        mean=mean,
        w=w,
        axes=vectors[:, :latent],
        eigenvalues=values,
        collapsed=kept <= tau,
        scale=np.sqrt(tau / kept.clip(tau)),
        kl=kl,
        reconstruction=float(reconstruction),
        objective=float(reconstruction + beta * kl.sum()),
        log_likelihood=float(gaussian.evidence(x, w, mean, sigma).mean()),
        sigma=sigma,
        beta=beta,
    )
