"""The DIP-VAE-II: a VAE whose aggregated posterior is drawn towards the covariance of the prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from pyrogen import checks
from pyrogen.models.vae import VAE
from pyrogen.nn import Decoder, Encoder


class DIPVAE(VAE):
    r"""z ~ N(0, I), x ~ p(x | z), with a price on the covariance of all codes together.

    A code of a random image has the density q(z) = 1/N Σₙ q(z | xₙ). By the law of total covariance its covariance is

        Σ = Cov_x[μ(x)] + E_x[diag σ²(x)],

    and it would be I if q(z) were the prior. Training minimizes, in nats per image,

        −E_q log p(x | z) + β KL(q(z | x) ‖ p(z)) + λ_od Σ_{i≠j} Σ_ij² + λ_d Σ_i (Σ_ii − 1)²

    (Kumar et al. 2018, https://arxiv.org/abs/1711.00848, the variant II). Σ is estimated on each batch, with 1/B. The
    two sums are columns of the history, ``off_diagonal`` and ``diagonal``, without their weights; a schedule
    multiplies β alone. The price is free of sampling noise, and costs B L² operations a step.

    Args:
        encoder: x ``(*batch, *shape)`` to q(z | x), a product over the L latents; your own as a `pg.nn.Encoder`.
        decoder: z ``(*batch, L)`` to p(x | z), a distribution over ``shape``; your own as a `pg.nn.Decoder`.
        off_diagonal: λ_od ≥ 0, the weight of the squared covariances.
        diagonal: λ_d ≥ 0, the weight of the squared distances of the variances from 1.
        beta: β ≥ 0, the weight of the KL.

    Raises:
        ValueError: for a negative weight, or networks that disagree on L or on the shape of x; in training also for a
            batch of one image, which has no covariance.

    Example:
        >>> import pyrogen as pg
        >>> pair = pg.models.DIPVAE(pg.nn.MLPEncoder((8, 8), latent=3), pg.nn.MLPDecoder((8, 8), latent=3))
        >>> fit = pg.fit(pair, torch.bernoulli(torch.full((256, 8, 8), 0.5)), steps=20, progress=False)
        >>> bool((fit.history["off_diagonal"] > -1e-6).all())
        True
    """

    weights = ("beta", "off_diagonal", "diagonal")

    off_diagonal: Tensor
    diagonal: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        off_diagonal: float = 10.0,
        diagonal: float = 10.0,
        beta: float = 1.0,
    ) -> None:
        super().__init__(encoder, decoder, beta)
        off_diagonal = checks.real("off_diagonal", off_diagonal, least=0)
        diagonal = checks.real("diagonal", diagonal, least=0)
        self.register_buffer("off_diagonal", torch.tensor(off_diagonal))
        self.register_buffer("diagonal", torch.tensor(diagonal))

    def guide(self, x: Tensor, size: int | None = None) -> Tensor:
        """q(z | x) for images ``(B, *shape)``, charged for the covariance of the batch's codes; returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            if len(x) == 1 and self.training:
                raise ValueError("x must be a batch of at least 2 images, got 1: a single code has no covariance")
            q = self.encode(x)
            with self.kl_weight():
                z: Tensor = pyro.sample("z", q)
            covariance = aggregate_covariance(q.mean, q.variance)
            variances = covariance.diagonal()
            off_diagonal = covariance.square().sum() - variances.square().sum()
            self.charge("off_diagonal", off_diagonal.expand(len(x)), weight=self.off_diagonal)
            self.charge("diagonal", (variances - 1).square().sum().expand(len(x)), weight=self.diagonal)
        return z

    def data_charges(
        self, posteriors: Sequence[dist.TorchDistribution], z: Tensor, size: int
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Return the two charges on the covariance of all images' codes."""
        means, variances = (torch.cat([getattr(q, what) for q in posteriors]) for what in ("mean", "variance"))
        covariance = aggregate_covariance(means, variances)
        own = covariance.diagonal()
        off_diagonal = covariance.square().sum() - own.square().sum()
        return {
            "off_diagonal": (self.off_diagonal, off_diagonal.expand(len(z))),
            "diagonal": (self.diagonal, (own - 1).square().sum().expand(len(z))),
        }

    def estimators(self, images: int, draws: int) -> dict[str, dict[str, Any]]:
        """Say that both charges are of the posteriors' moments: they need no draws."""
        how = {"estimator": "posterior moments", "images": images}
        return {"off_diagonal": how, "diagonal": dict(how)}


def aggregate_covariance(means: Tensor, variances: Tensor) -> Tensor:
    """Cov[μ] + diag E[σ²], (L, L), of the equal mixture of B diagonal Gaussians; both arguments are (B, L)."""
    centered = means - means.mean(0)
    return centered.mT @ centered / len(means) + torch.diag(variances.mean(0))
