"""The training objective of a pair, term by term, without a host synchronization."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from pyro import poutine
from pyro.distributions import TorchDistribution
from pyro.distributions.util import scale_and_mask
from pyro.poutine.util import prune_subsample_sites
from torch import Tensor

from pyrogen.distributions.wrappers import is_point
from pyrogen.models import Pair
from pyrogen.models.base import check_pair
from pyrogen.models.running import OwnParameters, site_log_prob
from pyrogen.training.divergence import ENUMERATED, divergence, enumerated, expectation

KINDS = ("reconstruction", "kl", "penalty", "charge")


@dataclass(frozen=True)
class SiteTerm:
    """What one site adds to the objective.

    Attributes:
        name: the site.
        kind: ``"reconstruction"`` is −log p(x | z), ``"kl"`` the KL. ``"penalty"`` is −log p(z) at the one code of a
            guide that is a point. For ``"charge"`` see ``Pair.charge``.
        nats: unweighted, in the site's batch shape: (B,) in the plate of the data alone. Where a KL splits over the
            latents, their dimension (L,) follows.
        scale: the weight, with N / B in it where a batch stands for N images.
        mask: which entries of the batch shape count; None for all.
        by_row: whether the site is in the plate of the data.
        split: whether the last dimension of `nats` is that of the latents.
    """

    name: str
    kind: str
    nats: Tensor
    scale: Any
    mask: Any
    by_row: bool
    split: bool = False

    def total(self) -> Tensor:
        """Return the weighted sum over the batch, a scalar."""
        if self.mask is None and (not isinstance(self.scale, torch.Tensor) or self.scale.dim() == 0):
            output: Tensor = self.nats.sum() * self.scale
            return output
        nats = self.nats.sum(-1) if self.split else self.nats
        weighted: Tensor = scale_and_mask(nats, self.scale, self.mask)
        return weighted.sum()

    def per_latent(self) -> Tensor:
        """Return the unweighted sum of each latent over the batch, (L,); (1,) where they do not split."""
        return self.nats.flatten(0, -2).sum(0) if self.split else self.nats.sum().reshape(1)


@dataclass(frozen=True)
class Terms:
    """One evaluation of the objective on a batch, in nats per image.

    Attributes:
        objective: Σ over sites of weight × term, what training minimizes; a scalar.
        reconstruction: site name → −E_q log p(x | z), unweighted scalars.
        kl: site name → KL(q(z | x) ‖ p(z)), unweighted; (L,) where it splits over the latents, else (1,).
        penalty: site name → −log p(z), unweighted scalars, where the guide is a point: its KL would be infinite.
        charges: site name → what the guide is charged beside these (``Pair.charge``), unweighted scalars.
        monitored: name → a number that is not a term (``Pair.monitored``), scalars.
    """

    objective: Tensor
    reconstruction: dict[str, Tensor]
    kl: dict[str, Tensor]
    penalty: dict[str, Tensor] = field(default_factory=dict)
    charges: dict[str, Tensor] = field(default_factory=dict)
    monitored: dict[str, Tensor] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the entries of `row`.

        They are objective, reconstruction, kl (or penalty); where a kind has several sites, ``kl_z1``, ``kl_z2`` and so
        on; ``kl_0`` ... for each latent, or ``kl_z1_0`` ... with several sites; charges and monitored numbers.

        Raises:
            ValueError: if a name occurs twice.
        """
        own = [name for kind, name in ((self.kl, "kl"), (self.penalty, "penalty")) if kind]
        by_site = [f"{kind}_{site}" for kind, sites in self._several() for site in sites]
        names = ("objective", "reconstruction", *own, *by_site, *self.per_latent, *self.charges, *self.monitored)
        return different(names)

    @property
    def per_latent(self) -> tuple[str, ...]:
        """The names of the columns of single latents."""
        if len(self.kl) == 1:
            count = sum(len(kl) for kl in self.kl.values())
            return tuple(f"kl_{i}" for i in range(count)) if count > 1 else ()
        return tuple(f"kl_{site}_{i}" for site, kl in self.kl.items() if len(kl) > 1 for i in range(len(kl)))

    def row(self) -> Tensor:
        """Return all terms in one vector, so that a step leaves one small tensor behind."""
        zero = torch.zeros(())
        each = [kl for kl in self.kl.values() if len(kl) > 1]
        kl = {site: kl.sum() for site, kl in self.kl.items()}
        head = [self.objective, sum(self.reconstruction.values(), zero)]
        head += [sum(list(kl.values())[1:], next(iter(kl.values())))] if kl else []
        head += [sum(self.penalty.values(), zero)] if self.penalty else []
        head += [value for kind, sites in self._several() for value in (kl if kind == "kl" else sites).values()]
        tail = [value.to(self.objective) for value in (*self.charges.values(), *self.monitored.values())]
        parts = [torch.stack(head), *each, *([torch.stack(tail)] if tail else [])]
        return (torch.cat(parts) if len(parts) > 1 else parts[0]).detach()

    def _several(self) -> list[tuple[str, dict[str, Tensor]]]:
        kinds = {"reconstruction": self.reconstruction, "kl": self.kl, "penalty": self.penalty}
        return [(kind, sites) for kind, sites in kinds.items() if len(sites) > 1]


def different(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names`, unless one occurs twice."""
    if len(set(names)) < len(names):
        raise ValueError(
            f"the history's columns must have different names, got {', '.join(names)}: rename a site or a column"
        )
    return names


def elbo_terms(pair: Pair, x: Any, size: int | None = None) -> Terms:
    """Return the β-weighted negative ELBO of a batch, with what the guide is charged, from one run of guide and model.

    The estimator is that of Pyro's ``TraceMeanField_ELBO``: an analytic KL where one is registered, else the one-sample
    estimate log q(z) − log p(z). Pyro's reads each term to the host, and this one does not.

    Args:
        pair: the pair.
        x: a batch ``(B, *shape)``, or a tuple of the arguments of model and guide that begins with one.
        size: N, the size of the data set that the batch stands for; the batch's own by default.

    Raises:
        ValueError: if a latent of the guide cannot be reparametrized, or a latent of the model is not in the guide.
    """
    check_pair("pair", pair)
    return terms_and_draw(pair, x, size)[0]


def terms_and_draw(pair: Pair, x: Any, size: int | None = None) -> tuple[Terms, TorchDistribution, Tensor]:
    """Return the terms of `elbo_terms`, and the guide's distribution and draw that `site_terms` returns."""
    sites, q, z = site_terms(pair, x, size)
    batch = len(x[0] if isinstance(x, tuple) else x)
    total = size or batch
    objective: Tensor = torch.zeros(())
    means: dict[str, dict[str, Tensor]] = {kind: {} for kind in KINDS}
    for site in sites:
        objective = objective + site.total() / total
        count = batch if site.by_row else total
        means[site.kind][site.name] = (site.per_latent() if site.kind == "kl" else site.nats.sum()) / count
    monitored = pair.monitored(q, z, total)
    terms = Terms(objective, means["reconstruction"], means["kl"], means["penalty"], means["charge"], monitored)
    return terms, q, z


def site_terms(pair: Pair, x: Any, size: int | None = None) -> tuple[list[SiteTerm], TorchDistribution, Tensor]:
    """Return the terms of each site on a batch, the guide's distribution of z (of its last latent if there is no z),
    its draw.

    The arguments and errors are those of `elbo_terms`.
    """
    args, kwargs = pair.arguments(x, size)
    model, guide = pair.model, pair.guide
    if pair.enumerates:
        model, guide = poutine.enum(model, ENUMERATED), poutine.enum(guide, ENUMERATED)
    with OwnParameters(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* was not registered in the param store", UserWarning)  # frozen on purpose
        guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
        model_trace = poutine.trace(poutine.replay(model, trace=guide_trace)).get_trace(*args, **kwargs)
    model_trace, guide_trace = prune_subsample_sites(model_trace), prune_subsample_sites(guide_trace)
    mean = expectation(guide_trace)
    drawn = {name: place for place, name in enumerate(guide_trace.nodes)}
    before: list[str] = []  # the latents that come earlier in the model
    terms = []
    for name, site in model_trace.nodes.items():
        if site["type"] != "sample":
            continue
        split = False
        if site["is_observed"]:
            kind, nats = "reconstruction", -site_log_prob(site)
        elif name not in guide_trace.nodes:
            raise ValueError(f"the model draws {name!r} and the guide does not: give the guide a site of that name")
        elif is_point(guide_trace.nodes[name]["fn"]):
            kind, nats = "penalty", -site_log_prob(site)
        else:
            q = guide_trace.nodes[name]["fn"]
            exact = all(drawn[earlier] < drawn[name] for earlier in before)
            all_values = enumerated(guide_trace.nodes[name])
            kind, nats = "kl", divergence(q, site["fn"], site["value"], exact, all_values)
            split = not all_values and nats.dim() > len(torch.broadcast_shapes(q.batch_shape, site["fn"].batch_shape))
        before += [] if site["is_observed"] else [name]
        terms.append(SiteTerm(name, kind, mean(nats, split), site["scale"], site["mask"], _by_row(site), split))
    latents = []
    for name, site in guide_trace.nodes.items():
        if site["type"] == "sample" and site["infer"].get("is_auxiliary") and name not in model_trace.nodes:
            nats = site_log_prob(site)
            terms.append(SiteTerm(name, "charge", nats, site["scale"], site["mask"], _by_row(site)))
        elif site["type"] == "sample" and not site["is_observed"]:
            latents.append(name)
    if not latents:
        raise ValueError("the guide draws no latent: give it a site such as z")
    latent = guide_trace.nodes["z" if "z" in latents else latents[-1]]
    return terms, latent["fn"], latent["value"]


def _by_row(site: Any) -> bool:
    return any(frame.vectorized for frame in site["cond_indep_stack"])
