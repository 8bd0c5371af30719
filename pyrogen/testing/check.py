"""All questions at once: `check`, for anyone's model and guide."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import torch

from pyrogen import checks
from pyrogen.progress import progress_bar
from pyrogen.testing.checks.density import density
from pyrogen.testing.checks.first_runs import RUNS, failure, first_runs, step
from pyrogen.testing.checks.gradient import gradient
from pyrogen.testing.checks.jacobian import jacobian
from pyrogen.testing.checks.leftovers import without_leftovers
from pyrogen.testing.checks.objective import check_batch, minibatch, objective
from pyrogen.testing.checks.parameters import parameters
from pyrogen.testing.checks.prior import prior
from pyrogen.testing.checks.structure import structure
from pyrogen.testing.checks.subsampling import subsampling
from pyrogen.testing.findings import Report, Result
from pyrogen.testing.posterior.importance import importance
from pyrogen.testing.running.isolation import named_parameters, nothing_changed
from pyrogen.testing.running.programs import Batch, OutOfTime, Tested, both_programs, own_pair

FALSE_ALARM = 1e-6
_NOT_ASKED = "not asked, because the faults above come first"
_TESTS = 5  # with a false-alarm rate: density, objective, minibatch, gradient, importance


def check(
    model: Any,
    guide: Callable[..., Any] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    loss: Any = None,
    size: int | None = None,
    batch: Batch | None = None,
    fitted: bool = False,
    seed: int = 0,
    false_alarm: float = FALSE_ALARM,
    time_limit: float | None = 60.0,
    progress: bool = True,
) -> Report:
    r"""Put a Pyro model and guide the questions that Pyro does not ask, and report what is wrong.

    Pyro trains a wrong pair without a word: a β that stands on one side, a network that nobody registered, a batch
    without its N/B. These are looked for in runs of both programs:

    ===============  ====================================================================================
    parameter store  Pyro's store holds no parameter of an earlier program that these are given (only if it does)
    runs             guide and model run on the arguments
    sites            each latent is in model and guide, or enumerated, or auxiliary
    plates           shared sites stand in the same plates
    scale            ``poutine.scale`` and masks weigh model and guide alike (the β trap)
    shapes           events agree, each batch dimension has its plate
    enumeration      each discrete latent is enumerated, by a loss that does so
    support          the guide draws only where the model has mass, and reaches all of it
    step             a step with this loss runs
    subsampling      observations follow the indices of their plates and weigh N/B
    registration     Pyro knows each parameter that the densities depend on, so that SVI trains it
    finite           no value or log density is NaN or infinite
    gradient reach   a gradient reaches each parameter
    domain           the programs run wherever the optimizer may lead the parameters
    jacobian         latents computed from auxiliary ones carry the Jacobian of the change of variables
    density          draws of your own distributions follow their log_prob (t-test)
    prior            the guide does not merely repeat the prior
    objective        the loss is −Σ (log p − log q) of these programs (t-test)
    minibatch        the objective of batches is on average that of the full data (t-test)
    gradient         the gradient is that of the objective (t-test against a second estimator)
    importance       once `fitted`: Pareto-k̂ of the importance weights, ELBO against the tighter bound, in nats
    ===============  ====================================================================================

    Nothing is trained, and nothing changes: weights, gradients, buffers, the parameter store and all random states are
    as before. A pair needs no training to be checked; `fitted` adds the question whether training got there. A sound
    pair costs some 200 evaluations of its loss: a few images say as much as a large batch.

    Args:
        model: the joint distribution, a Pyro program; or an object with both a ``model`` and a ``guide``.
        guide: the approximate posterior, a Pyro program with the same arguments; an AutoGuide too.
        args: the positional arguments that both are called with, as for ``svi.step(*args)``.
        kwargs: the keyword arguments.
        loss: the ELBO that you train with, or a callable ``loss(model, guide, *args, **kwargs)``. By default the loss
            that `Programs` was given; else TraceEnum_ELBO if a site is marked for enumeration, or Trace_ELBO.
        size: N, if `args` are a batch of a larger data set: observed rows must then weigh N/B.
        batch: makes the arguments of a batch, ``(args, kwargs)``, from its rows' indices (an int64 tensor), where
            `args` are the whole data. Without it only plates that subsample inside can be held against the full data.
        fitted: whether the guide has been trained; then a guide far from the posterior is a fault.
        seed: of all random numbers; the same seed gives the same report.
        false_alarm: the probability that the tests together find a fault in a sound pair, by chance.
        time_limit: seconds after which what is left is not asked, and said not to be; None for no limit. One run of the
            programs is not interrupted.
        progress: whether to show a bar on a terminal.

    Returns:
        The report: ``print(report)`` for a table, ``report.ok``, ``report.findings``, ``report.assert_ok()`` for
        pytest, ``report.to_dict()`` for JSON. An error inside the programs is reported as a fault.

    Raises:
        TypeError: if model or guide is not a callable, or cannot be called with these arguments.
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
        'z' is weighted by 1 in the model and by 4 in the guide, so its KL has neither weight: enter the same
        poutine.scale around it on both sides
    """
    rate = checks.probability("false_alarm", false_alarm, open=True) / _TESTS
    fitted, seed = checks.flag("fitted", fitted), checks.seed("seed", seed)
    if size is not None:
        size = checks.whole("size", size, least=1)
    if batch is not None:
        check_batch(batch)
    if time_limit is not None:
        time_limit = checks.real("time_limit", time_limit, above=0)
    pair = own_pair(model, guide)
    model, guide = both_programs(model, guide) if pair is None else pair.programs
    loss = pair.given_loss if loss is None and pair is not None else loss
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    tested = Tested(model, guide, args, {} if kwargs is None else kwargs, loss, seed, deadline=deadline)
    late = f"stopped after {time_limit or 0:g} s: pass fewer rows (few say as much), or a longer time_limit"

    def asked(fitted: bool) -> Report:
        return Report(tuple(_results(tested, rate, size, batch, fitted, late, progress)))

    with nullcontext() if pair is None else pair.store():
        report = asked(fitted)
        if pair is not None and pair.is_ready:  # what its store holds is its own
            return report
        return without_leftovers(report, lambda: asked(fitted=False))


def _results(
    tested: Tested, rate: float, size: int | None, batch: Batch | None, fitted: bool, late: str, progress: bool
) -> list[Result]:
    """Ask all questions, each test at a false-alarm rate of `rate`, and leave everything as it was."""
    parts = named_parameters(tested.model, tested.guide)
    frozen = [(name, parameter) for name, parameter in parts if not parameter.requires_grad]
    with nothing_changed(tested.model, tested.guide), torch.enable_grad():
        try:
            first = first_runs(tested)
        except OutOfTime:
            return [RUNS.skipped(late)]
        results, tested = [first.result], first.tested
        if first.result.outcome == "fault":
            return results
        questions: list[tuple[str, bool, Callable[[], Iterable[Result]]]] = [  # does a fault before it forbid it
            ("structure", True, lambda: structure(tested, first.alone)),
            ("step", True, lambda: [step(tested)]),
            ("subsampling", False, lambda: [subsampling(tested, size)]),
            ("registration", False, lambda: parameters(tested, frozen)),
            ("jacobian", True, lambda: [jacobian(tested)]),
            ("density", True, lambda: [density(tested, rate)]),
            ("prior", True, lambda: [prior(tested)]),
            ("objective", True, lambda: [objective(tested, rate)]),
            ("minibatch", True, lambda: [minibatch(tested, rate, batch, size)]),
            ("gradient", True, lambda: [gradient(tested, rate)]),
        ]
        if fitted:
            questions.append(("importance", True, lambda: [importance(tested, false_alarm=rate)]))
        if first.alone:
            together = Result.of("together", "the model runs at the guide's draws", first.together)
            questions[1:] = [("together", True, lambda: [together])]
        for name, needs_sound, ask in (bar := progress_bar(questions, shown=progress, leave=False)):
            bar.set_description(f"check {name}")
            sound = Report(tuple(results)).ok
            if sound or not needs_sound:
                results += _answers(tested, name, ask, sound, late)
            else:
                results.append(Result(name, _NOT_ASKED, "skipped"))
    return results


def _answers(
    tested: Tested, name: str, ask: Callable[[], Iterable[Result]], sound: bool, late: str
) -> Iterator[Result]:
    """Yield the answers; where a question itself fails, it is said to be not answered, since the programs run."""
    try:
        yield from ask()
    except OutOfTime:
        yield Result(name, "out of time", "skipped", late)
    except Exception as error:
        if not sound:
            yield Result(name, _NOT_ASKED, "skipped")
        elif (again := _plain_run_fails(tested)) is not None:
            yield Result.of(name, "the programs run again", [failure(name, "a later run", again)])
        else:
            yield Result(name, "could not be asked here", "skipped", failure(name, "the question", error).message)


def _plain_run_fails(tested: Tested) -> Exception | None:
    """Return the error of one more run of the programs as they are: theirs, and not that of a question."""
    try:
        tested.together()
    except OutOfTime:
        return None
    except Exception as error:
        return error
    return None


def assert_sound(
    model: Any,
    guide: Callable[..., Any] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Report:
    """Raise ``AssertionError`` with the report, for a test of your own, unless `check` finds the programs sound.

    Args:
        model: the joint distribution, or an object with a model and a guide.
        guide: the approximate posterior.
        args: the positional arguments of both.
        kwargs: the keyword arguments of both.
        **settings: the other arguments of `check`, such as ``loss`` and ``size``.

    Returns:
        The report, of which warnings may be looked at.

    Example:
        >>> import torch
        >>> import pyrogen as pg
        >>> g = pg.models.GammaExponential()
        >>> pg.testing.assert_sound(g, args=(torch.tensor(3.0),)).findings
        ()
    """
    report = check(model, guide, args, kwargs, **({"progress": False} | settings))
    report.assert_ok()
    return report
