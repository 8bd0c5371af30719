"""Does the guide draw where the model has mass, and can it reach all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from pyro import distributions as dist
from pyro.poutine.runtime import Message
from torch.distributions import transform_to

from pyrogen.distributions.wrappers import bare
from pyrogen.testing.findings import Finding, Question
from pyrogen.testing.running.sites import is_discrete

SUPPORT = Question("support", "the guide draws where the model has mass")


def outside_support(pairs: Iterable[tuple[str, Message, Message]]) -> Iterator[Finding]:
    """Latents whose guide draws what the model cannot, or cannot draw what the model can.

    The pairs are (name, model's site, guide's site) of each latent that both have.
    """
    for name, ours, theirs in pairs:
        a, b = _support_of(ours["fn"]), _support_of(theirs["fn"])
        if a is None:
            continue
        if outside := _drawn_outside(theirs, a):
            yield SUPPORT.fault(
                f"the guide's {_kind(theirs)} for {name!r} {outside}, where the model's {_kind(ours)} has no mass: use "
                "a guide with the model's support, such as a TransformedDistribution or LogNormal",
                name,
            )
        elif b is not None and not is_discrete(theirs) and not isinstance(theirs["fn"], dist.Delta):
            unreached = [p for p in _values_of(ours["fn"]) if _possible(ours["fn"], p) and not _inside(b, p)]
            if unreached:
                yield SUPPORT.warning(
                    f"the guide's {_kind(theirs)} for {name!r} cannot reach values that the model's {_kind(ours)} can "
                    f"take, such as {_example(unreached[0], b)}: use a guide with the model's support",
                    name,
                )


def _drawn_outside(site: Message, support: Any) -> str:
    """Return what a site drew or can draw outside of a support, in words; empty if nothing."""
    fn = site["fn"]
    if not _inside(support, site["value"]):
        return f"drew {_example(site['value'], support)}"
    if is_discrete(site):
        more = fn.has_enumerate_support and not _inside(support, fn.enumerate_support(expand=False))
        return "has more values than the model's" if more else ""
    if _support_of(fn) is not None and not isinstance(fn, dist.Delta):
        for probe in _values_of(fn):
            if _possible(fn, probe) and not _inside(support, probe):
                return f"can draw {_example(probe, support)}"
    return ""


def _kind(site: Message) -> str:
    return type(bare(site["fn"])).__name__


def _support_of(fn: Any) -> Any:
    try:
        return fn.support
    except (AttributeError, NotImplementedError):
        return None


def _inside(support: Any, value: Any) -> bool:
    try:
        return bool(support.check(value).all())
    except (NotImplementedError, RuntimeError, ValueError, TypeError):
        return True  # the support cannot say


def _possible(fn: Any, value: torch.Tensor) -> bool:
    """Return whether a distribution gives a value a density: it may declare more than it draws."""
    try:
        return bool(torch.isfinite(fn.log_prob(value)).all())
    except Exception:  # a flow without an inverse, a value that validation refuses
        return False


def _values_of(fn: Any) -> Iterator[torch.Tensor]:
    """Values all over what a distribution can draw, in the shape of a draw; none where that cannot be told."""
    shape = fn.batch_shape + fn.event_shape
    if isinstance(fn, torch.distributions.TransformedDistribution):  # may declare the last transform's whole codomain
        transformed = dist.transforms.ComposeTransform(fn.transforms)
        yield from (transformed(value).detach().expand(shape) for value in _values_of(fn.base_dist))
        return
    if type(fn).__name__ in ("Independent", "MaskedDistribution"):
        yield from _values_of(fn.base_dist)
        return
    support = _support_of(fn)
    for spread in (-6.0, -1.0, 1.0, 6.0):
        try:
            transform = transform_to(support)
            value = transform(spread * torch.rand(transform.inverse_shape(shape)))
        except (NotImplementedError, RuntimeError, ValueError, TypeError, AttributeError):
            return
        if value.shape == shape:
            yield value


def _example(value: torch.Tensor, support: Any) -> str:
    good = support.check(value)
    bad = value[~good] if good.shape == value.shape else value[~good].flatten()
    return f"{bad.flatten()[0].item():.4g}" if bad.numel() else "values outside"
