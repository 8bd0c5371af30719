"""The training objective of a pair, term by term, without a host synchronisation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from pyro import poutine
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import prune_subsample_sites
from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

from pyrogen.models import Pair


@dataclass(frozen=True)
class Terms:
    """One evaluation of the objective on a batch, in nats per image.

    Attributes:
        objective: Σ over sites of weight × term, what training minimises; a scalar.
        reconstruction: site name → −E_q log p(x | z), unweighted scalars.
        kl: site name → KL(q(z | x) ‖ p(z)), unweighted; (L,) where it splits over the latents, else (1,).
    """

    objective: Tensor
    reconstruction: dict[str, Tensor]
    kl: dict[str, Tensor]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the entries of `row`, objective, reconstruction, kl, then ``kl_0`` ... for each latent."""
        each = [f"kl_{i}" for i in range(sum(len(kl) for kl in self.kl.values()))]
        return ("objective", "reconstruction", "kl", *(each if len(each) > 1 else ()))

    def row(self) -> Tensor:
        """All terms in one vector, so that a step leaves one small tensor behind."""
        kl = torch.cat(list(self.kl.values()))
        head = torch.stack((self.objective, sum(self.reconstruction.values(), torch.zeros(())), kl.sum()))
        return (torch.cat((head, kl)) if len(kl) > 1 else head).detach()


class OwnParameters(Messenger):
    """Reads ``pyro.module`` and ``pyro.param`` tensors from the module itself and leaves the global store alone."""

    def _pyro_param(self, msg: Any) -> None:
        if msg["value"] is None and len(msg["args"]) > 1 and isinstance(msg["args"][1], torch.Tensor):
            msg["value"], msg["done"] = msg["args"][1], True


def elbo_terms(pair: Pair, x: Tensor, size: int | None = None) -> Terms:
    """The β-weighted negative ELBO of a batch, from one run of guide and model.

    The estimator is that of Pyro's ``TraceMeanField_ELBO`` (which reads each term to the host): an analytic KL where
    one is registered, else the one-sample estimate log q(z) − log p(z).

    Args:
        pair: the pair.
        x: a batch ``(B, *shape)``.
        size: N, the size of the data set that the batch stands for; the batch's own by default.

    Raises:
        ValueError: if a latent of the guide cannot be reparametrised, or a latent of the model is not in the guide.
    """
    with OwnParameters(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* was not registered in the param store", UserWarning)  # frozen on purpose
        guide_trace = poutine.trace(pair.guide).get_trace(x, size)
        model_trace = poutine.trace(poutine.replay(pair.model, trace=guide_trace)).get_trace(x, size)
    model_trace, guide_trace = prune_subsample_sites(model_trace), prune_subsample_sites(guide_trace)
    batch, total = len(x), size or len(x)
    objective: Tensor = torch.zeros(())
    reconstruction, kl = {}, {}
    for name, site in model_trace.nodes.items():
        if site["type"] != "sample":
            continue
        if site["is_observed"]:
            nats = -site["fn"].log_prob(site["value"])
            reconstruction[name] = nats.sum() / batch
        elif name in guide_trace.nodes:
            nats = divergence(guide_trace.nodes[name]["fn"], site["fn"], site["value"])
            kl[name] = nats.reshape(batch, -1).sum(0) / batch
        else:
            raise ValueError(f"the model draws {name!r} and the guide does not: give the guide a site of that name")
        objective = objective + _weighted_sum(nats, site["scale"], site["mask"]) / total
    return Terms(objective, reconstruction, kl)


def divergence(q: Any, p: Any, z: Tensor) -> Tensor:
    """KL(q ‖ p) of a batch: (B, L) where both factorise, (B,) where only the whole is known or it is estimated at z."""
    if not q.has_rsample:
        raise ValueError(f"{type(q).__name__} in the guide cannot be reparametrised (it has no rsample)")
    if factorises(q) and factorises(p):
        try:
            return kl_divergence(q.base_dist, p.base_dist)
        except NotImplementedError:
            pass
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return q.log_prob(z) - p.log_prob(z)


def factorises(distribution: Distribution) -> bool:
    """Whether a distribution over vectors is declared a product over their entries (``.to_event(1)``)."""
    return isinstance(distribution, Independent) and distribution.reinterpreted_batch_ndims == 1


def _weighted_sum(nats: Tensor, scale: Any, mask: Any) -> Tensor:
    if mask is None and (not isinstance(scale, torch.Tensor) or scale.dim() == 0):
        return nats.sum() * scale
    return scale_and_mask(nats.flatten(1).sum(1) if nats.dim() > 1 else nats, scale, mask).sum()
