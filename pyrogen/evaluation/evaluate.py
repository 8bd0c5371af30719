"""``pg.evaluate``: score a trained pair on held-out data without changing it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from pyrogen.evaluation.bounds import importance_weighted_bound
from pyrogen.evaluation.metric_calls import bound_metrics, check_metrics, metric_values
from pyrogen.evaluation.scores import Scores
from pyrogen.models import Pair
from pyrogen.progress import progress_bar
from pyrogen.training.data import Source, as_source
from pyrogen.training.objectives import factorizes, site_terms

ACTIVE = 0.01  # the variance above which Burda et al. call a unit active


def evaluate(
    pair: Pair,
    data: Any,
    metrics: Sequence[Callable[..., float]] = (),
    *,
    images: int = 10_000,
    nll_images: int = 1_000,
    importance_samples: int = 100,
    batch_size: int = 250,
    seed: int = 0,
    progress: bool = False,
) -> Scores:
    """The ELBO and its terms at β = 1, an importance-weighted NLL and disentanglement metrics.

    No weight, mode or random state changes. Where the guide is a point in a continuous space (a Delta, as in a plain
    autoencoder) there is no bound: ELBO, KL and NLL are then None. A code from a finite set, as in a VQ-VAE, has a
    probability, and its −log p(x | z) − log p(z) is a bound like any other.

    Args:
        pair: a pyrogen pair.
        data: held-out images: a tensor, a pyrogen data set or a map-style torch ``Dataset``.
        metrics: functions of (codes, factors), such as ``pg.metrics.mig`` or a ``functools.partial`` of it; codes
            (N, L) are the posterior means, flattened where they lie on a grid. One that takes ``scale`` is also given
            the posterior standard deviations, one that takes ``factor_names`` the names. The data must then have
            ``factors(index)``. Of :mod:`pyrogen.metrics` these are mig, latent_gap, dci, sap, modularity,
            explicitness, factor_vae_score, beta_vae_score, info_modularity, info_compactness and info_explicitness.
            A metric of your own names its first two parameters codes and factors.
        images: at most how many images the ELBO and the metrics are computed on, drawn by `seed`.
        nll_images: at most how many of them the NLL is computed on.
        importance_samples: K of the NLL; the estimate falls towards −log p(x) as K grows.
        batch_size: images that are encoded together.
        seed: of the choice of images and of the draws.
        progress: show a bar, also over the metrics.

    Raises:
        TypeError, ValueError: before any work, for data that do not fit, metrics that are none, or metrics on data
            without factors or whose factors they cannot score.
        TypeError, ValueError, RuntimeError: naming the metric, if one fails on the codes.

    Example:
        >>> import pyrogen as pg
        >>> vae = pg.models.VAE(pg.nn.MLPEncoder((8, 8), latent=2), pg.nn.MLPDecoder((8, 8), latent=2))
        >>> scores = pg.evaluate(vae, torch.bernoulli(torch.full((100, 8, 8), 0.3)))
        >>> scores.elbo < 0 < scores.kl
        True
    """
    if not isinstance(pair, Pair):
        raise TypeError(f"evaluate scores a pyrogen pair, and this is a {type(pair).__name__}")
    sizes = {"images": images, "nll_images": nll_images, "batch_size": batch_size}
    for name, value in (sizes | {"importance_samples": importance_samples}).items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, and it is {value}")
    check_metrics(metrics, data)
    source = as_source(data, pair)
    generator = torch.Generator().manual_seed(seed)
    index = torch.randperm(len(source), generator=generator)[:images]
    asked = bound_metrics(metrics, data, index)
    device, modes = pair.beta.device, [(module, module.training) for module in pair.modules()]
    try:
        pair.eval()
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(seed)
            terms, extra, means, scales = _terms(pair, source, index, batch_size, progress)
            kl_per_latent, units = terms.pop("kl_per_latent", None), terms.pop("units", None)
            if "kl" in terms:
                terms["nll"] = -_bound(pair, source, index[:nll_images], importance_samples, batch_size, progress)
    finally:
        for module, mode in modes:  # a part may have been frozen on its own
            module.training = mode
    mean = {name: float(terms[name].mean()) for name in terms}
    return Scores(
        elbo=mean.get("elbo"),
        reconstruction=mean["reconstruction"],
        kl=mean.get("kl"),
        objective=mean["objective"],
        nll=mean.get("nll"),
        standard_errors={name: _standard_error(column) for name, column in terms.items()},
        beta=float(pair.beta),
        kl_per_latent=None if kl_per_latent is None else kl_per_latent.mean(0).tolist(),
        active_units=None if units is None else int((units.var(0) > ACTIVE).sum()) if len(units) > 1 else 0,
        images=len(index),
        nll_images=len(terms.get("nll", ())),
        importance_samples=importance_samples if "nll" in terms else 0,
        metrics=metric_values(asked, means, scales, progress),
        extra=extra,
        latent=pair.latent,
    )


def _terms(
    pair: Pair, source: Source, index: Tensor, batch_size: int, progress: bool
) -> tuple[dict[str, Tensor], dict[str, float], Tensor, Tensor]:
    """The objective's terms (n,) by name, means of charges and monitored numbers, posterior means and sd (n, L)."""
    rows: dict[str, list[Tensor]] = {}
    totals: dict[str, float] = {}
    for x in _batches(pair, source, index, batch_size, "ELBO", progress):
        sites, q, z = site_terms(pair, x)
        row = {
            "objective": sum((site.weighted() for site in sites), torch.zeros(())),
            "means": q.mean.flatten(1),
            "scales": q.stddev.flatten(1),
        }
        for site in sites:
            if site.kind == "charge":
                totals[site.name] = totals.get(site.name, 0.0) + float(site.nats.sum())
            else:
                row[site.kind] = site.per_image()
            if site.kind == "kl" and site.nats.dim() > 1:
                row["kl_per_latent"] = site.nats
        if "kl" in row:
            row["elbo"] = -(row["reconstruction"] + row["kl"])
        if "kl" in row and factorizes(q):
            row["units"] = row["means"]
        for name, number in pair.monitored(q, z, len(x)).items():
            totals[name] = totals.get(name, 0.0) + float(number) * len(x)
        for name, value in row.items():
            rows.setdefault(name, []).append(value.double().cpu())
    terms = {name: torch.cat(column) for name, column in rows.items()}
    if "penalty" in terms:
        totals = {"penalty": float(terms.pop("penalty").sum())} | totals
    extra = {name: total / len(index) for name, total in totals.items()}
    return terms, extra, terms.pop("means"), terms.pop("scales")


def _bound(pair: Pair, source: Source, index: Tensor, samples: int, batch_size: int, progress: bool) -> Tensor:
    bounds = []
    for x in _batches(pair, source, index, min(batch_size, 50), "NLL", progress):
        certain = not pair.encode(x).variance.any()  # a code from a finite set: each sample would be the same
        bounds.append(importance_weighted_bound(pair, x, 1 if certain else samples).double().cpu())
    return torch.cat(bounds)


def _batches(pair: Pair, source: Source, index: Tensor, batch_size: int, name: str, progress: bool) -> Iterator[Tensor]:
    for part in progress_bar(index.split(batch_size), desc=name, unit="batch", leave=False, shown=progress):
        yield source.images(part).to(pair.beta.device)


def _standard_error(values: Tensor) -> float:
    return float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.inf
