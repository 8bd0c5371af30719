"""The training objective of a pair, term by term, without a host synchronization."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from pyro import poutine
from pyro.distributions import Delta, MaskedDistribution, TorchDistribution
from pyro.distributions.torch_distribution import ExpandedDistribution
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import prune_subsample_sites
from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence

from pyrogen.models import Pair

KINDS = ("reconstruction", "kl", "penalty", "charge")


@dataclass(frozen=True)
class SiteTerm:
    """What one site adds to the objective, image by image.

    Attributes:
        name: the site.
        kind: ``"reconstruction"`` (−log p(x | z)), ``"kl"``, ``"penalty"`` (−log p(z) at the one code of a guide that
            is a point) or ``"charge"`` (see ``Pair.charge``).
        nats: unweighted, (B,), or (B, L) where a KL splits over the latents.
        scale: the weight, with N / B in it where a batch stands for N images.
        mask: which images count; None for all.
    """

    name: str
    kind: str
    nats: Tensor
    scale: Any
    mask: Any

    def total(self) -> Tensor:
        """The weighted sum over the batch, a scalar."""
        if self.mask is None and (not isinstance(self.scale, torch.Tensor) or self.scale.dim() == 0):
            output: Tensor = self.nats.sum() * self.scale
            return output
        return self.weighted().sum()

    def weighted(self) -> Tensor:
        """The weighted sum of each image, (B,)."""
        output: Tensor = scale_and_mask(self.per_image(), self.scale, self.mask)
        return output

    def per_image(self) -> Tensor:
        """The unweighted sum of each image, (B,)."""
        return self.nats.flatten(1).sum(1) if self.nats.dim() > 1 else self.nats


@dataclass(frozen=True)
class Terms:
    """One evaluation of the objective on a batch, in nats per image.

    Attributes:
        objective: Σ over sites of weight × term, what training minimizes; a scalar.
        reconstruction: site name → −E_q log p(x | z), unweighted scalars.
        kl: site name → KL(q(z | x) ‖ p(z)), unweighted; (L,) where it splits over the latents, else (1,).
        penalty: site name → −log p(z), unweighted scalars, where the guide is a point: its KL would be infinite.
        charges: site name → what the guide is charged beside these (``Pair.charge``), unweighted scalars.
        monitored: name → a number that is no term (``Pair.monitored``), scalars.
    """

    objective: Tensor
    reconstruction: dict[str, Tensor]
    kl: dict[str, Tensor]
    penalty: dict[str, Tensor] = field(default_factory=dict)
    charges: dict[str, Tensor] = field(default_factory=dict)
    monitored: dict[str, Tensor] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the entries of `row`: objective, reconstruction, kl (or penalty), ``kl_0`` ... for each latent,
        and the names of charges and monitored numbers.

        Raises:
            ValueError: if a name occurs twice.
        """
        each = [f"kl_{i}" for i in range(sum(len(kl) for kl in self.kl.values()))]
        own = [name for kind, name in ((self.kl, "kl"), (self.penalty, "penalty")) if kind]
        names = ("objective", "reconstruction", *own, *(each if len(each) > 1 else ()), *self.charges, *self.monitored)
        if len(set(names)) < len(names):
            raise ValueError(f"the history's columns need different names, and the pair gives {', '.join(names)}")
        return names

    def row(self) -> Tensor:
        """All terms in one vector, so that a step leaves one small tensor behind."""
        zero = torch.zeros(())
        head = [self.objective, sum(self.reconstruction.values(), zero)]
        each = torch.cat(list(self.kl.values())) if self.kl else torch.zeros(0)
        head += [each.sum()] if self.kl else []
        head += [sum(self.penalty.values(), zero)] if self.penalty else []
        tail = [value.to(self.objective) for value in (*self.charges.values(), *self.monitored.values())]
        parts = [torch.stack(head), *([each] if len(each) > 1 else []), *([torch.stack(tail)] if tail else [])]
        return (torch.cat(parts) if len(parts) > 1 else parts[0]).detach()


class OwnParameters(Messenger):
    """Reads ``pyro.module`` and ``pyro.param`` tensors from the module itself and leaves the global store alone."""

    def _pyro_param(self, msg: Any) -> None:
        if msg["value"] is None and len(msg["args"]) > 1 and isinstance(msg["args"][1], torch.Tensor):
            msg["value"], msg["done"] = msg["args"][1], True


def elbo_terms(pair: Pair, x: Tensor, size: int | None = None) -> Terms:
    """The β-weighted negative ELBO of a batch, with what the guide is charged, from one run of guide and model.

    The estimator is that of Pyro's ``TraceMeanField_ELBO`` (which reads each term to the host): an analytic KL where
    one is registered, else the one-sample estimate log q(z) − log p(z).

    Args:
        pair: the pair.
        x: a batch ``(B, *shape)``.
        size: N, the size of the data set that the batch stands for; the batch's own by default.

    Raises:
        ValueError: if a latent of the guide cannot be reparametrized, or a latent of the model is not in the guide.
    """
    sites, q, z = site_terms(pair, x, size)
    batch, total = len(x), size or len(x)
    objective: Tensor = torch.zeros(())
    means: dict[str, dict[str, Tensor]] = {kind: {} for kind in KINDS}
    for site in sites:
        objective = objective + site.total() / total
        if site.kind == "kl":
            means["kl"][site.name] = site.nats.reshape(batch, -1).sum(0) / batch
        else:
            means[site.kind][site.name] = site.nats.sum() / batch
    monitored = pair.monitored(q, z, total)
    return Terms(objective, means["reconstruction"], means["kl"], means["penalty"], means["charge"], monitored)


def site_terms(pair: Pair, x: Tensor, size: int | None = None) -> tuple[list[SiteTerm], TorchDistribution, Tensor]:
    """The terms of each site on a batch, the guide's distribution of z, and its draw.

    The arguments and errors are those of `elbo_terms`.
    """
    with OwnParameters(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* was not registered in the param store", UserWarning)  # frozen on purpose
        guide_trace = poutine.trace(pair.guide).get_trace(x, size)
        model_trace = poutine.trace(poutine.replay(pair.model, trace=guide_trace)).get_trace(x, size)
    model_trace, guide_trace = prune_subsample_sites(model_trace), prune_subsample_sites(guide_trace)
    terms = []
    for name, site in model_trace.nodes.items():
        if site["type"] != "sample":
            continue
        if site["is_observed"]:
            kind, nats = "reconstruction", -site["fn"].log_prob(site["value"])
        elif name not in guide_trace.nodes:
            raise ValueError(f"the model draws {name!r} and the guide does not: give the guide a site of that name")
        elif is_point(guide_trace.nodes[name]["fn"]):
            kind, nats = "penalty", -site["fn"].log_prob(site["value"])
        else:
            kind, nats = "kl", divergence(guide_trace.nodes[name]["fn"], site["fn"], site["value"])
        terms.append(SiteTerm(name, kind, nats, site["scale"], site["mask"]))
    for name, site in guide_trace.nodes.items():
        if site["type"] == "sample" and site["infer"].get("is_auxiliary") and name not in model_trace.nodes:
            nats = site["fn"].log_prob(site["value"])
            terms.append(SiteTerm(name, "charge", nats, site["scale"], site["mask"]))
    latent = guide_trace.nodes["z"]
    return terms, latent["fn"], latent["value"]


def divergence(q: Any, p: Any, z: Tensor) -> Tensor:
    """KL(q ‖ p) of a batch: (B, L) where both factorize, (B,) where only the whole is known or it is estimated at z."""
    if not q.has_rsample:
        raise ValueError(f"{type(q).__name__} in the guide cannot be reparametrized (it has no rsample)")
    if factorizes(q) and factorizes(p):
        try:
            return kl_divergence(q.base_dist, p.base_dist)
        except NotImplementedError:
            pass
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        output: Tensor = q.log_prob(z) - p.log_prob(z)
        return output


def factorizes(distribution: Distribution) -> bool:
    """Whether a distribution over vectors is declared a product over their entries (``.to_event(1)``)."""
    return isinstance(distribution, Independent) and distribution.reinterpreted_batch_ndims == 1


def is_point(distribution: Distribution) -> bool:
    """Whether all mass lies on one value of a continuous space, so that there is no density and no bound."""
    while isinstance(distribution, Independent | MaskedDistribution | ExpandedDistribution):
        distribution = distribution.base_dist
    return isinstance(distribution, Delta)
