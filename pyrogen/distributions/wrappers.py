"""What a distribution is under its wrappers, those of ``.to_event``, ``.expand`` and ``.mask``."""

from __future__ import annotations

from typing import Any

from pyro.distributions import Delta, MaskedDistribution
from pyro.distributions.torch_distribution import ExpandedDistribution
from torch.distributions import Independent, TransformedDistribution


def bare(distribution: Any) -> Any:
    """Return a distribution without its wrappers."""
    while isinstance(distribution, Independent | ExpandedDistribution | MaskedDistribution):
        distribution = distribution.base_dist
    return distribution


def is_point(distribution: Any) -> bool:
    """Return whether all mass lies on one value of a continuous space: such a guide has infinite KL and no bound.

    Example:
        >>> import torch
        >>> is_point(Delta(torch.zeros(3)).to_event(1))
        True
    """
    inner = bare(distribution)
    return isinstance(inner, Delta) or (isinstance(inner, TransformedDistribution) and is_point(inner.base_dist))
