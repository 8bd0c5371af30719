"""What a step evaluates: the terms of a pair's objective on a batch, and the gradients of its parameters."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from pyro.infer import TraceTailAdaptive_ELBO
from torch import Tensor

from pyrogen.models import Pair, Programs
from pyrogen.training.objectives import elbo_terms
from pyrogen.training.step.elbo import loss_and_gradients
from pyrogen.training.step.trainable import dense, trainable
from pyrogen.training.step.watch import unchecked
from pyrogen.warn import warn

Precision = Literal["float32", "bf16"]
Result = tuple[Tensor, list[Tensor | None]]


class PairObjective:
    """The objective of one of pyrogen's own pairs, in nats per image; running it is what a plain step does.

    Args:
        pair: the pair.
        size: N.
        precision: "bf16" runs the networks under autocast; weights and terms stay float32.

    Attributes:
        columns: the names of the entries of a row of terms, known after the first run.
        monitored, per_latent, charges: those among them that are not terms, the KL of single latents, and charges.
        sites: column to the names of the sites behind it.
        units: of the terms.
        has_value: whether the loss is a number; Pyro gives infinity for `TraceTailAdaptive_ELBO`, and gradients.
    """

    units = "nats per image"
    has_value = True

    def __init__(self, pair: Pair, size: int, precision: Precision = "float32") -> None:
        self.pair, self.size, self.precision = pair, size, precision
        self.columns: tuple[str, ...] = ()
        self.monitored: tuple[str, ...] = ()
        self.per_latent: tuple[str, ...] = ()
        self.charges: tuple[str, ...] = ()
        self.sites: dict[str, str] = {}

    def __call__(self, batch: Any, beta: Tensor) -> Result:
        """Return the row of terms and the gradient of each trained parameter, or None in its place."""
        parameters, buffers = list(trainable(self.pair).values()), self.pair._buffers
        own, buffers["beta"] = buffers["beta"], beta
        try:
            with torch.enable_grad(), cast(beta.device, self.precision):
                terms = elbo_terms(self.pair, batch, self.size)
                row = terms.row()
        finally:
            buffers["beta"] = own
        self.columns, self.monitored = terms.columns, tuple(terms.monitored)
        self.per_latent, self.charges = terms.per_latent, tuple(terms.charges)
        kinds = {"reconstruction": terms.reconstruction, "kl": terms.kl, "penalty": terms.penalty}
        self.sites = {"objective": "all"} | {kind: ", ".join(sites) for kind, sites in kinds.items()}
        if not terms.objective.requires_grad:
            return row, [None] * len(parameters)
        gradients = torch.autograd.grad(terms.objective, parameters, allow_unused=True, materialize_grads=True)
        return row, list(map(dense, gradients))


class ProgramsObjective:
    """The loss of anyone's programs, in nats, as SVI has it; arguments and attributes are those of `PairObjective`."""

    units = "nats"
    monitored: tuple[str, ...] = ()
    per_latent: tuple[str, ...] = ()
    charges: tuple[str, ...] = ()

    def __init__(self, pair: Programs, size: int, precision: Precision = "float32") -> None:
        self.pair: Programs = pair
        self.size, self.precision = size, precision
        self.has_value = not isinstance(pair.loss, TraceTailAdaptive_ELBO)
        self.columns: tuple[str, ...] = ()
        self.sites: dict[str, str] = {}
        self.told = self.grows = False

    def __call__(self, batch: Any, beta: Tensor) -> Result:
        """Return the row of terms and the gradient of each trained parameter; β has no part in it."""
        with cast(self.pair.beta.device, self.precision):
            terms, gradients, sites = loss_and_gradients(self.pair, batch, self.size, self.grows)
        self.columns, self.sites = self.columns or tuple(terms), self.sites or sites
        self._compare(tuple(terms))
        zero = torch.zeros((), dtype=torch.float64)
        row = torch.stack([terms.get(name, zero).to(zero).reshape(()) for name in self.columns])
        return row, list(gradients.values())

    def _compare(self, names: tuple[str, ...]) -> None:
        other = sorted(set(names) ^ set(self.columns))
        if other and not self.told:
            self.told = True
            warn(
                f"the programs' sites differ from call to call ({other[0]}, for one): the history keeps the terms of "
                "the first step, and 0 where one is missing"
            )


Objective = PairObjective | ProgramsObjective


def not_finite(objective: Objective, row: Any) -> tuple[int, str]:
    """Return the place of the first term of a row that is not finite, and how a sentence calls it.

    The objective, the sum of the others, comes last.
    """
    place = next(i for i in [*range(1, len(row)), 0] if not math.isfinite(row[i]))
    name = objective.columns[place]
    if name in objective.charges:
        return place, f"charge term of site {name!r}"
    name = "kl" if name in objective.per_latent else name
    shown, site = "KL" if name == "kl" else name, objective.sites.get(name, "all")
    return place, shown if site == "all" else f"{shown} term of site {site!r}"


def cast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """Return the autocast that the caller or `precision` asks for; its cache of weights would go stale."""
    if precision == "bf16":
        dtype = torch.bfloat16
    elif torch.is_autocast_enabled(device.type):
        dtype = torch.get_autocast_dtype(device.type)
    else:
        return nullcontext()
    return torch.autocast(device.type, dtype, cache_enabled=False)


class Weight:
    """β as a tensor like `like` in type and device, made anew only when it changes."""

    def __init__(self, like: Tensor) -> None:
        self._dtype, self._device = like.dtype, like.device
        self._value, self._tensor = math.nan, torch.empty(0)

    def __call__(self, beta: float | Tensor) -> Tensor:
        """Return β, a number or a tensor on its device, as a tensor."""
        if isinstance(beta, Tensor):
            return beta.to(self._device, self._dtype)
        if beta != self._value:
            self._value, self._tensor = beta, torch.full((), beta, dtype=self._dtype, device=self._device)
        return self._tensor


class PlainStep:
    """Runs the programs at each step."""

    way = "plain"

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._beta = Weight(objective.pair.beta)

    def __call__(self, batch: Any, beta: float | Tensor) -> Result:
        """Return the row of terms and the gradients."""
        with unchecked():
            return self.objective(batch, self._beta(beta))
