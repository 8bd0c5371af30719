"""The posterior that a guide is compared with, in each of the ways in which it may be given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pyro.poutine.runtime import Message
from torch import Tensor
from torch.distributions import Distribution

from pyrogen import checks
from pyrogen.testing.running.draws import Array, Moments


def check_exact(exact: Any, made: bool = False) -> None:
    """``TypeError`` unless it is a mapping, or, before it was `made`, a callable that makes one."""
    # a class would be made of the arguments, and Pyro's distributions draw when called
    if isinstance(exact, Mapping) or (
        not made and callable(exact) and not isinstance(exact, type) and not isinstance(exact, Distribution)
    ):
        return
    what = "the callable exact must return" if made else "exact must be"
    also = "" if made else ", or a callable that makes it from the arguments"
    raise TypeError(
        f"{what} a mapping from site to posterior, such as {{'z': Normal(0, 1)}}{also}, got {checks.shown(exact)}"
    )


class Known:
    """One site's posterior as moments, with its distribution or draws where they are known; `tests` is their number."""

    def __init__(self, name: str, value: Any, first: Mapping[str, Message]) -> None:
        if name not in first:
            raise ValueError(f"exact must name sites that the guide draws, {', '.join(first) or 'none'}, got {name!r}")
        self.shape = tuple(first[name]["value"].shape)
        self.tests = 6 * max(1, math.prod(self.shape))  # mean and sd, each two-sided, and KS
        self.distribution: Distribution | None = None
        self.draws: Array | None = None
        if isinstance(value, Distribution):
            self._check(name, value.batch_shape + value.event_shape, "the distribution")
            self.distribution = value
            try:
                self.moments = Moments.exact(self._fill(value.mean), self._fill(value.stddev))
            except NotImplementedError:
                self.draws = plain(value.sample((10_000,)))
                self.moments = Moments.of_draws(self.draws)
        elif isinstance(value, tuple | list) and len(value) == 2:
            mean, sd = (torch.from_numpy(_finite(f"exact[{name!r}]", part)) for part in value)
            for what, part in (("the mean", mean), ("the sd", sd)):
                self._check(name, part.shape, what)
            if not (sd > 0).all():
                raise ValueError(f"the exact sd of {name!r} must be positive, got {sd.min().item():g}")
            self.moments = Moments.exact(self._fill(mean), self._fill(sd))
        elif isinstance(value, Tensor | np.ndarray):
            self.draws = _finite(f"exact[{name!r}]", value)
            if self.draws.shape[1:] != self.shape or self.draws.shape[:1] < (100,):
                shape = ", ".join(["n", *map(str, self.shape)]) + "," * (not self.shape)
                raise ValueError(
                    f"exact draws of {name!r} must be ({shape}) with n at least 100, got shape {self.draws.shape}"
                )
            self.moments = Moments.of_draws(self.draws)
        else:
            raise TypeError(
                f"exact[{name!r}] must be a distribution, a pair (mean, sd) or an array of draws, got "
                f"{checks.shown(value)}"
            )

    def _check(self, name: str, shape: Any, what: str) -> None:
        try:
            agrees = tuple(torch.broadcast_shapes(shape, self.shape)) == self.shape
        except RuntimeError:
            agrees = False
        if not agrees:
            raise ValueError(f"{what} of {name!r} must have the guide's shape {self.shape}, got {tuple(shape)}")

    def _fill(self, value: Tensor) -> Array:
        return np.broadcast_to(plain(value), self.shape)


def plain(value: Any, name: str = "the posterior") -> Array:
    """Return numbers or a tensor as a float64 array, off the graph and off any device; `name` is for the error."""
    array: Array = checks.array(name, value).astype(np.float64)
    return array


def _finite(name: str, value: Any) -> Array:
    array = plain(value, name)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {int((~np.isfinite(array)).sum())} values that are not")
    return array
