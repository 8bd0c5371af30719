r"""Dirichlet distributions as an exponential family: for tables whose rows each are one, q(θ) ∝ Π θₖ^(αₖ − 1).

Its natural parameters are the concentrations α, its mean parameters μ = E[log θ]. So the natural gradient of a function
of q is its gradient with respect to μ, which is F(α)⁻¹ ∇_α. F = ∂μ/∂α is the Fisher matrix diag ψ′(αₖ) − ψ′(Σα) 1 1ᵀ
(Khan & Lin 2017, https://arxiv.org/abs/1703.04265).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from pyrogen.graphs.structure.validation import Node


def expected_log(alpha: Tensor) -> Tensor:
    """μ = E[log θₖ] = ψ(αₖ) − ψ(Σα), ``(…, K)``, in nats."""
    return torch.digamma(alpha) - torch.digamma(alpha.sum(-1, keepdim=True))


def natural_gradient(alpha: Tensor, gradient: Tensor) -> Tensor:
    """F(α)⁻¹ g for each row of ``(…, K)``, K of at least 2, in O(K) by Sherman and Morrison's formula.

    Example:
        >>> alpha = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64, requires_grad=True)
        >>> weights = torch.tensor([3.0, 0.0, 1.0], dtype=torch.float64)
        >>> (gradient,) = torch.autograd.grad((weights * expected_log(alpha)).sum(), alpha)
        >>> (natural_gradient(alpha.detach(), gradient) - weights).abs().max() < 1e-12
        tensor(True)
    """
    own = torch.polygamma(1, alpha)
    common = torch.polygamma(1, alpha.sum(-1, keepdim=True))
    scaled = gradient / own
    return scaled + common * scaled.sum(-1, keepdim=True) / (1 - common * (1 / own).sum(-1, keepdim=True)) / own


def kl(alpha: Tensor, prior: Tensor) -> Tensor:
    """KL(Dirichlet(α) ‖ Dirichlet(prior)) summed over all rows, in nats."""
    return kl_divergence(Dirichlet(alpha), Dirichlet(prior)).sum()


def sample_log(alpha: Tensor, particles: int) -> Tensor:
    """log θ, ``(particles, …, K)``, through which gradients reach α."""
    theta = Dirichlet(alpha).rsample((particles,))
    return theta.clamp_min(torch.finfo(theta.dtype).tiny).log()


def prior(value: Any, node: Node, shape: list[int], parents: Sequence[Node] = ()) -> NDArray[np.float64]:
    """Return a stated prior as concentrations in the shape of the node's table; refuse anything else.

    Args:
        value: one number, an array in that shape, or pgmpy's ``pseudo_counts``: own states by the joint states of the
            parents, which are sorted by name.
        node: for the message.
        shape: the numbers of the node's own states and of each parent's.
        parents: the parents in the order of the table.
    """
    try:
        table = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        table = np.array(np.nan)  # such as the name of a prior
    if len(shape) != 2 and table.shape == (shape[0], math.prod(shape[1:])):
        order = sorted(range(len(parents)), key=lambda place: parents[place])  # type: ignore[arg-type, return-value]
        table = table.reshape([shape[0], *(shape[1 + place] for place in order)])
        table = table.transpose([0, *(1 + order.index(place) for place in range(len(order)))])
    if table.shape not in ((), tuple(shape)) or not (np.isfinite(table) & (table > 0)).all():
        raise ValueError(
            f"the prior of {node!r} must be one positive number or an array {tuple(shape)} of them, "
            f"got {str(value)[:60]!r}"
        )
    return np.broadcast_to(table, shape)
