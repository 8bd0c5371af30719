"""The loss of anyone's programs with its gradients, as SVI has them, and its terms by site."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import torch
from pyro import poutine
from pyro.infer import ELBO, Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO
from pyro.ops.provenance import detach_provenance
from pyro.poutine import Trace
from pyro.poutine.subsample_messenger import _Subsample
from torch import Tensor
from torch.distributions import kl_divergence

from pyrogen.distributions.wrappers import is_point
from pyrogen.models import Programs
from pyrogen.models.programs import ToEnumerate
from pyrogen.training.objectives import different
from pyrogen.training.step.trainable import dense

BY_SITE = (Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO)  # those that add up terms of sites
ALL = "all latents"  # that one auxiliary draw stands for
Traces = list[tuple[Trace, Trace]]


class Evaluation(NamedTuple):
    """What one run of programs gives.

    Attributes:
        columns: those of the history by name, in nats.
        gradients: by the parameters' names; None where the loss has none.
        sites: column to the names of the sites behind it.
    """

    columns: dict[str, Tensor]
    gradients: dict[str, Tensor | None]
    sites: dict[str, str]


def loss_and_gradients(pair: Programs, batch: Any, size: int | None, grows: bool = False) -> Evaluation:
    """Run the programs on a batch as ``SVI.step`` does.

    Args:
        pair: the programs, which may run for the first time here.
        batch: what `Programs.arguments` takes.
        size: N, for programs that ask for it.
        grows: whether the programs may make further parameters after their first run.

    Raises:
        ValueError: if the loss is not a number that has gradients.
    """
    try:
        return _evaluated(pair, *pair.arguments(batch, size), grows)
    except ToEnumerate:
        return _evaluated(pair, *pair.arguments(batch, size), grows)


def _evaluated(pair: Programs, args: Any, kwargs: Any, grows: bool) -> Evaluation:
    (model, guide), known, ready = pair.programs, set(pair.store_names), pair.is_ready
    with pair.store() if ready else pair.gathering(), torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Encountered (NaN|inf)", UserWarning)  # a run looks at its terms itself
        with _traces_of(pair.loss) as traces, poutine.trace(param_only=True) as run:
            loss = _loss_and_grads(pair.loss)(model, guide, *args, **kwargs)
        terms, sites = _terms(traces, pair.loss)
        columns = {name: detach_provenance(nats) for name, nats in (_columns(loss) | terms).items()}
        put = pair.settle()
    if ready and (new := [name for name in pair.store_names if name not in known]):
        if not grows:
            raise ValueError(
                f"the parameter {new[0]!r} must be trained from the first step, got it after training has begun: make "
                "it at each call, unfreeze it before, or train in one process without checkpoint="
            )
        pair.keep(pair.store_names)
    asked = {id(site["value"].unconstrained()) for site in run.trace.nodes.values()} - put  # SVI moves only these
    parameters = pair.trainable()
    gradients = {name: dense(p.grad) if id(p) in asked else None for name, p in parameters.items()}
    for parameter in parameters.values():
        parameter.grad = None
    return Evaluation(columns, gradients, {"objective": "all"} | sites)


def _loss_and_grads(loss: Any) -> Callable[..., Any]:
    if isinstance(loss, ELBO):
        with_gradients: Callable[..., Any] = loss.loss_and_grads  # type: ignore[attr-defined]
        return with_gradients

    def by_hand(*args: Any, **kwargs: Any) -> Any:
        value = loss(*args, **kwargs)
        if not isinstance(value, Tensor) or value.numel() != 1 or value.is_complex():
            raise ValueError(
                f"`loss` must return one number as a tensor, got {value!r}: return the loss to differentiate"
            )
        if not value.requires_grad:
            raise ValueError("`loss` must have a gradient, got a tensor without one: return it without detach()")
        value.backward()
        return value

    return by_hand


def _columns(loss: Any) -> dict[str, Tensor]:
    parts = [  # with all the digits of a Python float
        torch.as_tensor(part, dtype=None if isinstance(part, Tensor) else torch.float64).detach().reshape(())
        for part in (loss if isinstance(loss, tuple) else (loss,))
    ]
    several = {f"loss_{i}": part for i, part in enumerate(parts)} if len(parts) > 1 else {}
    total: Tensor = sum(parts[1:], parts[0])
    return {"objective": total} | several


@contextmanager
def _traces_of(loss: Any) -> Iterator[Traces]:
    """Yield the traces that the loss is computed from."""
    traces: Traces = []
    if type(loss) not in BY_SITE:
        yield traces
        return
    make = loss._get_trace

    def watched(*args: Any, **kwargs: Any) -> tuple[Trace, Trace]:
        traces.append(make(*args, **kwargs))
        return traces[-1]

    loss._get_trace = watched
    try:
        yield traces
    finally:
        del loss._get_trace


@torch.no_grad()
def _terms(traces: Traces, loss: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the weighted terms by kind and site, nats, which add up to the loss; and the sites behind each."""
    kinds: dict[str, dict[str, Any]] = {"reconstruction": {}, "kl": {}, "penalty": {}, "charge": {}}
    for model, guide in traces:
        for kind, name, nats in _site_terms(model, guide, isinstance(loss, TraceMeanField_ELBO)):
            kinds[kind][name] = kinds[kind].get(name, 0.0) + torch.as_tensor(nats).detach() / loss.num_particles
    charges = kinds.pop("charge")
    totals = {kind: sum(sites.values()) for kind, sites in kinds.items() if sites}
    several = {(kind, name): nats for kind, each in kinds.items() if len(each) > 1 for name, nats in each.items()}
    by_site = {f"{kind}_{name}": nats for (kind, name), nats in several.items()}
    different(("objective", *totals, *by_site, *charges))
    sites = {kind: ", ".join(kinds[kind]) for kind in totals} | {f"{kind}_{name}": name for kind, name in several}
    return totals | by_site | charges, sites


def homes_of(model: Trace, guide: Trace) -> tuple[dict[str, str], bool]:
    """Return the latent that each auxiliary draw of the guide counts to, and whether one draw stands for several."""
    drawn = {name: site for name, site in guide.nodes.items() if site["type"] == "sample" and not site["is_observed"]}
    extra = [n for n, site in drawn.items() if n not in model.nodes and not isinstance(site["fn"], _Subsample)]
    homes = {name: name.removesuffix("_unconstrained") for name in extra}  # where an AutoGuide draws before it bends
    joint = any(home not in model.nodes for home in homes.values())
    return (dict.fromkeys(homes, ALL) if joint else homes), joint


def _site_terms(model: Trace, guide: Trace, mean_field: bool) -> Iterator[tuple[str, str, Any]]:
    """(kind, site, nats) of one pair of traces."""
    drawn = {name: site for name, site in guide.nodes.items() if site["type"] == "sample"}
    homes, joint = homes_of(model, guide)
    for name, site in model.nodes.items():
        if site["type"] != "sample":
            continue
        if site["is_observed"]:
            if not site["infer"].get("_deterministic"):
                yield "reconstruction", name, -site["log_prob_sum"]
        elif name in drawn:
            point = is_point(drawn[name]["fn"]) and not (joint or name in homes.values())
            nats = _divergence(drawn[name], site, mean_field)
            yield "penalty" if point else "kl", ALL if joint else name, nats
    for name, site in drawn.items():
        if name in homes:
            yield "kl", homes[name], site["log_prob_sum"]
        elif name not in model.nodes:
            yield "charge", name, site["log_prob_sum"]


def _divergence(q: Any, p: Any, mean_field: bool) -> Any:
    if mean_field:
        with suppress(NotImplementedError):
            nats = kl_divergence(detach_provenance(q["fn"]), p["fn"])
            return (nats * q["scale"] * (1.0 if q["mask"] is None else q["mask"])).sum()
    return q["log_prob_sum"] - p["log_prob_sum"]
