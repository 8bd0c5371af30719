"""The first runs of a model and a guide: do they run, do they run together, and does the loss take a step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pyro
from pyro.infer import ELBO
from pyro.poutine.trace_struct import Trace

from pyrogen.testing.findings import Finding, Result
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


class EmptyTrace(ValueError):
    """The model draws and observes nothing."""


@dataclass(frozen=True)
class FirstRuns:
    """Return what the first runs say.

    Attributes:
        tested: the model and the guide, to be run as the loss runs them if nothing else works.
        result: whether they run.
        alone: runs of guide and model, each alone, if they do not run together.
        together: why they do not run together.
    """

    tested: Tested
    result: Result
    alone: tuple[Trace, Trace] | None = None
    together: tuple[Finding, ...] = field(default=())


def first_runs(tested: Tested) -> FirstRuns:
    """Run the guide, then the model at its draws; else as the loss runs them, which may enumerate; else each alone."""
    question = "guide and model run on these arguments"
    guide, errors = None, {}
    try:
        guide = tested.guide_alone()
        _, model = tested.together()
    except OutOfTime:
        raise
    except Exception as error:
        errors["model at the guide's draws" if guide is not None else "guide"] = error
        if isinstance(tested.loss, ELBO) and hasattr(tested.loss, "_get_traces"):
            as_loss = replace(tested, as_loss=True)
            try:
                guide, model = as_loss.together()
            except Exception:  # said by the run before
                pass
            else:
                tested, errors = as_loss, {}
    if not errors:
        return FirstRuns(tested, Result.of("runs", question, _unfitted(guide, model)))
    try:
        model = tested.model_alone()
    except OutOfTime:
        raise
    except Exception as error:
        if guide is not None:
            errors = {"model": error}
        else:
            errors.setdefault("model", error)
    else:
        _not_empty(model)
        if guide is not None:
            late = tuple(failure("runs", f"the {who}", error) for who, error in errors.items())
            return FirstRuns(tested, Result.of("runs", question, _unfitted(guide, model)), (guide, model), late)
    return FirstRuns(tested, Result.of("runs", question, (failure("runs", f"the {w}", e) for w, e in errors.items())))


def _unfitted(guide: Trace, model: Trace) -> list[Finding]:
    """Return what is to be said first: there is nothing to be inferred, or nothing to infer it from."""
    _not_empty(model)
    if not any(True for _ in latents(guide)) and not any(True for _ in latents(model)):
        return [
            Finding(
                "runs",
                "neither the model nor the guide draws a latent, so SVI maximizes the likelihood of the parameters: "
                "draw by pyro.sample what you want to infer",
                level="warning",
            )
        ]
    if not any(True for _ in observed(model)):
        return [
            Finding(
                "runs",
                "the model observes nothing with these arguments, so that the guide is fitted to the prior: pass the "
                "data that its obs= takes",
                level="warning",
            )
        ]
    return []


def _not_empty(model: Trace) -> None:
    if not any(True for _ in sites(model)):
        raise EmptyTrace("the model has no pyro.sample site, so nothing can be fitted: is it the model?")


def step(tested: Tested) -> Result:
    """Return whether a step of SVI with this loss runs, as it would in training."""
    loss = tested.loss if isinstance(tested.loss, ELBO) and not tested.evaluates else tested.elbo()
    findings = []
    try:
        tested.gradients(loss, 0, validated=pyro.poutine.util.is_validation_enabled())
    except OutOfTime:
        raise
    except Exception as error:
        findings.append(failure("step", f"a step with {spoken_loss(loss)}", error))
    return Result.of("step", "a step with this loss runs", findings)


def spoken_loss(loss: object) -> str:
    """Return what a loss is called: its class, or the name of its function."""
    return type(loss).__name__ if isinstance(loss, ELBO) else getattr(loss, "__name__", type(loss).__name__)


def failure(check: str, who: str, error: Exception) -> Finding:
    """Return an error of the user's programs as a finding, without Pyro's table of traces, and with advice where there
    is."""
    said = failing(who, error)
    return Finding(check, said + next((f": {todo}" for key, todo in _ADVICE.items() if key in said), ""))
