"""What every encoder and decoder shares: a network takes a tensor and returns a distribution."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.config import Described
from pyrogen.nn.likelihoods import Likelihood, LikelihoodName, finite, make_likelihood


class Encoder(Described, nn.Module, ABC):
    """q(z | x) = N(μ(x), diag σ²(x)): a tensor ``(*batch, *shape)`` to a Normal over ``(latent,)``.

    A subclass gives `parameters_of`; without a log σ² it is a point, q(z | x) = δ(z − μ(x)), as a plain autoencoder has
    it. All leading dimensions are batch, or x has none of them. ``pg.fit`` records what the networks compute and
    replays it, so they must not branch in Python on the values of x.

    Args:
        shape: the shape of one x, for images (channels, height, width).
        latent: the number of latent dimensions L.
    """

    def __init__(self, shape: Sequence[int], latent: int) -> None:
        super().__init__()
        self.shape = check_shape(shape)
        self.latent = checks.whole("latent", latent, least=1)

    @abstractmethod
    def parameters_of(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """μ and log σ², each (B, L), of a batch ``(B, *shape)``; μ and None for a point."""

    def forward(self, x: Tensor) -> dist.TorchDistribution:
        """Return the posterior q(z | x), batch shape ``x.shape[:-len(shape)]``, event shape ``(latent,)``."""
        x, batch = rows(self, x, self.shape, "x")
        loc, log_variance = self.parameters_of(x)
        loc = fitting(loc, (len(x), self.latent), "the μ of parameters_of")
        loc = full(loc).reshape(*batch, self.latent)
        if log_variance is None:
            with finite("the μ of parameters_of"):
                point: dist.TorchDistribution = dist.Delta(loc).to_event(1)
            return point
        log_variance = fitting(log_variance, (len(x), self.latent), "the log σ² of parameters_of")
        scale = (0.5 * bounded(log_variance)).exp().reshape(*batch, self.latent)
        with finite("the μ and log σ² of parameters_of"):
            normal: dist.TorchDistribution = dist.Normal(loc, scale).to_event(1)
        return normal


class Decoder(Described, nn.Module, ABC):
    """p(x | z): a tensor ``(*batch, latent)`` to the likelihood over ``shape``.

    A subclass gives `output_of`, which the likelihood turns into a distribution.

    Args:
        shape: the shape of one x.
        latent: the number of latent dimensions L.
        likelihood: ``"bernoulli"``, ``"gaussian"``, ``"continuous_bernoulli"``, or a `Likelihood` object such as
            ``pg.nn.Gaussian(scale=0.1)``.
    """

    def __init__(
        self, shape: Sequence[int], latent: int, likelihood: LikelihoodName | Likelihood = "bernoulli"
    ) -> None:
        super().__init__()
        self.shape = check_shape(shape)
        self.latent = checks.whole("latent", latent, least=1)
        self.likelihood = make_likelihood(likelihood)

    @abstractmethod
    def output_of(self, z: Tensor) -> Tensor:
        """Return the network's output ``(B, *shape)`` for a batch ``(B, L)``."""

    def forward(self, z: Tensor) -> dist.TorchDistribution:
        """Return the likelihood p(x | z), batch shape ``z.shape[:-1]``, event shape ``shape``."""
        z, batch = rows(self, z, (self.latent,), "z")
        return explained(self, self.output_of(z), len(z), batch)


def explained(decoder: Any, output: Tensor, number: int, batch: tuple[int, ...]) -> dist.TorchDistribution:
    """Return the decoder's likelihood at what its `output_of` gave for `number` rows, of this batch shape."""
    output = full(fitting(output, (number, *decoder.shape), "what output_of returns"))
    if len(batch) != 1:
        output = output.reshape(*batch, *decoder.shape)
    with finite("what output_of returns"):
        distribution: dist.TorchDistribution = decoder.likelihood(output, len(decoder.shape))
    return distribution


def bounded(log_variance: Tensor) -> Tensor:
    """Return log σ², kept where neither σ² nor a sum of some of them overflows, whatever unit the data are in."""
    most = min(30.0, 0.8 * math.log(torch.finfo(log_variance.dtype).max))  # 30 for float32, 8.9 for float16
    return full(log_variance).clamp(-most, most)


def full(output: Tensor) -> Tensor:
    """Return a network's output in float32 under autocast, for a sum over pixels needs the digits."""
    if torch.is_autocast_enabled(output.device.type) and output.dtype in (torch.bfloat16, torch.float16):
        return output.float()
    return output


def rows(network: nn.Module, x: Any, event: tuple[int, ...], name: str) -> tuple[Tensor, tuple[int, ...]]:
    """Return ``(*batch, *event)`` as rows ``(B, *event)`` in the type of the network's weights, and ``batch``.

    The values are looked at while Pyro's validation is on: it is off in the steps of ``pg.fit``.

    Raises:
        TypeError: for what holds no real numbers.
        ValueError: for another shape, masked entries, or values that are not finite.
    """
    x = checks.tensor(name, x)
    weights = next((weight for weight in network.parameters() if weight.is_floating_point()), None)
    if weights is not None:
        x = x.to(weights)
    elif not x.is_floating_point():
        x = x.to(torch.get_default_dtype())
    batch = batch_shape(x, event, name)
    if dist.is_validation_enabled() and not torch.isfinite(x).all():
        raise ValueError(f"{name} must be finite in {x.dtype}, got NaN, infinite or too large values")
    return x if len(batch) == 1 else x.reshape(-1, *event), batch


def batch_shape(x: Tensor, event: tuple[int, ...], name: str) -> tuple[int, ...]:
    """Return the leading dimensions of ``x`` before its event shape; ``ValueError`` if the event shape is another."""
    split = x.dim() - len(event)
    if split < 0 or tuple(x.shape[split:]) != event:
        raise ValueError(f"{name} must have shape (*batch, {', '.join(map(str, event))}), got {tuple(x.shape)}")
    return tuple(x.shape[:split])


def fitting(output: Tensor, shape: tuple[int, ...], what: str) -> Tensor:
    """`output` of a subclass, unless it has another shape: a reshape would hide that where the sizes agree."""
    if not isinstance(output, Tensor):
        raise TypeError(f"{what} must be a tensor of shape {shape}, got a {type(output).__name__}")
    if tuple(output.shape) != shape:
        raise ValueError(f"{what} must have shape {shape}, got {tuple(output.shape)}")
    return output


def check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return `shape` as a tuple of positive whole numbers, at least one."""
    result = checks.sizes("shape", shape, example="(1, 64, 64)")
    if not result:
        raise ValueError("shape must be positive sizes such as (1, 64, 64), got ()")
    return result


def check_widths(widths: Sequence[int], name: str, example: str, least: int = 1) -> tuple[int, ...]:
    """Return `widths`, units or channels of `least` layers or more, as a tuple of positive whole numbers."""
    result = checks.sizes(name, widths, example=example)
    if len(result) < least:
        raise ValueError(f"{name} must be the widths of at least {least} layers, such as {example}, got {widths!r}")
    return result


def event_size(shape: tuple[int, ...]) -> int:
    """Return the number of values in one x."""
    return math.prod(shape)
