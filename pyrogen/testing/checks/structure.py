"""Do model and guide speak of the same latents: sites, plates, weights, shapes and supports, from one run of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from pyro import distributions as dist
from pyro.infer import ReweightedWakeSleep, TraceEnum_ELBO, TraceTMC_ELBO
from pyro.poutine.runtime import Message
from pyro.poutine.trace_struct import Trace

from pyrogen.distributions.wrappers import bare
from pyrogen.testing.checks.supports import SUPPORT, outside_support
from pyrogen.testing.findings import Finding, Question, Result
from pyrogen.testing.running.programs import Tested
from pyrogen.testing.running.sites import (
    is_auxiliary,
    is_discrete,
    latents,
    marked_for_enumeration,
    observed,
    weight_beyond_plates,
    with_density,
)

_SAMPLING = (TraceTMC_ELBO, ReweightedWakeSleep)  # what is marked for enumeration has another meaning there
SITES = Question("sites", "each latent is in model and guide")
PLATES = Question("plates", "shared sites stand in the same plates")
SCALE = Question("scale", "poutine.scale and mask weigh both sides alike")
SHAPES = Question("shapes", "events agree, and each batch dimension has its plate")
ENUMERATION = Question("enumeration", "each discrete latent is enumerated")


def structure(tested: Tested, traces: tuple[Trace, Trace] | None = None) -> Iterator[Result]:
    """Yield the questions that one run of the guide, and one of the model at the guide's draws, can answer.

    Where the two do not run together, `traces` are runs of guide and model, each alone.
    """
    guide, model = traces or tested.together()
    yield (agreed := SITES.answer(_sites(model, guide, tested)))
    yield PLATES.answer(_plates(model, guide))
    yield SCALE.answer(_scales(model, guide))
    yield (shaped := SHAPES.answer(_shapes(model, guide, tested)))
    yield ENUMERATION.answer(_enumeration(model, guide, tested))
    if traces is None and agreed.outcome == shaped.outcome == "passed":
        yield SUPPORT.answer(outside_support(shared(model, guide)))


def shared(model: Trace, guide: Trace) -> Iterator[tuple[str, Message, Message]]:
    """(name, model's site, guide's site) of the latents that both have."""
    mine = dict(latents(guide))
    return ((name, site, mine[name]) for name, site in latents(model) if name in mine)


def _sites(model: Trace, guide: Trace, tested: Tested) -> Iterator[Finding]:
    in_model, in_guide = dict(latents(model)), dict(latents(guide))
    seen = {name for name, _ in observed(model)}
    missing = [name for name, site in in_model.items() if name not in in_guide and not marked_for_enumeration(site)]
    extra = [name for name, site in in_guide.items() if name not in in_model and not is_auxiliary(site)]
    for name in missing:
        like = f"; the guide draws {', '.join(map(repr, extra))}, which the model does not have" if extra else ""
        if is_discrete(in_model[name]):
            todo = "enumerate it in the model (config_enumerate and TraceEnum_ELBO), or give the guide a site of it"
        else:
            todo = "give the guide a site of that name, or pass obs= if it is data"
        yield SITES.fault(f"the model draws {name!r} and the guide does not{like}: {todo}", name)
    for name in extra:
        if name in seen:
            yield SITES.fault(f"the guide draws {name!r}, which the model observes: leave data out of the guide", name)
        else:
            yield SITES.fault(
                f"the guide draws {name!r} and the model does not: rename it to the model's site, remove it, or mark "
                'it infer={"is_auxiliary": True}',
                name,
            )
    for name, site in in_guide.items():
        if name in in_model and is_auxiliary(site):
            yield SITES.fault(f"the guide marks {name!r} as auxiliary, and the model has it: drop the mark", name)
    for name, site in observed(guide):
        if not isinstance(site["fn"], dist.Unit) and not tested.own_loss:
            yield SITES.fault(f"the guide observes {name!r}, which only the model may: drop obs= there", name)


def _plates(model: Trace, guide: Trace) -> Iterator[Finding]:
    for name, ours, theirs in shared(model, guide):
        a, b = _frames(ours), _frames(theirs)
        if a != b:
            yield PLATES.fault(
                f"{name!r} stands in {_spoken(a)} in the model and in {_spoken(b)} in the guide: enter the same plates "
                "on both sides",
                name,
            )


def _frames(site: Message) -> dict[str, tuple[int | None, int, int]]:
    return {f.name: (f.dim, int(f.size), int(f.full_size or f.size)) for f in site["cond_indep_stack"]}


def _spoken(frames: dict[str, tuple[int | None, int, int]]) -> str:
    said = []
    for name, (dim, size, full) in frames.items():
        rows = f"{size} of {full}" if size != full else f"{size}"
        said.append(f"plate {name!r} ({rows}, " + (f"dim {dim})" if dim is not None else "a loop)"))
    return " and ".join(said) or "no plate"


def _scales(model: Trace, guide: Trace) -> Iterator[Finding]:
    for name, ours, theirs in shared(model, guide):
        a, b = torch.as_tensor(weight_beyond_plates(ours)), torch.as_tensor(weight_beyond_plates(theirs))
        if _differ(a, b):
            yield SCALE.fault(
                f"{name!r} is weighted by {_number(a)} in the model and by {_number(b)} in the guide, so its KL has "
                f"neither weight: enter the same poutine.scale around it on both sides",
                name,
                model=float(a.double().mean()),
                guide=float(b.double().mean()),
            )
        if _differ(_mask(ours), _mask(theirs)):
            message = (
                f"Pyro's obs_mask masks {name!r} in the model alone, so the guide's entropy grows without bound: guide "
                "this site by hand under poutine.mask(mask=~obs_mask), or give missing rows a site of their own"
                if name.endswith("_unobserved")
                else f"{name!r} is masked differently in model and guide: give it the same mask on both sides, by "
                "poutine.mask or by .mask"
            )
            yield SCALE.fault(message, name)


def _mask(site: Message) -> torch.Tensor:
    """Return where a site counts: its own mask and those inside its distribution, over (*batch, *event)."""
    fn, total = site["fn"], torch.as_tensor(True)
    masks = [] if site["mask"] is None else [(site["mask"], fn.event_dim)]
    while fn is not None:
        if isinstance(fn, dist.MaskedDistribution):
            masks.append((fn._mask, fn.event_dim))
        fn = getattr(fn, "base_dist", None)
    for mask, event_dim in masks:
        mask = torch.as_tensor(mask)
        total = total & mask.bool().reshape(*mask.shape, *[1] * event_dim)
    return total


def _differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    try:
        a, b = torch.broadcast_tensors(a, b)
    except RuntimeError:
        return True
    return not torch.allclose(a.double(), b.double(), rtol=1e-5, atol=0.0)


def _number(value: torch.Tensor) -> str:
    return f"{value.item():.4g}" if value.numel() == 1 else f"a tensor of mean {value.double().mean().item():.4g}"


def _shapes(model: Trace, guide: Trace, tested: Tested) -> Iterator[Finding]:
    for name, ours, theirs in shared(model, guide):
        a, b = ours["fn"], theirs["fn"]
        if a.event_shape != b.event_shape:
            yield SHAPES.fault(
                f"{name!r} is an event of shape {tuple(a.event_shape)} in the model and {tuple(b.event_shape)} in the "
                f"guide: make {'their sizes' if a.event_dim == b.event_dim else '.to_event'} agree",
                name,
            )
    seen = set()
    nesting = getattr(tested.loss, "max_plate_nesting", math.inf)
    for side, trace in (("model", model), ("guide", guide)):
        for name, site in with_density(trace):
            if (undeclared := _undeclared(site, nesting)) and name not in seen:
                seen.add(name)
                yield SHAPES.fault(f"{name!r} in the {side} has {undeclared}", name)
    for name, site in observed(model):
        if name not in seen and (frame := _repeated(site)):
            yield SHAPES.warning(
                f"{name!r} observes one value for all {frame.size} elements of plate {frame.name!r}: pass a row of "
                "data for each of them, unless they do share it",
                name,
            )


def _repeated(site: Message) -> Any:
    """Return the plate along which an observed row is broadcast, so that each element is held against the same one."""
    fn, value = site["fn"], site["value"]
    if not isinstance(value, torch.Tensor) or not value.numel() or isinstance(fn, dist.Unit):
        return None
    batch = value.dim() - fn.event_dim
    if batch < 1:  # a number that stands for a constraint, as in obs=torch.tensor(0.0)
        return None
    for frame in site["cond_indep_stack"]:
        if frame.dim is not None and frame.size > 1 and -frame.dim <= batch and value.shape[batch + frame.dim] == 1:
            return frame
    return None


def _undeclared(site: Message, nesting: float) -> str:
    """Return what is wrong with the shapes of a site's value and log density, or an empty string.

    As in Pyro's own validation, a dimension between the plates of a site is free. So are those to the left of
    `nesting`, a loss's ``max_plate_nesting``, where Pyro puts enumeration and particles.
    """
    fn, value = site["fn"], site["value"]
    if not hasattr(fn, "event_dim") or not isinstance(value, torch.Tensor):
        return ""
    split = max(value.dim() - fn.event_dim, 0)
    try:
        batch = torch.broadcast_shapes(fn.batch_shape, value.shape[:split])
    except RuntimeError:
        batch = None
    if batch is None or (value.shape[split:] != fn.event_shape and not _open(fn, value.shape[split:])):
        return (
            f"a value of shape {tuple(value.shape)} under a distribution of batch shape {tuple(fn.batch_shape)} and "
            f"event shape {tuple(fn.event_shape)}: make them agree"
        )
    plates = {f.dim: f.size for f in site["cond_indep_stack"] if f.dim is not None}
    deepest = max((-dim for dim in plates), default=0)
    for dim, size in ((i - len(batch), n) for i, n in enumerate(batch)):
        free = plates.get(dim) == -1 or -dim > nesting or (dim not in plates and -dim < deepest)
        if not free and size != plates.get(dim, 1):
            where = f"plate of size {plates[dim]}" if dim in plates else "no plate"
            return (
                f"batch shape {tuple(batch)}, and {where} at dimension {dim}: declare independent entries by "
                "pyro.plate, entries of one event by .to_event, and look for an unwanted broadcast"
            )
    return ""


def _open(fn: Any, event: torch.Size) -> bool:
    """Return whether a distribution of sequences leaves their length open, by a 1 in its event shape."""
    if bare(fn).event_dim == 0 or len(event) != len(fn.event_shape):  # independent entries that are broadcast
        return False
    return all(ours in (1, theirs) for ours, theirs in zip(fn.event_shape, event, strict=True))


def _enumeration(model: Trace, guide: Trace, tested: Tested) -> Iterator[Finding]:
    loss = tested.loss
    enumerates = isinstance(loss, TraceEnum_ELBO) or loss is None
    in_guide = dict(latents(guide))
    drawn, marked = [], []
    for name, site in [*in_guide.items(), *((n, s) for n, s in latents(model) if n not in in_guide)]:
        if not is_discrete(site):
            continue
        if marked_for_enumeration(site):
            marked.append(name)
        elif name in in_guide and not (site["infer"].get("baseline") or is_auxiliary(site)):
            drawn.append(name)
    if marked and not (enumerates or tested.own_loss or isinstance(loss, _SAMPLING)):
        yield ENUMERATION.fault(
            f"{listed(marked)} marked for enumeration, which {type(loss).__name__} does not do: use TraceEnum_ELBO",
            marked[0],
        )
    if drawn and not tested.own_loss:
        forgotten = isinstance(loss, TraceEnum_ELBO) and not marked
        yield (ENUMERATION.fault if forgotten else ENUMERATION.warning)(
            f"the guide draws the discrete {listed(drawn, verb=False)}, through which no gradient passes, so SVI falls "
            "back on the noisy score-function gradient: enumerate it (config_enumerate and TraceEnum_ELBO), or take "
            "TraceGraph_ELBO with a baseline",
            drawn[0],
        )


def listed(names: Sequence[str], verb: bool = True) -> str:
    """Name in a sentence: the first two, and how many more; with "is" or "are" after them."""
    shown = [repr(name) for name in names[:2]]
    more = len(names) - len(shown)
    said = f"{', '.join(shown)} and {more} more" if more else " and ".join(shown)
    return said + (" are" if len(names) > 1 else " is") * verb
