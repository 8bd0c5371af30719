"""Distributions over grids of code vectors: what a prior over the codes of a quantizer is."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints

from pyrogen import checks, tensors

LARGEST_DRAW = 2**31  # entries


class CodebookLike(Protocol):
    """What a distribution over codes asks of a codebook; `pg.nn.Codebook` is one."""

    codes: int
    dim: int

    @property
    def vectors(self) -> Tensor:
        """(K, D), the codes."""

    def nearest(self, features: Tensor) -> Tensor:
        """Return the index of the code nearest to each vector of ``(*shape, D)``, int64 ``(*shape)``."""

    def lookup(self, indices: Tensor) -> Tensor:
        """Return the vectors of int64 ``(*shape)``, ``(*shape, D)``."""

    def are_codes(self, value: Tensor, indices: Tensor, event_dim: int) -> Tensor:
        """Return whether all vectors of the last `event_dim` dimensions equal the codes of `indices`, but for
        rounding."""


class Checked(TorchDistribution):
    """What the package's own distributions share: each argument is checked, in one sentence."""

    def value(self, value: Any, weights: Tensor) -> Tensor:
        """Return a value ``(*batch, *event_shape)`` in the type of `weights`.

        Raises:
            TypeError: for what holds no real numbers.
            ValueError: for another shape and, while values are validated, for one outside of the support.
        """
        checked: Tensor = tensors.like("value", value, weights)
        split = checked.dim() - self.event_dim
        if split < 0 or checked.shape[split:] != self.event_shape:
            shape = ", ".join(map(str, self.event_shape))
            raise ValueError(f"value must have shape (*batch, {shape}), got {tuple(checked.shape)}")
        tensors.broadcast(value=checked.shape[:split], batch_shape=self.batch_shape)
        support = self.support
        if support and self._validate_args and checked.numel() and not bool(support.check(checked).all()):
            raise ValueError(f"value must lie within the support of {type(self).__name__}, got {checks.shown(checked)}")
        return checked

    def batch(self, shape: Any, name: str = "batch_shape", within: bool = True) -> torch.Size:
        """Return the shape of a batch or of draws; with `within` the present batch must fit into it.

        Raises:
            TypeError, ValueError: for what is not a shape, is too large, or does not fit.
        """
        most = max(1, LARGEST_DRAW // max(1, self.event_shape.numel()))
        result = torch.Size(checks.sizes(name, shape, least=0, in_all=most))
        if within and tensors.broadcast(**{name: result, "the distribution": self.batch_shape}) != tuple(result):
            raise ValueError(f"{name} must hold the batch shape {tuple(self.batch_shape)}, got {tuple(result)}")
        return result


def check_codebook(codebook: Any) -> None:
    """Raise ``TypeError`` unless a codebook says what a distribution over codes asks of it."""
    if isinstance(codebook, type) or not all(hasattr(codebook, what) for what in ("codes", "dim", "vectors")):
        raise TypeError(f"codebook must be a pg.nn.Codebook, got {checks.shown(codebook)}")


def check_network(network: Any) -> None:
    """Raise ``TypeError`` unless a network says what an autoregressive prior asks of it."""
    if isinstance(network, type) or not all(hasattr(network, what) for what in ("codes", "grid", "logits_of")):
        raise TypeError(f"network must be a pg.nn.Autoregressive such as pg.nn.PixelCNN, got {checks.shown(network)}")


class CodeDistribution(Checked):
    """p(z) for z a grid of vectors ``(*grid, D)``, each one of the K codes of a codebook; anything else has p(z) = 0.

    A subclass gives the distribution of the grid of *indices*, `log_prob_of` and `sample_indices`; the codes are taken
    to be distinct, so that vectors and indices say the same.

    Args:
        codebook: where the vectors are looked up.
        grid: the shape of the grid, such as (h, w), or () for a single vector.
        batch_shape: the shape of independent copies.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012 (torch's own form)
    has_rsample = False

    def __init__(
        self,
        codebook: CodebookLike,
        grid: Sequence[int],
        batch_shape: Sequence[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        check_codebook(codebook)
        if validate_args is not None:
            checks.flag("validate_args", validate_args)
        self.codebook, self.grid = codebook, torch.Size(checks.sizes("grid", grid, in_all=LARGEST_DRAW))
        batch_shape = torch.Size(checks.sizes("batch_shape", batch_shape, least=0))
        super().__init__(batch_shape, torch.Size((*self.grid, codebook.dim)), validate_args=validate_args)

    @abstractmethod
    def log_prob_of(self, indices: Tensor) -> Tensor:
        """log p of the indices ``(*batch, *grid)``, ``(*batch)``, in nats."""

    @abstractmethod
    def sample_indices(self, shape: torch.Size) -> Tensor:
        """int64 ``(*shape, *grid)``, a draw."""

    @property
    def support(self) -> constraints.Constraint:
        """Grids whose vectors are all codes, to rounding."""
        return _Codes(self.codebook, len(self.grid) + 1)

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Return vectors ``(*sample_shape, *batch_shape, *grid, D)``."""
        with torch.no_grad():
            return self.codebook.lookup(
                self.sample_indices(self.batch(sample_shape, "sample_shape", within=False) + self.batch_shape)
            )

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(z) in nats, ``z.shape`` without ``(*grid, D)``; −∞ where a vector is not a code."""
        value = self.value(value, self.codebook.vectors)
        indices = self.codebook.nearest(value)
        log_prob = self.log_prob_of(indices)
        log_prob = torch.where(self.codebook.are_codes(value, indices, self.event_dim), log_prob, -math.inf)
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape))

    def expand(self, batch_shape: Any, _instance: Any = None) -> CodeDistribution:
        """Return the same over a larger batch shape."""
        new = self.__new__(type(self)) if _instance is None else _instance
        new.__dict__.update(self.__dict__)
        torch.distributions.Distribution.__init__(new, self.batch(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new


class UniformCodes(CodeDistribution):
    r"""Every token any of the K codes: log p(z) = −T log K for T tokens, with each vector of z a code.

    Source: the prior under which van den Oord et al. 2017 train (https://arxiv.org/abs/1711.00937, section 3.1).

    Example:
        >>> from pyrogen.nn import Codebook
        >>> p = UniformCodes(Codebook(codes=8, dim=3), (2, 2))
        >>> p.log_prob(p.sample((5,))) / math.log(8)
        tensor([-4., -4., -4., -4., -4.])
    """

    def log_prob_of(self, indices: Tensor) -> Tensor:
        """−T log K."""
        batch = indices.shape[: indices.dim() - len(self.grid)]
        return self.codebook.vectors.new_full(batch, -self.grid.numel() * math.log(self.codebook.codes))

    def sample_indices(self, shape: torch.Size) -> Tensor:
        """Return each index any of K."""
        return torch.randint(self.codebook.codes, shape + self.grid, device=self.codebook.vectors.device)


class _Codes(constraints.Constraint):
    """Grids of vectors that are codes of a codebook."""

    def __init__(self, codebook: CodebookLike, event_dim: int) -> None:
        self.codebook, self.event_dim = codebook, event_dim
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        """Return whether each grid holds codes alone."""
        return self.codebook.are_codes(value, self.codebook.nearest(value), self.event_dim)
