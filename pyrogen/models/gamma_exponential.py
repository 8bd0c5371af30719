"""The smallest pair with a closed form: a gamma guide for the rate of exponential observations."""

from __future__ import annotations

import math
from typing import Any

import pyro
import torch
from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.config import Described
from pyrogen.models.base import Named


class GammaExponential(Described, Named, nn.Module):
    r"""z ~ Exponential(1), xᵢ ~ Exponential(z) for i = 1 … n, fitted through q(z) = Gamma(2, θ) = θ² z e^(−θz).

    With S = Σ xᵢ the ELBO is, in nats,

        ELBO(θ) = (n − 1) ψ(2) − (n + 1) log θ − 2 (S + 1) / θ + 2,

    maximal at θ = 2 (S + 1) / (n + 1). For one x that is θ = x + 1, where q is the exact posterior and the ELBO is
    log p(x) = −2 log(1 + x). `pg.oracles.gamma_exponential` has these formulas, so any way of training can be held
    against them. The programs learn u = log θ, in which the ELBO is concave.

    Args:
        theta: where θ > 0 starts.

    Attributes:
        log_theta: u, the one parameter (a scalar). It is saved with the state, and ``.double()`` and ``.to`` move it.
        name: this object's prefix in Pyro's parameter store. Each object has its own, copies too, so that no two
            ever share θ; clearing the store leaves θ where it was.

    Raises:
        ValueError: if θ is not positive and finite.

    Example:
        >>> import pyrogen as pg
        >>> from pyro.infer import SVI, Trace_ELBO
        >>> _ = torch.manual_seed(0)
        >>> g = pg.models.GammaExponential()
        >>> elbo = Trace_ELBO(num_particles=1000, vectorize_particles=True)
        >>> svi = SVI(g.model, g.guide, pyro.optim.Adam({"lr": 0.05}), elbo)
        >>> losses = [svi.step(3.0) for _ in range(200)]
        >>> abs(g.theta - 4.0) < 0.2
        tensor(True)
    """

    log_theta: nn.Parameter

    def __init__(self, theta: float = 1.0) -> None:
        super().__init__()
        self.name = self._fresh_name()
        self.log_theta = nn.Parameter(_checked_log(theta).to(torch.get_default_dtype()))

    @property
    def theta(self) -> Tensor:
        """θ as it stands, a positive scalar without a gradient; setting it moves the parameter."""
        return self.log_theta.detach().exp()

    @theta.setter
    def theta(self, value: Any) -> None:
        with torch.no_grad():
            self.log_theta.copy_(_checked_log(value))

    def model(self, x: Tensor | float) -> Tensor:
        """p(x, z) for one observation or for n of them, ``(n,)``; returns z."""
        x = self.as_data(x)
        z = pyro.sample("z", dist.Exponential(torch.ones_like(self.log_theta)))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Exponential(z), obs=x)  # z is (), or (particles, 1): either way (..., n) in all
        return z

    def guide(self, x: Tensor | float) -> Tensor:
        """q(z), the same for every x of a given fit; returns z."""
        pyro.module(self.name, self)
        self.as_data(x)
        return pyro.sample("z", dist.Gamma(torch.full_like(self.log_theta, 2.0), self.log_theta.exp()))

    def as_data(self, x: Tensor | float) -> Tensor:
        """Return the observations as ``(n,)`` in the parameter's own type.

        Raises:
            ValueError: unless they are one or more finite numbers of at least 0.
        """
        values = checks.tensor("x", x).to(self.log_theta)
        if values.dim() > 1 or values.numel() == 0:
            raise ValueError(f"x must be one observation or n of them, (n,), got shape {tuple(values.shape)}")
        good = torch.isfinite(values) & (values >= 0)
        if not good.all():
            raise ValueError(
                f"x must be finite and at least 0, got {int((~good).sum())} of {values.numel()} observations that "
                f"are not, such as {values[~good].flatten()[0].item():g}"
            )
        return values.reshape(-1)

    def __getstate__(self) -> dict[str, Any]:
        """Return a copy, a shallow one too, has a θ of its own, without the weak references that Pyro's store hangs on
        it."""
        mine = nn.Parameter(self.log_theta.detach().clone(), requires_grad=self.log_theta.requires_grad)
        return self.__dict__ | {"_parameters": {"log_theta": mine}}


def _checked_log(theta: Any) -> Tensor:
    value = checks.tensor("theta", theta).detach().double()
    if value.numel() != 1 or not 0 < value.item() < math.inf:
        raise ValueError(f"theta must be the rate of the guide, one positive finite number, got {checks.shown(theta)}")
    return value.reshape(()).log()
