"""What a tutorial's model/guide pair is to a test: two programs, their arguments and the loss that they are trained by.

The pairs are written anew after Pyro's examples and tutorials (https://pyro.ai/examples), on data of a few dozen
numbers, so that a step of SVI takes milliseconds. As there, parameters have global names: `build` empties Pyro's
parameter store first, and only the pair made last can be used.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyro
import torch
from pyro.infer import ELBO, Trace_ELBO
from pyro.infer.autoguide import AutoGuide


@dataclass(frozen=True)
class Pair:
    """A model and a guide with their arguments, and the ELBO that their tutorial minimizes."""

    model: Callable[..., Any]
    guide: Callable[..., Any]
    args: tuple[Any, ...]
    loss: ELBO
    note: str
    kwargs: dict[str, Any] = field(default_factory=dict)


class Tutorial:
    """A pair as a class: sound ones define `model` and `guide`, faulty ones override one of them.

    What is in `__init__` is drawn from the pair's seed; data come from their own generator and are always the same.
    """

    note = ""
    model: Callable[..., Any]
    guide: Callable[..., Any]

    def args(self) -> tuple[Any, ...]:
        return ()

    def kwargs(self) -> dict[str, Any]:
        return {}

    def loss(self) -> ELBO:
        return Trace_ELBO()


def build(kind: Callable[[], Tutorial], seed: int) -> Pair:
    """The pair with its parameters at a place that the seed chooses; an AutoGuide has seen its model once."""
    pyro.clear_param_store()
    torch.manual_seed(seed)
    program = kind()
    pair = Pair(program.model, program.guide, program.args(), program.loss(), program.note, program.kwargs())
    if isinstance(program.guide, AutoGuide):
        program.guide(*pair.args, **pair.kwargs)
    return pair


@dataclass(frozen=True)
class Case:
    """A sound pair by name; `make(seed)` is a fresh one."""

    name: str
    kind: Callable[[], Tutorial]

    def make(self, seed: int) -> Pair:
        return build(self.kind, seed)


def data_generator(seed: int = 7) -> torch.Generator:
    """Data are drawn from this, so that they do not depend on a pair's seed."""
    return torch.Generator().manual_seed(seed)
