"""The plain step of anyone's programs: what ``SVI.step`` does up to the optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pyro
import torch
from torch import Tensor

from pyrogen.models import Programs
from pyrogen.training.step.elbo import loss_and_gradients

Result = tuple[Tensor, list[Tensor | None]]


class ProgramStep:
    """Runs guide and model at each step.

    The first step is taken when this object is made, for the programs make their parameters while they run; its result
    is handed out when step 0 is asked for. Random numbers are thus drawn in the order in which SVI draws them.

    Args:
        pair: the programs.
        batch_of: the batch of a step.
        size: N, for programs that ask for it.

    Attributes:
        columns: the terms of the history: objective, the sums by kind, then each site where a kind has several.
    """

    monitored: tuple[str, ...] = ()
    per_latent: tuple[str, ...] = ()
    units = "nats"

    def __init__(self, pair: Programs, batch_of: Callable[[int], Any], size: int) -> None:
        self.pair, self.batch_of, self.size = pair, batch_of, size
        terms, gradients = loss_and_gradients(pair, batch_of(0), size)
        self.columns = tuple(terms)
        self.sites = {name: name.partition("_")[2] or name for name in self.columns} | {"objective": "all"}
        self._first: Result | None = (self._row(terms), list(gradients.values()))
        self._after = torch.get_rng_state(), _cuda_state(pair.beta.device)
        self._told = False

    def __call__(self, step: int, beta: float | Tensor) -> Result:
        """The row of terms of step `step`, nats, and the gradient of each trained parameter."""
        first, self._first = self._first, None
        if step == 0 and first is not None:
            cpu, cuda = self._after
            torch.set_rng_state(cpu)
            if cuda is not None:
                torch.cuda.set_rng_state(cuda, self.pair.beta.device)
            return first
        known = set(self.pair.store_names)
        with pyro.validation_enabled(False):
            terms, gradients = loss_and_gradients(self.pair, self.batch_of(step), self.size)
        new = [name for name in self.pair.store_names if name not in known]
        if new:
            raise ValueError(
                f"the programs make the parameter {new[0]!r} at step {step + 1}, after training has begun: make it at "
                "each call"
            )
        self._compare(tuple(terms), step)
        return self._row(terms), list(gradients.values())

    def _row(self, terms: dict[str, Tensor]) -> Tensor:
        zero = torch.zeros((), dtype=torch.float64)
        return torch.stack([terms.get(name, zero).to(zero).reshape(()) for name in self.columns])

    def _compare(self, names: tuple[str, ...], step: int) -> None:
        other = sorted(set(names) ^ set(self.columns))
        if other and not self._told:
            self._told = True
            warnings.warn(
                f"the programs' sites differ from call to call ({other[0]} at step {step + 1}): the history keeps the "
                "terms of the first step, and 0 where one is missing",
                stacklevel=2,
            )


def _cuda_state(device: Any) -> Tensor | None:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None
