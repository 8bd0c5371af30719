"""The first runs of a model and a guide: do they run, do they run together, and does the loss take a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import pyro
from pyro.infer import ELBO
from pyro.poutine.trace_struct import Trace

from pyrogen.testing.findings import Finding, Question, Result
from pyrogen.testing.running.errors import failing
from pyrogen.testing.running.programs import OutOfTime, Tested
from pyrogen.testing.running.sites import latents, observed, sites

_ADVICE = {
    "common poutine.scale": "a latent outside of a subsampled plate is enumerated together with sites inside: take the "
    "whole plate, without subsample_size, or give the guide a site for it",
    "no more global than": "an enumerated latent of the model depends on a latent of the guide that stands in more "
    "plates: enumerate it in the guide, or move it into those plates",
    "max_plate_nesting": "count the plates that stand inside of one another, and pass that number as max_plate_nesting",
    "must be sampled in trace": "do not observe a latent in the guide",
    "to satisfy the constraint": "keep it in there, by softplus or exp, or by a constraint of pyro.param",
    "more than one value is ambiguous": 'a program branches on an enumerated latent: mark that latent "sequential" '
    "(config_enumerate(default=...)), or compute both branches and mask one",
    "fully reparam": "TraceMeanField_ELBO needs latents with rsample on both sides: take Trace_ELBO or TraceEnum_ELBO",
}


T = TypeVar("T")
RUNS = Question("runs", "guide and model run on these arguments")
STEP = Question("step", "a step with this loss runs")


@dataclass(frozen=True)
class FirstRuns:
    """What the first runs say: whether the programs run, and how."""

    tested: Tested  # to be run as the loss runs them if nothing else works
    result: Result
    alone: tuple[Trace, Trace] | None = None  # runs of guide and model, each alone, if they do not run together,
    together: tuple[Finding, ...] = ()  # and why they do not


def first_runs(tested: Tested) -> FirstRuns:
    """Run the guide, then the model at its draws; else as the loss runs them, which may enumerate; else each alone."""
    guide = _attempt(tested.guide_alone)
    both = guide if isinstance(guide, Exception) else _attempt(tested.together)
    if isinstance(both, Exception) and isinstance(tested.loss, ELBO) and hasattr(tested.loss, "_get_traces"):
        as_loss = replace(tested, as_loss=True)
        again = _attempt(as_loss.together)
        if not isinstance(again, Exception):
            tested, both = as_loss, again
    if isinstance(both, tuple):
        return FirstRuns(tested, RUNS.answer(_unfitted(*both)))
    model = _attempt(tested.model_alone)
    if isinstance(model, Trace):
        _not_empty(model)
        if isinstance(guide, Trace):
            late = failure("runs", "the model at the guide's draws", both)
            return FirstRuns(tested, RUNS.answer(_unfitted(guide, model)), (guide, model), (late,))
    failed = [(who, run) for who, run in (("guide", guide), ("model", model)) if isinstance(run, Exception)]
    return FirstRuns(tested, RUNS.answer(failure("runs", f"the {who}", error) for who, error in failed))


def _attempt(run: Callable[[], T]) -> T | Exception:
    try:
        return run()
    except OutOfTime:
        raise
    except Exception as error:
        return error


def _unfitted(guide: Trace, model: Trace) -> Iterator[Finding]:
    """What is to be said first: there is nothing to be inferred, or nothing to infer it from."""
    _not_empty(model)
    if not any(latents(guide)) and not any(latents(model)):
        yield RUNS.warning(
            "neither the model nor the guide draws a latent, so SVI maximizes the likelihood of the parameters: draw "
            "by pyro.sample what you want to infer"
        )
    elif not any(observed(model)):
        yield RUNS.warning(
            "the model observes nothing with these arguments, so that the guide is fitted to the prior: pass the data "
            "that its obs= takes"
        )


def _not_empty(model: Trace) -> None:
    if not any(sites(model)):
        raise ValueError("model must have a pyro.sample site, got none: is it the model? Nothing can be fitted")


def step(tested: Tested) -> Result:
    """Return whether a step of SVI with this loss runs, as it would in training."""
    loss = tested.loss if isinstance(tested.loss, ELBO) and not tested.evaluates else tested.elbo()
    error = _attempt(lambda: tested.gradients(loss, 0, validated=pyro.poutine.util.is_validation_enabled()))
    if not isinstance(error, Exception):
        return STEP.answer()
    who = loss if hasattr(loss, "__name__") else type(loss)  # a function, or an object of a class
    return STEP.answer([failure("step", f"a step with {who.__name__}", error)])


def failure(check: str, who: str, error: Exception) -> Finding:
    """Return an error of the user's programs as a finding, with advice where there is some."""
    said = failing(who, error)
    return Finding(check, said + next((f": {todo}" for key, todo in _ADVICE.items() if key in said), ""))
