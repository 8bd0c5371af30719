"""Does the guide draw a latent from the model's prior, whatever its parameters are."""

from __future__ import annotations

import torch
from pyro.infer import RenyiELBO, Trace_ELBO, TraceEnum_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO
from pyro.poutine.runtime import Message
from pyro.poutine.trace_struct import Trace

from pyrogen.distributions.wrappers import is_point
from pyrogen.testing.checks.indices import shaken
from pyrogen.testing.checks.structure import listed, shared
from pyrogen.testing.findings import Finding, Result
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import is_auxiliary, latents, marked_for_enumeration, observed

QUESTION = "the guide says more of each latent than the prior does"
_RUNS = 3
_MOVES = 0.2
_BOUNDS = (Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO, TraceEnum_ELBO)


def prior(tested: Tested) -> Result:
    """Return whether a latent on which the data depend has, in the guide, the very distribution that the model gives
    it.

    Then its KL is 0 and nothing is learnt of it, while the parameters of other sites get their gradients. Asked at
    moved parameters, since a new guide may start at the prior. Of all latents it is a fault, unless the loss weighs
    several draws; of some, a warning.
    """
    same: set[str] = set()
    every: set[str] = set()
    for run in range(_RUNS):
        with shaken(tested.seed + run, _MOVES if run else 0.0):
            try:
                guide, model = tested.together(run)
            except (ValueError, RuntimeError):  # the programs cannot bear it
                continue
            every |= {name for name, site in latents(guide) if not is_auxiliary(site)}
            alike = {n for n, ours, theirs in shared(model, guide) if _drawn(ours, theirs) and _equal(ours, theirs)}
        same = alike if run == 0 else same & alike
        if not same:
            return Result.of("prior", QUESTION)
    same &= {name for name in same if _felt(tested, guide, model, name)}
    if not same:
        return Result.of("prior", QUESTION)
    weighs = isinstance(tested.loss, RenyiELBO) or not (tested.loss is None or isinstance(tested.loss, _BOUNDS))
    finding = Finding(
        "prior",
        f"the guide draws {listed(sorted(same), verb=False)} from the model's prior, whatever its parameters and the "
        "data are, so it learns nothing: give its distribution parameters, or let it depend on the data",
        min(same),
        level="fault" if same == every and not weighs else "warning",
    )
    return Result.of("prior", QUESTION, [finding])


def _drawn(ours: Message, theirs: Message) -> bool:
    return not (marked_for_enumeration(theirs) or is_point(theirs["fn"]) or is_point(ours["fn"]))


def _equal(ours: Message, theirs: Message) -> bool:
    value = theirs["value"]
    a, b = ours["fn"].log_prob(value), theirs["fn"].log_prob(value)
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-6, atol=1e-6)


def _felt(tested: Tested, guide: Trace, model: Trace, name: str) -> bool:
    """Return whether the density of the observations is another at another draw of one latent."""
    from pyro import poutine

    again = model.copy()
    again.nodes[name] = {**model.nodes[name], "value": guide.nodes[name]["fn"].sample()}
    moved = poutine.trace(poutine.replay(tested.model, trace=again)).get_trace(*tested.args, **tested.kwargs)
    return any(
        key in moved.nodes
        and not torch.equal(
            site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"]),
            moved.nodes[key]["fn"].log_prob(moved.nodes[key]["value"], *site["args"], **site["kwargs"]),
        )
        for key, site in observed(model)
    )
