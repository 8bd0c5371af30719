"""Means and standard deviations of each row's posterior: exact where the guide states them, else from draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from pyro.poutine import Trace
from torch import Tensor

from pyrogen.evaluation.runs import Run, Site, in_plate, quiet
from pyrogen.models.running import is_discrete, moment_of, traced

DRAWS = 100  # of the guide, where it does not state a mean


@dataclass(frozen=True)
class Codes:
    """The posterior of one latent site.

    Attributes:
        means: (B, L).
        scales: the standard deviations, (B, L).
        halves: the means of two independent halves of the draws, (2, B, L), or None where the means are exact. Their
            covariance over rows is that of the exact means, without the noise of the draws.
    """

    means: Tensor
    scales: Tensor
    halves: Tensor | None


def posterior_of(pair: Any, batch: Any, once: Run, dim: int, at_once: bool) -> dict[str, Codes]:
    """Return the posterior of each continuous latent that lies in the plate of the data.

    The first latent of a guide is stated exactly, if it has a mean. Of what is drawn after it, the distribution depends
    on that draw, so means and variances are taken over 100 draws.

    Args:
        pair: a pair.
        batch: images, or what its programs take.
        once: a run of one draw.
        dim: the dimension of the plate of the data.
        at_once: whether several draws can be made at once.
    """
    latents = {n: s for n, (s, _) in once.latents.items() if any(f.dim == dim for f in s["cond_indep_stack"])}
    first = next(iter(once.latents), None)
    latents = {name: site for name, site in latents.items() if not is_discrete(site["fn"])}
    found: dict[str, Codes] = {}
    for name, site in [(name, site) for name, site in latents.items() if name == first]:
        mean, scale = moment_of(site["fn"]), moment_of(site["fn"], "stddev")
        if mean is not None and scale is not None:
            found[name] = Codes(_rows(mean, site, once.nesting, dim), _rows(scale, site, once.nesting, dim), None)
    left = [name for name in latents if name not in found]
    if left:
        drawn = _drawn(pair, batch, once, at_once)
        for name in left:
            parts = [_moments(trace.nodes[name], once.nesting, dim, at_once) for trace in drawn]
            means, variances = (torch.cat(part) for part in zip(*parts, strict=True))  # (K, B, L)
            halves = torch.stack((means[0::2].mean(0), means[1::2].mean(0)))
            scales = (variances.mean(0) + means.var(0)).clamp(min=0).sqrt()
            found[name] = Codes(means.mean(0), scales, halves)
    return {name: found[name] for name in latents}


def counts_units(site: Site) -> bool:
    """Return whether active units are counted: of continuous vectors that are drawn, not of codes on a grid."""
    fn = site["fn"]
    scale = moment_of(fn, "stddev")
    return fn.event_dim <= 1 and not is_discrete(fn) and (scale is None or bool((scale > 0).any()))


def _drawn(pair: Any, batch: Any, once: Run, at_once: bool) -> list[Trace]:
    guide = in_plate(pair.guide, DRAWS, -1 - once.nesting) if at_once else pair.guide
    args, kwargs = pair.arguments(batch)
    with quiet(pair):
        return [traced(guide, *args, **kwargs) for _ in range(1 if at_once else DRAWS)]


def _moments(site: Site, nesting: int, dim: int, at_once: bool) -> tuple[Tensor, Tensor]:
    """Mean and variance of one site given the draws before it, (K, B, L); the draw itself and 0 where it has none."""
    mean, scale = moment_of(site["fn"]), moment_of(site["fn"], "stddev")
    if mean is None or scale is None:
        mean, scale = site["value"], torch.zeros_like(site["value"])
    if not at_once:
        return _rows(mean, site, nesting, dim)[None], _rows(scale, site, nesting, dim)[None].square()
    batch = torch.broadcast_shapes(site["fn"].batch_shape, (DRAWS, *(1,) * nesting))
    mean, scale = (v.expand(*batch, *site["fn"].event_shape) for v in (mean, scale))
    mean, scale = (
        v.movedim(1 + nesting + dim, 1).reshape(DRAWS, v.shape[1 + nesting + dim], -1) for v in (mean, scale)
    )
    return mean, scale.square()


def _rows(value: Tensor, site: Site, nesting: int, dim: int) -> Tensor:
    """Return a value ``(*plates, *event)`` as (B, L)."""
    event = len(site["fn"].event_shape)
    full = value.reshape((1,) * (nesting + event - value.dim()) + tuple(value.shape))
    return full.movedim(nesting + dim, 0).reshape(full.shape[nesting + dim], -1)
