"""Draws that are smooth functions of their parameters at equal noise, also where the library's sampler rejects."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pyro import distributions as dist
from pyro.poutine.messenger import Messenger
from pyro.poutine.runtime import Message
from torch import Tensor

_SMOOTH: tuple[type, ...] = (
    torch.distributions.Normal,
    torch.distributions.MultivariateNormal,
    torch.distributions.LowRankMultivariateNormal,
    torch.distributions.Laplace,
    torch.distributions.Cauchy,
    torch.distributions.Uniform,
    torch.distributions.Exponential,
    torch.distributions.Gumbel,
    torch.distributions.HalfNormal,
    torch.distributions.HalfCauchy,
    torch.distributions.Weibull,
    torch.distributions.Pareto,
    dist.Delta,
    dist.Unit,
)
_WRAPPERS: tuple[type, ...] = (torch.distributions.Independent, dist.MaskedDistribution)
_GAMMAS = {
    type_: kind
    for kind in ("Gamma", "Beta", "Dirichlet")
    for type_ in (getattr(dist, kind), getattr(torch.distributions, kind))
}


def draws_smoothly(fn: Any) -> bool:
    """Whether a draw of `fn` at equal random numbers is a smooth function of its parameters, by itself or coupled."""
    if isinstance(fn, _SMOOTH) or type(fn) in _GAMMAS:
        return True
    base = getattr(fn, "base_dist", None)
    if base is None or not getattr(fn, "has_rsample", False):
        return False
    return draws_smoothly(base) if isinstance(fn, _WRAPPERS) else _by_itself(base)


def _by_itself(fn: Any) -> bool:
    """As `draws_smoothly`, with the library's own sampler: what lies under a transform is not coupled."""
    base = getattr(fn, "base_dist", None)
    return isinstance(fn, _SMOOTH) or (base is not None and getattr(fn, "has_rsample", False) and _by_itself(base))


def is_point(fn: Any) -> bool:
    """Whether `fn` is a Delta or a Unit, under any wrapper: what it gives is no draw."""
    base = getattr(fn, "base_dist", None)
    return isinstance(fn, dist.Delta | dist.Unit) or (base is not None and is_point(base))


class Coupled(Messenger):
    """Draws Gamma, Beta and Dirichlet latents by inverting their distribution functions.

    The library's sampler rejects, so that at equal random numbers its draws jump as the parameters move. A gamma draw
    is here F⁻¹(u; α)/β for a uniform u, and a Beta or a Dirichlet is made of such. The gradient in α is the implicit
    one, −(∂F/∂α)/(∂F/∂z) (Figurnov et al. 2018, https://arxiv.org/abs/1805.08498).
    """

    def _pyro_sample(self, msg: Message) -> None:
        if msg["is_observed"] or msg["value"] is not None or msg["infer"].get("enumerate"):
            return
        fn: Any = msg["fn"]
        while isinstance(fn, _WRAPPERS):
            fn = fn.base_dist  # type: ignore[attr-defined]
        if type(fn) in _GAMMAS:
            msg["value"], msg["done"] = _draw(fn, _GAMMAS[type(fn)]), True


def _draw(fn: Any, kind: str) -> Tensor:
    if kind == "Gamma":
        return _standard_gamma(fn.concentration.expand(fn.batch_shape)) / fn.rate
    if kind == "Beta":
        one, zero = (_standard_gamma(c) for c in (fn.concentration1, fn.concentration0))
        return _inside(one / (one + zero))
    parts = _standard_gamma(fn.concentration)
    return parts / parts.sum(-1, keepdim=True)


def _standard_gamma(shape: Tensor) -> Tensor:
    from scipy.special import gammaincinv

    at = shape.detach()
    uniform = torch.rand(at.shape, dtype=torch.float64)
    value = gammaincinv(at.double().cpu().numpy(), uniform.numpy())
    tiny = torch.finfo(at.dtype).tiny
    z = torch.from_numpy(np.atleast_1d(value)).reshape(at.shape).to(at).clamp_min(tiny)
    return z + (shape - at) * torch._standard_gamma_grad(at, z)  # the value is z, the derivative the implicit one


def _inside(value: Tensor) -> Tensor:
    step = torch.finfo(value.dtype).eps
    return value.clamp(step, 1 - step)
