"""The terms of −ELBO that each site of a run adds, row by row and at β = 1."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from pyro.distributions.util import scale_and_mask
from torch import Tensor

from pyrogen.evaluation.runs import Run, Site, by_row, is_charge, log_prob, masked, sampled
from pyrogen.training.divergence import divergence, enumerated, expectation


@dataclass(frozen=True)
class SiteTerm:
    """What one site adds, row by row.

    Attributes:
        name: the site.
        kind: "reconstruction", "kl", "penalty" (−log p(z) of a guide that is a point) or "charge".
        nats: at weight 1: (B,), or (B, L) where a KL splits over the latents.
        weighted: what training counts, (B,): times the site's scale, such as β.
    """

    name: str
    kind: str
    nats: Tensor
    weighted: Tensor

    def per_row(self) -> Tensor:
        """Return the sum of each row, (B,)."""
        return self.nats.flatten(1).sum(1) if self.nats.dim() > 1 else self.nats


def elbo_terms(run: Run, dim: int | None, points: Collection[str] = ()) -> list[SiteTerm]:
    """Return the terms of a run of one draw; `dim` is the plate of the data, `points` are the latents that have no KL.

    A KL is analytic where it is known, if all latents that come before it in the model come before it in the guide too.
    Only then may it be used at one draw of the other latents. Else it is log q − log p at the draw. Over the latents
    that the guide enumerates the expectation is taken.
    """
    mean = expectation(run.guide, run.nesting)
    order = {name: place for place, name in enumerate(run.latents)}
    terms: list[SiteTerm] = []
    before: list[str] = []
    for name, site in sampled(run.model).items():
        split = False
        if site["is_observed"]:
            kind, nats = "reconstruction", -log_prob(site)
        elif name in points:
            kind, nats = "penalty", -log_prob(site)
        else:
            exact = all(order[earlier] < order[name] for earlier in before)
            kind, (nats, split) = "kl", _kl(run.guide.nodes[name], site, exact)
        before += [] if site["is_observed"] else [name]
        terms.append(_term(run, dim, name, kind, mean(nats, split), split, site))
    for name, site in sampled(run.guide).items():
        if is_charge(site):
            terms.append(_term(run, dim, name, "charge", mean(log_prob(site), False), False, site))
        elif name not in run.model:  # an auxiliary draw, of which the latents are functions
            terms.append(_term(run, dim, name, "kl", mean(log_prob(site), False), False, site))
    return terms


def _term(run: Run, dim: int | None, name: str, kind: str, nats: Tensor, split: bool, site: Site) -> SiteTerm:
    whole = nats.sum(-1) if split else nats
    flat = split and run.nesting == 1 and dim is not None
    rows = by_row(whole, run, dim)[0]
    return SiteTerm(name, kind, nats if flat else rows, by_row(scale_and_mask(whole, site["scale"], None), run, dim)[0])


def _kl(guide: Site, model: Site, exact: bool) -> tuple[Tensor, bool]:
    """KL(q ‖ p) in the shape of the site's batch, and whether a dimension (L,) follows where both factorize."""
    q, p, z, mask = guide["fn"], model["fn"], model["value"], model["mask"]
    if not (exact and q.has_rsample) or enumerated(guide):
        return masked(q.log_prob(z) - p.log_prob(z), mask), False
    nats = divergence(q, p, z)
    split = nats.dim() > len(torch.broadcast_shapes(q.batch_shape, p.batch_shape))
    return masked(nats, mask.unsqueeze(-1) if split and isinstance(mask, Tensor) else mask), split
