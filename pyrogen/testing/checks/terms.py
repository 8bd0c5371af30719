"""With which weights a loss of the user's own takes the terms of the ELBO."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyro import distributions as dist
from pyro.poutine.trace_struct import Trace

from pyrogen.testing.findings import Level
from pyrogen.testing.running.isolation import shaken
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import with_density

_RUNS = 24
_MOVES = 0.3  # of each parameter, so that the terms change otherwise than one another
_EXACT = 1e-4  # of its spread: what a loss may be off the sum of its terms
_EQUAL = 0.01
_TERMS = ("log p(x | z)", "log p(z)", "log q(z)")
_UNKNOWN: tuple[str, Level] = ("", "warning")
Array = NDArray[np.float64]


def weights_of_terms(tested: Tested, loss: Any) -> tuple[str, Level]:
    r"""Return the weights a, b, c of a loss −a log p(x | z) − b log p(z) + c log q(z) in words, and their level.

    The weights come from a least-squares fit over runs at moved parameters. Only a fit that is exact counts: of a loss
    with other terms, an analytic KL among them, nothing is said. A fault is a weight below 0 and b ≠ c; a = b = c > 0
    (a mean over the data) and a ≠ b = c > 0 (a β) may be meant.
    """
    rows, values = [], []
    for run in range(_RUNS):
        with shaken(tested.seed + 101 * run, _MOVES):
            try:
                value = tested.value(loss, run)
                with torch.no_grad():
                    guide, model = tested.together(run)
                    rows.append([*_terms(guide, model), 1.0])
            except (ValueError, RuntimeError):  # the programs cannot bear it
                continue
            values.append(value)
    design, target = np.asarray(rows), np.asarray(values)
    if len(rows) < _RUNS // 2 or not (np.isfinite(design).all() and np.isfinite(target).all()):
        return _UNKNOWN
    scale = np.abs(design).max(0)
    used = [i for i in range(3) if np.ptp(design[:, i]) > 1e-9 * max(scale[i], 1.0)]
    columns = [*used, 3]
    matrix = design[:, columns] / np.maximum(scale[columns], 1e-12)
    solution, _, rank, _ = np.linalg.lstsq(matrix, target, rcond=1e-7)
    if rank < len(columns):  # terms that change alike, as where the guide has no parameter
        return _of_their_sum(design, target)
    if np.abs(matrix @ solution - target).max() > _EXACT * max(np.ptp(target), 1e-9):
        return _UNKNOWN
    weights = dict(zip(used, solution[:-1] / scale[used], strict=True))
    return _told({i: -w if i < 2 else w for i, w in weights.items()})


def _of_their_sum(design: Array, target: Array) -> tuple[str, Level]:
    """Say whether the loss is the ELBO itself, with a weight above 0 and up to a constant."""
    elbo = design[:, 0] + design[:, 1] - design[:, 2]
    if np.ptp(elbo) < _EXACT:
        return _UNKNOWN
    weight, constant = np.polyfit(elbo, target, 1)
    if weight < _EQUAL or np.abs(weight * elbo + constant - target).max() > _EXACT * np.ptp(target):
        return _UNKNOWN
    return f"it has the wrong sign (it is {weight:.3g} times the ELBO): loss = -(log p - log q)", "fault"


def _told(weights: dict[int, float]) -> tuple[str, Level]:
    """Return what to say of weights that should all be 1."""
    shown = ", ".join(f"{weight:.3g} on {_TERMS[i]}" for i, weight in weights.items())
    wrong = [_TERMS[i] for i, weight in weights.items() if weight < -_EQUAL]
    if wrong:
        what = "it" if len(wrong) == len(weights) else " and ".join(wrong)
        return f"{what} has the wrong sign (the weights are {shown}, and should be 1): loss = -(log p - log q)", "fault"
    prior, guide = weights.get(1), weights.get(2)
    if prior is not None and guide is not None and abs(prior - guide) > _EQUAL * max(abs(prior), abs(guide)):
        return f"log p(z) and log q(z) weigh differently ({shown}): weigh both alike", "fault"
    return f"its weights are {shown}", "warning"


def _terms(guide: Trace, model: Trace) -> tuple[float, float, float]:
    """log p(x | z), log p(z) and log q(z) of a run, with the weights of scales, plates and masks."""
    data, prior = 0.0, 0.0
    model.compute_log_prob()
    for _, site in with_density(model):
        if site["is_observed"] or isinstance(site["fn"], dist.Unit):
            data += float(site["log_prob_sum"])
        else:
            prior += float(site["log_prob_sum"])
    return data, prior, float(guide.log_prob_sum())
