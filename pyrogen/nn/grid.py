"""Encoders and decoders whose code is a grid of vectors, one for each part of an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.config import Described
from pyrogen.nn.base import check_shape, event_size, explained, fitting, rows
from pyrogen.nn.likelihoods import Likelihood, LikelihoodName, finite, make_likelihood
from pyrogen.nn.mlp import _check_hidden, _layers
from pyrogen.nn.strides import doubling, halved, halving

Leaky = partial(nn.LeakyReLU, 0.1)


class GridEncoder(Described, nn.Module, ABC):
    """x to a grid of features e: a tensor ``(*batch, *shape)`` to a Delta over ``(*grid, D)``.

    A subclass gives `features_of`.

    Args:
        shape: the shape of one x.
        grid: the shape of the grid, such as (h, w) or (T,).
        dim: D, the length of each feature.

    Attributes:
        latent: the number of values in all, T·D.
    """

    def __init__(self, shape: Sequence[int], grid: Sequence[int], dim: int) -> None:
        super().__init__()
        self.shape, self.grid, self.dim = check_shape(shape), check_shape(grid), checks.whole("dim", dim, least=1)
        self.latent = event_size(self.grid) * self.dim

    @abstractmethod
    def features_of(self, x: Tensor) -> Tensor:
        """Return features ``(B, *grid, D)`` of a batch ``(B, *shape)``."""

    def forward(self, x: Tensor) -> dist.TorchDistribution:
        """Return the point e(x), batch shape ``x.shape[:-len(shape)]``, event shape ``(*grid, D)``."""
        x, batch = rows(self, x, self.shape, "x")
        features = fitting(self.features_of(x), (len(x), *self.grid, self.dim), "what features_of returns")
        features = features.reshape(*batch, *self.grid, self.dim)
        with finite("what features_of returns"):
            distribution: dist.TorchDistribution = dist.Delta(features).to_event(len(self.grid) + 1)
        return distribution


class GridDecoder(Described, nn.Module, ABC):
    """p(x | z): a tensor ``(*batch, *grid, D)`` to the likelihood over ``shape``.

    A subclass gives `output_of`, which the likelihood turns into a distribution.

    Args:
        shape: the shape of one x.
        grid: the shape of the grid.
        dim: D, the length of each vector of z.
        likelihood: see `Decoder`.
    """

    def __init__(
        self, shape: Sequence[int], grid: Sequence[int], dim: int, likelihood: LikelihoodName | Likelihood = "bernoulli"
    ) -> None:
        super().__init__()
        self.shape, self.grid, self.dim = check_shape(shape), check_shape(grid), checks.whole("dim", dim, least=1)
        self.latent = event_size(self.grid) * self.dim
        self.likelihood = make_likelihood(likelihood)

    @abstractmethod
    def output_of(self, z: Tensor) -> Tensor:
        """Return the likelihood's parameters ``(B, *shape)`` for ``(B, *grid, D)``."""

    def forward(self, z: Tensor) -> dist.TorchDistribution:
        """Return the likelihood p(x | z), batch shape ``z.shape[:-len(grid) - 1]``, event shape ``shape``."""
        z, batch = rows(self, z, (*self.grid, self.dim), "z")
        return explained(self, self.output_of(z), len(z), batch)


class ConvGridEncoder(GridEncoder):
    """Convolutions alone: kernel 4 and stride 2, then one of kernel 3 and one of kernel 1; leaky ReLU in between.

    A feature depends on the part of the image around its place. The ReLU leaks because with a plain one
    trainings stall: on dSprites sprites stay gray inside, for hundreds of steps or for good.

    Args:
        shape: (channels, height, width); each ``channels`` entry halves height and width.
        dim: D.
        channels: output channels of each convolution of stride 2.

    Example:
        >>> import torch
        >>> encoder = ConvGridEncoder((1, 64, 64), dim=16, channels=(8, 16, 16))
        >>> encoder.grid, encoder(torch.zeros(5, 1, 64, 64)).mean.shape
        ((8, 8), torch.Size([5, 8, 8, 16]))
    """

    def __init__(self, shape: Sequence[int], dim: int, channels: Sequence[int] = (32, 64, 64)) -> None:
        super().__init__(shape, halved(shape, channels, "(32, 64, 64)"), dim)
        layers, last = halving([self.shape[0], *channels], Leaky), channels[-1]
        layers += [nn.Conv2d(last, last, kernel_size=3, padding=1), Leaky(), nn.Conv2d(last, self.dim, 1)]
        self.network = nn.Sequential(*layers)

    def features_of(self, x: Tensor) -> Tensor:
        """Return features (B, h, w, D)."""
        result: Tensor = self.network(x).movedim(1, -1)
        return result


class ConvGridDecoder(GridDecoder):
    """`ConvGridEncoder` mirrored, with transposed convolutions up to the image's size.

    Args:
        shape: (channels, height, width); each ``channels`` entry doubles height and width.
        dim: D.
        likelihood: see `Decoder`.
        channels: the encoder's channels, in the encoder's order.

    Example:
        >>> import torch
        >>> ConvGridDecoder((1, 64, 64), dim=16, channels=(8, 16, 16))(torch.zeros(5, 8, 8, 16)).event_shape
        torch.Size([1, 64, 64])
    """

    def __init__(
        self,
        shape: Sequence[int],
        dim: int,
        likelihood: LikelihoodName | Likelihood = "bernoulli",
        channels: Sequence[int] = (32, 64, 64),
    ) -> None:
        super().__init__(shape, halved(shape, channels, "(32, 64, 64)"), dim, likelihood)
        first = nn.Conv2d(self.dim, channels[-1], kernel_size=3, padding=1)
        self.network = nn.Sequential(first, *doubling([*reversed(channels), self.shape[0]], Leaky))

    def output_of(self, z: Tensor) -> Tensor:
        """Return the likelihood's parameters, (B, channels, height, width)."""
        output: Tensor = self.network(z.movedim(-1, 1))
        return output


class MLPGridEncoder(GridEncoder):
    """Fully connected ReLU layers from all of x to all features, for small images.

    Args:
        shape: the shape of one x; it is flattened.
        grid: the shape of the grid.
        dim: D.
        hidden: units of each hidden layer.

    Example:
        >>> import torch
        >>> MLPGridEncoder((8, 8), grid=(4,), dim=3)(torch.zeros(5, 8, 8)).mean.shape
        torch.Size([5, 4, 3])
    """

    def __init__(self, shape: Sequence[int], grid: Sequence[int], dim: int, hidden: Sequence[int] = (256, 256)) -> None:
        super().__init__(shape, grid, dim)
        self.network = _layers([event_size(self.shape), *_check_hidden(hidden), self.latent])

    def features_of(self, x: Tensor) -> Tensor:
        """Return features ``(B, *grid, D)``."""
        output: Tensor = self.network(x.flatten(1)).unflatten(1, (*self.grid, self.dim))
        return output


class MLPGridDecoder(GridDecoder):
    """Fully connected ReLU layers from all of z up to the size of one x.

    Args:
        shape: the shape of one x.
        grid: the shape of the grid.
        dim: D.
        likelihood: see `Decoder`.
        hidden: units of each hidden layer, from z towards x.

    Example:
        >>> import torch
        >>> MLPGridDecoder((8, 8), grid=(4,), dim=3)(torch.zeros(5, 4, 3)).mean.shape
        torch.Size([5, 8, 8])
    """

    def __init__(
        self,
        shape: Sequence[int],
        grid: Sequence[int],
        dim: int,
        likelihood: LikelihoodName | Likelihood = "bernoulli",
        hidden: Sequence[int] = (256, 256),
    ) -> None:
        super().__init__(shape, grid, dim, likelihood)
        self.network = _layers([self.latent, *_check_hidden(hidden), event_size(self.shape)])

    def output_of(self, z: Tensor) -> Tensor:
        """Return the likelihood's parameters, ``(B, *shape)``."""
        output: Tensor = self.network(z.flatten(1)).unflatten(1, self.shape)
        return output
