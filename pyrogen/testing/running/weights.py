"""log p(x, z) and log p(x, z) − log q(z) at a guide's draws, without tempering and with whole plates."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pyro
import torch
from pyro import poutine
from pyro.distributions.util import scale_and_mask
from pyro.infer import TraceEnum_ELBO
from pyro.poutine.scale_messenger import ScaleMessenger
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyrogen.distributions.wrappers import is_point
from pyrogen.testing.running.batched import DRAWS, Array, many_runs
from pyrogen.testing.running.programs import Tested, whole_plates
from pyrogen.testing.running.sites import (
    is_auxiliary,
    latents,
    log_prob,
    marked_for_enumeration,
    observed,
    sites,
    weight_beyond_plates,
    with_density,
)

ROUNDING = 1e-5  # of log p(x, z): float32 sums, which are ordered differently for one run and for many


class NoWeights(Exception):
    """Why the draws of this guide have no importance weights, in a few words."""


@contextmanager
def unscaled() -> Iterator[None]:
    """Let ``poutine.scale`` do nothing: no β, no tempering; the N/B of plates stays."""
    original = ScaleMessenger._process_message
    ScaleMessenger._process_message = lambda self, msg: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        ScaleMessenger._process_message = original  # type: ignore[method-assign]


def log_weights(tested: Tested, samples: int) -> Array:
    """log p(x, z) − log q(z) at draws z ~ q, in nats: (samples,), or (samples, elements).

    Scales of ``poutine.scale`` are left out and plates take all their indices. Discrete latents that the model
    enumerates are summed out; those marked for enumeration in the guide are drawn, which is as exact. Where each site
    lies in the same plate, the posterior factorizes over the plate's elements, and each element has its own weights.

    Raises:
        NoWeights: for a guide of point masses, latents on one side only, a part of the data.
    """
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        try:
            with whole_plates():
                return _log_weights(tested, samples)
        except (RuntimeError, IndexError, ValueError):  # the arguments may hold a batch, which the whole would not fit
            return _log_weights(tested, samples)


def _log_weights(tested: Tested, samples: int) -> Array:
    guide, model = tested.together(0)
    names = common_plates(guide, model)
    if _refuse(tested, guide, model, names):
        elbo = TraceEnum_ELBO(strict_enumeration_warning=False)
        drawn = poutine.infer_config(tested.guide, lambda site: {"enumerate": None})
        values = []
        with unscaled():
            for run in range(samples):
                tested.start(run)
                values.append(-float(elbo.loss(tested.model, drawn, *tested.args, **tested.kwargs)))
        return np.asarray(values)

    def log_weight(guide: Trace, model: Trace) -> Tensor:
        return log_density(model, names | {DRAWS}) - log_density(guide, names | {DRAWS})

    stacked: Array = many_runs(tested, samples, log_weight).double().cpu().numpy().reshape(samples, -1)
    return stacked if names else stacked[:, 0]


def log_joints(tested: Tested, truth: dict[str, Any], number: int, run: int) -> tuple[Array, Array] | None:
    """log p(x, z) in nats at the truth, (elements), and at draws of the guide, (number, elements).

    The elements are those of the plates that hold every site; without such a plate there is one number, of shape ().
    Scales of ``poutine.scale`` are left out. The draws are others in each `run`. A draw that the model cannot have
    made has −∞. None where the truth or the guide lacks a latent of the model, or the model fails at a draw.
    """
    drawn = replace(tested, seed=tested.seed + 7919 * (run + 1))
    with torch.no_grad(), pyro.validation_enabled(False):
        try:
            guide, model = drawn.together(0)
            ours = {name for name, _ in latents(model)}
            if not ours or not ours <= truth.keys() & {name for name, _ in latents(guide)}:
                return None
            names = common_plates(guide, model)
            values = {name: value for name, value in truth.items() if name in ours}
            at_truth = tested.run(poutine.condition(tested.model, data=values))
            rows = many_runs(drawn, number, lambda guide, model: log_density(model, names | {DRAWS}))
            one = _finite(log_density(at_truth, names))
        except Exception:  # whatever a user's program raises at latents that its prior cannot draw
            return None
    drawn_ones = _finite(rows)
    return None if drawn_ones.shape[1:] != one.shape else (one, drawn_ones)


def _finite(values: Tensor) -> Array:
    array: Array = values.detach().double().cpu().numpy()
    return np.where(np.isnan(array), -np.inf, array)


def common_plates(*traces: Trace) -> frozenset[str]:
    """Return the plates that hold every site: over their elements latents and observations are independent."""
    found = [site for trace in traces for _, site in with_density(trace)]
    plates = [frozenset(frame.name for frame in site["cond_indep_stack"] if frame.vectorized) for site in found]
    return frozenset.intersection(*plates) if plates else frozenset()


def log_density(trace: Trace, names: frozenset[str]) -> Tensor:
    """Σ log density over the sites of a trace, without any scale; a dimension is left for each plate of these names."""
    total: Any = 0.0
    for _, site in with_density(trace):
        value = scale_and_mask(log_prob(site), 1.0, site["mask"])
        kept = {frame.dim: frame.size for frame in site["cond_indep_stack"] if frame.name in names}
        for dim in range(-value.dim(), 0):
            if dim not in kept:
                value = value.sum(dim, keepdim=True)
        total = total + value.reshape([kept[dim] for dim in sorted(kept)])
    return torch.as_tensor(total)


def _refuse(tested: Tested, guide: Trace, model: Trace, names: frozenset[str]) -> bool:
    """Raise `NoWeights` where they do not exist; say whether the model sums a latent out."""
    theirs = dict(latents(guide))
    ours = dict(latents(model))
    summed = [name for name, site in ours.items() if name not in theirs and marked_for_enumeration(site)]
    alone = [name for name in ours if name not in theirs and name not in summed]
    alone += [name for name, site in theirs.items() if name not in ours and not is_auxiliary(site)]
    if not theirs:
        raise NoWeights("the guide draws nothing")
    if alone:
        raise NoWeights(f"latent {alone[0]!r} is on one side only")
    _refuse_points(tested, theirs)
    _refuse_weighted_data(guide, model)
    for trace in (guide, model):
        for _, site in sites(trace):
            for frame in site["cond_indep_stack"]:
                if frame.full_size and frame.full_size != frame.size and (summed or frame.name not in names):
                    raise NoWeights(
                        f"the arguments hold {frame.size} of {frame.full_size} elements of plate {frame.name!r}: pass "
                        "all of them"
                    )
    return bool(summed)


def _refuse_points(tested: Tested, theirs: dict[str, Any]) -> None:
    points = {name: site for name, site in theirs.items() if is_point(site["fn"]) and not is_auxiliary(site)}
    if not points:
        return
    again = dict(latents(tested.guide_alone(1)))
    fixed = [name for name, site in points.items() if torch.equal(site["value"], again[name]["value"])]
    if fixed or not any(is_auxiliary(site) for site in theirs.values()):
        raise NoWeights(f"the guide puts all its mass on one point at {(fixed or list(points))[0]!r}")


def _refuse_weighted_data(guide: Trace, model: Trace) -> None:
    """A weight on the data alone stands for data that are not here; one on everything or on latents can go."""
    weights: dict[str, float] = {}
    for trace in (guide, model):
        for name, site in with_density(trace):
            weights[name] = float(torch.as_tensor(weight_beyond_plates(site), dtype=torch.float64).mean())
    for name, _ in observed(model):
        if abs(weights[name] - 1) > 1e-6 and any(abs(weights[name] - other) > 1e-6 for other in weights.values()):
            raise NoWeights(
                f"poutine.scale weighs the data at {name!r} by {weights[name]:g}: pass all data, unweighted"
            )
