"""Fully connected networks, for small images and for tests that must be quick."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from pyrogen import checks
from pyrogen.nn.base import Decoder, Encoder, check_widths, event_size
from pyrogen.nn.likelihoods import Likelihood, LikelihoodName


class MLPEncoder(Encoder):
    """Fully connected ReLU layers, then μ and log σ², or μ alone.

    Args:
        shape: the shape of one x; it is flattened.
        latent: the number of latent dimensions L.
        hidden: units of each hidden layer.
        point: whether q(z | x) is the point μ(x), a Delta, in place of a Normal.
        pool: the side of the blocks over whose pixels an image is averaged first; 2 leaves a quarter of the inputs.

    Raises:
        ValueError: if `pool` is more than 1 and does not divide the height and width of an image.

    Example:
        >>> import torch
        >>> MLPEncoder((8, 8), latent=3)(torch.zeros(5, 8, 8)).mean.shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent: int,
        hidden: Sequence[int] = (256, 256),
        point: bool = False,
        pool: int = 1,
    ) -> None:
        super().__init__(shape, latent)
        self.point, self.pool = checks.flag("point", point), checks.whole("pool", pool, least=1)
        if self.pool > 1 and (len(self.shape) < 2 or self.shape[-2] % self.pool or self.shape[-1] % self.pool):
            raise ValueError(f"pool must divide the height and width of shape, got pool={self.pool}, {self.shape}")
        width = self.latent if point else 2 * self.latent
        inputs = event_size(self.shape) // self.pool**2
        self.network = _layers([inputs, *_check_hidden(hidden), width])

    def parameters_of(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """μ and log σ², each (B, L); μ and None for a point."""
        if self.pool > 1:
            x = F.avg_pool2d(x.flatten(1, -3) if x.dim() > 3 else x, self.pool)
        output = self.network(x.flatten(1))
        return (output, None) if self.point else output.chunk(2, dim=-1)


class MLPDecoder(Decoder):
    """Fully connected ReLU layers up to the size of one x.

    Args:
        shape: the shape of one x.
        latent: the number of latent dimensions L.
        likelihood: see `Decoder`.
        hidden: units of each hidden layer, from z towards x.

    Example:
        >>> import torch
        >>> MLPDecoder((8, 8), latent=3)(torch.zeros(5, 3)).mean.shape
        torch.Size([5, 8, 8])
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent: int,
        likelihood: LikelihoodName | Likelihood = "bernoulli",
        hidden: Sequence[int] = (256, 256),
    ) -> None:
        super().__init__(shape, latent, likelihood)
        self.network = _layers([self.latent, *_check_hidden(hidden), event_size(self.shape)])

    def output_of(self, z: Tensor) -> Tensor:
        """Return the likelihood's parameters, ``(B, *shape)``."""
        output: Tensor = self.network(z).unflatten(1, self.shape)
        return output


def _layers(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _check_hidden(hidden: Sequence[int]) -> Sequence[int]:
    return check_widths(hidden, "hidden", "(256, 256)", least=0)
