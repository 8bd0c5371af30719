"""The likelihood p(x | z): what a decoder's last layer means for a pixel."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks, tensors
from pyrogen.config import Described

LikelihoodName: TypeAlias = Literal["bernoulli", "continuous_bernoulli", "gaussian"]


class Likelihood(Described, nn.Module, ABC):
    """Turns a decoder's output ``(*batch, *shape)`` into a distribution over ``shape``."""

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, output: Tensor, event_dim: int) -> dist.TorchDistribution:
        """Return the distribution of x given the network's `output`; the last `event_dim` dimensions are one event."""

    @abstractmethod
    def check(self, x: Tensor) -> None:
        """Raise ``ValueError`` with a sentence if values of `x` lie outside this likelihood's support."""


class Bernoulli(Likelihood):
    """Binary pixels: log p(x | z) = Σ x log σ(o) + (1 − x) log(1 − σ(o)), o the logits; minus the cross-entropy."""

    def forward(self, output: Tensor, event_dim: int) -> dist.TorchDistribution:
        """Bernoulli with logits `output`."""
        output = _output(output, event_dim)
        with finite("output"):
            distribution: dist.TorchDistribution = dist.Bernoulli(logits=output).to_event(event_dim)
        return distribution

    def check(self, x: Tensor) -> None:
        """Pixels must be 0 or 1."""
        x = checks.tensor("x", x)
        _check_range(x, 0.0, 1.0, "bernoulli")
        if not torch.is_floating_point(x):
            return  # integers in [0, 1] are binary
        gray = (x != 0) & (x != 1)
        if gray.any():
            raise ValueError(
                f"pixels must be 0 or 1 for a Bernoulli likelihood, got {gray.float().mean().item():.2%} between: use "
                'likelihood="continuous_bernoulli" for gray pixels in [0, 1] (or "gaussian"), or binarize the images'
            )


class ContinuousBernoulli(Likelihood):
    """Gray pixels in [0, 1]: p(x | z) = C(λ) λˣ (1 − λ)¹⁻ˣ with λ = σ(output).

    C(λ) is the normalizer that a Bernoulli "likelihood" of gray pixels leaves out. Source: Loaiza-Ganem and
    Cunningham 2019, https://arxiv.org/abs/1907.06845.
    """

    def forward(self, output: Tensor, event_dim: int) -> dist.TorchDistribution:
        """Continuous Bernoulli with logits `output`."""
        output = _output(output, event_dim)
        with finite("output"):
            distribution: dist.TorchDistribution = dist.ContinuousBernoulli(logits=output).to_event(event_dim)
        return distribution

    def check(self, x: Tensor) -> None:
        """Pixels must lie in [0, 1]."""
        _check_range(x, 0.0, 1.0, "continuous_bernoulli")


class Gaussian(Likelihood):
    """Real pixels: log p(x | z) = −‖x − o‖² / 2σ² − D log σ√2π, that is squared error with a stated noise.

    Args:
        scale: the noise σ > 0, in the data's units: one number, or one for each entry of x (a column of a table, say),
            in any shape that broadcasts against x.
        learned: make σ a parameter that starts at `scale`, so that each entry of it moves; by default it stays.
    """

    def __init__(self, scale: float | Sequence[Any] | Tensor = 1.0, learned: bool = False) -> None:
        super().__init__()
        values, learned = _noise(scale), checks.flag("learned", learned)
        if values.dim() and "scale" in self._arguments:  # a tensor's values would be lost in a description
            object.__setattr__(self, "_arguments", {**self._arguments, "scale": values.tolist()})
        log_scale = values.log().to(torch.get_default_dtype())
        if learned:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self, output: Tensor, event_dim: int) -> dist.TorchDistribution:
        """Normal around `output`."""
        output = _output(output, event_dim)
        tensors.broadcast(output=output.shape, scale=self.log_scale.shape)
        if self.log_scale.dim() > event_dim:
            raise ValueError(
                f"the noise of a Gaussian likelihood must have a shape that fits x, got {tuple(self.log_scale.shape)} "
                f"for {tuple(output.shape[-event_dim:])}"
            )
        with finite("output"):
            distribution: dist.TorchDistribution = dist.Normal(output, self.log_scale.exp()).to_event(event_dim)
        return distribution

    def check(self, x: Tensor) -> None:
        """Pixels must be finite."""
        _check_range(x, -math.inf, math.inf, "gaussian")


def _noise(scale: Any) -> Tensor:
    """σ as a float64 tensor, positive and finite."""
    if not isinstance(scale, list | tuple | Tensor | np.ndarray) or (
        isinstance(scale, Tensor | np.ndarray) and not scale.ndim
    ):
        return torch.tensor(checks.real("scale", scale, above=0), dtype=torch.float64)
    try:
        values = torch.as_tensor(checks.array("scale", scale), dtype=torch.float64).detach().clone()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"scale must be a number or one for each entry, got {checks.shown(scale)}") from error
    if not bool((torch.isfinite(values) & (values > 0)).all()) or not values.numel():
        raise ValueError(f"scale must be finite and above 0 in each entry, got {checks.shown(scale)}")
    return values


@contextmanager
def finite(what: str) -> Iterator[None]:
    """Say of what a distribution is made where its own validation finds values that are not finite."""
    try:
        yield
    except ValueError as error:
        if not str(error).startswith("Expected"):
            raise
        raise ValueError(
            f"{what} must be finite, and of this input they are not: look for NaN and huge values in it and in the "
            "weights"
        ) from error


_BY_NAME: dict[LikelihoodName, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
}


def make_likelihood(likelihood: LikelihoodName | Likelihood) -> Likelihood:
    """Return the likelihood of that name (``"bernoulli"``, ``"gaussian"``, ``"continuous_bernoulli"``), or the one
    given."""
    if isinstance(likelihood, Likelihood):
        return likelihood
    return _BY_NAME[checks.one_of("likelihood", likelihood, _BY_NAME)]()


def signed(x: Tensor) -> Tensor:
    """Return unsigned integers of more than 8 bits as int64, for torch can hardly compute with them."""
    return x.to(torch.int64) if x.dtype in (torch.uint16, torch.uint32, torch.uint64) else x


def _output(output: Any, event_dim: int) -> Tensor:
    """Return a network's output as a floating-point tensor with `event_dim` dimensions or more."""
    values: Tensor = checks.tensor("output", output)
    checks.whole("event_dim", event_dim, least=0, most=values.dim())
    return values if values.is_floating_point() else values.to(torch.get_default_dtype())


def _check_range(x: Tensor, low: float, high: float, name: str) -> None:
    x = signed(checks.tensor("x", x))
    if not x.numel():
        raise ValueError(f"the data must hold values, got shape {tuple(x.shape)}")
    if torch.is_floating_point(x) and not torch.isfinite(x).all():
        bad = (~torch.isfinite(x)).sum().item()
        raise ValueError(f"x must be finite, got {bad} NaN or infinite values: clean them before training")
    least, most = x.min().item(), x.max().item()
    if least < low or most > high:
        raise ValueError(
            f"pixels must be in [{low:g}, {high:g}] for a {name} likelihood, got values in [{least:g}, {most:g}]: "
            + ("divide 8-bit images by 255" if 1 < most <= 255 and least >= 0 else "rescale them")
            + ', or use likelihood="gaussian" for unbounded data'
        )
