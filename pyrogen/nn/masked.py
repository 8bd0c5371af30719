"""Networks over grids of indices that look back only: the parts of an autoregressive prior."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks, tensors
from pyrogen.config import Described
from pyrogen.nn.base import batch_shape, check_shape, fitting

MOST_LAYERS = 1000  # of one network
MOST_WEIGHTS = 2**28  # 1 GiB in float32: drawing more takes long before memory refuses


class Autoregressive(Described, nn.Module, ABC):
    r"""p(k) = Π_t p(k_t | k_1 … k_{t−1}) over a grid of indices in row-major order.

    A subclass gives `logits_of`, whose entry at t must depend on the indices before t alone.

    Args:
        grid: the shape of the grid, such as (h, w) or (T,).
        codes: K, the number of values of an index.
    """

    def __init__(self, grid: Sequence[int], codes: int) -> None:
        super().__init__()
        self.grid = check_shape(grid)
        self.codes = checks.whole("codes", codes, least=1)

    @abstractmethod
    def logits_of(self, indices: Tensor) -> Tensor:
        """Return logits ``(B, *grid, K)`` of each index given the earlier ones, for int64 indices ``(B, *grid)``."""

    def forward(self, indices: Tensor) -> dist.TorchDistribution:
        """For ``(*batch, *grid)`` the distribution over ``grid`` whose log_prob at `indices` is log p(k), in nats."""
        indices = tensors.indices("indices", indices, self.codes)
        batch = batch_shape(indices, self.grid, "indices")
        indices = indices.reshape(-1, *self.grid)
        if not len(indices):
            raise ValueError("indices must be of at least one grid, got none")
        logits = fitting(self.logits_of(indices), (len(indices), *self.grid, self.codes), "what logits_of returns")
        distribution: dist.TorchDistribution = dist.Categorical(
            logits=logits.reshape(*batch, *self.grid, self.codes)
        ).to_event(len(self.grid))
        return distribution


class PixelCNN(Autoregressive):
    r"""Gated convolutions in two stacks, one over the rows above and one over the row so far: together they see every
    earlier place.

    Nothing is masked: the input is shifted by a row (a column) and each convolution padded on one side, which comes to
    the same. Each layer is tanh(a) σ(b) with a, b its two halves, plus an embedding of the place in the grid. These
    grids are small, and their places differ. A layer sees `reach` further up and to the sides, so ``layers × reach``
    should be at least the grid's height and width for every token to see all before it.

    Source: van den Oord et al. 2016, https://arxiv.org/abs/1606.05328.

    Args:
        grid: (h, w), or (T,) for a row.
        codes: K.
        channels: features of each stack.
        layers: the number of layers.
        reach: how far a convolution sees, at least 1: kernels are (reach + 1) × (2 reach + 1) and 1 × (reach + 1).

    Example:
        >>> network = PixelCNN((4, 4), codes=8, channels=16, layers=2)
        >>> network(torch.zeros(5, 4, 4, dtype=torch.int64)).log_prob(torch.zeros(5, 4, 4, dtype=torch.int64)).shape
        torch.Size([5])
    """

    def __init__(self, grid: Sequence[int], codes: int, channels: int = 64, layers: int = 4, reach: int = 1) -> None:
        super().__init__(grid, codes)
        if len(self.grid) > 2:
            raise ValueError(f"the grid must have one or two dimensions, got {self.grid}")
        channels, reach = checks.whole("channels", channels, least=1), checks.whole("reach", reach, least=1)
        layers = checks.whole("layers", layers, least=1, most=MOST_LAYERS)
        self.height, self.width = (1, *self.grid)[-2:]
        kernels = 2 * (reach + 1) * (2 * reach + 2) + 5  # of one layer, of channels² weights each
        weights = layers * channels * (kernels * channels + 2 * self.height * self.width)
        if weights + 2 * self.codes * channels > MOST_WEIGHTS:
            raise ValueError(
                f"a PixelCNN must have at most {MOST_WEIGHTS:,} weights, got {weights + 2 * self.codes * channels:,}: "
                "ask for fewer channels, layers or codes, or a smaller reach or grid"
            )
        self.embedding = nn.Embedding(self.codes, channels)
        self.layers = nn.ModuleList(_Layer(channels, reach, (self.height, self.width)) for _ in range(layers))
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, self.codes, 1)
        )

    def logits_of(self, indices: Tensor) -> Tensor:
        """Return logits ``(B, *grid, K)``."""
        x = self.embedding(indices.reshape(-1, self.height, self.width)).movedim(-1, 1)  # (B, channels, h, w)
        above = nn.functional.pad(x, (0, 0, 1, 0))[:, :, :-1]  # at row i what stands in row i − 1
        before = nn.functional.pad(x, (1, 0))[:, :, :, :-1]
        for layer in self.layers:
            above, before = layer(above, before)
        output: Tensor = self.head(before).movedim(1, -1).reshape(-1, *self.grid, self.codes)
        return output


class _Layer(nn.Module):
    """One gated step of both stacks; the row's is residual and reads the other."""

    def __init__(self, channels: int, reach: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.reach = reach
        self.above = nn.Conv2d(channels, 2 * channels, (reach + 1, 2 * reach + 1))
        self.before = nn.Conv2d(channels, 2 * channels, (1, reach + 1))
        self.across = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.place = nn.Parameter(torch.randn(2 * channels, *grid) / math.sqrt(channels))

    def forward(self, above: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks (B, channels, h, w), one layer on."""
        pad, reach = nn.functional.pad, self.reach
        rows = self.above(pad(above, (reach, reach, reach, 0))) + self.place
        row = self.before(pad(before, (reach, 0))) + self.across(rows)
        return _gated(rows), before + self.out(_gated(row))


def _gated(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    return a.tanh() * b.sigmoid()
