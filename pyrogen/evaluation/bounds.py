"""Bounds on log p(x), image by image: the ELBO's terms and the importance-weighted bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from pyrogen.models import Pair
from pyrogen.training.objectives import divergence, is_point


@dataclass(frozen=True)
class ElboTerms:
    """The two terms of −ELBO = reconstruction + KL at β = 1, nats, one entry an image.

    Attributes:
        reconstruction: −log p(x | z) at one draw z ~ q(z | x), (B,).
        kl: KL(q(z | x) ‖ p(z)), (B,); analytic where known, else log q(z) − log p(z) at that draw.
        kl_per_latent: (B, L), or None where the KL does not split over the latents.
    """

    reconstruction: Tensor
    kl: Tensor
    kl_per_latent: Tensor | None


@torch.no_grad()
def elbo_terms_per_image(pair: Pair, x: Tensor) -> ElboTerms:
    """The terms of the ELBO at β = 1 for images ``(B, *shape)``.

    Raises:
        ValueError: if q(z | x) is a point in a continuous space: there is no bound then.
    """
    x = pair.as_data(x)
    q = _with_a_density(pair.encode(x))
    z = q.rsample()
    kl = divergence(q, pair.prior(), z)
    return ElboTerms(-pair.decode(z).log_prob(x), kl.sum(-1) if kl.dim() > 1 else kl, kl if kl.dim() > 1 else None)


@torch.no_grad()
def importance_weighted_bound(pair: Pair, x: Tensor, samples: int, at_once: int = 4096) -> Tensor:
    r"""log 1/K Σₖ p(x, zₖ) / q(zₖ | x) with zₖ ~ q(z | x), (B,) nats.

    In expectation a lower bound on log p(x) that rises with K and tends to it (Burda et al. 2016,
    https://arxiv.org/abs/1509.00519).

    Args:
        pair: the pair.
        x: images ``(B, *shape)``.
        samples: K, the number of draws.
        at_once: how many images are decoded together; it bounds the memory and changes no expectation.

    Raises:
        ValueError: if there is no sample to draw, or q(z | x) is a point in a continuous space.
    """
    if samples < 1:
        raise ValueError(f"the bound needs at least one importance sample, and samples={samples}")
    x = pair.as_data(x)
    q, p = _with_a_density(pair.encode(x)), pair.prior()
    total = torch.full((len(x),), -math.inf, dtype=x.dtype, device=x.device)
    left, chunk = samples, max(1, at_once // len(x))
    while left:
        z = q.sample((min(chunk, left),))  # (k, B, L)
        weights = pair.decode(z).log_prob(x) + p.log_prob(z) - q.log_prob(z)
        total = torch.logaddexp(total, weights.logsumexp(0))
        left -= len(z)
    return total - math.log(samples)


def _with_a_density(q: TorchDistribution) -> TorchDistribution:
    if is_point(q):
        raise ValueError(
            "the guide is a point in a continuous space (a Delta): it has no density, so this pair bounds no log p(x)"
        )
    return q
