"""``pg.evaluate``: score a trained pair on held-out data without changing it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pyrogen.evaluation.bounds import elbo_terms_per_image, importance_weighted_bound
from pyrogen.evaluation.scores import Scores
from pyrogen.inference.batches import Source, as_source
from pyrogen.models import Pair
from pyrogen.progress import progress_bar

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

    No weight, mode or random state changes.

    Args:
        pair: a pyrogen pair.
        data: held-out images: a tensor, a pyrogen data set or a map-style torch ``Dataset``.
        metrics: functions of (codes, factors), such as ``pg.metrics.mig`` or a ``functools.partial`` of it; codes
            are the posterior means. One that takes ``scale`` is also given the posterior standard deviations, one
            that takes ``factor_names`` the names. The data must then have ``factors(index)``.
        images: at most how many images the ELBO and the metrics are computed on, drawn by `seed`.
        nll_images: at most how many of them the NLL is computed on.
        importance_samples: K of the NLL; the estimate falls towards −log p(x) as K grows.
        batch_size: images that are encoded together.
        seed: of the choice of images and of the draws.
        progress: show a bar.

    Raises:
        TypeError, ValueError: for data that do not fit, or metrics on data without factors.

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
    if callable(metrics):
        raise TypeError("metrics must be a list of functions: metrics=[pg.metrics.mig]")
    if metrics and not hasattr(data, "factors"):
        raise ValueError("metrics compare codes with known factors, and these data have no factors(index) method")
    source = as_source(data, pair)
    generator = torch.Generator().manual_seed(seed)
    index = torch.randperm(len(source), generator=generator)[:images]
    device, modes = pair.beta.device, [(module, module.training) for module in pair.modules()]
    try:
        pair.eval()
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
            torch.manual_seed(seed)
            scores, means, scales = _terms(pair, source, index, batch_size, progress)
            bound = _bound(pair, source, index[:nll_images], importance_samples, batch_size, progress)
    finally:
        for module, mode in modes:  # a part may have been frozen on its own
            module.training = mode
    terms = {name: column.double() for name, column in scores.items() if name != "kl_per_latent"}
    terms["nll"] = -bound.double()
    return Scores(
        **{name: float(column.mean()) for name, column in terms.items()},
        standard_errors={name: _standard_error(column) for name, column in terms.items()},
        beta=float(pair.beta),
        kl_per_latent=scores["kl_per_latent"].double().mean(0).tolist() if "kl_per_latent" in scores else None,
        active_units=int((means.double().var(0) > ACTIVE).sum()) if len(means) > 1 else 0,
        images=len(index),
        nll_images=len(bound),
        importance_samples=importance_samples,
        metrics=_metrics(metrics, means, scales, data, index),
    )


def _terms(
    pair: Pair, source: Source, index: Tensor, batch_size: int, progress: bool
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The ELBO's terms (n,) by name, posterior means and standard deviations (n, L)."""
    rows: dict[str, list[Tensor]] = {}
    for x in _batches(pair, source, index, batch_size, "ELBO", progress):
        terms, q = elbo_terms_per_image(pair, x), pair.encode(x)
        row = {
            "elbo": -(terms.reconstruction + terms.kl),
            "reconstruction": terms.reconstruction,
            "kl": terms.kl,
            "objective": terms.reconstruction + pair.beta * terms.kl,
            "means": q.mean,
            "scales": q.stddev,
        }
        if terms.kl_per_latent is not None:
            row["kl_per_latent"] = terms.kl_per_latent
        for name, value in row.items():
            rows.setdefault(name, []).append(value.cpu())
    scores = {name: torch.cat(column) for name, column in rows.items()}
    return scores, scores.pop("means"), scores.pop("scales")


def _bound(pair: Pair, source: Source, index: Tensor, samples: int, batch_size: int, progress: bool) -> Tensor:
    batches = _batches(pair, source, index, min(batch_size, 50), "NLL", progress)
    return torch.cat([importance_weighted_bound(pair, x, samples).cpu() for x in batches])


def _batches(pair: Pair, source: Source, index: Tensor, batch_size: int, name: str, progress: bool) -> Iterator[Tensor]:
    for part in progress_bar(index.split(batch_size), desc=name, unit="batch", leave=False, shown=progress):
        yield source.images(part).to(pair.beta.device)


def _standard_error(values: Tensor) -> float:
    return float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.inf


def _metrics(
    metrics: Sequence[Callable[..., float]], means: Tensor, scales: Tensor, data: Any, index: Tensor
) -> dict[str, float]:
    """Each metric's value; a ``partial`` is named after its function and the settings that it fixes."""
    if not metrics:
        return {}
    factors = data.factors(index).cpu().numpy()
    extra = {"scale": scales.double().numpy(), "factor_names": getattr(data, "factor_names", None)}
    values: dict[str, float] = {}
    for metric in metrics:
        known = inspect.signature(metric).parameters
        fixed = metric.keywords if isinstance(metric, partial) else {}
        name = getattr(metric.func if isinstance(metric, partial) else metric, "__name__", type(metric).__name__)
        name = "_".join([name, *(str(v) for v in fixed.values() if isinstance(v, str))])
        names = (name, *(f"{name} {i}" for i in range(2, len(metrics) + 1)))
        name = next(free for free in names if free not in values)  # two may differ in their bins alone
        arguments = {key: value for key, value in extra.items() if key in known and key not in fixed}
        values[name] = metric(means.double().numpy(), factors, **arguments)
    return values
