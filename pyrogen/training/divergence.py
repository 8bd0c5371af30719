"""The KL of one site, in closed form or at a draw, and expectations over latents that take all of their values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

ENUMERATED = -2  # the first dimension left of the plate of the data


def enumerated(site: Any) -> bool:
    """Return whether a site takes all of its values, in a dimension of their own."""
    return site["infer"].get("_enumerate_dim") is not None


def expectation(guide: Any, nesting: int = 1) -> Callable[[Tensor, bool], Tensor]:
    """Return the expectation over the latents that the guide enumerates, weighted by their probabilities.

    Args:
        guide: the guide's trace.
        nesting: how many dimensions the plates take; what is left of them is enumerated.

    Returns:
        A function of values ``(*enumerated, *plates)``, and whether a dimension of latents follows; it returns
        ``(*plates)``.
    """
    sites = [site for site in guide.nodes.values() if site["type"] == "sample" and enumerated(site)]
    if not sites:
        return lambda values, split: values
    logs = [(site["infer"]["_enumerate_dim"], site["fn"].log_prob(site["value"])) for site in sites]

    def wide(values: Tensor, split: bool = False) -> set[int]:
        return {dim for dim in range(split - values.dim(), -nesting) if values.shape[dim - split] > 1}

    def mean(values: Tensor, split: bool) -> Tensor:
        found, counted, product = wide(values, split), list[bool](), values
        while counted != (counted := [dim in found for dim, _ in logs]):  # what values depend on, and this in its turn
            found = found.union(*(wide(log) for (_, log), counts in zip(logs, counted, strict=True) if counts))
        weights = [log for (_, log), counts in zip(logs, counted, strict=True) if counts]
        if weights:  # another latent would weigh the values once for each of its plate's elements
            weight = sum(weights[1:], weights[0]).exp()
            product = (weight.unsqueeze(-1) if split else weight) * values
        left = list(range(product.dim() - nesting - split))
        return product.sum(left) if left else product

    return mean


def divergence(q: Any, p: Any, z: Tensor, exact: bool = True, enumerated: bool = False) -> Tensor:
    """KL(q ‖ p) of a batch: (*batch, L) where both factorize, else (*batch,), estimated at z where no form is known.

    Args:
        q: the guide's distribution.
        p: the model's.
        z: the guide's draw.
        exact: whether the closed form may be used. It may not where p depends on a latent that the guide draws after z,
            and so given z. The closed form would average over z with that latent held fixed, which is another number.
        enumerated: whether z are all values, whose expectation is taken afterwards; then log q − log p of each.
    """
    if not (enumerated or q.has_rsample):
        raise ValueError(f"the guide must draw from distributions that have an rsample, got {type(q).__name__}")
    if exact and not enumerated:
        if factorizes(q) and factorizes(p):
            with suppress(NotImplementedError):
                return kl_divergence(q.base_dist, p.base_dist)
        with suppress(NotImplementedError):
            return kl_divergence(q, p)
    log_ratio: Tensor = q.log_prob(z) - p.log_prob(z)
    return log_ratio


def factorizes(distribution: Distribution) -> bool:
    """Return whether a distribution over vectors is declared a product over their entries (``.to_event(1)``)."""
    return isinstance(distribution, Independent) and distribution.reinterpreted_batch_ndims == 1
