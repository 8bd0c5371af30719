"""Encoders whose code is sparse, and decoders that read it through the same dictionary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from pyro import distributions as dist
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from pyrogen import checks
from pyrogen.config import Described
from pyrogen.nn.base import Decoder, check_shape, event_size, explained, fitting, rows
from pyrogen.nn.dictionary import Dictionary
from pyrogen.nn.ista import SparseCoder
from pyrogen.nn.likelihoods import Likelihood, LikelihoodName, finite
from pyrogen.nn.strides import doubling, halved, halving


class SparseEncoder(Described, nn.Module, ABC):
    """δ(z − z(x)): the features of x, each vector of them sparse-coded on its own.

    A subclass gives `features_of`, and as `scale` the noise with which Dz + b stands for a vector of features. `scale`
    is None if the features are the pixels, whose noise is the likelihood's.

    Args:
        shape: the shape of one x.
        coder: `ISTA`, `FISTA` or `LISTA`, with the dictionary.
        grid: the positions of a vector of features, such as (height, width); () for a single one.

    Attributes:
        code_shape: ``(*grid, atoms)``, the event shape of z.
        latent: the number of entries of z.
    """

    scale: float | None = None

    def __init__(self, shape: Sequence[int], coder: SparseCoder, grid: tuple[int, ...]) -> None:
        super().__init__()
        if not isinstance(coder, SparseCoder):
            raise TypeError(f"coder must be pg.nn.ISTA, FISTA or LISTA, got a {type(coder).__name__}")
        self.shape, self.coder = check_shape(shape), coder
        self.code_shape = (*grid, coder.dictionary.number)
        self.latent = event_size(self.code_shape)

    @property
    def dictionary(self) -> Dictionary:
        """The dictionary of the coder."""
        return self.coder.dictionary

    @abstractmethod
    def features_of(self, x: Tensor) -> Tensor:
        """Return the features ``(B, *grid, n)`` of a batch ``(B, *shape)``."""

    def features(self, x: Tensor) -> Tensor:
        """Return the features ``(*batch, *grid, n)`` of images ``(*batch, *shape)``."""
        x, batch = rows(self, x, self.shape, "x")
        shape = (len(x), *self.code_shape[:-1], self.dictionary.size)
        f = fitting(self.features_of(x), shape, "what features_of returns")
        return f if len(batch) == 1 else f.reshape(*batch, *f.shape[1:])

    def code(self, x: Tensor, penalty: Tensor | float) -> Tensor:
        """z(x), ``(*batch, *code_shape)``, at λ = `penalty`."""
        return self.coder.code(self.features(x), penalty)

    def forward(self, x: Tensor, penalty: Tensor | float) -> dist.TorchDistribution:
        """z(x) as a point mass, batch shape ``batch``, event shape ``code_shape``."""
        with finite("the codes"):
            distribution: dist.TorchDistribution = dist.Delta(self.code(x, penalty)).to_event(len(self.code_shape))
        return distribution


class SparseLinearEncoder(SparseEncoder):
    """The features are the pixels themselves, as one vector.

    Args:
        shape: the shape of one x.
        coder: `ISTA`, `FISTA` or `LISTA`, on a dictionary whose atoms are as long as an x.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> dictionary = pg.nn.Dictionary(64, atoms=96)
        >>> encoder = pg.nn.SparseLinearEncoder((1, 8, 8), pg.nn.ISTA(dictionary, steps=5))
        >>> encoder(torch.rand(3, 1, 8, 8), penalty=0.1).event_shape
        torch.Size([96])
    """

    def __init__(self, shape: Sequence[int], coder: SparseCoder) -> None:
        super().__init__(shape, coder, ())
        _check_pixels(self.shape, self.dictionary)

    def features_of(self, x: Tensor) -> Tensor:
        """Return the pixels, (B, n)."""
        return x.flatten(1)


class SparseConvEncoder(SparseEncoder):
    """Convolutions (kernel 4, stride 2, ReLU), a last one (kernel 1) to n features, and a sparse code at each position.

    The features of an image are brought to mean 0 and variance 1 over all of its map. Else they would shrink in
    training, and with them the codes' penalty, while the decoder makes up for it.

    Source: the construction is that of Xiao et al. 2023 (https://arxiv.org/abs/2303.16666); the convolutions are those
    of `ConvEncoder`.

    Args:
        shape: (channels, height, width); each ``channels`` entry halves height and width.
        coder: `ISTA`, `FISTA` or `LISTA`; the length of its dictionary's atoms is the number of features.
        channels: output channels of each convolution of stride 2.
        scale: σ > 0, the noise with which Dz + b stands for the features.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> coder = pg.nn.LISTA(pg.nn.Dictionary(16, atoms=32), steps=3)
        >>> encoder = pg.nn.SparseConvEncoder((1, 64, 64), coder, channels=(32, 32, 64))
        >>> encoder(torch.rand(3, 1, 64, 64), penalty=0.1).event_shape
        torch.Size([8, 8, 32])
    """

    def __init__(
        self, shape: Sequence[int], coder: SparseCoder, channels: Sequence[int] = (32, 64), scale: float = 1.0
    ) -> None:
        height, width = halved(shape, channels, "(32, 64)")
        super().__init__(shape, coder, (height, width))
        self.scale = checks.real("scale", scale, above=0)
        layers = halving([self.shape[0], *channels])
        self.network = nn.Sequential(*layers, nn.Conv2d(channels[-1], self.dictionary.size, kernel_size=1))

    def features_of(self, x: Tensor) -> Tensor:
        """Return the features, (B, h, w, n)."""
        f = self.network(x)
        return layer_norm(f, f.shape[1:], eps=1e-10).movedim(1, -1)  # the usual 1e-5 leaves room to shrink below it


class SparseDecoder(Decoder):
    """p(x | z) around a function of Dz + b.

    A subclass gives `output_of`, from Dz + b ``(B, *grid, n)`` to the likelihood's parameters.

    Args:
        shape: the shape of one x.
        dictionary: the encoder's.
        likelihood: see `Decoder`.
        grid: the encoder's.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dictionary: Dictionary,
        likelihood: LikelihoodName | Likelihood,
        grid: tuple[int, ...],
    ) -> None:
        if not isinstance(dictionary, Dictionary):
            raise TypeError(f"dictionary must be a pg.nn.Dictionary, got a {type(dictionary).__name__}")
        self.code_shape = (*grid, dictionary.number)
        super().__init__(shape, event_size(self.code_shape), likelihood)
        self.dictionary = dictionary

    def forward(self, z: Tensor) -> dist.TorchDistribution:
        """Return the likelihood p(x | z), batch shape ``z.shape[:-len(code_shape)]``, event shape ``shape``."""
        z, batch = rows(self, z, self.code_shape, "z")
        return explained(self, self.output_of(self.dictionary(z)), len(z), batch)


class SparseLinearDecoder(SparseDecoder):
    """The likelihood around Dz + b.

    Args:
        shape: the shape of one x.
        dictionary: the encoder's, its atoms as long as an x.
        likelihood: see `Decoder`; here a `Gaussian` by default, whose noise is the lasso's.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> pg.nn.SparseLinearDecoder((1, 8, 8), pg.nn.Dictionary(64, atoms=96))(torch.zeros(3, 96)).mean.shape
        torch.Size([3, 1, 8, 8])
    """

    def __init__(
        self, shape: Sequence[int], dictionary: Dictionary, likelihood: LikelihoodName | Likelihood = "gaussian"
    ) -> None:
        super().__init__(shape, dictionary, likelihood, ())
        _check_pixels(self.shape, dictionary)

    def output_of(self, z: Tensor) -> Tensor:
        """Dz + b as it is, ``(B, *shape)``."""
        result: Tensor = z.unflatten(-1, self.shape)
        return result


class SparseConvDecoder(SparseDecoder):
    """`SparseConvEncoder` mirrored: a convolution (kernel 1) of Dz + b, then transposed ones up to the image's size.

    Args:
        shape: (channels, height, width); each ``channels`` entry doubles height and width.
        dictionary: the encoder's.
        likelihood: see `Decoder`.
        channels: the encoder's channels, in the encoder's order.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> decoder = pg.nn.SparseConvDecoder((1, 64, 64), pg.nn.Dictionary(16, atoms=32), channels=(32, 32, 64))
        >>> decoder(torch.zeros(3, 8, 8, 32)).event_shape
        torch.Size([1, 64, 64])
    """

    def __init__(
        self,
        shape: Sequence[int],
        dictionary: Dictionary,
        likelihood: LikelihoodName | Likelihood = "bernoulli",
        channels: Sequence[int] = (32, 64),
    ) -> None:
        super().__init__(shape, dictionary, likelihood, halved(shape, channels, "(32, 64)"))
        first = nn.Conv2d(dictionary.size, channels[-1], kernel_size=1)
        self.network = nn.Sequential(first, *doubling([*reversed(channels), self.shape[0]]))

    def output_of(self, z: Tensor) -> Tensor:
        """Return the likelihood's parameters, (B, channels, height, width)."""
        output: Tensor = self.network(z.movedim(-1, 1))
        return output


def _check_pixels(shape: tuple[int, ...], dictionary: Dictionary) -> None:
    if dictionary.size != event_size(shape):
        raise ValueError(
            f"atoms must be {event_size(shape)} long where they stand for the pixels of x, as shape={shape} is, got "
            f"{dictionary.size}"
        )
