"""The flat prior: every code is as good as any other."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from pyro import distributions as dist
from torch import Tensor
from torch.distributions import constraints

from pyrogen import checks
from pyrogen.distributions.code_distribution import LARGEST_DRAW, Checked


class Flat(Checked, dist.ImproperUniform):
    """p(z) ∝ 1 on all vectors of L real numbers: log p(z) is 0, and nothing can be drawn.

    A prior for guides that are points. With it the log joint is the likelihood alone, as in a plain autoencoder. The
    best point is then the one of maximal likelihood. Its integral is infinite, so neither the evidence nor a KL or an
    ELBO exists. It is Pyro's ``ImproperUniform``, but that log p(z) has the type and device of z, and that asking for a
    draw says what to do.

    Args:
        latent: L ≥ 1.
        batch_shape: of independent ones; one by default.

    Raises:
        ValueError: for L < 1, and by `sample`.

    Example:
        >>> import torch
        >>> from pyrogen.distributions import Flat
        >>> Flat(3).log_prob(torch.randn(5, 3))
        tensor([0., 0., 0., 0., 0.])
    """

    def __init__(self, latent: int, batch_shape: tuple[int, ...] = ()) -> None:
        latent = checks.whole("latent", latent, least=1, most=LARGEST_DRAW)
        batch = torch.Size(checks.sizes("batch_shape", batch_shape, least=0, in_all=LARGEST_DRAW))
        shapes = batch, torch.Size((latent,))
        super().__init__(constraints.real_vector, *shapes)  # type: ignore[no-untyped-call]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Flat:
        """Return the same over another batch."""
        return Flat(self.event_shape[0], self.batch(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """0 for each vector, ``(*batch,)``."""
        value = checks.tensor("value", value)
        value = self.value(value, value if value.is_floating_point() else torch.empty(()))
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        return value.new_zeros(()).expand(shape)

    def sample(self, sample_shape: Any = ()) -> NoReturn:
        """Always a ``ValueError``."""
        raise ValueError(
            "a flat prior cannot be drawn from: choose the codes, for instance "
            f"pair.decode(torch.randn(n, {self.event_shape[0]})).mean, or fit a distribution to the codes of data"
        )
