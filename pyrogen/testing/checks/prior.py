"""Does the guide draw a latent from the model's prior, whatever its parameters are."""

from __future__ import annotations

import torch
from pyro.infer import RenyiELBO
from pyro.poutine.runtime import Message
from pyro.poutine.trace_struct import Trace

from pyrogen.distributions.wrappers import is_point
from pyrogen.testing.checks.structure import listed, shared
from pyrogen.testing.findings import Question, Result
from pyrogen.testing.running.isolation import shaken
from pyrogen.testing.running.programs import BOUNDS, Tested
from pyrogen.testing.running.sites import is_auxiliary, latents, log_prob, marked_for_enumeration, observed

PRIOR = Question("prior", "the guide says more of each latent than the prior does")
_RUNS = 3
_MOVES = 0.2


def prior(tested: Tested) -> Result:
    """Return whether a latent on which the data depend has, in the guide, the very distribution of the model.

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
            return PRIOR.answer()
    same &= {name for name in same if _felt(tested, guide, model, name)}
    if not same:
        return PRIOR.answer()
    weighs = isinstance(tested.loss, RenyiELBO) or not (tested.loss is None or isinstance(tested.loss, BOUNDS))
    tell = PRIOR.fault if same == every and not weighs else PRIOR.warning
    finding = tell(
        f"the guide draws {listed(sorted(same), verb=False)} from the model's prior, whatever its parameters and the "
        "data are, so it learns nothing: give its distribution parameters, or let it depend on the data",
        min(same),
    )
    return PRIOR.answer([finding])


def _drawn(ours: Message, theirs: Message) -> bool:
    return not (marked_for_enumeration(theirs) or is_point(theirs["fn"]) or is_point(ours["fn"]))


def _equal(ours: Message, theirs: Message) -> bool:
    value = theirs["value"]
    a, b = ours["fn"].log_prob(value), theirs["fn"].log_prob(value)
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-6, atol=1e-6)


def _felt(tested: Tested, guide: Trace, model: Trace, name: str) -> bool:
    """Return whether the density of the observations is another at another draw of one latent."""
    again = model.copy()
    again.nodes[name] = {**model.nodes[name], "value": guide.nodes[name]["fn"].sample()}
    moved = tested.run(tested.model, at=again).nodes
    return any(key in moved and not torch.equal(log_prob(site), log_prob(moved[key])) for key, site in observed(model))
