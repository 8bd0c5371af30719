"""Many runs of a pair as one, in an outer plate, where that is beyond doubt the same as many runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from pyro import poutine
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import latents, sites

Array = NDArray[np.float64]
Measure = Callable[[Trace, Trace], Tensor]
DRAWS = "_pyrogen_draws"
_NUMBERS = 1_000_000  # of all sites of the runs that are made as one; networks hold many times that
_CHECKED = 3


def many_runs(tested: Tested, number: int, measure: Measure) -> Tensor:
    """`measure(guide's trace, model's trace)` of many runs, stacked: of all at once where that is safe.

    The programs run in an outer plate, as with ``vectorize_particles``. Programs that are not written for that may fail
    there, or worse, may not. So three of the runs of each batch are repeated alone at the same latents, and unless they
    measure the same, all are made one by one.
    """
    found = _at_once(tested, number, measure)
    return torch.stack([measure(*tested.together(run)) for run in range(number)]) if found is None else found


def _at_once(tested: Tested, number: int, measure: Measure) -> Tensor | None:
    guide, model = tested.together(0)
    frames = [frame for trace in (guide, model) for _, site in sites(trace) for frame in site["cond_indep_stack"]]
    held = sum(site["value"].numel() for trace in (guide, model) for _, site in sites(trace))
    size = min(number, _NUMBERS // max(1, held))
    if size < 2 * _CHECKED or tested.runs_the_model or any(not frame.vectorized for frame in frames):
        return None
    nesting = max((-frame.dim for frame in frames), default=0)
    try:
        parts = [_batch(tested, size, nesting, first, measure) for first in range(0, number, size)]
    except Exception:  # whatever a user's program raises when its tensors have another dimension
        return None
    return torch.cat(parts)[:number]


def _batch(tested: Tested, size: int, nesting: int, run: int, measure: Measure) -> Tensor:
    def wide(program: Callable[..., Any]) -> Callable[..., Any]:
        def widened(*args: Any, **kwargs: Any) -> Any:
            with pyro.plate(DRAWS, size, dim=-1 - nesting):
                return program(*args, **kwargs)

        return widened

    tested.start(run)
    guide = tested.run(wide(tested.guide))
    measured = measure(guide, tested.run(wide(tested.model), at=guide))
    for index in np.linspace(0, size - 1, _CHECKED).astype(int):
        values = {name: _one(site, int(index), nesting) for name, site in latents(guide)}
        alone = [tested.run(poutine.condition(program, data=values)) for program in (tested.guide, tested.model)]
        if len(measured) != size or not _same(measure(*alone), measured[int(index)]):
            raise ValueError("runs at once must measure what one alone does, got other numbers: make them one by one")
    return measured


def _one(site: Any, index: int, nesting: int) -> Tensor:
    """Return a site's value in one of the runs."""
    value, events = site["value"], len(site["fn"].event_shape)
    batch = site["fn"].batch_shape
    one: Tensor = value.expand(batch + value.shape[value.dim() - events :]).select(len(batch) - 1 - nesting, index)
    inner = max((-frame.dim for frame in site["cond_indep_stack"] if frame.name != DRAWS), default=0)
    return one.reshape(one.shape[one.dim() - events - inner :])


def _same(a: Tensor, b: Tensor) -> bool:
    eps = 1e3 * torch.finfo(b.dtype).eps
    return a.shape == b.shape and torch.allclose(a.to(b.dtype), b, rtol=eps, atol=eps, equal_nan=True)
