"""Pareto-k̂ of importance weights: how heavy their tail is, and so how far a bound from them can be trusted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pyrogen import checks

LEAST = 25  # draws below which there is no tail to fit


def pareto_k(log_weights: Tensor) -> Tensor:
    r"""Return the shape k̂ of the generalized Pareto distribution fitted to the largest weights of each column.

    1/k moments of the weights exist: below 0.5 their mean has a finite variance, above 0.7 an average over K draws is
    not to be trusted. The fit is that of Zhang and Stephens 2009 (https://doi.org/10.1198/tech.2009.08017) to the
    largest min(K/5, 3√K) weights, pulled towards 0.5 by 10 prior observations, as in Vehtari et al. 2024
    (https://arxiv.org/abs/1507.02646) and ArviZ.

    Args:
        log_weights: (K, B).

    Returns:
        (B,); −∞ where the largest weights are all alike, +∞ where most of them are 0.

    Raises:
        ValueError: for fewer than 25 draws, which have no tail to fit, and for weights that are NaN or +∞.

    Example:
        >>> draws = torch.distributions.Pareto(1.0, 1 / 0.6).sample((20_000, 1))
        >>> bool((pareto_k(draws.log()) - 0.6).abs() < 0.15)
        True
    """
    log_weights = checks.tensor("log_weights", log_weights)
    if log_weights.dim() != 2 or not log_weights.is_floating_point():
        raise ValueError(f"log_weights must be floats (K, B), got {checks.shown(log_weights)}")
    number = len(log_weights)
    if number < LEAST:
        raise ValueError(f"log_weights must have at least {LEAST} draws, K, to have a tail, got {number}")
    log_weights = log_weights.double()
    if not bool((log_weights < math.inf).all()):
        raise ValueError("log_weights must be below +∞, got NaN or +∞")
    tail = min(math.ceil(number / 5), math.ceil(3 * math.sqrt(number)))
    top = log_weights.max(0).values
    ordered = (log_weights - torch.where(top.isinf(), 0.0, top)).sort(0).values
    excess = ordered[-tail:].exp() - ordered[-tail - 1].exp()  # (M, B), ascending
    alike = excess[-1] - excess[0] <= 1e-12
    k = _zhang_stephens(torch.where(alike, torch.ones_like(excess).cumsum(0), excess))
    k = k * tail / (tail + 10) + 10 * 0.5 / (tail + 10)
    return torch.where(alike, -math.inf, torch.where(k.isnan(), math.inf, k))


def share_of_heavy_tails(log_weights: Tensor) -> dict[str, float] | None:
    """Return the median of k̂ over the columns and the share of them above 0.7; None where there are too few draws."""
    if len(log_weights) < LEAST or not bool((log_weights < math.inf).all()):
        return None
    k = pareto_k(log_weights)
    return {"median": float(k.median()), "share_above_0.7": float((k > 0.7).double().mean())}


def _zhang_stephens(x: Tensor) -> Tensor:
    """Return the posterior mean of k of a generalized Pareto at 0 from ascending x (M, B)."""
    m = len(x)
    points = 30 + int(math.sqrt(m))
    grid = torch.arange(1, points + 1, dtype=x.dtype, device=x.device)
    b = (1 - torch.sqrt(points / (grid - 0.5)))[:, None] / (3 * x[int(m / 4 + 0.5) - 1]) + 1 / x[-1]  # (points, B)
    k = torch.log1p(-b[:, None] * x).mean(1)
    likelihood = m * (torch.log(-b / k) - k - 1)
    weights = torch.softmax(likelihood, 0)
    weights = torch.where(weights >= 10 * torch.finfo(x.dtype).eps, weights, torch.zeros_like(weights))
    b = (b * weights).sum(0) / weights.sum(0)
    return torch.log1p(-b * x).mean(0)
