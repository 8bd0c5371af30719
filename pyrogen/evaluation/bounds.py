"""Bounds on log p(x), row by row, from the programs: the ELBO's terms and the importance-weighted bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pyrogen import checks
from pyrogen.evaluation.runs import Run, data_plate, draws, is_local, points, run, sampled, select, subsampled
from pyrogen.evaluation.terms import elbo_terms
from pyrogen.evaluation.weights import log_weights
from pyrogen.models import Programs

TRIED = 3  # particles with which it is tried whether the programs can draw several at once
NO_BOUND = "the guide is a point in a continuous space (a Delta): it has no density, so this pair bounds no log p(x)"


@dataclass(frozen=True)
class ElboTerms:
    """The two terms of −ELBO = reconstruction + KL at β = 1, nats, one entry an image.

    Attributes:
        reconstruction: −log p(x | z) at one draw z ~ q(z | x), (B,).
        kl: KL(q(z | x) ‖ p(z)), (B,); analytic where known, else log q(z) − log p(z) at that draw.
        kl_per_latent: (B, L), or None where the KL does not split over the latents.
    """

    reconstruction: Tensor
    kl: Tensor
    kl_per_latent: Tensor | None


@torch.no_grad()
def elbo_terms_per_image(pair: Any, x: Tensor) -> ElboTerms:
    """Return the terms of the ELBO at β = 1 for images ``(B, *shape)``, summed over the sites.

    Args:
        pair: a pair.
        x: the images ``(B, *shape)``.

    Raises:
        ValueError: if q(z | x) is a point in a continuous space: then no bound exists.
    """
    x = checks.tensor("x", x)
    once = run(pair, x)
    if points(pair, x, once):
        raise ValueError(NO_BOUND)
    terms = elbo_terms(once, data_plate(once, len(x)))
    kls = [term for term in terms if term.kind == "kl"]
    zero = x.new_zeros(len(x))
    return ElboTerms(
        sum((term.per_row() for term in terms if term.kind == "reconstruction"), zero),
        sum((term.per_row() for term in kls), zero),
        torch.cat([term.nats for term in kls], 1) if all(term.nats.dim() > 1 for term in kls) else None,
    )


@dataclass(frozen=True)
class Plan:
    """How the importance weights of a pair are computed, found by running it.

    Attributes:
        nesting: how many dimensions the programs' plates take.
        dim: the dimension of the plate of the data; None without one, or if a latent lies outside of it: then
            one weight stands for all rows together.
        at_once: whether the programs can draw several particles at once, which gave the weights of each one alone.
        certain: whether each draw is the same.
        enumerated: whether there are latents to be summed out.
        points: the latents that the guide puts on one value of a continuous space.
        size: N, for programs that ask for it.
    """

    nesting: int
    dim: int | None
    at_once: bool
    certain: bool
    enumerated: bool
    points: frozenset[str]
    size: int | None


@torch.no_grad()
def plan(pair: Any, batch: Any, rows: int | None) -> Plan:
    """Run the programs once plainly and once with several particles, and see whether the weights agree.

    Programs that index from the left, as in ``z[:, 0]``, mix up rows and particles; they are run draw by draw. So are
    those that take a part of the data, because draws made at once would all take the same.

    Args:
        pair: a pair.
        batch: images, or what its programs take.
        rows: how many rows of data there are in the batch.
    """
    size = rows if isinstance(pair, Programs) else None
    once = run(pair, batch, size=size)
    fixed = points(pair, batch, once, size)
    marked = [s for t in (once.guide, once.model) for s in sampled(t).values() if not s["is_observed"]]
    enumerated = any(site["infer"].get("enumerate") == "parallel" for site in marked)
    if enumerated:
        once = run(pair, batch, nesting=once.nesting, enumerated=True, size=size)
    dim = data_plate(once, rows)
    dim = dim if is_local(once, dim) else None
    one_by_one = Plan(once.nesting, dim, False, not draws(once.guide), enumerated, fixed, size)
    if subsampled(once):
        return one_by_one
    try:
        many = run(pair, batch, TRIED, once.nesting, enumerated=enumerated, size=size)
        alone = [_weights_of(pair, batch, many, once, at, dim, size) for at in range(TRIED)]
        together = log_weights(many, dim)
        agree = together.shape == (TRIED, alone[0].shape[1]) or many.is_certain
        at_once = agree and torch.allclose(together.expand(TRIED, -1), torch.cat(alone), rtol=1e-4, atol=1e-3)
    except (ValueError, RuntimeError, IndexError, TypeError, AssertionError, NotImplementedError):
        return one_by_one
    return replace(one_by_one, at_once=at_once, certain=many.is_certain)


def _weights_of(pair: Any, batch: Any, many: Run, once: Run, at: int, dim: int | None, size: int | None) -> Tensor:
    given = select(many, at, once)
    again = run(pair, batch, nesting=once.nesting, given=given, enumerated=once.enumerated, size=size)
    return log_weights(again, dim)


@torch.no_grad()
def importance_weights(
    pair: Any,
    batch: Any,
    samples: int,
    how: Plan,
    rows: int,
    at_once: int = 4096,
    each: Callable[[Run], None] | None = None,
) -> Tensor:
    """Return log p(x, zₖ) − log q(zₖ | x) for K draws of the guide, (K, B) nats; (K, 1) for all rows together.

    Args:
        pair: a pair.
        batch: images, or what its programs take.
        samples: K.
        how: see `plan`.
        rows: B, how many rows of data there are in the batch.
        at_once: how many draws of rows are decoded together, K of one row or one of K rows. It bounds the memory.
        each: is given each run, to keep more of it.
    """
    parts, left = [], samples
    while left:
        particles = min(left, max(1, at_once // rows)) if how.at_once else None
        ran = run(pair, batch, particles, how.nesting, enumerated=how.enumerated, size=how.size)
        weights = log_weights(ran, how.dim)
        parts.append(weights.expand(particles or 1, -1))
        if each is not None:
            each(ran)
        left -= particles or 1
    return torch.cat(parts)


@torch.no_grad()
def importance_weighted_bound(pair: Any, x: Tensor, samples: int, at_once: int = 4096) -> Tensor:
    r"""Return log 1/K Σₖ p(x, zₖ) / q(zₖ | x) with zₖ ~ q(z | x), (B,) nats.

    In expectation a lower bound on log p(x) that rises with K and tends to it (Burda et al. 2016,
    https://arxiv.org/abs/1509.00519). The weights are those of guide and model as they run, over all of their sites.

    Args:
        pair: the pair.
        x: images ``(B, *shape)``.
        samples: K, the number of draws.
        at_once: how many images are decoded together; it bounds the memory and changes no expectation.

    Raises:
        ValueError: if there is no sample to draw, or q(z | x) is a point in a continuous space.
    """
    x = checks.tensor("x", x)
    if not x.ndim:
        raise ValueError(f"x must be images (B, *shape), got {checks.shown(x)}")
    samples = checks.whole("samples", samples, 1, checks.LARGEST_COUNT)
    at_once = checks.whole("at_once", at_once, 1, checks.LARGEST_COUNT)
    how = plan(pair, x, len(x))
    if how.points:
        raise ValueError(NO_BOUND)
    weights = importance_weights(pair, x, samples, how, len(x), at_once)
    return weights.logsumexp(0) - math.log(samples)
