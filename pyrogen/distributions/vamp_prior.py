"""The VampPrior: a mixture of the guide's own posteriors at inputs that are learned."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
import torch
from pyro import distributions as dist
from torch import Tensor, nn

from pyrogen import checks
from pyrogen.config import Described
from pyrogen.distributions.wrappers import is_point


class VampPrior(Described, nn.Module):
    r"""p(z) = 1/K Σₖ q(z | uₖ), with q the guide's posterior and uₖ learned pseudo-inputs.

    Of all priors the aggregated posterior 1/N Σₙ q(z | xₙ) makes the ELBO greatest. The VampPrior has K such terms in
    place of N, and training finds their inputs. Calling the object returns the mixture; it is made from the encoder's
    present weights, so call it once a step. KL(q ‖ p) has no closed form and is estimated by log q(z) − log p(z) at a
    draw. Source: Tomczak and Welling 2018, https://arxiv.org/abs/1705.07120.

    **The same encoder.** `encoder` is kept, not copied: pass the pair's own, and model and guide both train it.

    **The range.** Inputs must stay in the data's range, so the free parameters are reflected at its bounds: −0.1 stands
    for 0.1. Start values are kept to the last bit, 0 and 1 too, and no entry ever loses its gradient, as it would where
    a sigmoid or a clamp is flat.

    Args:
        encoder: x ``(K, *shape)`` to q(z | x), a distribution over ``(L,)``, and ``encoder.shape``.
        pseudo_inputs: their start values ``(K, *shape)``, such as K images of the data, or K for random ones: uniform
            in the range, or N(0, 1) without a range.
        bounds: the range (low, high) of the pseudo-inputs; infinite ends set no bound. ``None`` is [0, 1] if the start
            values lie in it, as pixels do, or are random, and no bounds otherwise.

    Attributes:
        encoder: the encoder, the object that was passed.
        free: the parameters, ``(K, *shape)``.
        bounds: (low, high).

    Raises:
        TypeError: for an encoder without a ``shape``, or one that returns no distribution.
        ValueError: for no pseudo-input, values of another shape, not finite or out of `bounds`, or an encoder whose
            q(z | x) is a point.

    Example:
        >>> import pyrogen as pg
        >>> x = torch.bernoulli(torch.full((100, 8, 8), 0.3))
        >>> encoder = pg.nn.MLPEncoder((8, 8), latent=3)
        >>> prior = pg.distributions.VampPrior(encoder, x[:20])
        >>> vae = pg.models.VAE(encoder, pg.nn.MLPDecoder((8, 8), latent=3), prior=prior)
        >>> history = pg.fit(vae, x, steps=5, progress=False).history
        >>> prior.pseudo_inputs.shape, vae.sample(4).shape
        (torch.Size([20, 8, 8]), torch.Size([4, 8, 8]))
    """

    def __init__(
        self, encoder: nn.Module, pseudo_inputs: Tensor | int, bounds: tuple[float, float] | None = None
    ) -> None:
        super().__init__()
        shape = _shape_of(encoder)
        given = not isinstance(pseudo_inputs, numbers.Integral)
        start = _checked(pseudo_inputs, shape, encoder) if given else None
        self.bounds = _range(bounds, start)
        low, high = self.bounds
        if start is None:
            start = _random(pseudo_inputs, self.bounds, shape, encoder)
        elif start.min() < low or start.max() > high:
            raise ValueError(
                f"pseudo-inputs must lie in [{low:g}, {high:g}], got values in "
                f"[{start.min().item():g}, {start.max().item():g}]: rescale them, or pass other bounds"
            )
        self.free = nn.Parameter(start)
        self.encoder = encoder
        _check_posterior(encoder, start[:1])
        # The values travel with the weights: what rebuilds a saved prior is their number and their range.
        for name, value in {"pseudo_inputs": len(start), "bounds": self.bounds}.items():
            if name in self._arguments:
                self._arguments[name] = value

    @property
    def pseudo_inputs(self) -> Tensor:
        """u, ``(K, *shape)``, within the bounds: the free parameters, reflected where they are outside."""
        low, high = self.bounds
        u: Tensor = self.free
        if math.isfinite(high - low):
            there_and_back = torch.remainder(u - low, 2 * (high - low))
            folded = torch.minimum(there_and_back, 2 * (high - low) - there_and_back)
            return torch.where((u >= low) & (u <= high), u, low + folded)  # the last bit of what is inside stays
        if low > -math.inf:
            return torch.where(u < low, 2 * low - u, u)
        return torch.where(u > high, 2 * high - u, u)

    def forward(self) -> dist.TorchDistribution:
        """p(z), batch shape (), event shape (L,)."""
        posteriors = self.encoder(self.pseudo_inputs)
        equal = dist.Categorical(logits=torch.zeros_like(self.free.flatten(1)[:, 0]))
        result: dist.TorchDistribution = dist.MixtureSameFamily(equal, posteriors)
        return result


def _shape_of(encoder: Any) -> tuple[int, ...]:
    if not (isinstance(encoder, nn.Module) and hasattr(encoder, "shape")):
        raise TypeError(f"encoder must say the shape of one x, as a pg.nn.Encoder does, got a {type(encoder).__name__}")
    shape: Any = encoder.shape
    return tuple(shape)


def _checked(pseudo_inputs: Any, shape: tuple[int, ...], encoder: nn.Module) -> Tensor:
    """Start values as a new tensor in the encoder's floating-point type."""
    if not isinstance(pseudo_inputs, torch.Tensor | np.ndarray):
        raise TypeError(
            f"pseudo_inputs must be a tensor (K, *shape) or their number K, got a {type(pseudo_inputs).__name__}"
        )
    values: Tensor = checks.tensor("pseudo_inputs", pseudo_inputs)
    found = tuple(values.shape)
    if found[1:] != shape or len(found) == 0 or found[0] == 0:
        raise ValueError(
            f"pseudo-inputs must be (K, {', '.join(map(str, shape))}) with K of at least 1, as the encoder takes "
            f"them, got {found}"
        )
    start = values.detach().clone().to(_like(encoder))
    if not torch.isfinite(start).all():
        raise ValueError(f"pseudo-inputs must be finite, got {(~torch.isfinite(start)).sum()} values that are not")
    return start


def _range(bounds: Any, start: Tensor | None) -> tuple[float, float]:
    if bounds is None:
        inside = start is None or bool(((start >= 0) & (start <= 1)).all())
        return (0.0, 1.0) if inside else (-math.inf, math.inf)
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        raise TypeError(f"bounds must be two numbers (low, high) or None, got {checks.shown(bounds)}")
    low, high = (checks.real("bounds", bound, finite=False) for bound in bounds)
    if not low < high:
        raise ValueError(f"bounds must be (low, high) with low < high, got {checks.shown(bounds)}")
    return low, high


def _random(number: Any, bounds: tuple[float, float], shape: tuple[int, ...], encoder: nn.Module) -> Tensor:
    number = checks.whole("pseudo_inputs", number, least=1, most=checks.LARGEST_COUNT)
    low, high = bounds
    like, size = _like(encoder), (number, *shape)
    if math.isfinite(high - low):
        return low + (high - low) * torch.rand(size, dtype=like.dtype, device=like.device)
    return torch.randn(size, dtype=like.dtype, device=like.device)


def _like(encoder: nn.Module) -> Tensor:
    """Return a tensor of the encoder's type and place."""
    weights = [weight for weight in encoder.parameters() if weight.is_floating_point()]
    return weights[0] if weights else torch.zeros(())


@torch.no_grad()
def _check_posterior(encoder: nn.Module, x: Tensor) -> None:
    modes = [(module, module.training) for module in encoder.modules()]
    encoder.eval()  # batch norm in training mode needs several inputs, and would remember them
    try:
        q = encoder(x)
    finally:
        for module, mode in modes:
            module.training = mode
    if not isinstance(q, torch.distributions.Distribution):
        raise TypeError(f"the encoder must return a distribution q(z | x), got a {type(q).__name__}")
    if is_point(q):
        raise ValueError(
            "the encoder must return a q(z | x) with a density, got a point: use an encoder that returns a Normal"
        )
    if len(q.batch_shape) != 1 or len(q.event_shape) != 1:
        raise ValueError(
            "the encoder must return one distribution over vectors for each input: batch shape (1,) and event shape "
            f"(L,) for one input, got {tuple(q.batch_shape)} and {tuple(q.event_shape)}"
        )
