"""Is the number that training minimizes the negative ELBO, and is a batch's the full data's on average."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from pyro.infer import RenyiELBO
from pyro.poutine.subsample_messenger import _Subsample
from torch import Tensor

from pyrogen import checks
from pyrogen.testing.checks.indices import Indices, handed_over, part_of_shuffled
from pyrogen.testing.checks.terms import weights_of_terms
from pyrogen.testing.findings import Question, Result
from pyrogen.testing.running.errors import blaming, spoken_error
from pyrogen.testing.running.programs import Batch, Tested, whole_plates
from pyrogen.testing.running.significance import Sample, exceeds, settled
from pyrogen.testing.running.sites import latents, marked_for_enumeration

OBJECTIVE = Question("objective", "the loss is the negative ELBO of these two programs")
MINIBATCH = Question("minibatch", "a batch's objective is that of the full data, on average")
MARGIN = 0.01  # of the objective's size
_ROUNDS = (8, 32, 128)
_PARTS = 64


def objective(tested: Tested, false_alarm: float) -> Result:
    """Return whether the loss is −Σ weight · (log p − log q) over the sites of guide and model, on average over draws.

    The weights are those of ``poutine.scale`` and of the plates. A difference of more than 1 % beyond doubt is a fault
    for an ELBO of Pyro. A loss of the user's own may be meant to be something else. It is a fault only where its terms
    have another sign, or log p(z) and log q(z) other weights (`terms`), and else a warning.
    """
    loss = tested.elbo()
    drawn = [site for trace in tested.together() for _, site in latents(trace)]
    if isinstance(tested.loss, RenyiELBO) or not (tested.evaluates or tested.loss is None):
        return OBJECTIVE.skipped(f"{type(tested.loss).__name__} is meant to be another objective")
    if any(marked_for_enumeration(site) for site in drawn):
        return OBJECTIVE.inapplicable("enumerated latents have no such sum")
    difference, size, exceeded = _compared(
        lambda run: tested.value(loss, run), lambda run: _negative_elbo(tested, run), false_alarm
    )
    findings = []
    own = tested.own_loss
    said, level = weights_of_terms(tested, loss) if own else ("", "fault")
    if exceeded or (own and level == "fault"):  # a wrong weight of a small term counts
        said = said or "look for a weight or mask that stands on one side only, or a sign in a loss of your own"
        findings.append(
            (OBJECTIVE.fault if level == "fault" else OBJECTIVE.warning)(
                f"the loss is {difference.mean:+.4g} ± {difference.error:.2g} nats away from the negative ELBO of the "
                f"two programs, {size.mean:.4g}: {said}",
                difference=difference.mean,
                standard_error=difference.error,
                negative_elbo=size.mean,
            )
        )
    detail = f"{size.mean:.5g} nats, {difference.mean:+.2g} ± {difference.error:.2g} off, {len(size)} runs"
    return OBJECTIVE.answer(findings, detail, {"negative_elbo": size.mean})


def _compared(
    value: Callable[[int], float], reference: Callable[[int], float], false_alarm: float
) -> tuple[Sample, Sample, bool]:
    """Return the differences of runs, the references, and whether the mean difference exceeds 1 % beyond doubt."""
    difference, size, margin = Sample(), Sample(), 0.0
    for runs in _ROUNDS:
        for run in range(len(size), runs):
            size.append(reference(run))
            difference.append(value(run) - size[-1])
        margin = MARGIN * size.root_mean_square
        if settled(difference, margin, false_alarm):
            break
    return difference, size, exceeds(difference, margin, false_alarm)


def _negative_elbo(tested: Tested, run: int) -> float:
    with torch.no_grad():
        guide, model = tested.together(run)
        return float(guide.log_prob_sum()) - float(model.log_prob_sum())


def minibatch(tested: Tested, false_alarm: float, batch: Batch | None, size: int | None) -> Result:
    """Return whether the objective of a batch is on average that of the full data.

    The full data are what the plates take without subsampling or, with `batch`, what `tested` is called with. `batch`
    makes the arguments of a batch from its row indices. In each run the data are shuffled and cut into batches (the
    first 64, if there are more), so that every row counts alike. The noise of the latents starts from the same place. A
    mean difference of more than 1 % beyond doubt is a fault.
    """
    loss = tested.elbo()
    draws = [node["fn"] for node in tested.together()[1].nodes.values() if isinstance(node.get("fn"), _Subsample)]
    cuts = [fn for fn in draws if _cuts(fn) and not handed_over(tested, fn.size, fn.subsample_size or 0)]
    if batch is None and not cuts:
        return MINIBATCH.inapplicable("no plate cuts a batch itself; batch= would say how you do it")

    def whole(run: int) -> float:
        with whole_plates():
            return tested.value(loss, run)

    try:
        whole(0)
    except (RuntimeError, IndexError, ValueError) as error:
        message = (
            f"with whole plates the programs fail ({spoken_error(error, 100)}), so batches cannot be compared with the "
            "full data: index everything of the data by the plate, and write no B as a number"
        )
        return MINIBATCH.answer([MINIBATCH.warning(message)])
    rows = size or next((len(a) for a in tested.args if isinstance(a, Tensor) and a.dim()), 0)
    parts = 4 if batch else min(_PARTS, max(math.ceil(fn.size / (fn.subsample_size or 1)) for fn in cuts))

    def on_average(run: int) -> float:
        return sum(_part(tested, loss, batch, rows, run, part) for part in range(parts)) / parts

    difference, full, exceeded = _compared(on_average, whole, false_alarm)
    findings = []
    if exceeded:
        findings.append(
            MINIBATCH.fault(
                f"batches have an objective of {full.mean + difference.mean:.5g} nats, the full data {full.mean:.5g} "
                f"({difference.mean:+.3g} ± {difference.error:.2g}): weigh their rows by N/B in model and guide, by "
                "pyro.plate(name, N, subsample=indices)",
                difference=difference.mean,
                standard_error=difference.error,
                full=full.mean,
            )
        )
    detail = f"{difference.mean:+.2g} ± {difference.error:.2g} of {full.mean:.5g} nats, {len(full)} runs"
    if not findings and difference.error > 0.2 * full.root_mean_square:
        return MINIBATCH.skipped(f"too noisy to tell: {detail}")
    return MINIBATCH.answer(findings, f"{detail}; false alarms {false_alarm:.0e}")


def _cuts(fn: _Subsample) -> bool:
    return fn.subsample_size is not None and fn.subsample_size < fn.size


def _part(tested: Tested, loss: Any, batch: Batch | None, rows: int, run: int, part: int) -> float:
    """Return the objective of one of the batches that the shuffled data are cut into, at the noise of this run."""
    seed = tested.seed * 1_000_003 + run
    if batch is None:
        with Indices(seed, part):
            return tested.value(loss, run)
    args, kwargs = batch(part_of_shuffled(rows, max(1, math.ceil(rows / 4)), seed, part))
    return replace(tested, args=args, kwargs=kwargs).value(loss, run)


def check_batch(batch: Any) -> None:
    """Raise ``TypeError`` unless `batch` makes ``(args, kwargs)`` from row indices."""
    if not callable(batch):
        wanted = "a callable that makes (args, kwargs) from row indices"
        raise TypeError(f"batch must be {wanted}, got {checks.shown(batch)}")
    with blaming("batch"):
        made = batch(torch.zeros(1, dtype=torch.int64))
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], tuple) and isinstance(made[1], Mapping)):
        wanted = "(args, kwargs), a tuple and a mapping, such as ((x[rows], N), {})"
        raise TypeError(f"batch must return {wanted}, got {checks.shown(made)}")
