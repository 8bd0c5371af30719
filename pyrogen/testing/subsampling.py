"""Does a batch stand for the data: its observations follow the plate's indices and weigh N/B."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from pyro.poutine.runtime import Message
from pyro.poutine.subsample_messenger import _Subsample
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyrogen.testing.findings import Finding, Result
from pyrogen.testing.pair import Tested, observed, weight_beyond_plates

_RUNS = 4


def subsampling(tested: Tested, size: int | None = None) -> Result:
    """Whether observed sites follow the indices that their plates draw, and what is drawn elsewhere is weighted.

    Args:
        tested: the pair.
        size: N, the number of observations that the arguments stand for. Then each observation in a plate must weigh
            N/B in all; without it a batch that was cut before the call cannot be told from the whole data.
    """
    runs = [_run(tested, seed, indices=0) for seed in range(_RUNS)]
    findings = [*_drawn_elsewhere(runs), *_deaf(tested, runs), *_twice(runs[0])]
    if size is not None:
        findings += _underweight(runs[0], size)
    return Result.of("subsampling", "a batch stands for the data: its rows weigh N/B", findings)


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


def _run(tested: Tested, seed: int, indices: int) -> Trace:
    tested.start(seed)
    with Indices(indices):
        guide = poutine.trace(tested.guide).get_trace(*tested.args, **tested.kwargs)
        return poutine.trace(poutine.replay(tested.model, trace=guide)).get_trace(*tested.args, **tested.kwargs)


def _drawn_elsewhere(runs: list[Trace]) -> Iterator[Finding]:
    for name, site in observed(runs[0]):
        values = [run.nodes[name]["value"] for run in runs if name in run.nodes]
        if all(_same(value, values[0]) for value in values):
            continue
        weight = torch.as_tensor(weight_beyond_plates(site)).double()
        if bool(((weight - 1).abs() < 1e-6).all()):
            yield Finding(
                "subsampling",
                f"the observations of {name!r} differ between two runs on the same arguments, and nothing weights "
                "them: draw the batch by pyro.plate(name, N, subsample_size=B), which weighs each row by N/B",
                name,
            )


def _deaf(tested: Tested, runs: list[Trace]) -> Iterator[Finding]:
    """Observations in a subsampled plate that stay the same whatever its indices are."""
    frames = {
        name: [f.name for f in site["cond_indep_stack"] if f.full_size is not None and f.full_size > f.size]
        for name, site in observed(runs[0])
    }
    drawn = {name for name, node in runs[0].nodes.items() if isinstance(node.get("fn"), _Subsample)}
    frames = {name: [f for f in plates if f in drawn] for name, plates in frames.items()}
    if not any(frames.values()):
        return
    others = [_run(tested, 0, indices=i) for i in range(1, _RUNS)]
    for name, plates in frames.items():
        moving = [f for f in plates if any(not _same(o.nodes[f]["value"], runs[0].nodes[f]["value"]) for o in others)]
        value = runs[0].nodes[name]["value"]
        several = isinstance(value, Tensor) and value.numel() > 1 and bool((value != value.flatten()[0]).any())
        if moving and several and all(_same(o.nodes[name]["value"], value) for o in others if name in o.nodes):
            yield Finding(
                "subsampling",
                f"the observations of {name!r} stay the same whichever indices plate {moving[0]!r} draws: take the "
                f"rows that it gives, as in `with pyro.plate(...) as i: pyro.sample({name!r}, ..., obs=data[i])`",
                name,
            )


def _twice(run: Trace) -> Iterator[Finding]:
    for name, site in observed(run):
        plates = torch.as_tensor(site["scale"] / weight_beyond_plates(site)).double()
        extra = torch.as_tensor(weight_beyond_plates(site)).double()
        if bool(((plates - 1).abs() > 1e-6).all()) and bool(((extra - plates).abs() < 1e-6 * plates).all()):
            yield Finding(
                "subsampling",
                f"the rows of {name!r} weigh N/B twice, by their plate and by a poutine.scale of {extra.max():.4g}: "
                "drop the scale, since a plate with a subsample weighs its rows by itself",
                name,
            )


def _underweight(run: Trace, size: int) -> Iterator[Finding]:
    for name, site in observed(run):
        frames = [f for f in site["cond_indep_stack"] if f.dim is not None]
        if not frames:
            continue
        weight = float(torch.as_tensor(site["scale"]).double().mean())
        rows = max(f.size for f in frames)
        if all(abs(weight * f.size - size) > 1e-6 * size for f in frames):
            yield Finding(
                "subsampling",
                f"the {rows} rows of {name!r} weigh {weight:.4g} each and stand for {weight * rows:.4g} observations, "
                f"not for the {size} of the data: write pyro.plate(name, {size}, subsample=indices)",
                name,
                figures={"weight": weight, "expected": size / rows},
            )


def _same(a: object, b: object) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and bool(torch.equal(a, b) or ((a == b) | ((a != a) & (b != b))).all())
    return a is b or not isinstance(a, Tensor)
