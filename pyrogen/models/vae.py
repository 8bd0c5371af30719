"""The variational autoencoder and, with β ≠ 1, the β-VAE."""

from __future__ import annotations

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from pyrogen.models.agreement import Prior, checked_prior, made_by, matched
from pyrogen.models.base import Pair
from pyrogen.nn import Decoder, Encoder


class VAE(Pair):
    r"""z ~ p(z), x ~ p(x | z), fitted through q(z | x).

    Training maximizes, in nats per image,

        E_q(z|x) [log p(x | z)] − β KL(q(z | x) ‖ p(z)).

    For β = 1 this is the ELBO, a lower bound on log p(x) (Kingma and Welling 2014, https://arxiv.org/abs/1312.6114).
    For β > 1 it is the objective of the β-VAE (Higgins et al. 2017, https://openreview.net/forum?id=Sy2fzU9gl). The
    gradient passes through z = μ(x) + σ(x) ε, ε ~ N(0, I).

    Args:
        encoder: x ``(*batch, *shape)`` to q(z | x), a distribution over ``(L,)``; write your own as a `pg.nn.Encoder`.
        decoder: z ``(*batch, L)`` to p(x | z), a distribution over ``shape``; your own, as a `pg.nn.Decoder`.
        beta: β ≥ 0.
        prior: p(z), a distribution over ``(L,)`` or a callable (a module, if it has weights) that returns one;
            ``None`` is N(0, I).

    Raises:
        ValueError: for a negative β, networks that disagree on L or on the shape of x, or another encoder's prior.
        TypeError: for a prior that neither is nor returns a distribution.

    Example:
        >>> import pyrogen as pg
        >>> from pyro.infer import SVI, TraceMeanField_ELBO
        >>> vae = pg.models.VAE(pg.nn.MLPEncoder((8, 8), latent=3), pg.nn.MLPDecoder((8, 8), latent=3), beta=4.0)
        >>> svi = SVI(vae.model, vae.guide, pyro.optim.Adam({"lr": 1e-3}), TraceMeanField_ELBO())
        >>> loss = svi.step(torch.bernoulli(torch.full((16, 8, 8), 0.5)))
        >>> vae.sample(2).shape
        torch.Size([2, 8, 8])
    """

    origin: Tensor

    def __init__(self, encoder: Encoder, decoder: Decoder, beta: float = 1.0, prior: Prior | None = None) -> None:
        super().__init__(beta)
        self.shape, self.latent = matched(encoder, decoder)
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("origin", torch.zeros(self.latent), persistent=False)  # has the pair's device and dtype
        self._prior = checked_prior(prior, (self.latent,), encoder)

    def model(self, x: Tensor, size: int | None = None) -> Tensor:
        """p(x, z) for images ``(B, *shape)``; returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            with self.kl_weight():  # poutine.scale(scale=beta): in model and guide alike
                z = pyro.sample("z", self.prior())
            pyro.sample("x", self.decode(z), obs=x)
        return z

    def guide(self, x: Tensor, size: int | None = None) -> Tensor:
        """q(z | x) for images ``(B, *shape)``; returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size), self.kl_weight():
            return pyro.sample("z", self.encode(x))

    def prior(self) -> dist.TorchDistribution:
        """p(z), batch shape (), event shape (L,)."""
        if self._prior is None:
            distribution: dist.TorchDistribution = dist.Normal(self.origin, torch.ones_like(self.origin)).to_event(1)
            return distribution
        return made_by(self._prior)
