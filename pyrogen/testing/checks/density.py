"""Do the draws of a distribution that the user wrote follow the density that the user wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pyro.poutine.runtime import Message
from torch import Tensor

from pyrogen.distributions.wrappers import is_point
from pyrogen.testing.findings import Finding, Question, Result
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.significance import Sample, exceeds
from pyrogen.testing.running.sites import latents, with_density

DENSITY = Question("density", "draws of your own distributions follow their log_prob")
_BLOCKS = 128
_DRAWS = 64  # in each block
_MARGIN = 0.01


def density(tested: Tested, false_alarm: float) -> Result:
    r"""Return whether draws, their derivatives and ``log_prob`` of the programs' own distributions belong together.

    If draws follow the density, E_q[∂ log q(z)/∂φ] = 0 for every parameter φ. If their derivatives are right too, then
    for any h E_q[∂h/∂z · ∂z/∂φ] = ∂E_q[h]/∂φ = E_q[h(z) ∂ log q(z)/∂φ]. Here h is a sum of tanh(u) + u²/(1 + u²) over
    standardized entries u. Both are estimated from 128 × 64 draws along a direction that other draws chose, and put to
    a t-test, at the rate `false_alarm` for all sites and parameters together. Distributions of torch and Pyro are
    trusted. Of the model's own, observed ones too, the first is asked. One without ``sample``, or that depends on no
    parameter, is named as not tested.
    """
    found = tested.gradients(tested.elbo(), 0)[1].items()
    parameters = {name: parameter for name, (parameter, _) in found if parameter.requires_grad}
    guide, model = tested.together()
    drawn = [(name, "guide", site) for name, site in latents(guide)]
    drawn += [(name, "model", site) for name, site in with_density(model)]
    own = [one for one in drawn if _own_part(one[2]["fn"]) and not is_point(one[2]["fn"])]
    if not own:
        return DENSITY.inapplicable("all are torch's or Pyro's, which are trusted")
    findings, asked, untold = [], [], []
    for name, side, site in own:
        if why := _untestable(site, side, parameters):
            untold.append(f"{name!r} ({_own_part(site['fn'])} {why})")
        else:
            asked.append(name)
            findings += list(_mismatch(name, side, site, parameters, false_alarm / len(own)))
    detail = f"not tested: {', '.join(untold)}" * bool(untold)
    if not asked:
        return DENSITY.skipped(detail)
    told = f"{', '.join(dict.fromkeys(asked))}; false alarms {false_alarm:.0e}"
    return DENSITY.answer(findings, f"{told}; {detail}" if detail else told)


def _untestable(site: Message, side: str, parameters: Mapping[str, Tensor]) -> str:
    """Why a distribution cannot be held against its draws, or an empty string."""
    fn = site["fn"]
    paths = getattr(fn, "has_rsample", False)
    try:
        z = (fn.rsample if paths else fn.sample)(torch.Size((2,)))
    except Exception as error:  # whatever a distribution says that cannot be drawn from
        return f"cannot be drawn from ({' '.join(str(error).split())[:60] or type(error).__name__})"
    tested = [fn.log_prob(z.detach()).sum(), *([z.sum()] if paths and side == "guide" else [])]
    if all(gradient is None for t in tested for gradient in _gradients(t, list(parameters.values()))):
        return "depends on no parameter"
    return ""


def _mismatch(
    name: str, side: str, site: Message, parameters: dict[str, Tensor], false_alarm: float
) -> Iterator[Finding]:
    keys, tensors = list(parameters), list(parameters.values())
    pilot = _draws(site["fn"]).detach().to(torch.get_default_dtype())
    center, spread = pilot.mean(0), pilot.std(0).clamp_min(1e-6)
    paths = side == "guide" and getattr(site["fn"], "has_rsample", False)  # of an observation nobody takes them
    first = _identities(site["fn"], tensors, center, spread, paths)
    signs = [[None if g is None else g.sign() for g in gradients] for gradients in first]
    biases: dict[tuple[int, int], Sample] = {}
    sizes: dict[tuple[int, int], Sample] = {}
    for _ in range(_BLOCKS):
        for which, gradients in enumerate(_identities(site["fn"], tensors, center, spread, paths)):
            for i, gradient in enumerate(gradients):
                if gradient is not None and (sign := signs[which][i]) is not None:
                    biases.setdefault((which, i), Sample()).append(float((gradient * sign).sum()))
                    sizes.setdefault((which, i), Sample()).append(float(gradient.abs().sum()))
    for (which, i), bias in biases.items():
        if exceeds(bias, _MARGIN * sizes[which, i].mean, false_alarm / len(biases)):
            what, todo = (
                ("do not follow its log_prob", "make rsample (or a transform's log_abs_det_jacobian) agree with it"),
                ("have a wrong derivative", "look for detach or no_grad in rsample, or set has_rsample = False"),
            )[which]
            yield DENSITY.fault(
                f"draws of the {side}'s {_own_part(site['fn'])} at {name!r} {what}, as the parameter {keys[i]!r} "
                f"shows (a mean of {bias.mean:+.3g} ± {bias.error:.2g} that must be 0): {todo}",
                name,
                bias=bias.mean,
                standard_error=bias.error,
            )
            return


def _draws(fn: Any) -> Tensor:
    z: Tensor = (fn.rsample if getattr(fn, "has_rsample", False) else fn.sample)(torch.Size((_DRAWS,)))
    if z.shape != (_DRAWS, *fn.batch_shape, *fn.event_shape):
        raise ValueError(
            f"draws of {type(fn).__name__} with sample shape (S,) must be (S, *batch, *event) = "
            f"{(_DRAWS, *fn.batch_shape, *fn.event_shape)}, got {tuple(z.shape)}"
        )
    return z


def _identities(
    fn: Any, parameters: list[Tensor], center: Tensor, spread: Tensor, paths: bool
) -> tuple[tuple[Tensor | None, ...], tuple[Tensor | None, ...]]:
    """Return what is 0 on average, for each parameter: the score, and path derivative minus score-function estimate."""
    z = _draws(fn)
    log_q = fn.log_prob(z.detach())
    score = _gradients(log_q.sum() / _DRAWS, parameters)
    if not paths:
        return score, ()
    u = (z - center.detach()) / spread.detach()
    h = torch.tanh(u) + u**2 / (1 + u**2)  # an odd and an even part: a location and a scale have their say
    h = h.reshape(*log_q.shape, -1).sum(-1)
    difference = h.sum() - (h.detach() * log_q).sum()
    return score, _gradients(difference / _DRAWS, parameters)


def _gradients(scalar: Tensor, parameters: list[Tensor]) -> tuple[Tensor | None, ...]:
    if not scalar.requires_grad:
        return (None,) * len(parameters)
    return torch.autograd.grad(scalar, parameters, allow_unused=True, retain_graph=True)


def _own_part(fn: Any) -> str:
    """Return the outermost class of a distribution that is neither torch's nor Pyro's; empty without any."""
    for part in (fn, *getattr(fn, "transforms", [])):
        if not type(part).__module__.startswith(("torch.", "pyro.")):
            return type(part).__name__
    base = getattr(fn, "base_dist", None)
    return "" if base is None else _own_part(base)
