"""The FactorVAE: a VAE whose total correlation is read from a discriminator that is trained beside it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pyro
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from pyrogen import checks
from pyrogen.models.vae import VAE
from pyrogen.nn import Decoder, Encoder


class FactorVAE(VAE):
    r"""z ~ N(0, I), x ~ p(x | z), with a price on the total correlation as a discriminator estimates it.

    A code of a random image has the density q(z) = 1/N Σₙ q(z | xₙ), and q̄(z) = Πₗ q(zₗ) is the product of its
    marginals. Training minimizes, in nats per image,

        −E_q log p(x | z) + β KL(q(z | x) ‖ p(z)) + γ TC,    TC = KL(q ‖ q̄) = E_q[log q(z) / q̄(z)]

    (Kim and Mnih 2018, https://arxiv.org/abs/1802.05983, where β is 1). The log ratio is the logit D(z) of a
    discriminator between codes and `shuffled` codes. It is trained at the same steps to minimize

        −½ E_q[log σ(D(z))] − ½ E_q̄[log(1 − σ(D(z)))],

    whose minimum is at D = log q − log q̄ (Sugiyama et al. 2012). One optimizer serves both: γ D(z) has no gradient to
    the discriminator, and the loss of the discriminator has none to the codes. Adam scales each weight's step by its
    own gradients, so the two do not compete. To give the discriminator a learning rate of its own, pass `pg.fit` an
    `optimizer` with two groups of parameters.

    Both are charges, and columns of the history: ``total_correlation``, the mean of D(z), and ``discriminator``, its
    loss, which is log 2 = 0.69 where q = q̄. The objective contains both. A schedule multiplies β alone.

    Shuffled codes are made within a batch, so its images must be in random order, as `pg.fit` draws them.

    Args:
        encoder: x ``(*batch, *shape)`` to q(z | x), a product over the L latents; your own as a `pg.nn.Encoder`.
        decoder: z ``(*batch, L)`` to p(x | z), a distribution over ``shape``; your own as a `pg.nn.Decoder`.
        gamma: γ ≥ 0, the weight of the total correlation; Locatello et al. 2019 try 10 to 100 on dSprites.
        beta: β ≥ 0, the weight of the KL.
        hidden: units of each hidden layer of the discriminator; Kim and Mnih take ``(1000,) * 6``.

    Raises:
        ValueError: for a negative weight, or networks that disagree on L or on the shape of x; in training also for a
            batch of one image, whose codes cannot be shuffled.

    Example:
        >>> import pyrogen as pg
        >>> encoder, decoder = pg.nn.MLPEncoder((8, 8), latent=3), pg.nn.MLPDecoder((8, 8), latent=3)
        >>> pair = pg.models.FactorVAE(encoder, decoder, gamma=10.0, hidden=(16, 16))
        >>> fit = pg.fit(pair, torch.bernoulli(torch.full((256, 8, 8), 0.5)), steps=20, progress=False)
        >>> bool(abs(fit.history["discriminator"].mean() - 0.69) < 0.1)
        True
    """

    weights = ("beta", "gamma")

    gamma: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        gamma: float = 10.0,
        beta: float = 1.0,
        hidden: Sequence[int] = (256, 256, 256),
    ) -> None:
        super().__init__(encoder, decoder, beta)
        self.register_buffer("gamma", torch.tensor(checks.real("gamma", gamma, least=0)))
        widths = [self.latent, *checks.sizes("hidden", hidden, example="(256, 256)"), 1]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
        self.discriminator = nn.Sequential(*layers[:-1])

    def guide(self, x: Tensor, size: int | None = None) -> Tensor:
        """q(z | x) for images ``(B, *shape)``, charged for TC and for the discriminator's loss; returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            if len(x) == 1 and self.training:
                raise ValueError("x must be a batch of at least 2 images, got 1: its codes cannot be shuffled")
            with self.kl_weight():
                z: Tensor = pyro.sample("z", self.encode(x))
            fixed = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
            log_ratio: Tensor = functional_call(self.discriminator, fixed, (z,))  # (B, 1)
            self.charge("total_correlation", log_ratio.squeeze(-1), weight=self.gamma)
            codes = z.detach()
            mine, other = self.discriminator(codes), self.discriminator(shuffled(codes))
            self.charge("discriminator", ((F.softplus(-mine) + F.softplus(other)) / 2).squeeze(-1))
        return z


def shuffled(z: Tensor) -> Tensor:
    """Return codes (B, L) in which latent l of row i is that of row i + l, so that latents come from other images.

    For B ≥ L each row is a draw from Πₗ q(zₗ), exactly: its L entries are of L images. Permutations drawn for each
    latent, as in the paper, sometimes take two entries from one image, with a bias of order 1/B.
    """
    return torch.stack([column.roll(-latent) for latent, column in enumerate(z.unbind(-1))], -1)
