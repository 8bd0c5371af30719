"""All questions at once: `check`, for anyone's model and guide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyrogen.progress import progress_bar
from pyrogen.testing.checks.density import density
from pyrogen.testing.checks.gradient import gradient
from pyrogen.testing.checks.jacobian import jacobian
from pyrogen.testing.checks.objective import check_batch, minibatch, objective
from pyrogen.testing.checks.parameters import parameters
from pyrogen.testing.checks.structure import structure
from pyrogen.testing.checks.subsampling import subsampling
from pyrogen.testing.findings import Finding, Report, Result
from pyrogen.testing.posterior.importance import importance
from pyrogen.testing.running.isolation import nothing_changed
from pyrogen.testing.running.programs import Batch, Tested, sites, without_warnings

FALSE_ALARM = 1e-6
_NOT_ASKED = "not asked, because the faults above come first"
_TESTS = 5  # with a false-alarm rate: density, objective, minibatch, gradient, importance


def check(
    model: Callable[..., Any],
    guide: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    loss: Any = None,
    size: int | None = None,
    batch: Batch | None = None,
    fitted: bool = False,
    seed: int = 0,
    false_alarm: float = FALSE_ALARM,
    progress: bool = True,
) -> Report:
    r"""Put a Pyro model and guide the questions that Pyro does not ask, and report what is wrong.

    Pyro trains a wrong pair without a word: a β that stands on one side, a network that nobody registered, a batch
    without its N/B. These are looked for in runs of both programs:

    ===============  ====================================================================================
    runs             guide and model run on the arguments
    sites            each latent is in model and guide, or enumerated, or auxiliary
    plates           shared sites stand in the same plates
    scale            ``poutine.scale`` and masks weigh model and guide alike (the β trap)
    shapes           events agree, each batch dimension has its plate
    enumeration      each discrete latent is enumerated, by a loss that does so
    support          the guide draws only where the model has mass, and reaches all of it
    subsampling      observations follow the indices of their plates and weigh N/B
    registration     Pyro knows each parameter that the densities depend on, so that SVI trains it
    finite           no value or log density is NaN or infinite
    gradient reach   a gradient reaches each parameter
    domain           the programs run wherever the optimizer may lead the parameters
    jacobian         latents computed from auxiliary ones carry the Jacobian of the change of variables
    density          draws of your own distributions follow their log_prob (t-test)
    objective        the loss is −Σ (log p − log q) of these programs (t-test)
    minibatch        the objective of batches is on average that of the full data (t-test)
    gradient         the gradient is that of the objective (t-test against a second estimator)
    importance       once `fitted`: Pareto-k̂ of the importance weights, ELBO against the tighter bound, in nats
    ===============  ====================================================================================

    Nothing is trained, and nothing changes: weights, gradients, buffers, the parameter store and all random states are
    as before. A pair needs no training to be checked; `fitted` adds the question whether training got there. A sound
    pair costs some 200 evaluations of its loss: a few images say as much as a large batch.

    Args:
        model: the joint distribution, a Pyro program.
        guide: the approximate posterior, a Pyro program with the same arguments; an AutoGuide too.
        args: the positional arguments that both are called with, as for ``svi.step(*args)``.
        kwargs: the keyword arguments.
        loss: the ELBO that you train with. By default TraceEnum_ELBO if a site is marked for enumeration, else
            Trace_ELBO. A callable ``loss(model, guide, *args, **kwargs)`` is taken too.
        size: N, if `args` are a batch of a larger data set: observed rows must then weigh N/B.
        batch: makes the arguments of a batch, ``(args, kwargs)``, from its rows' indices (an int64 tensor), where
            `args` are the whole data. Without it only plates that subsample inside can be held against the full data.
        fitted: whether the guide has been trained; then a guide far from the posterior is a fault.
        seed: of all random numbers; the same seed gives the same report.
        false_alarm: the probability that the tests together find a fault in a sound pair, by chance.
        progress: whether to show a bar on a terminal.

    Returns:
        The report: ``print(report)`` for a table, ``report.ok``, ``report.findings``, ``report.assert_ok()`` for
        pytest, ``report.to_dict()`` for JSON. An error inside the programs is reported as a fault.

    Raises:
        TypeError: if model or guide is no callable, or cannot be called with these arguments.
        ValueError: if the model has no sample site, or a setting is out of range.

    Example:
        >>> import pyro, torch
        >>> import pyrogen as pg
        >>> from pyro import distributions as dist
        >>> def model(x):
        ...     z = pyro.sample("z", dist.Normal(0.0, 1.0))
        ...     with pyro.plate("data", len(x)):
        ...         pyro.sample("x", dist.Normal(z, 1.0), obs=x)
        >>> def guide(x):
        ...     loc = pyro.param("loc", torch.tensor(0.5))
        ...     with pyro.poutine.scale(scale=4.0):  # β, forgotten in the model
        ...         pyro.sample("z", dist.Normal(loc, 0.5))
        >>> report = pg.testing.check(model, guide, args=(torch.ones(5),), progress=False)
        >>> report.ok
        False
        >>> print(report.findings[0].message)
        'z' is weighted by 1 in the model and by 4 in the guide, so its KL is not weighted by either: enter the same
        poutine.scale around it on both sides
    """
    if isinstance(false_alarm, str) or not 0 < false_alarm < 1:
        raise ValueError(f"false_alarm is a probability between 0 and 1, and it is {false_alarm}")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise ValueError(
            f"size is N, the number of observations in the data set, a positive integer, and it is {size!r}"
        )
    if batch is not None:
        check_batch(batch)
    tested = Tested(model, guide, args, dict(kwargs or {}), loss, seed)
    rate = false_alarm / _TESTS
    questions: list[tuple[str, bool, Callable[[], Iterable[Result]]]] = [  # name, whether a fault before it forbids it
        ("runs", False, lambda: [_runs(tested)]),
        ("structure", True, lambda: structure(tested)),
        ("subsampling", False, lambda: [subsampling(tested, size)]),
        ("registration", False, lambda: parameters(tested)),
        ("jacobian", True, lambda: [jacobian(tested)]),
        ("density", True, lambda: [density(tested, rate)]),
        ("objective", True, lambda: [objective(tested, rate)]),
        ("minibatch", True, lambda: [minibatch(tested, rate, batch, size)]),
        ("gradient", True, lambda: [gradient(tested, rate)]),
    ]
    if fitted:
        questions.append(("importance", True, lambda: importance(tested, fitted=True, false_alarm=rate)))
    results: list[Result] = []
    with nothing_changed(model, guide), without_warnings():
        for name, needs_sound, ask in (bar := progress_bar(questions, shown=progress, leave=False)):
            bar.set_description(f"check {name}")
            sound = Report(tuple(results)).ok
            if sound or not needs_sound:
                _answer(results, name, ask, sound)
            else:
                results.append(Result(name, _NOT_ASKED, "skipped"))
            if name == "runs" and not Report(tuple(results)).ok:
                break
    return Report(tuple(results))


def _answer(results: list[Result], name: str, ask: Callable[[], Iterable[Result]], sound: bool) -> None:
    """Add the answers; an error is one, unless it may follow from a fault that was found before."""
    try:
        results.extend(ask())
    except EmptyTrace:
        raise
    except Exception as error:
        if sound:
            results.append(Result.of(name, "the programs run in this check", [_failure(name, "the pair", error)]))
        else:
            results.append(Result(name, _NOT_ASKED, "skipped"))


def _runs(tested: Tested) -> Result:
    """Whether guide and model run, each alone."""
    findings = []
    for side, run in (("guide", tested.guide_alone), ("model", tested.model_alone)):
        try:
            trace = run()
        except Exception as error:
            findings.append(_failure("runs", f"the {side}", error))
        else:
            if side == "model" and not any(True for _ in sites(trace)):
                raise EmptyTrace("the model has no pyro.sample site, so nothing can be fitted: is it the model?")
    return Result.of("runs", "guide and model run on these arguments", findings)


def _failure(check: str, who: str, error: Exception) -> Finding:
    said = " ".join(str(error).split())
    return Finding(check, f"{who} fails with {type(error).__name__}: {said[:300] or 'no message'}")


class EmptyTrace(ValueError):
    """The model draws and observes nothing."""
