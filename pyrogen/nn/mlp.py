"""Fully connected networks, for small images and for tests that must be quick."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from pyrogen.nn.base import Decoder, Encoder, check_widths, event_size
from pyrogen.nn.likelihoods import Likelihood, LikelihoodName


class MLPEncoder(Encoder):
    """Fully connected ReLU layers, then μ and log σ², or μ alone.

    Args:
        shape: the shape of one x; it is flattened.
        latent: the number of latent dimensions L.
        hidden: units of each hidden layer.
        point: whether q(z | x) is the point μ(x), a Delta, in place of a Normal.

    Example:
        >>> import torch
        >>> MLPEncoder((8, 8), latent=3)(torch.zeros(5, 8, 8)).mean.shape
        torch.Size([5, 3])
    """

    def __init__(
        self, shape: Sequence[int], latent: int, hidden: Sequence[int] = (256, 256), point: bool = False
    ) -> None:
        super().__init__(shape, latent)
        self.point = point
        width = self.latent if point else 2 * self.latent
        self.network = _layers([event_size(self.shape), *_check_hidden(hidden), width])

    def parameters_of(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """μ and log σ², each (B, L); μ and None for a point."""
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
        """The likelihood's parameters, ``(B, *shape)``."""
        output: Tensor = self.network(z).unflatten(1, self.shape)
        return output


def _layers(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _check_hidden(hidden: Sequence[int]) -> Sequence[int]:
    return check_widths(hidden, "hidden", "(256, 256)", least=0)
