"""What the explorer computes: a pair and its data as plain arrays, without a page."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pyro.distributions import ImproperUniform
from torch import Tensor
from torch.distributions import kl_divergence

from pyrogen import checks
from pyrogen.metrics import mutual_information
from pyrogen.models import TwoLayerVAE
from pyrogen.models.running import drawn_by_model, evaluating
from pyrogen.random_numbers import seeded

Array: TypeAlias = NDArray[Any]

REACH = 3.0  # posterior standard deviations of the aggregate that a slider spans on each side
DRAWS = 100  # draws that stand for the mean of a guide that states none


class View:
    """A pair seen through its latents, and through data if there are any.

    Latents go by falling mean KL, so that those the model uses come first. Every number leaves as a NumPy array.

    Args:
        pair: a trained pair, such as a `pg.models.VAE`; its mode and weights are left as they are.
        data: images ``(N, *shape)`` as a tensor or array, or a data set with ``images(index)`` and perhaps
            ``factors(index)``, ``index(factors)``, ``factor_names`` and ``factor_sizes``; None for the prior alone.
        samples: at most how many images the ranges, the KL and the mutual information are computed on.
        seed: of the choice of these images.

    Attributes:
        shape: of one image.
        size: the number of code values L; of a grid of codes the length of the flattened grid.
        tokens: (grid shape, number of codes) of a pair with a codebook, else None.
        kl: (L,), the mean KL of each latent in nats; without data, zeros. Where the KL has no part for each latent, the
            variance of the codes.
        unit: "nats" or "variance".
        order: the latents by falling KL.
        low, high: (L,), the range of each slider.
        span: the lowest and the highest value among those images; without data None.

    Raises:
        TypeError: for a pair without ``encode`` and ``decode``.
        ValueError: for data of another shape, or a pair that needs labels.

    Example:
        >>> import pyrogen as pg
        >>> vae = pg.models.VAE(pg.nn.MLPEncoder((8, 8), latent=3), pg.nn.MLPDecoder((8, 8), latent=3))
        >>> view = View(vae, torch.bernoulli(torch.full((50, 8, 8), 0.5)))
        >>> view.decode(view.code(7)).shape, view.size
        ((8, 8), 3)
    """

    def __init__(self, pair: Any, data: Any = None, samples: int = 2_000, seed: int = 0) -> None:
        if not (callable(getattr(pair, "encode", None)) and callable(getattr(pair, "decode", None))):
            raise TypeError(f"pair must have encode and decode, such as a pg.models.VAE, got {type(pair).__name__}")
        if "y" in inspect.signature(pair.decode).parameters:
            what = type(pair).__name__
            raise ValueError(
                f"pair must decode a code alone, got a {what}, which needs a label too: there is no page for it"
            )
        self.pair, self.data = pair, _Images(data) if data is not None else None
        self.shape: tuple[int, ...] = tuple(pair.shape)
        samples, self.seed = checks.whole("samples", samples, least=2), checks.seed("seed", seed)
        book = getattr(pair, "codebook", None)
        self.tokens = None if book is None else (tuple(pair.grid), int(book.codes))
        self.size = int(np.prod(pair.code_shape))
        self.index = np.zeros(0, dtype=np.int64)
        self.codes = np.zeros((0, self.size))
        self.kl, self.unit = np.zeros(self.size), "nats"
        self.span: tuple[float, float] | None = None
        if self.data is not None:
            if self.data.shape != self.shape:
                raise ValueError(f"data must be images of shape {self.shape}, got {self.data.shape}")
            self.index = np.random.default_rng(self.seed).permutation(len(self.data))[:samples]
            self.codes, self.kl = self._encode_all()
        self.order = np.argsort(-self.kl, kind="stable")
        center = self.codes.mean(0) if len(self.codes) else np.zeros(self.size)
        spread = np.maximum(self.codes.std(0), 1.0) if len(self.codes) else np.ones(self.size)
        self.low, self.high = center - REACH * spread, center + REACH * spread

    def __len__(self) -> int:
        return 0 if self.data is None else len(self.data)

    def decode(self, code: Any) -> Array:
        """Return the mean image of a code (L,), of the pair's shape."""
        image: Array = self.decode_all(np.asarray(code, dtype=np.float64)[None])[0]
        return image

    def decode_all(self, codes: Array) -> Array:
        """Return the mean images ``(n, *shape)`` of codes (n, L)."""
        z = self._tensor(codes).reshape(-1, *self.pair.code_shape)
        with evaluating(self.pair):
            return _array(self.pair.decode(z).mean)

    def image(self, index: int) -> Array:
        """Return an image of the data."""
        image: Array = _array(self._images([index]))[0]
        return image

    def code(self, index: int) -> Array:
        """Return the code of an image of the data, (L,): the guide's mean."""
        code: Array = self._mean(self._images([index]))[0]
        return code

    def reconstruct(self, index: int) -> Array:
        """Return the decoded code of an image of the data."""
        return self.decode(self.code(index))

    def token_indices(self, index: int) -> Array:
        """Return which code of the codebook each place of an image's grid has."""
        with evaluating(self.pair):
            indices: Array = self.pair.encode(self._images([index])).indices[0].cpu().numpy()
        return indices

    def decode_tokens(self, indices: Any) -> Array:
        """Return the mean image of a grid of code numbers."""
        image: Array = self._decode_grids(np.asarray(indices)[None])[0]
        return image

    def swaps(self, indices: Array, place: tuple[int, ...]) -> Array:
        """Return the images ``(codes, *shape)`` of a grid of code numbers with each code in turn at one place."""
        assert self.tokens is not None
        grids = np.repeat(indices[None], self.tokens[1], 0)
        np.moveaxis(grids, 0, -1)[place] = np.arange(self.tokens[1])
        return self._decode_grids(grids)

    def _decode_grids(self, grids: Array) -> Array:
        with evaluating(self.pair):
            return _array(self.pair.decode(self.pair.codebook.lookup(torch.as_tensor(grids))).mean)

    @property
    def drawable(self) -> bool:
        """Whether codes can be drawn from the prior; from the flat one of an autoencoder they cannot."""
        return not isinstance(self.pair.prior(), ImproperUniform)

    def sample(self, n: int, seed: int = 0) -> Array:
        """Return codes (n, L) drawn from the prior."""
        with seeded(seed), evaluating(self.pair):
            trace = drawn_by_model(self.pair, self.pair.blank(n, True))
            return _array(trace.nodes["z"]["value"]).reshape(n, -1)

    def path(self, start: Any, end: Any, steps: int = 9) -> Array:
        """Return images on the straight line between two codes, ``(steps, *shape)``."""
        share = np.linspace(0.0, 1.0, steps)[:, None]
        return self.decode_all((1 - share) * np.asarray(start) + share * np.asarray(end))

    def between(self, start: int, end: int, steps: int = 9) -> Array:
        """Return images from one image of the data to another: `path`, or on a grid code by code in its order."""
        if not self.tokens:
            return self.path(self.code(start), self.code(end), steps)
        first, last = self.token_indices(start), self.token_indices(end)
        number = np.arange(first.size).reshape(first.shape)
        counts = np.linspace(0, first.size, steps).round()
        return self._decode_grids(np.stack([np.where(number < count, last, first) for count in counts]))

    @property
    def factor_names(self) -> tuple[str, ...]:
        """The names of the data's true factors; empty without any."""
        return () if self.data is None else self.data.factor_names

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        """How many values each factor has, where every combination of them is an image; else empty."""
        return () if self.data is None else self.data.factor_sizes

    def factors_of(self, index: int) -> Array:
        """Return the true factors of an image of the data, (K,)."""
        assert self.data is not None
        own: Array = self.data.factors([index])[0]
        return own

    def index_of(self, factors: Any) -> int:
        """Return which image of the data has these factors."""
        assert self.data is not None
        return self.data.index(factors)

    def turn(self, index: int, factor: int) -> tuple[Array, Array]:
        """Return what each latent does as one true factor takes all its values and the others stay.

        Returns:
            the images ``(V, *shape)``, and the codes (V, L) with their mean taken off, in units of a slider's reach.
        """
        assert self.data is not None
        own = self.factors_of(index)
        rows = [self.index_of([*own[:factor], value, *own[factor + 1 :]]) for value in range(self.factor_sizes[factor])]
        images = self._images(rows)
        codes = self._mean(images)
        return _array(images), (codes - codes.mean(0)) * REACH / (self.high - self.low) * 2

    @cached_property
    def information(self) -> tuple[Array, tuple[str, ...]]:
        """The mutual information (L, K) of latents and factors in nats by histograms, and the factors' names."""
        assert self.data is not None
        factors = self.data.factors(self.index)
        varied = [place for place in range(factors.shape[1]) if len(np.unique(factors[:, place])) > 1]
        table = np.asarray(mutual_information(self.codes, factors[:, varied], estimator="histogram"))
        return table, tuple(self.factor_names[place] for place in varied)

    def _encode_all(self) -> tuple[Array, Array]:
        codes, costs = [], []
        for rows in np.array_split(self.index, max(1, len(self.index) // 250)):
            images = self._images(rows)
            least, most = self.span or (np.inf, -np.inf)
            self.span = min(least, float(images.min())), max(most, float(images.max()))
            codes.append(self._mean(images))
            costs.append(self._cost(images))
        return np.concatenate(codes), np.concatenate(costs).mean(0)

    def _mean(self, images: Tensor) -> Array:
        with evaluating(self.pair):
            q = self.pair.encode(images)
            try:
                mean = q.mean
            except NotImplementedError:  # such as a flow's
                mean = q.sample((DRAWS,)).mean(0)
        return _array(mean).reshape(len(images), -1)

    def _cost(self, images: Tensor) -> Array:
        """KL(q ‖ p) by latent, (n, L); where it does not split, the variance of the means says which are used."""
        with evaluating(self.pair):
            q, p = self.pair.encode(images), self.pair.prior()
            try:
                above = isinstance(self.pair, TwoLayerVAE)  # its prior is that of another layer
                other: Any = None if above else p.base_dist
                cost = _array(kl_divergence(q.base_dist, other))
            except (AttributeError, NotImplementedError, TypeError):
                self.unit = "variance"
                return np.broadcast_to(self._mean(images).var(0), (len(images), self.size))
        return cost.reshape(len(images), -1) if cost.size == len(images) * self.size else np.zeros((1, self.size))

    def _images(self, rows: Any) -> Tensor:
        assert self.data is not None
        like = next(iter(self.pair.parameters()), torch.zeros(()))
        images: Tensor = self.pair.as_data(self.data.images(rows)).to(like.device)
        return images

    def _tensor(self, codes: Array) -> Tensor:
        like = next(iter(self.pair.parameters()), torch.zeros(()))
        return torch.as_tensor(codes).to(dtype=self.pair.beta.dtype, device=like.device)


class _Images:
    """Data of any kind as images by number, with factors if they have them."""

    def __init__(self, data: Any) -> None:
        self._data = data
        known = hasattr(data, "images")
        self._array = None if known else _tensor(data)
        self.factor_names: tuple[str, ...] = tuple(getattr(data, "factor_names", ()) if known else ())
        turnable = hasattr(data, "index") and hasattr(data, "factor_sizes")
        sizes = tuple(getattr(data, "factor_sizes", ())) if turnable else ()
        self.factor_sizes = sizes if sizes and int(np.prod(sizes)) == len(data) else ()
        self.shape = tuple(self.images([0]).shape[1:])

    def __len__(self) -> int:
        return len(self._data if self._array is None else self._array)

    def images(self, rows: Any) -> Tensor:
        index = torch.as_tensor(np.asarray(rows))
        images: Tensor = self._data.images(index) if self._array is None else self._array[index]
        return images

    def factors(self, rows: Any) -> Array:
        found: Array = np.asarray(self._data.factors(torch.as_tensor(np.asarray(rows))))
        return found

    def index(self, factors: Any) -> int:
        return int(self._data.index(torch.as_tensor(np.asarray(factors))[None])[0])


def _tensor(data: Any) -> Tensor:
    """Images as a tensor of numbers, one image at least."""
    if isinstance(data, torch.Tensor) and data.device.type == "meta":
        raise TypeError("data must hold numbers, got a tensor on the meta device")
    try:
        tensor = torch.as_tensor(data)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"data must be images (N, *shape) as numbers, got {checks.shown(data)}") from error
    dense = tensor.layout is torch.strided
    if not dense or tensor.is_complex() or tensor.dim() < 2 or not len(tensor) or not torch.isfinite(tensor).all():
        raise ValueError(f"data must be finite real images (N, *shape), one at least, got {checks.shown(data)}")
    return tensor


def _array(tensor: Tensor) -> Array:
    return tensor.detach().cpu().double().numpy()
