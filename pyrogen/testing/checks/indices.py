"""Which rows a subsampled plate draws, and whether the sites in it follow them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pyro.poutine.indep_messenger import CondIndepStackFrame
from pyro.poutine.messenger import Messenger
from pyro.poutine.runtime import Message
from pyro.poutine.subsample_messenger import _Subsample
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyrogen.testing.checks.rows import SUBSAMPLING
from pyrogen.testing.findings import Finding
from pyrogen.testing.running.isolation import shaken
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import is_auxiliary, latents, observed

_DRAWS = 4


class Indices(Messenger):
    """Gives each subsampled plate the indices that `seed` and `part` choose, whatever else is drawn.

    Parts 0, 1, ... of one seed are the successive batches of a shuffled data set; after the last one it starts again.
    """

    def __init__(self, seed: int, part: int = 0) -> None:
        super().__init__()
        self.seed, self.part = seed, part

    def _pyro_sample(self, msg: Message) -> None:
        if isinstance(fn := msg["fn"], _Subsample) and msg["value"] is None and fn.subsample_size is not None:
            msg["value"] = part_of_shuffled(fn.size, fn.subsample_size, self.seed, self.part).to(fn.device)
            msg["done"] = True


def part_of_shuffled(size: int, rows: int, seed: int, part: int) -> Tensor:
    """Batch number `part`, of so many rows, of 0 ... size − 1 shuffled by the seed; int64."""
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    return order[(torch.arange(rows) + part * rows) % size]


def handed_over(tested: Tested, size: int, rows: int) -> bool:
    """Return whether the arguments are a batch already: some have its `rows`, and none the `size` rows of the data."""
    lengths = {len(a) for a in (*tested.args, *tested.kwargs.values()) if isinstance(a, Tensor) and a.dim()}
    return rows in lengths and size not in lengths


def run_at(tested: Tested, seed: int, indices: int) -> tuple[Trace, Trace]:
    """(guide's trace, model's trace) of a run at these random numbers, with the indices of another seed."""
    with Indices(indices):
        return tested.together(seed)


def deaf(tested: Tested) -> Iterator[Finding]:
    """Sites in a subsampled plate that stay the same whichever rows it draws, though their own rows differ.

    Parameters are moved a little for it, since rows of a new parameter are all equal as a rule.
    """
    with shaken(tested.seed):
        guide, model = run_at(tested, 0, 0)
        frames = _cut(model)
        others = [run_at(tested, 0, i) for i in range(1, _DRAWS)] if frames else []
        told: set[str | None] = set()
        for frame in frames:
            drawn = [trace.nodes[frame.name]["value"] for _, trace in [(guide, model), *others] if frame.name in trace]
            if not (handed_over(tested, frame.full_size or 0, frame.size) or all(same(v, drawn[0]) for v in drawn)):
                for finding in _deaf_in(frame, guide, model, others):
                    if finding.site not in told:
                        told.add(finding.site)
                        yield finding


def _deaf_in(
    frame: CondIndepStackFrame, guide: Trace, model: Trace, others: list[tuple[Trace, Trace]]
) -> Iterator[Finding]:
    inside = {name: site for name, site in observed(model) if frame in site["cond_indep_stack"]}
    for name, site in list(inside.items()):
        values = [trace.nodes[name]["value"] for _, trace in others if name in trace]
        if len(values) < len(others):  # the site's name follows the indices
            continue
        if _rows_differ(site["value"]) and all(same(v, site["value"]) for v in values):
            del inside[name]
            yield SUBSAMPLING.fault(
                f"the observations of {name!r} stay the same whichever indices plate {frame.name!r} draws: take the "
                f"rows that it gives, as in `with pyro.plate(...) as i: pyro.sample({name!r}, ..., obs=data[i])`",
                name,
            )
    local = {name: site for name, site in latents(guide) if frame in site["cond_indep_stack"]}
    sides = [(name, site, [g for g, _ in others], "guide") for name, site in local.items()]
    if not any(frame in site["cond_indep_stack"] for _, site in latents(model)):
        sides += [(name, site, [m for _, m in others], "model") for name, site in inside.items()]
    for name, site, traces, side in sides:
        if not is_auxiliary(site) and _unmoved(site, frame, name, traces):
            yield SUBSAMPLING.fault(
                f"the distribution of {name!r} in the {side} stays the same whichever indices plate {frame.name!r} "
                "draws, though its rows differ: index by them what it is computed from",
                name,
            )


def _cut(model: Trace) -> list[CondIndepStackFrame]:
    """Return the plates that draw some of their indices by themselves."""
    drawn = {name for name, node in model.nodes.items() if isinstance(node.get("fn"), _Subsample)}
    frames = {f.name: f for _, site in observed(model) for f in site["cond_indep_stack"]}
    return [f for f in frames.values() if f.name in drawn and f.full_size is not None and f.full_size > f.size]


def _rows_differ(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() > 1 and bool((value != value.flatten()[0]).any())


def _unmoved(site: Message, frame: CondIndepStackFrame, name: str, traces: list[Trace]) -> bool:
    """Return whether a site's distribution is the same in all traces, and not the same in all of its rows."""
    if frame.dim is None or any(name not in trace for trace in traces):
        return False
    value, fn = site["value"], site["fn"]
    try:
        here = fn.log_prob(value)
        if not all(same(trace.nodes[name]["fn"].log_prob(value), here) for trace in traces):
            return False
    except Exception:  # a flow without an inverse, a value outside of another run's support
        return False
    one = value.select(frame.dim - fn.event_dim, 0).unsqueeze(frame.dim - fn.event_dim).expand_as(value)
    rows = fn.log_prob(one)
    return bool((rows != rows.select(frame.dim, 0).unsqueeze(frame.dim)).any())


def same(a: object, b: object) -> bool:
    """Return whether two values are equal, NaN included; anything but a tensor counts as equal."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and bool(torch.equal(a, b) or ((a == b) | ((a != a) & (b != b))).all())
    return a is b or not isinstance(a, Tensor)
