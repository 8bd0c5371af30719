"""Running a pair's programs for images: what the model draws, and what it makes of the guide's means."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import _Subsample
from torch import Tensor


class OwnParameters(Messenger):
    """Reads ``pyro.module`` and ``pyro.param`` tensors from the module itself and leaves the global store alone."""

    def _pyro_param(self, msg: Any) -> None:
        if msg["value"] is None and len(msg["args"]) > 1 and isinstance(msg["args"][1], torch.Tensor):
            msg["value"], msg["done"] = msg["args"][1], True


class AtTheMean(Messenger):
    """Gives each latent the mean of its distribution, or a draw where that has no mean."""

    def _pyro_sample(self, msg: Any) -> None:
        taken = msg["is_observed"] or msg["value"] is not None or isinstance(msg["fn"], _Subsample)
        value = None if taken or is_discrete(msg["fn"]) else moment_of(msg["fn"])
        if value is not None:
            msg["value"], msg["done"] = value, True


def traced(program: Any, *args: Any, **kwargs: Any) -> Trace:
    """Return the trace of a program; an error in it stays as it is, where ``get_trace`` would append all shapes."""
    with poutine.trace() as tracer:
        program(*args, **kwargs)
    return tracer.trace


def moment_of(distribution: Any, moment: Literal["mean", "stddev"] = "mean") -> Tensor | None:
    """Return the mean or deviation of a distribution; None where it has none, as a flow or a Cauchy distribution."""
    try:
        found: Tensor = getattr(distribution, moment)
    except (NotImplementedError, AttributeError):
        return None
    return found if bool(torch.isfinite(found).all()) else None


def is_discrete(distribution: Any) -> bool:
    """Return whether a distribution says that its values are discrete, so that their mean need not be one of them."""
    try:
        return bool(distribution.support.is_discrete)
    except (NotImplementedError, AttributeError):
        return False


def drawn_by_model(pair: Any, *args: Any, given: dict[str, Tensor] | None = None) -> Trace:
    """Return the trace of a model that observes nothing, or `given` alone, without a gradient, in evaluation mode."""
    with evaluating(pair):
        return traced(poutine.condition(poutine.uncondition(pair.model), data=given or {}), *args)


def at_the_mean(pair: Any, *args: Any) -> Trace:
    """Return the trace of the model at the mean of each of the guide's latents."""
    with evaluating(pair):
        with AtTheMean():
            guide = traced(pair.guide, *args)
        return traced(poutine.replay(pair.model, trace=guide), *args)


def site_log_prob(site: dict[str, Any]) -> Tensor:
    """Return log of the density of a site at its value, in its batch shape, without its mask and weight."""
    try:
        nats: Tensor = site["fn"].log_prob(site["value"])
    except ValueError as error:  # PyTorch's validation
        said = str(error).split(", but found")[0]
        raise ValueError(f"{site['name']!r} must be a value that its distribution can take: {said}") from error
    return nats


def likelihood_value(site: dict[str, Any], mean: bool) -> Tensor:
    """Return the mean of what is observed, or with ``mean=False`` the value at the site."""
    found = moment_of(site["fn"]) if mean else None
    return site["value"] if found is None else found


@contextmanager
def evaluating(pair: Any) -> Iterator[None]:
    """Run a pair's programs in evaluation mode, without gradients and without Pyro's parameter store."""
    with in_evaluation_mode(pair), torch.no_grad(), OwnParameters(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* was not registered in the param store", UserWarning)
        yield


@contextmanager
def in_evaluation_mode(pair: Any) -> Iterator[None]:
    """Let nothing learn or be dropped; each part's own mode comes back afterwards."""
    modes = [(module, module.training) for module in pair.modules()]
    try:
        pair.eval()
        yield
    finally:
        for module, mode in modes:  # a part may have been frozen on its own
            module.training = mode


@contextmanager
def put_back(*parameters: Tensor) -> Iterator[None]:
    """Give parameters back, on the way out, the values that they have now."""
    kept = [parameter.detach().clone() for parameter in parameters]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.copy_(value)
