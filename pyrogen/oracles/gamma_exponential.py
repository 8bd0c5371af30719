r"""The gamma–exponential pair: z ~ Exponential(1), xᵢ ~ Exponential(z), i = 1 … n, and a guide q(z) = Gamma(2, θ).

S = Σ xᵢ. All that is returned is in nats and float64; θ may be a tensor of any shape and carry a gradient. The formulas
follow from E_q z = 2 / θ, E_q log z = ψ(2) − log θ and H[q] = 2 − log θ − ψ(2). The gamma is the conjugate prior of an
exponential's rate (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6,
http://www.stat.columbia.edu/~gelman/book/).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.distributions import Gamma

from pyrogen.oracles.arguments import as_array, closed_form

DIGAMMA_2 = 1 - 0.57721566490153286061  # ψ(2) = 1 − γ, Euler's constant γ

Numbers: TypeAlias = Tensor | float | Sequence[float]


@closed_form()
def elbo(theta: Numbers, x: Numbers) -> Tensor:
    """ELBO(θ) = (n − 1) ψ(2) − (n + 1) log θ − 2 (S + 1) / θ + 2, the shape of θ.

    Args:
        theta: the rate θ > 0 of the guide.
        x: one observation, or ``(n,)``.

    Example:
        >>> from pyrogen.oracles import gamma_exponential
        >>> gamma_exponential.elbo([1.0, 4.0, 9.0], 3.0)
        tensor([-6.0000, -2.7726, -3.2833], dtype=torch.float64)
    """
    theta, n, total = _theta(theta), *_count_and_sum(x)
    return (n - 1) * DIGAMMA_2 - (n + 1) * torch.log(theta) - 2 * (total + 1) / theta + 2


@closed_form()
def elbo_gradient(theta: Numbers, x: Numbers) -> Tensor:
    """dELBO / dθ = −(n + 1) / θ + 2 (S + 1) / θ², the shape of θ."""
    theta, n, total = _theta(theta), *_count_and_sum(x)
    return -(n + 1) / theta + 2 * (total + 1) / theta**2


@closed_form()
def optimum(x: Numbers) -> Tensor:
    """θ* = 2 (S + 1) / (n + 1), the only maximum of the ELBO; for one x it is x + 1.

    Example:
        >>> from pyrogen.oracles import gamma_exponential
        >>> gamma_exponential.optimum(3.0), gamma_exponential.optimum([3.0, 0.0, 2.0])
        (tensor(4., dtype=torch.float64), tensor(3., dtype=torch.float64))
    """
    n, total = _count_and_sum(x)
    return 2 * (total + 1) / (n + 1)


@closed_form()
def evidence(x: Numbers) -> Tensor:
    """log p(x) = log n! − (n + 1) log(1 + S), a scalar; for one x it is −2 log(1 + x)."""
    n, total = _count_and_sum(x)
    return math.lgamma(n + 1) - (n + 1) * torch.log1p(total)


@closed_form()
def posterior(x: Numbers) -> Gamma:
    """p(z | x) = Gamma(n + 1, 1 + S)."""
    n, total = _count_and_sum(x)
    return Gamma(torch.tensor(n + 1.0, dtype=torch.float64), 1 + total)


@closed_form()
def kl(theta: Numbers, x: Numbers) -> Tensor:
    """KL(q ‖ p(z | x)) = (1 − n) ψ(2) + log n! + (n + 1) log(θ / (1 + S)) + 2 (1 + S − θ) / θ, the shape of θ.

    It is the gap log p(x) − ELBO(θ), never negative, and zero where n = 1 and θ = 1 + S.

    Example:
        >>> from pyrogen.oracles import gamma_exponential
        >>> gamma_exponential.kl(4.0, 3.0)
        tensor(0., dtype=torch.float64)
    """
    theta, n, total = _theta(theta), *_count_and_sum(x)
    ratio = theta / (1 + total)
    return (1 - n) * DIGAMMA_2 + math.lgamma(n + 1) + (n + 1) * torch.log(ratio) + 2 * (1 / ratio - 1)


def _theta(theta: Numbers) -> Tensor:
    value = _tensor("theta", theta)
    if not ((value > 0) & torch.isfinite(value)).all():
        raise ValueError(f"theta must be positive and finite, got {theta}")
    return value


def _count_and_sum(x: Numbers) -> tuple[int, Tensor]:
    values = _tensor("x", x)
    if values.dim() > 1 or values.numel() == 0:
        raise ValueError(f"x must be one observation or (n,), got shape {tuple(values.shape)}")
    if not ((values >= 0) & torch.isfinite(values)).all():
        raise ValueError(f"x must be finite and at least 0, got {x}")
    if not torch.isfinite(total := values.sum()):
        raise ValueError(f"x must have a finite sum, got {float(total)}")
    return values.numel(), total


def _tensor(name: str, value: Numbers) -> Tensor:
    """Return numbers as float64; a tensor keeps its gradient."""
    if isinstance(value, Tensor) and value.layout == torch.strided and value.device.type != "meta":
        if value.is_complex() or value.dtype == torch.bool:
            raise TypeError(f"{name} must hold real numbers, got a tensor of {value.dtype}")
        return value.to(torch.float64)
    return torch.from_numpy(as_array(value, name))
