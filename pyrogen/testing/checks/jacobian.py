"""Is the change of variables accounted for where a guide computes a latent from an auxiliary one."""

from __future__ import annotations

import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyrogen.distributions.wrappers import bare
from pyrogen.testing.findings import Finding, Result
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import is_auxiliary, latents

QUESTION = "latents computed from auxiliary ones carry their Jacobian"
_MOST = 300  # elements: the Jacobian is taken row by row
_TOLERANCE = 1e-3  # nats


def jacobian(tested: Tested) -> Result:
    r"""Return whether z = f(u), u ~ q(u) auxiliary, has the log density that a change of variables gives it.

    A guide may draw u at an auxiliary site and put z = f(u) into ``Delta`` sites. As log q(z) = log q(u) − log|∂z/∂u|,
    the Delta sites must carry ``log_density`` = −log|∂z/∂u|; without it the ELBO is not a bound. Asked where u and z
    have equally many elements, at one draw.
    """
    guide = tested.guide_alone()
    auxiliary = {name for name, site in latents(guide) if is_auxiliary(site) and site["value"].is_floating_point()}
    if not auxiliary:
        return Result("jacobian", QUESTION, "inapplicable", "no latent is computed from an auxiliary one")
    fixed = Trace()
    for name, site in guide.nodes.items():
        if name in auxiliary:
            fixed.add_node(name, **{**site, "value": site["value"].detach().clone().requires_grad_()})
    tested.start(0)
    again = poutine.trace(poutine.replay(tested.guide, trace=fixed)).get_trace(*tested.args, **tested.kwargs)
    inputs = [fixed.nodes[name]["value"] for name in auxiliary]
    points = {n: site for n, site in latents(again) if n not in auxiliary and isinstance(bare(site["fn"]), dist.Delta)}
    moved = {n: site for n, site in points.items() if site["value"].requires_grad and _depends(site["value"], inputs)}
    rows = [element for site in moved.values() for element in site["value"].reshape(-1)]
    if len(rows) != sum(u.numel() for u in inputs) or not 0 < len(rows) <= _MOST:
        return Result(
            "jacobian", QUESTION, "inapplicable", "the latents are not as many as the auxiliary ones, or too many"
        )
    matrix = torch.stack([torch.cat([g.reshape(-1) for g in _gradient(row, inputs)]) for row in rows]).double()
    expected = -float(torch.linalg.slogdet(matrix).logabsdet)
    given = sum(float(bare(site["fn"]).log_density.detach().double().sum()) for site in moved.values())
    findings = []
    if torch.isfinite(torch.tensor(expected)) and abs(expected - given) > _TOLERANCE * max(1.0, abs(expected)):
        names = " and ".join(map(repr, moved))
        findings.append(
            Finding(
                "jacobian",
                f"{names} is computed from {' and '.join(map(repr, sorted(auxiliary)))}, and its Delta carries "
                f"{given:.4g} nats of log_density where the change of variables makes {expected:.4g}: pass "
                "log_density=-log|dz/du|, or sample from a TransformedDistribution",
                next(iter(moved)),
                figures={"given": given, "expected": expected},
            )
        )
    return Result.of("jacobian", QUESTION, findings)


def _gradient(row: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(row, inputs, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(u) if g is None else g for g, u in zip(found, inputs, strict=True)]


def _depends(value: Tensor, inputs: list[Tensor]) -> bool:
    found = torch.autograd.grad(value.sum(), inputs, retain_graph=True, allow_unused=True)
    return any(g is not None for g in found)
