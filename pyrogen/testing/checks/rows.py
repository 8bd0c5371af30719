"""Rows of data: which observations are rows of a tensor, and whether local parameters have a row for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from pyro import poutine
from pyro.infer.autoguide import AutoContinuous
from pyro.poutine.runtime import Message
from pyro.poutine.trace_struct import Trace
from torch import Tensor, nn

from pyrogen.testing.findings import Finding, Question
from pyrogen.testing.running.isolation import referred
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import is_auxiliary, latents, observed, unconstrained

SUBSAMPLING = Question("subsampling", "a batch stands for the data: its rows weigh N/B")
_MOST = 2_000_000  # numbers of a tensor whose rows are looked up
_FEW = 4  # with so many distinct rows, a row that comes again is hardly chance


def tensors_of(tested: Tested) -> list[Tensor]:
    """Return the tensors among the arguments, and those that the model refers to outside of its modules."""
    found = referred("", (tested.args, tested.kwargs, tested.model), (Tensor, nn.Module))
    return [value for _, value in found if isinstance(value, Tensor)]


def are_rows(values: Sequence[Any], sources: Sequence[Tensor]) -> bool:
    """Return whether what a site observes in several runs are rows drawn from a longer tensor, and not added noise.

    Rows are known by a source that holds them all and more, or by rows that come again in another run.
    """
    if not all(isinstance(value, Tensor) for value in values):
        return False
    first = values[0]
    if any(value.shape != first.shape for value in values):
        return True
    if first.dim() == 0:
        return any(bool((source == first).any()) for source in sources if 1 < source.numel() <= _MOST)
    rows = [_rows(value) for value in values]
    for source in sources:
        longer = source.dim() and source.shape[1:] == first.shape[1:] and len(first) < len(source)
        if longer and source.numel() <= _MOST and set().union(*rows) <= _rows(source.to(first.dtype)):
            return True
    again = set.intersection(*map(set, rows[:2])) if len(rows) > 1 else set()
    return len(set().union(*rows)) >= _FEW and bool(again) and len(rows[0]) > len(first) / 2


def _rows(value: Tensor) -> set[bytes]:
    return {row.tobytes() for row in value.detach().cpu().reshape(len(value), -1).numpy()}


def few_rows(tested: Tested, guide: Trace, model: Trace, size: int | None) -> Iterator[Finding]:
    """Local latents whose parameters have a row for each of the batch, and not for each of the data.

    In a plate that holds B of N elements, row i of such a parameter alone decides over element i of the batch, whatever
    element of the data that is. A network that reads the data, or N rows of which B are taken, look otherwise. `size`
    is N, where the arguments are a batch of so many.
    """
    program = poutine.unwrap(tested.guide)
    theirs = dict(latents(model))
    with_data = {frame.name for _, site in observed(model) for frame in site["cond_indep_stack"]}
    nodes = guide.nodes.items()
    parameters = {name: unconstrained(node["value"]) for name, node in nodes if node["type"] == "param"}
    told = set()
    for name, site in latents(guide):
        if name not in theirs or is_auxiliary(site):
            continue
        for frame in site["cond_indep_stack"]:
            total = frame.full_size if (frame.full_size or 0) > frame.size else None
            if total is None and size is not None and frame.name in with_data:
                total = size
            if frame.dim is None or frame.size < 2 or total is None or total <= frame.size or name in told:
                continue
            kept = next((key for key, p in parameters.items() if _is_local(site, frame.dim, p, total)), None)
            if kept is None and not isinstance(program, AutoContinuous):
                continue
            told.add(name)
            who = f"the parameter {kept!r}" if kept else f"the {type(program).__name__}"
            yield SUBSAMPLING.fault(
                f"{who} holds {frame.size} rows for {name!r}, as many as one batch, but plate {frame.name!r} stands "
                f"for {total}. Each batch overwrites what another has learnt: keep {total} rows and take those that "
                "the plate gives, or compute them from the data by a network",
                name,
            )


def _is_local(site: Message, dim: int, parameter: Tensor, total: int) -> bool:
    """Return whether elements 0, 1 and B − 1 of a site depend on neighboring rows of a parameter of too few rows."""
    if not parameter.requires_grad or parameter.numel() < 2:
        return False
    fn, value = site["fn"], site["value"]
    rows = [0, 1, max(frame.size for frame in site["cond_indep_stack"] if frame.dim == dim) - 1]
    reached = []
    for row in rows:
        density = fn.log_prob(value)
        element = density.select(dim, row).sum() if -dim <= density.dim() else density.sum()
        if value.requires_grad and fn.event_dim - dim <= value.dim():
            element = element + value.select(dim - fn.event_dim, row).sum()
        if not element.requires_grad:
            return False
        (gradient,) = torch.autograd.grad(element, [parameter], retain_graph=True, allow_unused=True)
        if gradient is None or not gradient.any():
            return False
        reached.append(gradient != 0)
    for axis in range(parameter.dim()):
        hit = [set(one.nonzero()[:, axis].tolist()) for one in reached]
        width = len(hit[0])
        if all(len(h) == width and min(h) - min(hit[0]) == width * row for h, row in zip(hit, rows, strict=True)):
            return parameter.shape[axis] < total * width and not bool(hit[0] & hit[1])
    return False
