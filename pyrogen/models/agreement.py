"""What a pair is made of, checked: a prior over the codes, and networks that agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from pyro import distributions as dist

from pyrogen import checks

Prior: TypeAlias = dist.TorchDistribution | Callable[[], dist.TorchDistribution]


def checked_prior(prior: Any, event: tuple[int, ...], encoder: Any) -> Any:
    """Return a prior that was passed, if it makes one distribution over `event`.

    Args:
        prior: a distribution, a callable that returns one, or None.
        event: the event shape that it must have.
        encoder: the pair's; a prior made of an encoder's posteriors must be made of this one's.

    Raises:
        TypeError: if it is neither of the three, or returns what is not a distribution.
        ValueError: if it is over another shape, or made of another encoder's posteriors.
    """
    if prior is None:
        return None
    if not (isinstance(prior, torch.distributions.Distribution) or callable(prior)):
        raise TypeError(
            f"prior must be a distribution, a callable that returns one, or None, got {checks.shown(prior)}"
        )
    if getattr(prior, "encoder", encoder) is not encoder:
        raise ValueError("prior must be made with the encoder passed here, got one of another encoder's posteriors")
    made = made_by(prior)
    batch, found = tuple(made.batch_shape), tuple(made.event_shape)
    if (batch, found) != ((), event):
        raise ValueError(
            f"prior must be one distribution over vectors of {event[0]} (event shape {event}), got event shape "
            f"{found} and batch shape {batch}: add .to_event(1), or mend its size"
        )
    return prior


def made_by(prior: Any) -> dist.TorchDistribution:
    """Return the distribution that a prior is, or that it returns when called."""
    if isinstance(prior, torch.distributions.Distribution):
        return prior  # type: ignore[return-value]
    try:
        made: Any = prior()
    except TypeError as error:
        raise TypeError(
            f"prior must be a distribution, or make one without arguments, got an error: {error}"
        ) from error
    if not isinstance(made, torch.distributions.Distribution):
        raise TypeError(f"the prior must return a distribution over the codes, got a {type(made).__name__}")
    return made  # type: ignore[return-value]


def matched(encoder: Any, decoder: Any, grid: bool = False) -> tuple[tuple[int, ...], int]:
    """Return the shape of x and the number of latents, on which two networks must agree, with `grid` on that too.

    Raises:
        TypeError: if one of them does not say.
        ValueError: if they disagree.
    """
    for what in ("grid", "dim", "latent", "shape") if grid else ("latent", "shape"):
        if not (hasattr(encoder, what) and hasattr(decoder, what)):
            bases = "pg.nn.GridEncoder and pg.nn.GridDecoder" if grid else "pg.nn.Encoder and pg.nn.Decoder"
            raise TypeError(
                f"encoder and decoder must both say their {what}, got {type(encoder).__name__} and "
                f"{type(decoder).__name__}: subclass {bases}"
            )
        mine, theirs = getattr(encoder, what), getattr(decoder, what)
        if mine != theirs:
            raise ValueError(f"encoder and decoder must have one {what}, got {mine} and {theirs}")
    return encoder.shape, encoder.latent
