"""Is the change of variables accounted for where a guide computes a latent from an auxiliary one."""

from __future__ import annotations

import math

import torch
from pyro import distributions as dist
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyrogen.distributions.wrappers import bare
from pyrogen.testing.findings import Question, Result
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import is_auxiliary, latents

JACOBIAN = Question("jacobian", "latents computed from auxiliary ones carry their Jacobian")
_MOST = 300  # elements: the Jacobian is taken row by row
_TOLERANCE = 1e-3  # nats


def jacobian(tested: Tested) -> Result:
    r"""Return whether z = f(u), u ~ q(u) auxiliary, has the log density that a change of variables gives it.

    A guide may draw u at an auxiliary site and put z = f(u) into ``Delta`` sites. As log q(z) = log q(u) − log|∂z/∂u|,
    the Delta sites must carry ``log_density`` = −log|∂z/∂u|; without it the ELBO is not a bound. Asked where u and z
    have equally many elements, at one draw.
    """
    guide = tested.guide_alone()
    auxiliary = [name for name, site in latents(guide) if is_auxiliary(site) and site["value"].is_floating_point()]
    if not auxiliary:
        return JACOBIAN.inapplicable("no latent is computed from an auxiliary one")
    fixed = Trace()
    for name in auxiliary:
        site = guide.nodes[name]
        fixed.add_node(name, **{**site, "value": site["value"].detach().clone().requires_grad_()})
    tested.start(0)
    again = tested.run(tested.guide, at=fixed)
    inputs = [fixed.nodes[name]["value"] for name in auxiliary]
    points = {n: site for n, site in latents(again) if n not in auxiliary and isinstance(bare(site["fn"]), dist.Delta)}
    moved = {n: site for n, site in points.items() if _depends(site["value"], inputs)}
    rows = [element for site in moved.values() for element in site["value"].reshape(-1)]
    if len(rows) != sum(u.numel() for u in inputs) or not 0 < len(rows) <= _MOST:
        return JACOBIAN.inapplicable("the latents are not as many as the auxiliary ones, or too many")
    gradients = [torch.autograd.grad(row, inputs, retain_graph=True, materialize_grads=True) for row in rows]
    matrix = torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in gradients]).double()
    expected = -float(torch.linalg.slogdet(matrix).logabsdet)
    given = sum(float(bare(site["fn"]).log_density.detach().double().sum()) for site in moved.values())
    if not math.isfinite(expected) or abs(expected - given) <= _TOLERANCE * max(1.0, abs(expected)):
        return JACOBIAN.answer()
    finding = JACOBIAN.fault(
        f"{' and '.join(map(repr, moved))} is computed from {' and '.join(map(repr, sorted(auxiliary)))}, and its "
        f"Delta carries {given:.4g} nats of log_density where the change of variables makes {expected:.4g}: pass "
        "log_density=-log|dz/du|, or sample from a TransformedDistribution",
        next(iter(moved)),
        given=given,
        expected=expected,
    )
    return JACOBIAN.answer([finding])


def _depends(value: Tensor, inputs: list[Tensor]) -> bool:
    if not value.requires_grad:
        return False
    found = torch.autograd.grad(value.sum(), inputs, retain_graph=True, allow_unused=True)
    return any(g is not None for g in found)
