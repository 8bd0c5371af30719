"""Does a batch stand for the data: its observations follow the plate's indices and weigh N/B."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pyro.distributions import Unit
from pyro.poutine.subsample_messenger import _Subsample
from pyro.poutine.trace_struct import Trace

from pyrogen.testing.checks.indices import deaf, run_at, same
from pyrogen.testing.checks.rows import SUBSAMPLING, are_rows, few_rows, tensors_of
from pyrogen.testing.findings import Finding, Result
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import observed, weight_beyond_plates

_RUNS = 4


def subsampling(tested: Tested, size: int | None = None) -> Result:
    """Return whether observed sites follow the indices that their plates draw, and what is drawn elsewhere is weighted.

    `size` is N, the number of observations that the arguments stand for. Then the observations must weigh N/B in all;
    without it a batch that was cut before the call cannot be told from the whole data.
    """
    findings = []
    if tested.as_loss:  # the questions that replay a run cannot be asked under enumeration
        _, model = tested.together()
    else:
        guide, model = run_at(tested, 0, indices=0)
        rows = list(few_rows(tested, guide, model, size))  # before other runs, for flows without an inverse
        told = {finding.site for finding in rows}
        findings += [*_drawn_elsewhere(tested, model), *_overridden(tested), *rows]
        findings += [finding for finding in deaf(tested) if finding.site not in told]
    findings += _twice(model)
    if size is not None:
        findings += _underweight(model, size)
    return SUBSAMPLING.answer(findings)


def _drawn_elsewhere(tested: Tested, model: Trace) -> Iterator[Finding]:
    """Observations that are rows drawn anew in each run, though all latents and plates stay as they are."""
    runs = [model]
    for seed in range(1, _RUNS):
        tested.start(seed)
        runs.append(tested.run(tested.model, at=model))
    sources = tensors_of(tested)
    for name, site in observed(model):
        values = [run.nodes[name]["value"] for run in runs if name in run.nodes]
        if all(same(value, values[0]) for value in values) or not are_rows(values, sources):
            continue
        weight = torch.as_tensor(weight_beyond_plates(site)).double()
        if bool(((weight - 1).abs() < 1e-6).all()):
            yield SUBSAMPLING.fault(
                f"the observations of {name!r} differ between two runs on the same arguments without a weight: draw "
                "the batch by pyro.plate(name, N, subsample_size=B), which weighs each row by N/B",
                name,
            )


def _overridden(tested: Tested) -> Iterator[Finding]:
    """Plates that are given their indices in the model, while the guide draws others, which Pyro's replay prefers."""
    ways = tested.model_alone, tested.guide_alone, lambda seed: tested.together(seed)[1]
    try:
        models, guides, both = ([run(seed) for seed in (1, 2)] for run in ways)
    except Exception:  # a prior that cannot be drawn from
        return
    for name, node in models[0].nodes.items():
        given = _indices(models, name)
        drawn = _indices(guides, name)
        if len(given) < 2 or len(drawn) < 2 or len(given[0]) == node["fn"].size:
            continue
        if not torch.equal(*given) or len(drawn[0]) == node["fn"].size or torch.equal(*drawn):
            continue
        inside = [n for n, s in observed(both[0]) if any(frame.name == name for frame in s["cond_indep_stack"])]
        deafs = [n for n in inside if n in both[1] and same(both[0].nodes[n]["value"], both[1].nodes[n]["value"])]
        if deafs:
            yield SUBSAMPLING.fault(
                f"plate {name!r} is given its indices in the model, and the guide draws others, which Pyro uses "
                f"silently. So the latents are not those of the rows of {deafs[0]!r}: let the guide enter the plate "
                "with the same subsample=, for an AutoGuide by create_plates=",
                name,
            )


def _indices(runs: Sequence[Trace], name: str) -> list[torch.Tensor]:
    """Return what a plate drew or was given in each run; none for a site or for a plate that has no indices."""
    nodes = [run.nodes[name] for run in runs if name in run]
    found = [node["value"] for node in nodes if isinstance(node.get("fn"), _Subsample)]
    return [torch.as_tensor(value) for value in found if value is not None]


def _twice(run: Trace) -> Iterator[Finding]:
    for name, site in observed(run):
        plates = torch.as_tensor(site["scale"] / weight_beyond_plates(site)).double()
        extra = torch.as_tensor(weight_beyond_plates(site)).double()
        if bool(((plates - 1).abs() > 1e-6).all()) and bool(((extra - plates).abs() < 1e-6 * plates).all()):
            yield SUBSAMPLING.fault(
                f"the rows of {name!r} weigh N/B twice, by their plate and by a poutine.scale of {extra.max():.4g}: "
                "drop the scale, as the plate weighs its rows already",
                name,
            )


def _underweight(run: Trace, size: int) -> Iterator[Finding]:
    """Observed sites that stand for more or fewer than N observations."""
    stands: dict[str, tuple[int, float]] = {}  # rows, and what each weighs
    loops: dict[str, int] = {}
    right = set()
    for name, site in observed(run):
        if isinstance(site["fn"], Unit):  # a pyro.factor is a term of its own
            continue
        weight = float(torch.as_tensor(site["scale"]).double().mean())
        frames = [frame.size for frame in site["cond_indep_stack"] if frame.dim is not None]
        for loop in (frame.name for frame in site["cond_indep_stack"] if frame.dim is None):
            loops[loop] = loops.get(loop, 0) + 1
            frames.append(loops[loop])
        value = site["value"]
        events = list(value.shape) if isinstance(value, torch.Tensor) and not frames else []
        if any(abs(weight * n - size) <= 1e-6 * size for n in [*frames, *(events or [1])]):
            right.add(name)
        else:
            stands[name] = max(frames, default=1), weight
    if loops and any(abs(weight * n - size) <= 1e-6 * size for _, weight in stands.values() for n in loops.values()):
        return
    for name, (rows, weight) in stands.items():
        plated = any(frame.dim is not None for frame in run.nodes[name]["cond_indep_stack"])
        if plated or not right:  # one observation beside the data may stand for itself
            said = (
                f"the one observation of {name!r} weighs {weight:.4g}, and not as much as the {size} of the data"
                if rows == 1
                else f"the {rows} rows of {name!r} weigh {weight:.4g} each and stand for {weight * rows:.4g} "
                f"observations, not for the {size} of the data"
            )
            todo = f"write pyro.plate(name, {size}, subsample=indices)"
            yield SUBSAMPLING.fault(f"{said}: {todo}", name, weight=weight, expected=size / rows)
