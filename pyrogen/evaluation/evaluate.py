"""``pg.evaluate``: score a trained pair on held-out data without changing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from pyrogen import checks
from pyrogen.evaluation.evaluate_programs import evaluate_programs
from pyrogen.evaluation.metric_calls import bound_metrics, check_metrics, metric_values
from pyrogen.evaluation.passes import Weights, active, planned, standard_error, terms_of, weights_of
from pyrogen.evaluation.scores import Scores
from pyrogen.models import Pair, Programs
from pyrogen.models.base import check_pair
from pyrogen.models.running import in_evaluation_mode
from pyrogen.random_numbers import seeded
from pyrogen.training.data.sources import as_source


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
    """Return the ELBO and its terms at β = 1, an importance-weighted NLL and disentanglement metrics.

    All of them come from running the pair's `model` and `guide`, over all of their sites; no convenience of the pair
    is asked. No weight, mode or random state changes. Where the guide is a point in a continuous space (a Delta, as in
    a plain autoencoder) at any latent, no bound exists: ELBO, KL and NLL are then None. A code from a finite set, as in
    a VQ-VAE, has a probability, and its −log p(x | z) − log p(z) is a bound like any other.

    Args:
        pair: a pyrogen pair, whose scores are in nats per image. Those of ``pg.models.Programs`` are in nats for all
            data together, with standard errors over the `importance_samples` draws; latents that are enumerated are
            summed out. Where the programs see a part of the data, no NLL is reported.
        data: held-out images: a tensor, a pyrogen data set or a map-style torch ``Dataset``; images and labels for a
            pair that takes both; of `Programs` what they take.
        metrics: functions of (codes, factors), such as ``pg.metrics.mig`` or a ``functools.partial`` of it. The data
            must then have ``factors(index)``. Codes (N, L) are the posterior means, with several latents side by side.
            A guide that states no mean, such as a flow, gives the mean of 100 draws, and ``scores.codes`` says so. A
            metric that takes ``scale`` is also given the posterior standard deviations, one that takes
            ``factor_names`` the names. Of :mod:`pyrogen.metrics` these are mig, latent_gap, dci, sap, modularity,
            explicitness, factor_vae_score, beta_vae_score, info_modularity, info_compactness and info_explicitness. A
            metric of your own names its first two parameters codes and factors.
        images: at most how many images the ELBO and the metrics are computed on, drawn by `seed`.
        nll_images: at most how many of them the NLL is computed on.
        importance_samples: K of the NLL; the estimate falls towards −log p(x) as K grows.
        batch_size: images that are encoded together.
        seed: of the choice of images and of the draws.
        progress: show a bar, also over the metrics.

    Raises:
        TypeError, ValueError: before any work, for sizes that are not whole numbers of at least 1, data that do not
            fit, and weights that are not finite. For metrics that are not functions of codes and factors. For metrics
            on data without factors, or whose factors they cannot score.
        ValueError: for a latent that is in one of the programs only.
        TypeError, ValueError, RuntimeError: naming the metric, if one fails on the codes.

    Example:
        >>> import pyrogen as pg
        >>> vae = pg.models.VAE(pg.nn.MLPEncoder((8, 8), latent=2), pg.nn.MLPDecoder((8, 8), latent=2))
        >>> scores = pg.evaluate(vae, torch.bernoulli(torch.full((100, 8, 8), 0.3)))
        >>> scores.elbo < 0 < scores.kl
        True
    """
    check_pair("pair", pair)
    images, nll_images, samples, batch_size = (
        checks.whole(name, value, least=1, most=checks.LARGEST_COUNT)
        for name, value in {
            "images": images,
            "nll_images": nll_images,
            "importance_samples": importance_samples,
            "batch_size": batch_size,
        }.items()
    )
    seed = checks.seed("seed", seed)
    check_metrics(metrics, data)
    _check_finite(pair)
    if isinstance(pair, Programs):
        if metrics:
            raise ValueError(
                f"metrics must be left out for programs, which have no codes of images, got {len(metrics)}"
            )
        with _left_as_it_was(pair, seed):
            return evaluate_programs(pair, data, samples)
    source = as_source(data, pair)
    generator = torch.Generator().manual_seed(seed)
    index = torch.randperm(len(source), generator=generator)[:images]
    asked = bound_metrics(metrics, data, index)
    with _left_as_it_was(pair, seed):
        how = planned(pair, source, index)
        torch.manual_seed(seed)
        found = terms_of(pair, source, index, how, batch_size, progress)
        weights = Weights()
        if "kl" in found.rows:
            samples = 1 if how.certain else samples
            weights = weights_of(pair, source, index[:nll_images], samples, how, batch_size, progress)
            found.rows["nll"] = -weights.bound
    mean = {name: float(column.mean()) for name, column in found.rows.items()}
    means, scales = (torch.cat([getattr(c, what) for c in found.codes.values()], 1) for what in ("means", "scales"))
    units = {name: active(codes) for name, codes in found.codes.items() if name in found.counted}
    return Scores(
        elbo=mean.get("elbo"),
        reconstruction=mean["reconstruction"],
        kl=mean.get("kl"),
        objective=mean["objective"],
        nll=mean.get("nll"),
        standard_errors={name: standard_error(column) for name, column in found.rows.items()} | found.errors,
        beta=float(pair.beta),
        kl_per_latent=found.kl_per_latent,
        active_units=sum(units.values()) if units and "kl" in found.rows else None,
        images=len(index),
        nll_images=len(found.rows.get("nll", ())),
        importance_samples=samples if "nll" in found.rows else 0,
        metrics=metric_values(asked, means, scales, progress),
        extra=found.extra,
        estimators=found.estimators,
        latent=sum(found.codes[name].means.shape[1] for name in units) or pair.latent,
        sites=found.by_site(units),
        pareto_k=weights.pareto_k,
        codes=found.said,
        draws=weights.draws,
    )


@contextmanager
def _left_as_it_was(pair: Pair, seed: int) -> Iterator[None]:
    """Evaluation mode, no gradients and the seed's random numbers; modes and random state come back afterwards."""
    with in_evaluation_mode(pair), seeded(seed, pair.beta.device), torch.no_grad():
        yield


def _check_finite(pair: Pair) -> None:
    for name, weight in pair.state_dict().items():
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            raise ValueError(
                f"the weights must be finite, got {int((~torch.isfinite(weight)).sum())} entries of {name!r} that are "
                "not: train again with a smaller lr, or load an earlier checkpoint"
            )
