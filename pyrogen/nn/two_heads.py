"""A decoder with two heads: a mean and a noise that both depend on z."""

from __future__ import annotations

from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.nn.base import Decoder, fitting, rows
from pyrogen.nn.likelihoods import finite


class TwoHeads(Decoder):
    """p(x | z) = N(μ(z), diag σ²(z)), with a network for μ and one for σ = least + softplus(s(z)).

    Without a least noise the likelihood of an entry that is reproduced exactly is unbounded.

    Source: Takahashi et al. 2018, https://doi.org/10.24963/ijcai.2018/374 (why such a VAE needs care).

    Args:
        mean: a decoder, whose output is μ.
        spread: a decoder of the same shape and latents, whose output is s.
        least: the smallest σ, above 0, in the data's units.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> heads = TwoHeads(pg.nn.MLPDecoder((3,), 2, "gaussian"), pg.nn.MLPDecoder((3,), 2, "gaussian"))
        >>> heads(torch.zeros(5, 2)).variance.shape
        torch.Size([5, 3])
    """

    def __init__(self, mean: Decoder, spread: Decoder, least: float = 0.01) -> None:
        for name, head in (("mean", mean), ("spread", spread)):
            if not isinstance(head, Decoder):
                raise TypeError(f"{name} must be a decoder, got {checks.shown(head)}")
        super().__init__(mean.shape, mean.latent, "gaussian")
        if (spread.shape, spread.latent) != (mean.shape, mean.latent):
            raise ValueError(
                f"spread must have the shape {mean.shape} and the {mean.latent} latents of mean, got {spread.shape} "
                f"and {spread.latent}"
            )
        self.mean, self.spread, self.least = mean, spread, checks.real("least", least, above=0)

    def output_of(self, z: Tensor) -> Tensor:
        """Return μ, ``(B, *shape)``."""
        return self.mean.output_of(z)

    def forward(self, z: Tensor) -> dist.TorchDistribution:
        """Return the likelihood p(x | z), batch shape ``z.shape[:-1]``, event shape ``shape``."""
        flat, batch = rows(self, z, (self.latent,), "z")
        shape = (len(flat), *self.shape)
        loc = fitting(self.mean.output_of(flat), shape, "what output_of of mean returns")
        raw = fitting(self.spread.output_of(flat), shape, "what output_of of spread returns")
        scale = self.least + nn.functional.softplus(raw)
        loc, scale = loc.reshape(*batch, *self.shape), scale.reshape(*batch, *self.shape)
        with finite("what both heads return"):
            likelihood: dist.TorchDistribution = dist.Normal(loc, scale).to_event(len(self.shape))
        return likelihood
