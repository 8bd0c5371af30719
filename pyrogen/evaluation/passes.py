"""The passes over the images that `pg.evaluate` makes: one for the ELBO and the codes, one for the NLL."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pyrogen.evaluation.bounds import Plan, importance_weights, plan
from pyrogen.evaluation.draws import Collector, Draws
from pyrogen.evaluation.pareto import share_of_heavy_tails
from pyrogen.evaluation.posterior import DRAWS, Codes, counts_units, posterior_of
from pyrogen.evaluation.runs import run
from pyrogen.evaluation.terms import SiteTerm, elbo_terms
from pyrogen.models import Pair
from pyrogen.progress import progress_bar
from pyrogen.training.data.program_data import moved
from pyrogen.training.data.sources import Source

PAIRED = 2_000  # images at most whose draws are held against all posteriors
ACTIVE = 0.01  # the variance above which Burda et al. call a unit active


@dataclass
class Found:
    """What one pass over the images finds.

    Attributes:
        rows: the terms by name, each (n,).
        sites: each site's kind and nats, (n,) or (n, L).
        codes: the posterior of each latent.
        counted: the latents whose active units are counted.
        extra: means of charges and of what is watched.
        errors: standard errors of charges that are taken over all images.
        estimators: how the numbers that are of all images together were estimated.
    """

    rows: dict[str, Tensor]
    sites: dict[str, tuple[str, Tensor]]
    codes: dict[str, Codes]
    counted: set[str]
    extra: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    estimators: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def kl_per_latent(self) -> list[float] | None:
        """The KL of each latent, of all sites in turn, if it splits in all of them."""
        each = [nats for kind, nats in self.sites.values() if kind == "kl"]
        return torch.cat(each, 1).mean(0).tolist() if each and all(nats.dim() > 1 for nats in each) else None

    @property
    def said(self) -> str:
        """What the codes are."""
        drawn = [name for name, codes in self.codes.items() if codes.halves is not None]
        if not drawn:
            return "posterior means"
        which = "" if len(drawn) == len(self.codes) else f" for {', '.join(drawn)}, posterior means for the rest"
        return f"means of {DRAWS} draws of the guide{which}"

    def by_site(self, units: dict[str, int]) -> dict[str, dict[str, Any]]:
        """Return the numbers of each site."""
        table: dict[str, dict[str, Any]] = {}
        for name, (kind, nats) in self.sites.items():
            rows = nats.sum(1) if nats.dim() > 1 else nats
            table[name] = {kind: float(rows.mean()), "standard_error": standard_error(rows)}
            if kind == "kl":
                split = nats.mean(0).tolist() if nats.dim() > 1 else None
                table[name] |= {"kl_per_latent": split, "active_units": units.get(name)}
        return table


def planned(pair: Pair, source: Source, index: Tensor) -> Plan:
    """Return how the programs are run: by a trial on the first images, before any work."""
    index = index[:8]
    how = plan(pair, moved(source.images(index), pair.beta.device), len(index))
    if how.dim is None:
        raise ValueError(
            "model and guide must have one plate around the rows of the data and each latent, got no such plate: enter "
            "self.plate(x, size) in both"
        )
    return how


def terms_of(pair: Pair, source: Source, index: Tensor, how: Plan, batch_size: int, progress: bool) -> Found:
    """Return the terms of each site, image by image in nats, over all batches of `index`."""
    rows: dict[str, list[Tensor]] = {}
    sites: dict[str, tuple[str, list[Tensor]]] = {}
    codes: dict[str, list[Codes]] = {}
    totals: dict[str, float] = {}
    counted: set[str] = set()
    charged: dict[str, list[Tensor]] = {}
    posteriors, drawn = [], []
    tally: dict[str, Tensor] = {}
    estimators: dict[str, dict[str, Any]] = {}
    assert how.dim is not None
    for batch, size in _batches(pair, source, index, batch_size, "ELBO", progress):
        once = run(pair, batch, nesting=how.nesting, enumerated=how.enumerated)
        terms = elbo_terms(once, how.dim, how.points)
        row = _sums(terms, torch.zeros(size, device=pair.beta.device))
        for term in terms:
            if term.kind == "charge":
                totals[term.name] = totals.get(term.name, 0.0) + float(term.nats.sum())
                charged.setdefault(term.name, []).append(_kept(term.weighted))
            else:
                sites.setdefault(term.name, (term.kind, []))[1].append(_kept(term.nats))
        for name, value in row.items():
            rows.setdefault(name, []).append(_kept(value))
        for name, part in posterior_of(pair, batch, once, how.dim, how.at_once).items():
            halves = None if part.halves is None else _kept(part.halves)
            codes.setdefault(name, []).append(Codes(_kept(part.means), _kept(part.scales), halves))
            counted |= {name} if counts_units(once.guide.nodes[name]) else set()
        first = next(iter(once.latents.values()))[0]
        for name, number in pair.monitored(first["fn"], first["value"], size).items():
            totals[name] = totals.get(name, 0.0) + float(number) * size
        for name, counts in pair.tally(first["fn"], first["value"]).items():
            tally[name] = tally[name] + counts.double() if name in tally else counts.double()
        if type(pair).data_charges is not Pair.data_charges:
            posteriors.append(first["fn"])
            drawn.append(first["value"])
    columns = {name: torch.cat(column) for name, column in rows.items()}
    weighted = {name: torch.cat(column) for name, column in charged.items()}
    errors: dict[str, float] = {}
    if posteriors:
        for name, (weight, nats) in pair.data_charges(posteriors, torch.cat(drawn)[:PAIRED], len(source)).items():
            values = torch.full_like(columns["objective"], float(nats.mean()))
            values[: len(nats)] = _kept(nats)
            weighted[name], totals[name] = float(weight) * values, float(values.sum())
            errors |= {name: standard_error(_kept(nats))} if bool((nats != nats[0]).any()) else {}
            estimators[name] = {"estimator": "pair's own", "images": len(index)}
        estimators |= pair.estimators(len(index), min(len(index), PAIRED))
    for name, number in pair.tallied(tally).items():
        totals[name] = float(number) * len(index)
        estimators[name] = {"estimator": "counts", "images": len(index)}
    columns["objective"] = sum(weighted.values(), columns["objective"])
    if "penalty" in columns:
        totals = {"penalty": float(columns.pop("penalty").sum())} | totals
    return Found(
        columns,
        {name: (kind, torch.cat(nats)) for name, (kind, nats) in sites.items()},
        {name: _joined(parts) for name, parts in codes.items()},
        counted,
        {name: total / len(index) for name, total in totals.items()},
        errors,
        estimators,
    )


def _sums(terms: Sequence[SiteTerm], zero: Tensor) -> dict[str, Tensor]:
    """Objective without charges, reconstruction, KL or penalty, and the ELBO of each row, (B,)."""
    weighted = (term.weighted for term in terms if term.kind != "charge")
    row = {"objective": sum(weighted, zero), "reconstruction": zero}
    for term in terms:
        if term.kind != "charge":
            row[term.kind] = row.get(term.kind, zero) + term.per_row()
    if "penalty" in row:
        row.pop("kl", None)
    if "kl" in row:
        row["elbo"] = -(row["reconstruction"] + row["kl"])
    return row


@dataclass(frozen=True)
class Weights:
    """The importance-weighted bound of each row, (n,), and how heavy the tails of the weights are."""

    bound: Tensor = field(default_factory=lambda: torch.zeros(0))
    pareto_k: dict[str, float] | None = None
    draws: Draws | None = None


def weights_of(
    pair: Pair, source: Source, index: Tensor, samples: int, how: Plan, batch_size: int, progress: bool
) -> Weights:
    """Return the importance-weighted bound and Pareto-k̂ of each image, from `samples` draws each."""
    bounds, everything, collector = [], [], Collector()
    for batch, size in _batches(pair, source, index, min(batch_size, 50), "NLL", progress):
        weights = importance_weights(pair, batch, samples, how, size, each=collector.add).double().cpu()  # (K, B)
        collector.end_of_batch()
        everything.append(weights)
        bounds.append(weights.logsumexp(0) - math.log(samples))
    joined = torch.cat(everything, 1)
    return Weights(torch.cat(bounds), share_of_heavy_tails(joined), collector.joined(joined))


def _batches(
    pair: Pair, source: Source, index: Tensor, batch_size: int, name: str, progress: bool
) -> Iterator[tuple[Any, int]]:
    """Batches, and how many rows each has."""
    for part in progress_bar(index.split(batch_size), desc=name, unit="batch", leave=False, shown=progress):
        yield moved(source.images(part), pair.beta.device), len(part)


def _joined(parts: Sequence[Codes]) -> Codes:
    halves = [part.halves for part in parts if part.halves is not None]
    means, scales = (torch.cat([getattr(part, what) for part in parts]) for what in ("means", "scales"))
    return Codes(means, scales, torch.cat(halves, 1) if halves else None)


def active(codes: Codes) -> int:
    """Return how many latents have a posterior mean that varies over the images by more than 0.01."""
    if len(codes.means) < 2:
        return 0
    if codes.halves is None:
        return int((codes.means.var(0) > ACTIVE).sum())
    one, other = codes.halves - codes.halves.mean(1, keepdim=True)
    return int(((one * other).sum(0) / (len(one) - 1) > ACTIVE).sum())


def _kept(value: Tensor) -> Tensor:
    return value.double().cpu()


def standard_error(values: Tensor) -> float:
    """Return the standard error of the mean of values (N,); infinity for fewer than two."""
    return float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.inf
