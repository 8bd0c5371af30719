"""The β-TCVAE: a VAE whose latents are kept from depending on one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from pyrogen import checks
from pyrogen.distributions.aggregate import ESTIMATORS, Estimator, decompose, decompose_all
from pyrogen.models.agreement import matched
from pyrogen.models.base import Pair
from pyrogen.nn import Decoder, Encoder


class TCVAE(Pair):
    r"""z ~ N(0, I), x ~ p(x | z), with the parts of the KL weighed one by one.

    Averaged over the N images of a data set, with q(z) = 1/N Σₙ q(z | xₙ),

        KL(q(z | x) ‖ p(z)) = I(x; z) + TC + D,    TC = KL(q(z) ‖ Πₗ q(zₗ)),    D = Σₗ KL(q(zₗ) ‖ p(zₗ)),

    mutual information, total correlation and dimension-wise KL. Training minimizes, in nats per image,

        −E_q log p(x | z) + α I(x; z) + β TC + γ D

    (Chen et al. 2018, https://arxiv.org/abs/1802.04942), here as −E_q log p(x | z) + KL + (α − 1) I + (β − 1) TC + (γ −
    1) D with the KL in closed form. For α = β = γ = 1 it is the VAE's objective and nothing is estimated. For α = γ = 1
    the total correlation alone is estimated (as in Locatello et al. 2019, https://arxiv.org/abs/1811.12359). The three
    parts are estimated on each batch (see `pg.distributions.log_weights`) and are columns of the history,
    ``total_correlation``, ``mutual_information`` and ``dimension_wise_kl``. An estimate from a batch of B images is
    noisy, and can be negative.

    A schedule, such as ``pg.training.LinearWarmup``, multiplies β, which here weighs the total correlation alone: it
    rises from 0 to β while I and D keep their weights. The `size` of model and guide is the N of the estimates too;
    without one the batch is taken for the whole data set.

    Args:
        encoder: x ``(*batch, *shape)`` to q(z | x), a product over the L latents; your own as a `pg.nn.Encoder`.
        decoder: z ``(*batch, L)`` to p(x | z), a distribution over ``shape``; your own as a `pg.nn.Decoder`.
        beta: β ≥ 0, the weight of the total correlation; Chen et al. take 6 on dSprites.
        alpha: α ≥ 0, the weight of the mutual information of image and code.
        gamma: γ ≥ 0, the weight of the dimension-wise KL.
        estimator: ``"stratified"``, which is unbiased for q(z), or ``"weighted"``, whose values are off by several
            nats.

    Raises:
        ValueError: for a negative weight, an unknown estimator, or networks that disagree on L or on the shape of x;
            in training also for a batch of one image.
        TypeError: in model or guide, for an encoder whose q(z | x) is a point or no product over the latents.

    Example:
        >>> import pyrogen as pg
        >>> pair = pg.models.TCVAE(pg.nn.MLPEncoder((8, 8), latent=3), pg.nn.MLPDecoder((8, 8), latent=3), beta=6.0)
        >>> fit = pg.fit(pair, torch.bernoulli(torch.full((256, 8, 8), 0.5)), steps=20, progress=False)
        >>> parts = ("mutual_information", "total_correlation", "dimension_wise_kl")
        >>> bool(abs(sum(fit.history[part].mean() for part in parts) - fit.history["kl"].mean()) < 0.5)
        True
    """

    weights = ("beta", "alpha", "gamma")

    origin: Tensor
    alpha: Tensor
    gamma: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        beta: float = 6.0,
        alpha: float = 1.0,
        gamma: float = 1.0,
        estimator: Estimator = "stratified",
    ) -> None:
        super().__init__(beta)
        checks.one_of("estimator", estimator, ESTIMATORS)
        self.shape, self.latent = matched(encoder, decoder)
        self.encoder, self.decoder, self.estimator = encoder, decoder, estimator
        for name, weight in {"alpha": alpha, "gamma": gamma}.items():
            self.register_buffer(name, torch.tensor(checks.real(name, weight, least=0)))
        self.register_buffer("origin", torch.zeros(self.latent), persistent=False)

    def model(self, x: Tensor, size: int | None = None) -> Tensor:
        """p(x, z) for images ``(B, *shape)``; returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            z = pyro.sample("z", self.prior())
            pyro.sample("x", self.decode(z), obs=x)
        return z

    def guide(self, x: Tensor, size: int | None = None) -> Tensor:
        """q(z | x) for images ``(B, *shape)``, charged for the parts of its KL; returns z, (B, L).

        The KL itself has weight 1, so no `kl_weight` is entered, here or in the model.
        """
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            if len(x) == 1 and self.training:
                raise ValueError("a batch must have at least two images to estimate q(z), got one")
            q = self.encode(x)
            z = pyro.sample("z", q)
            parts = decompose(q, self.prior(), z, size, self.estimator)
            self.charge("total_correlation", parts.total_correlation, weight=self.beta - 1)
            self.charge("mutual_information", parts.mutual_information, weight=self.alpha - 1)
            self.charge("dimension_wise_kl", parts.dimension_wise_kl, weight=self.gamma - 1)
        return z

    def data_charges(
        self, posteriors: Sequence[dist.TorchDistribution], z: Tensor, size: int
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Return the parts of the KL with q(z) estimated from all images, whatever the batches' sizes."""
        parts = decompose_all(posteriors, self.prior(), z, size=size, estimator=self.estimator)
        return {
            "total_correlation": (self.beta - 1, parts.total_correlation),
            "mutual_information": (self.alpha - 1, parts.mutual_information),
            "dimension_wise_kl": (self.gamma - 1, parts.dimension_wise_kl),
        }

    def estimators(self, images: int, draws: int) -> dict[str, dict[str, Any]]:
        """Return the estimator of each part, the images whose posteriors make up q(z), and the draws held to it."""
        names = ("total_correlation", "mutual_information", "dimension_wise_kl")
        return {name: {"estimator": self.estimator, "images": images, "draws": draws} for name in names}

    def prior(self) -> dist.TorchDistribution:
        """p(z) = N(0, I), batch shape (), event shape (L,)."""
        distribution: dist.TorchDistribution = dist.Normal(self.origin, torch.ones_like(self.origin)).to_event(1)
        return distribution
