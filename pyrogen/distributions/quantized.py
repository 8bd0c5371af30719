"""A point on a grid of codes, with the straight-through gradient: the guide of a VQ-VAE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from pyro.distributions import is_validation_enabled
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.kl import register_kl

from pyrogen import checks, tensors
from pyrogen.distributions.code_distribution import Checked, CodebookLike, CodeDistribution, check_codebook


class Quantized(Checked):
    r"""q(z | x), all of its mass on the codes nearest to the features e: z_t = c_k(t), k(t) = argmin_k ‖e_t − c_k‖².

    The set of z is finite, so this is a probability like any other. log q(z) is 0 at that z and −∞ elsewhere. So KL(q ‖
    p) = −log p(z), which is T log K nats under a uniform prior over K codes. The argmin has no derivative. So z is
    written as c + (e − sg(e)). Its value is c to the last bit, and its gradient goes to e as if z were e. This is the
    straight-through estimate of van den Oord et al. 2017, https://arxiv.org/abs/1711.00937.

    Args:
        features: e, ``(*batch, *grid, D)``.
        codebook: the codes.
        grid_dim: the number of dimensions of the grid: 2 for (h, w, D), 0 for a single vector.

    Attributes:
        features: e.
        indices: k, int64 ``(*batch, *grid)``.

    Example:
        >>> from pyrogen.nn import Codebook
        >>> book = Codebook(codes=2, dim=1)
        >>> _ = book.vectors.copy_(torch.tensor([[0.0], [1.0]]))
        >>> e = torch.tensor([[0.9], [-3.0], [0.1]], requires_grad=True)
        >>> q = Quantized(e, book, grid_dim=1)
        >>> z = q.rsample()
        >>> z.flatten().tolist(), q.log_prob(z).item()
        ([1.0, 0.0, 0.0], 0.0)
        >>> torch.autograd.grad(z.sum(), e)[0].flatten().tolist()
        [1.0, 1.0, 1.0]
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012 (torch's own form)
    has_rsample = True

    def __init__(
        self, features: Tensor, codebook: CodebookLike, grid_dim: int = 2, validate_args: bool | None = None
    ) -> None:
        check_codebook(codebook)
        if validate_args is not None:
            checks.flag("validate_args", validate_args)
        features, grid_dim = (
            tensors.like("features", features, codebook.vectors),
            checks.whole("grid_dim", grid_dim, least=0),
        )
        split = features.dim() - grid_dim - 1
        if grid_dim < 0 or split < 0 or features.shape[-1] != codebook.dim:
            raise ValueError(
                f"features must be (*batch, *grid, {codebook.dim}) with a grid of {grid_dim} dimensions, got "
                f"{tuple(features.shape)}"
            )
        if is_validation_enabled() and not torch.isfinite(features).all():
            raise ValueError("features must be finite, got NaN or infinite values")
        self.features = features
        self.indices = codebook.nearest(features)
        self._codes = codebook.lookup(self.indices)  # with its gradient to the codebook; z has none
        super().__init__(features.shape[:split], features.shape[split:], validate_args=validate_args)

    @property
    def codes(self) -> Tensor:
        """The nearest codes ``(*batch, *grid, D)``, with the codebook's gradient and none to the features."""
        return self._codes

    @property
    def mean(self) -> Tensor:
        """The point itself, without a gradient."""
        return self._codes.detach()

    @property
    def variance(self) -> Tensor:
        """0."""
        return torch.zeros_like(self.mean)

    @property
    def support(self) -> constraints.Constraint:
        """Real grids of vectors."""
        return constraints.independent(constraints.real, self.event_dim)

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Return the codes, with the gradient of the features."""
        z = self.mean + (self.features - self.features.detach())
        return z.expand(self._extended_shape(self.batch(sample_shape, "sample_shape", within=False)))

    def log_prob(self, value: Tensor) -> Tensor:
        """0 at the codes, −∞ elsewhere."""
        value = self.value(value, self.features)
        here = (value.detach() == self.mean).flatten(-self.event_dim).all(-1)
        return torch.where(here, torch.zeros_like(here, dtype=value.dtype), -math.inf)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Quantized:
        """Return the same over a larger batch shape."""
        new = self.__new__(type(self)) if _instance is None else _instance
        batch = self.batch(batch_shape)
        grid = self.event_shape[:-1]
        new.features, new._codes = (t.expand(batch + self.event_shape) for t in (self.features, self._codes))
        new.indices = self.indices.expand(batch + grid)
        torch.distributions.Distribution.__init__(new, batch, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new


@register_kl(Quantized, CodeDistribution)  # type: ignore[untyped-decorator]
def _kl(q: Quantized, p: CodeDistribution) -> Tensor:
    """−log p(z) at the one z there is, by its indices: exact, and no code is searched for twice."""
    return -p.log_prob_of(q.indices)
