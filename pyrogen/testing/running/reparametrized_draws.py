"""Draws that are smooth functions of their parameters at equal noise, also where the library's sampler rejects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pyro import distributions as dist
from pyro.poutine.messenger import Messenger
from pyro.poutine.runtime import Message
from torch import Tensor

_SMOOTH = (
    torch.distributions.Normal, torch.distributions.MultivariateNormal, torch.distributions.LowRankMultivariateNormal,
    torch.distributions.Laplace, torch.distributions.Cauchy, torch.distributions.Uniform, torch.distributions.Gumbel,
    torch.distributions.Exponential, torch.distributions.HalfNormal, torch.distributions.HalfCauchy,
    torch.distributions.Weibull, torch.distributions.Pareto, dist.Delta, dist.Unit,
)  # fmt: skip


def draws_smoothly(fn: Any) -> bool:
    """Return whether a draw at equal random numbers is a smooth function of the parameters, by itself or coupled."""
    return _by_itself(fn) or _sampler(fn) is not None


def _by_itself(fn: Any) -> bool:
    """As `draws_smoothly`, by the library's own sampler."""
    base = getattr(fn, "base_dist", None)  # Independent, Expanded, Masked, Transformed
    return isinstance(fn, _SMOOTH) or (base is not None and getattr(fn, "has_rsample", False) and _by_itself(base))


class Coupled(Messenger):
    """Draws latents that are made of gamma variables by inverting the gamma distribution function.

    The library's sampler rejects, so that at equal random numbers its draws jump as the parameters move. A gamma draw
    is here F⁻¹(u; α)/β for a uniform u; Beta, Dirichlet, Chi2, Student's t and transforms of these are made of such.
    The gradient in α is the implicit one, −(∂F/∂α)/(∂F/∂z) (Figurnov et al. 2018, https://arxiv.org/abs/1805.08498).
    """

    def _pyro_sample(self, msg: Message) -> None:
        if msg["is_observed"] or msg["value"] is not None or msg["infer"].get("enumerate") or _by_itself(msg["fn"]):
            return
        if (sampler := _sampler(msg["fn"])) is not None:
            msg["value"], msg["done"] = sampler(), True


def _sampler(fn: Any) -> Callable[[], Tensor] | None:
    """Return how to draw from a distribution made of gamma variables; None for any other, a user's subclass too."""
    name, module = type(fn).__name__, type(fn).__module__
    if isinstance(fn, torch.distributions.Independent | dist.MaskedDistribution):
        return _sampler(fn.base_dist)
    if name in _MADE_OF_GAMMAS and module.startswith(("torch.", "pyro.")):
        return lambda: _MADE_OF_GAMMAS[name](fn)
    inner = _sampler(fn.base_dist) if isinstance(fn, torch.distributions.TransformedDistribution) else None
    if inner is None:
        return None
    return lambda: torch.distributions.ComposeTransform(fn.transforms)(inner())


def _gamma(fn: Any) -> Tensor:
    output: Tensor = _standard_gamma(fn.concentration.expand(fn.batch_shape)) / fn.rate
    return output


def _beta(fn: Any) -> Tensor:
    one, zero = (_standard_gamma(c) for c in torch.broadcast_tensors(fn.concentration1, fn.concentration0))
    step = torch.finfo(one.dtype).eps
    return (one / (one + zero)).clamp(step, 1 - step)


def _dirichlet(fn: Any) -> Tensor:
    parts = _standard_gamma(fn.concentration)
    return parts / parts.sum(-1, keepdim=True)


def _student_t(fn: Any) -> Tensor:
    df = fn.df.expand(fn.batch_shape)
    output: Tensor = fn.loc + fn.scale * torch.randn_like(df) * (df / (2 * _standard_gamma(df / 2))).sqrt()
    return output


_MADE_OF_GAMMAS: dict[str, Callable[[Any], Tensor]] = {
    "Gamma": _gamma, "Chi2": _gamma, "Beta": _beta, "Dirichlet": _dirichlet, "StudentT": _student_t
}  # fmt: skip


def _standard_gamma(shape: Tensor) -> Tensor:
    from scipy.special import gammaincinv

    at = shape.detach()
    uniform = torch.rand(at.shape, dtype=torch.float64)
    value = gammaincinv(at.double().cpu().numpy(), uniform.numpy())
    tiny = torch.finfo(at.dtype).tiny
    z = torch.from_numpy(np.atleast_1d(value)).reshape(at.shape).to(at).clamp_min(tiny)
    return z + (shape - at) * torch._standard_gamma_grad(at, z)  # the value is z, the derivative the implicit one
