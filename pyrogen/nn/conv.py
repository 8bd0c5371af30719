"""The convolutional pair of networks that the disentanglement literature uses on 64 × 64 images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pyrogen import checks
from pyrogen.nn.base import Decoder, Encoder
from pyrogen.nn.likelihoods import Likelihood, LikelihoodName
from pyrogen.nn.strides import doubling, halved, halving


class ConvEncoder(Encoder):
    """Four convolutions (kernel 4, stride 2, ReLU), one hidden layer, then μ and log σ², or μ alone.

    Source: the architecture of Locatello et al. 2019 (https://arxiv.org/abs/1811.12359, table 1), after Higgins et
    al. 2017 and Burgess et al. 2018 (https://arxiv.org/abs/1804.03599).

    Args:
        shape: (channels, height, width); each ``channels`` entry halves height and width.
        latent: the number of latent dimensions L.
        channels: output channels of each convolution.
        hidden: units of the fully connected layer.
        point: whether q(z | x) is the point μ(x), a Delta, in place of a Normal.

    Example:
        >>> import torch
        >>> ConvEncoder((1, 64, 64), latent=10)(torch.zeros(5, 1, 64, 64)).batch_shape
        torch.Size([5])
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent: int,
        channels: Sequence[int] = (32, 32, 64, 64),
        hidden: int = 256,
        point: bool = False,
    ) -> None:
        super().__init__(shape, latent)
        self.point = checks.flag("point", point)
        smallest = _smallest_map(self.shape, channels, hidden)
        layers = halving([self.shape[0], *channels])
        features = smallest[0] * smallest[1] * smallest[2]
        width = self.latent if point else 2 * self.latent
        self.network = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, width)
        )

    def parameters_of(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """μ and log σ², each (B, L); μ and None for a point."""
        output = self.network(x)
        return (output, None) if self.point else output.chunk(2, dim=-1)


class ConvDecoder(Decoder):
    """`ConvEncoder` mirrored: two fully connected layers, then transposed convolutions up to the image's size.

    Args:
        shape: (channels, height, width); each ``channels`` entry doubles height and width.
        latent: the number of latent dimensions L.
        likelihood: see `Decoder`.
        channels: the encoder's channels, in the encoder's order.
        hidden: units of the fully connected layer.

    Example:
        >>> import torch
        >>> ConvDecoder((1, 64, 64), latent=10)(torch.zeros(5, 10)).event_shape
        torch.Size([1, 64, 64])
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent: int,
        likelihood: LikelihoodName | Likelihood = "bernoulli",
        channels: Sequence[int] = (32, 32, 64, 64),
        hidden: int = 256,
    ) -> None:
        super().__init__(shape, latent, likelihood)
        smallest = _smallest_map(self.shape, channels, hidden)
        features = smallest[0] * smallest[1] * smallest[2]
        layers = [nn.Linear(self.latent, hidden), nn.ReLU(), nn.Linear(hidden, features), nn.Unflatten(1, smallest)]
        self.network = nn.Sequential(*layers, *doubling([*reversed(channels), self.shape[0]]))

    def output_of(self, z: Tensor) -> Tensor:
        """Return the likelihood's parameters, (B, channels, height, width)."""
        output: Tensor = self.network(z)
        return output


def _smallest_map(shape: tuple[int, ...], channels: Sequence[int], hidden: int) -> tuple[int, int, int]:
    """Return the shape of the feature map between the convolutions and the fully connected layers."""
    checks.whole("hidden", hidden, least=1)
    height, width = halved(shape, channels, "(32, 32, 64, 64)")
    return channels[-1], height, width
