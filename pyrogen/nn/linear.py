"""Linear networks: with them a Gaussian VAE is probabilistic PCA, whose optimum is known in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.nn.base import Decoder, Encoder, event_size
from pyrogen.nn.likelihoods import Likelihood, LikelihoodName


class LinearEncoder(Encoder):
    """μ(x) = Vx + c and one σ² a latent, the same for every x: the form of the exact pPCA posterior.

    Source: Lucas et al. 2019, https://arxiv.org/abs/1911.02469.

    Args:
        shape: the shape of one x; it is flattened.
        latent: the number of latent dimensions L.
        point: whether q(z | x) is the point μ(x), a Delta, in place of a Normal.

    Example:
        >>> import torch
        >>> LinearEncoder((4,), latent=2)(torch.zeros(5, 4)).variance[0].tolist()
        [1.0, 1.0]
    """

    def __init__(self, shape: Sequence[int], latent: int, point: bool = False) -> None:
        super().__init__(shape, latent)
        self.loc = nn.Linear(event_size(self.shape), self.latent)
        self.log_variance = None if checks.flag("point", point) else nn.Parameter(torch.zeros(self.latent))

    def parameters_of(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """μ and log σ², each (B, L); μ and None for a point."""
        loc = self.loc(x.flatten(1))
        return loc, None if self.log_variance is None else self.log_variance.expand_as(loc)


class LinearDecoder(Decoder):
    """The likelihood around Wz + b.

    Args:
        shape: the shape of one x.
        latent: the number of latent dimensions L.
        likelihood: see `Decoder`; here ``"gaussian"`` by default, the noise of pPCA.

    Example:
        >>> import torch
        >>> LinearDecoder((4,), latent=2)(torch.zeros(5, 2)).mean.shape
        torch.Size([5, 4])
    """

    def __init__(self, shape: Sequence[int], latent: int, likelihood: LikelihoodName | Likelihood = "gaussian") -> None:
        super().__init__(shape, latent, likelihood)
        self.loc = nn.Linear(self.latent, event_size(self.shape))

    def output_of(self, z: Tensor) -> Tensor:
        """Wz + b, ``(B, *shape)``."""
        output: Tensor = self.loc(z).unflatten(1, self.shape)
        return output
