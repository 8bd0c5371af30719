"""The VAE with two layers of latents: z₂ says what z may be, and z what x may be."""

from __future__ import annotations

from typing import Any

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor

from pyrogen.models.agreement import matched
from pyrogen.models.base import Pair
from pyrogen.nn import Decoder, Encoder


class TwoLayerVAE(Pair):
    r"""z₂ ~ N(0, I), z ~ p(z | z₂), x ~ p(x | z), fitted through q(z | x) q(z₂ | z), from the bottom up.

    Training maximizes, in nats per image,

        E_q [log p(x | z) − β log q(z | x) / p(z | z₂) − β KL(q(z₂ | z) ‖ N(0, I))],

    which for β = 1 is the ELBO of the two-layer model of Burda et al. 2016 (https://arxiv.org/abs/1509.00519, section
    5). The KL of z₂ is analytic; that of z is log q − log p at one draw, because z₂ is drawn after z. Pyro's
    ``TraceMeanField_ELBO`` would use an analytic KL there too, which is biased, and it warns; under SVI take
    ``Trace_ELBO``. ``pg.fit`` and ``pg.evaluate`` take the right one. History and scores have the KL of each layer.

    Args:
        encoder: x ``(*batch, *shape)`` to q(z | x) over (L,).
        decoder: z ``(*batch, L)`` to p(x | z) over ``shape``.
        top_encoder: z ``(*batch, L)`` to q(z₂ | z) over (L₂,), such as ``pg.nn.MLPEncoder((L,), L2)``.
        top_decoder: z₂ ``(*batch, L2)`` to p(z | z₂) over (L,): ``pg.nn.MLPEncoder((L2,), L)``, which has a variance of
            its own for each latent and each z₂, or a decoder with a Gaussian likelihood.
        beta: β ≥ 0, the weight of both layers.

    Attributes:
        top_latent: L₂.

    Raises:
        ValueError: for networks that disagree on shapes, or a negative β.
        TypeError: for networks that do not say their shapes.

    Example:
        >>> import pyrogen as pg
        >>> from pyro.infer import SVI, Trace_ELBO
        >>> bottom = pg.nn.MLPEncoder((8, 8), latent=4), pg.nn.MLPDecoder((8, 8), latent=4)
        >>> pair = pg.models.TwoLayerVAE(*bottom, pg.nn.MLPEncoder((4,), latent=2), pg.nn.MLPEncoder((2,), latent=4))
        >>> svi = SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": 1e-3}), Trace_ELBO())
        >>> loss = svi.step(torch.bernoulli(torch.full((16, 8, 8), 0.5)))
        >>> pair.sample(2).shape
        torch.Size([2, 8, 8])
    """

    origin: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        top_encoder: Encoder,
        top_decoder: Encoder | Decoder,
        beta: float = 1.0,
    ) -> None:
        super().__init__(beta)
        self.shape, self.latent = matched(encoder, decoder)
        above, self.top_latent = _sizes(top_encoder, "top_encoder")
        top, below = _sizes(top_decoder, "top_decoder")
        for name, size, what, wanted in (
            ("top_encoder", above, "takes", self.latent),
            ("top_decoder", below, "returns", self.latent),
            ("top_decoder", top, "takes", self.top_latent),
        ):
            if size != wanted:
                raise ValueError(f"`{name}` must be a network that {what} vectors of {wanted}, got one of {size}")
        self.encoder, self.decoder = encoder, decoder
        self.top_encoder, self.top_decoder = top_encoder, top_decoder
        self.register_buffer("origin", torch.zeros(self.top_latent), persistent=False)

    def model(self, x: Tensor, size: int | None = None) -> Tensor:
        """p(x, z, z₂) for images ``(B, *shape)``; returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size):
            with self.kl_weight():  # poutine.scale(scale=beta): in model and guide alike
                z2 = pyro.sample("z2", self.prior())
                z = pyro.sample("z", self.top_decoder(z2))
            pyro.sample("x", self.decode(z), obs=x)
        return z

    def guide(self, x: Tensor, size: int | None = None) -> Tensor:
        """q(z | x) q(z₂ | z) for images ``(B, *shape)``; returns z, (B, L)."""
        pyro.module(self.name, self)
        x = self.as_data(x)
        with self.plate(x, size), self.kl_weight():
            z = pyro.sample("z", self.encode(x))
            pyro.sample("z2", self.top_encoder(z))
        return z

    def prior(self) -> dist.TorchDistribution:
        """p(z₂) = N(0, I), batch shape (), event shape (L₂,). That of z has no closed form."""
        distribution: dist.TorchDistribution = dist.Normal(self.origin, torch.ones_like(self.origin)).to_event(1)
        return distribution


def _sizes(network: Any, name: str) -> tuple[Any, Any]:
    """Return how long the vectors are that a network takes and returns."""
    if not (hasattr(network, "latent") and hasattr(network, "shape")):
        raise TypeError(
            f"`{name}` must say its latent and shape, got a {type(network).__name__}: "
            "subclass pg.nn.Encoder or pg.nn.Decoder"
        )
    shape = network.shape[0] if len(network.shape) == 1 else tuple(network.shape)
    return (network.latent, shape) if isinstance(network, Decoder) else (shape, network.latent)
