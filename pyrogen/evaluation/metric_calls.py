"""The metrics that ``pg.evaluate`` is asked for: checked before any work, called when the codes are there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from pyrogen import checks
from pyrogen.progress import progress_bar

Metric = Callable[..., float]
Asked = tuple[Metric, Any, dict[str, Any]]  # the metric, the factors, and what else it takes but the scale
_WHAT = (
    "metrics must be a list of functions of (codes, factors), such as pg.metrics.mig, a functools.partial of one, or "
    "your own"
)


def check_metrics(metrics: Any, data: Any) -> None:
    """Refuse anything but a list of functions of (codes, factors), and metrics on data without factors."""
    if callable(metrics):
        raise TypeError(
            "metrics must be a list of functions, got one function: pass it in a list, metrics=[pg.metrics.mig]"
        )
    if not isinstance(metrics, Sequence) or isinstance(metrics, str | bytes):
        raise TypeError(f"{_WHAT}, got {metrics!r}")
    for metric in metrics:
        _check_signature(metric)
    if metrics and not hasattr(data, "factors"):
        raise ValueError(
            f"data must have a method factors(index) for metrics, got a {type(data).__name__}: write a data set "
            "whose factors(index) returns whole numbers (B, factors), or leave the metrics out"
        )


def bound_metrics(metrics: Sequence[Metric], data: Any, index: Tensor) -> dict[str, Asked]:
    """Return each metric by its name, with the factors of the images at `index` and what it takes beside codes and
    scale.

    Raises:
        TypeError, ValueError: for settings and factors that can be told to be wrong without codes.
    """
    if not metrics:
        return {}
    factors = data.factors(index).cpu().numpy()
    known = {"factor_names": getattr(data, "factor_names", None)}
    asked: dict[str, Asked] = {}
    for metric in metrics:
        name = next(free for free in _names(metric, len(metrics)) if free not in asked)
        arguments = {key: value for key, value in known.items() if _takes(metric, key)}
        try:
            _check_settings(metric, factors, arguments | _fixed(metric))
        except (TypeError, ValueError) as error:
            raise type(error)(f"the metric {name!r} cannot score these data: {error}") from error
        asked[name] = metric, factors, arguments
    return asked


def metric_values(asked: Mapping[str, Asked], means: Tensor, scales: Tensor, progress: bool) -> dict[str, float]:
    """Return each metric's value by its name.

    Raises:
        TypeError, ValueError, RuntimeError: if a metric fails, with its name and what it said; other errors of it
            become a RuntimeError.
    """
    values: dict[str, float] = {}
    bar = progress_bar(asked.items(), desc="metrics", unit="metric", leave=False, shown=progress)
    for name, (metric, factors, arguments) in bar:
        bar.set_postfix_str(name)
        if _takes(metric, "scale"):
            arguments = arguments | {"scale": scales.numpy()}
        try:
            values[name] = metric(means.numpy(), factors, **arguments)
            float(values[name])
        except Exception as error:
            kind = type(error) if type(error) in (TypeError, ValueError) else RuntimeError
            raise kind(f"the metric {name!r} failed: {error}") from error
    return values


def _check_signature(metric: Any) -> None:
    try:
        names = list(inspect.signature(metric).parameters)[:2]
    except (TypeError, ValueError):  # no function, or one that does not say what it takes
        raise TypeError(f"{_WHAT}, got the entry {metric!r}") from None
    shown = next(iter(_names(metric, 1)))
    if _is_ours(metric) and names != ["codes", "factors"]:  # a distance of two samples, an entropy
        raise TypeError(f"{_WHAT}, got {shown}, which takes ({', '.join(names)})")
    try:
        inspect.signature(metric).bind(
            "codes", "factors", **{key: None for key in ("scale", "factor_names") if _takes(metric, key)}
        )
    except TypeError as error:
        raise TypeError(f"{_WHAT}, got {shown}, which cannot be called so: {error}") from None


def _check_settings(metric: Metric, factors: Any, settings: Mapping[str, Any]) -> None:
    """Refuse a preset, a left-out column or factors of these images that a metric of pg.metrics would refuse."""
    from pyrogen import metrics as ours
    from pyrogen.metrics.validation import as_mixed_factors, check_several

    if not _is_ours(metric):
        return  # another's rules are not known
    function = metric.func if isinstance(metric, partial) else metric
    presets = getattr(inspect.getmodule(function), "PRESETS", None)
    if presets and "preset" in settings:
        checks.one_of("preset", settings["preset"], presets)
    rules = {key: settings[key] for key in ("continuous", "factor_names", "leave_out") if key in settings}
    values = as_mixed_factors(np.asarray(factors), **rules)
    if function in (ours.factor_vae_score, ours.beta_vae_score, ours.info_modularity):
        check_several(values.names)


def _is_ours(metric: Metric) -> bool:
    function = metric.func if isinstance(metric, partial) else metric
    return str(getattr(function, "__module__", "")).startswith("pyrogen.metrics.")


def _takes(metric: Metric, key: str) -> bool:
    return key in inspect.signature(metric).parameters and key not in _fixed(metric)


def _fixed(metric: Metric) -> dict[str, Any]:
    return metric.keywords if isinstance(metric, partial) else {}


def _names(metric: Metric, number: int) -> list[str]:
    """Return the names that a metric may have: a ``partial`` is named after its function and the texts that it
    fixes."""
    name = getattr(metric.func if isinstance(metric, partial) else metric, "__name__", type(metric).__name__)
    name = "_".join([name, *(str(v) for v in _fixed(metric).values() if isinstance(v, str))])
    return [name, *(f"{name} {i}" for i in range(2, number + 1))]  # two may differ in their bins alone
