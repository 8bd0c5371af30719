"""The sample sites of a trace: which are latent, observed, discrete, enumerated, and what each weighs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pyro import distributions as dist
from pyro.poutine.runtime import Message
from pyro.poutine.subsample_messenger import _Subsample
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyrogen.distributions.wrappers import bare


def sites(trace: Trace) -> Iterator[tuple[str, Message]]:
    """Yield the sample sites of a trace, subsampling of plates left out."""
    for name, site in trace.nodes.items():
        if site["type"] == "sample" and not isinstance(site["fn"], _Subsample):
            yield name, site


def latents(trace: Trace) -> Iterator[tuple[str, Message]]:
    """Yield the sample sites that are not observed."""
    return ((name, site) for name, site in sites(trace) if not site["is_observed"])


def observed(trace: Trace) -> Iterator[tuple[str, Message]]:
    """Yield the observed sites; a ``pyro.factor`` counts, a ``pyro.deterministic`` does not."""
    return ((name, site) for name, site in sites(trace) if site["is_observed"] and not is_deterministic(site))


def with_density(trace: Trace) -> Iterator[tuple[str, Message]]:
    """Yield the latents and the observed sites."""
    return ((name, site) for name, site in sites(trace) if not is_deterministic(site))


def is_deterministic(site: Message) -> bool:
    """Return whether a site only records a value: a ``pyro.deterministic``, or what a reparametrization computes."""
    computed = site["is_observed"] and isinstance(bare(site["fn"]), dist.Delta)
    return computed or bool(site["infer"].get("_deterministic"))


def is_auxiliary(site: Message) -> bool:
    """Return whether the guide says that the model does not know this latent."""
    return bool(site["infer"].get("is_auxiliary"))


def marked_for_enumeration(site: Message) -> bool:
    """Return whether a discrete site carries ``infer={"enumerate": ...}``."""
    return site["infer"].get("enumerate") in ("parallel", "sequential")


def is_discrete(site: Message) -> bool:
    """Return whether the values of a site can be counted, so that no gradient passes through a draw."""
    fn = site["fn"]
    if getattr(fn, "has_rsample", False):
        return False
    if getattr(fn, "has_enumerate_support", False):
        return True
    try:
        return bool(fn.support.is_discrete)
    except (AttributeError, NotImplementedError):
        return False


def log_prob(site: Message) -> Tensor:
    """Return the log density of a site's value under its distribution, in nats, without scale and mask."""
    value: Tensor = site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"])
    return value


def unconstrained(value: Any) -> Tensor:
    """Return the leaf that an optimizer moves, of a parameter's value as a program sees it."""
    leaf: Tensor = value.unconstrained() if hasattr(value, "unconstrained") else value
    return leaf


def weight_beyond_plates(site: Message) -> Tensor | float:
    """Return the scale of a site without the N/B of its plates: what ``poutine.scale`` set, 1 as a rule."""
    plates = math.prod(
        frame.full_size / frame.size for frame in site["cond_indep_stack"] if frame.full_size and frame.size
    )
    value: Tensor | float = site["scale"] / plates
    return value
