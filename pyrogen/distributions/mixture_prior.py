"""A mixture of Gaussians with everything learned: the prior that a VampPrior is compared with."""

from __future__ import annotations

import torch
from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.config import Described


class GaussianMixture(Described, nn.Module):
    r"""p(z) = Σₖ πₖ N(z; mₖ, diag sₖ²), with weights π, means m and standard deviations s learned.

    Calling the object returns the mixture. It starts with equal weights, standard deviations of 1 and means that are
    drawn from N(0, 1), for components that start alike stay alike. KL(q ‖ p) has no closed form and is estimated by
    log q(z) − log p(z) at a draw. Tomczak and Welling 2018, https://arxiv.org/abs/1705.07120, compare theirs with it.

    Args:
        components: K ≥ 1.
        latent: the number of latent dimensions L ≥ 1.

    Attributes:
        logits: log π up to a constant, (K,).
        locs: m, (K, L).
        log_scales: log s, (K, L).

    Raises:
        ValueError, TypeError: for numbers that are not positive integers.

    Example:
        >>> import pyrogen as pg
        >>> prior = pg.distributions.GaussianMixture(components=20, latent=3)
        >>> prior().sample((5,)).shape, prior().log_prob(torch.zeros(5, 3)).shape
        (torch.Size([5, 3]), torch.Size([5]))
        >>> vae = pg.models.VAE(pg.nn.MLPEncoder((8, 8), 3), pg.nn.MLPDecoder((8, 8), 3), prior=prior)
    """

    logits: Tensor
    locs: Tensor
    log_scales: Tensor

    def __init__(self, components: int, latent: int) -> None:
        super().__init__()
        components = checks.whole("components", components, least=1)
        latent = checks.whole("latent", latent, least=1)
        self.logits = nn.Parameter(torch.zeros(components))
        self.locs = nn.Parameter(torch.randn(components, latent))
        self.log_scales = nn.Parameter(torch.zeros(components, latent))

    def forward(self) -> dist.TorchDistribution:
        """p(z), batch shape (), event shape (L,)."""
        parts = dist.Normal(self.locs, self.log_scales.exp()).to_event(1)
        distribution: dist.TorchDistribution = dist.MixtureSameFamily(dist.Categorical(logits=self.logits), parts)
        return distribution
