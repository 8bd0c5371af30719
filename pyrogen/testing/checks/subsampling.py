"""Does a batch stand for the data: its observations follow the plate's indices and weigh N/B."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pyro.poutine.trace_struct import Trace

from pyrogen.testing.checks.indices import deaf, run_at, same
from pyrogen.testing.findings import Finding, Result
from pyrogen.testing.running.programs import Tested, observed, weight_beyond_plates

_RUNS = 4


def subsampling(tested: Tested, size: int | None = None) -> Result:
    """Whether observed sites follow the indices that their plates draw, and what is drawn elsewhere is weighted.

    Args:
        tested: the pair.
        size: N, the number of observations that the arguments stand for. Then each observation in a plate must weigh
            N/B in all; without it a batch that was cut before the call cannot be told from the whole data.
    """
    runs = [run_at(tested, seed, indices=0)[1] for seed in range(_RUNS)]
    findings = [*_drawn_elsewhere(runs), *deaf(tested), *_twice(runs[0])]
    if size is not None:
        findings += _underweight(runs[0], size)
    return Result.of("subsampling", "a batch stands for the data: its rows weigh N/B", findings)


def _drawn_elsewhere(runs: list[Trace]) -> Iterator[Finding]:
    for name, site in observed(runs[0]):
        values = [run.nodes[name]["value"] for run in runs if name in run.nodes]
        if all(same(value, values[0]) for value in values):
            continue
        weight = torch.as_tensor(weight_beyond_plates(site)).double()
        if bool(((weight - 1).abs() < 1e-6).all()):
            yield Finding(
                "subsampling",
                f"the observations of {name!r} differ between two runs on the same arguments, and nothing weights "
                "them: draw the batch by pyro.plate(name, N, subsample_size=B), which weighs each row by N/B",
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
