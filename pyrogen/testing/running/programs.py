"""The pair under test: a model, a guide and their arguments, and the runs of them that the checks look at."""

from __future__ import annotations

import inspect
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyro
import torch
from pyro import infer, poutine
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import SubsampleMessenger
from pyro.poutine.trace_struct import Trace
from torch import Tensor

from pyrogen import checks
from pyrogen.models import Programs
from pyrogen.testing.running.isolation import Program
from pyrogen.testing.running.sites import latents, marked_for_enumeration, unconstrained

BOUNDS = (infer.Trace_ELBO, infer.TraceGraph_ELBO, infer.TraceEnum_ELBO)  # and TraceMeanField_ELBO, a Trace_ELBO
_COMPILED = (infer.JitTrace_ELBO, infer.JitTraceEnum_ELBO, infer.JitTraceGraph_ELBO, infer.JitTraceMeanField_ELBO)
Gradients = dict[str, tuple[Tensor, Tensor | None]]  # by name a parameter, unconstrained, and its gradient
Batch = Callable[[Tensor], tuple[tuple[Any, ...], Mapping[str, Any]]]


class OutOfTime(Exception):
    """The time that a check may take is over."""


@dataclass(frozen=True)
class Tested:
    """A model and a guide with the arguments that both are called with.

    Attributes:
        model: a Pyro program of the joint distribution.
        guide: a Pyro program of the approximate posterior.
        args: positional arguments of both.
        kwargs: keyword arguments of both.
        loss: the ELBO that trains the pair: an instance of ``pyro.infer.ELBO``, or a callable
            ``loss(model, guide, *args, **kwargs)`` that returns a differentiable scalar; None chooses by the sites.
        seed: where the random numbers of the checks start.
        as_loss: whether runs are made as `loss` makes them: with its enumeration and its plate of particles.
        deadline: the time, by ``time.monotonic()``, from which on a run raises `OutOfTime`.
    """

    model: Program
    guide: Program
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    loss: Any = None
    seed: int = 0
    as_loss: bool = False
    deadline: float = math.inf

    def __post_init__(self) -> None:
        bound = getattr(self.loss, "__self__", None)
        if isinstance(bound, infer.ELBO):  # elbo.loss and elbo.differentiable_loss stand for the ELBO itself
            object.__setattr__(self, "loss", bound)
        own = self.loss is not None and not isinstance(self.loss, infer.ELBO)
        if isinstance(self.loss, type) or (own and (not callable(self.loss) or hasattr(self.loss, "step"))):
            wanted = "an ELBO of Pyro, such as Trace_ELBO(), or a callable loss(model, guide, *args, **kwargs)"
            raise TypeError(f"loss must be {wanted}, got {checks.shown(self.loss)}")
        if not isinstance(self.args, tuple | list):
            wanted = "the arguments of model and guide as a tuple, such as args=(x,)"
            raise TypeError(f"args must be {wanted}, got {checks.shown(self.args)}")
        if not isinstance(self.kwargs, Mapping):
            wanted = "a dict of arguments, such as {'n': 3}"
            raise TypeError(f"kwargs must be {wanted}, got {checks.shown(self.kwargs)}")
        object.__setattr__(self, "args", tuple(self.args))
        object.__setattr__(self, "kwargs", dict(self.kwargs))
        for name, program in (("model", self.model), ("guide", self.guide)):
            if not callable(program):
                raise TypeError(f"{name} must be a Pyro program, a callable, got {checks.shown(program)}")
            try:
                inspect.signature(program).bind(*self.args, **self.kwargs)
            except TypeError as error:
                raise TypeError(f"{name} must take these args and kwargs, got {error}") from None
            except ValueError:  # no signature to be had: the call will tell
                pass

    def run(self, program: Program, at: Trace | None = None) -> Trace:
        """Return a run of a program from the random state as it stands, at the draws of a trace if one is given."""
        program = program if at is None else poutine.replay(program, trace=at)
        return poutine.trace(program).get_trace(*self.args, **self.kwargs)

    def model_alone(self, seed: int = 0) -> Trace:
        """Return a run of the model that draws its latents from the prior."""
        self.start(seed)
        return self.run(self.model)

    def guide_alone(self, seed: int = 0) -> Trace:
        """Return a run of the guide."""
        if self.runs_the_model or self.as_loss:
            return self.together(seed)[0]
        self.start(seed)
        return self.run(self.guide)

    @property
    def runs_the_model(self) -> bool:
        """Whether the guide is one of Pyro's messengers, which run the model themselves and draw at its sites."""
        return isinstance(poutine.unwrap(self.guide), Messenger)

    def together(self, seed: int = 0) -> tuple[Trace, Trace]:
        """Return a run of the guide, and one of the model at the guide's draws: (guide's trace, model's trace)."""
        self.start(seed)
        if self.runs_the_model:
            self.guide(*self.args, **self.kwargs)
            unwrapped: Any = poutine.unwrap(self.guide)
            model, guide = unwrapped.get_traces()
        elif self.as_loss:
            with pyro.validation_enabled(False):
                model, guide = next(iter(self.loss._get_traces(self.model, self.guide, self.args, self.kwargs)))
        else:
            guide = self.run(self.guide)
            model = self.run(self.model, at=guide)
        return guide, model

    def start(self, seed: int) -> None:
        """Set the random state in which run number `seed` begins."""
        if time.monotonic() > self.deadline:
            raise OutOfTime
        number = self.seed * 1_000_003 + seed
        random.seed(number)
        np.random.seed(number % 2**32)  # noqa: NPY002 (programs may draw from it)
        torch.default_generator.manual_seed(number)  # torch.manual_seed formats a stack trace for CUDA each time
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(number)

    def elbo(self) -> Any:
        """Return the loss to evaluate: the one given, uncompiled; else the ELBO of Pyro that these sites call for."""
        given = self.loss
        if self.evaluates and isinstance(given, _COMPILED):
            plain: Any = type(given).__base__
            return plain(given.num_particles, given.max_plate_nesting, vectorize_particles=given.vectorize_particles)
        if self.evaluates:
            return given
        guide, model = self.together()
        marked = any(marked_for_enumeration(site) for trace in (guide, model) for _, site in latents(trace))
        return infer.TraceEnum_ELBO() if marked else infer.Trace_ELBO()

    @property
    def evaluates(self) -> bool:
        """Whether a loss was given whose value is the objective that its gradient descends."""
        if isinstance(self.loss, infer.ELBO):
            return isinstance(self.loss, (*BOUNDS, infer.RenyiELBO)) and not isinstance(
                self.loss, infer.TraceTailAdaptive_ELBO
            )
        return self.loss is not None

    @property
    def own_loss(self) -> bool:
        """Whether the loss is from outside of ``pyro.infer``: a callable, or an ELBO of the user or a library."""
        if not isinstance(self.loss, infer.ELBO):  # EnergyDistance is one that Pyro wrote
            return self.loss is not None
        return not type(self.loss).__module__.startswith("pyro.infer.")

    def is_number(self, loss: Any) -> bool:
        """Return whether a loss of the user's own returns a number, through which no gradient passes."""
        if isinstance(loss, infer.ELBO) or hasattr(loss, "loss_and_grads"):
            return False
        self.start(0)
        return not isinstance(loss(self.model, self.guide, *self.args, **self.kwargs), Tensor)

    def value(self, loss: Any, seed: int) -> float:
        """One estimate of the loss, in nats; Pyro's own validation, which structure has seen through, is off."""
        self.start(seed)
        with torch.no_grad(), pyro.validation_enabled(False):
            estimate = loss.loss if isinstance(loss, infer.ELBO) else loss  # type: ignore[attr-defined]
            return float(estimate(self.model, self.guide, *self.args, **self.kwargs))

    def gradients(self, loss: Any, seed: int, validated: bool = False) -> tuple[float, Gradients]:
        """One estimate of the loss and, by name, each unconstrained parameter that it registered with its gradient."""
        self.start(seed)
        for parameter in pyro.get_param_store()._params.values():
            parameter.grad = None
        with poutine.trace(param_only=True) as capture, pyro.validation_enabled(validated):
            if hasattr(loss, "loss_and_grads"):
                value = loss.loss_and_grads(self.model, self.guide, *self.args, **self.kwargs)
            else:
                value = loss(self.model, self.guide, *self.args, **self.kwargs)
                if isinstance(value, Tensor) and value.requires_grad:
                    value.backward()
        found = {}
        for name, site in capture.trace.nodes.items():
            parameter = unconstrained(site["value"])
            found[name] = (parameter, None if parameter.grad is None else parameter.grad.detach().clone())
        for parameter, _ in found.values():
            parameter.grad = None
        return float(sum(value) if isinstance(value, tuple) else value), found  # wake and sleep have a loss each


def both_programs(model: Any, guide: Any) -> tuple[Program, Program]:
    """Return the two programs: as they are given, or those of an object that has both."""
    both = callable(getattr(model, "model", None)) and callable(getattr(model, "guide", None))
    if both and guide is not None and not callable(guide):
        raise TypeError(f"guide must be left out beside an object with both, got {checks.shown(guide)}: pass args=(x,)")
    if guide is not None:
        return model, guide
    if not both:
        raise TypeError("guide must be a Pyro program, unless model has both, such as a pg.models.VAE, got None")
    return model.model, model.guide


def own_pair(model: Any, guide: Any) -> Programs | None:
    """Return the `Programs` that these two programs belong to, which keeps their parameters; None without one."""
    pair = model if guide is None else getattr(model, "__self__", None)
    its = isinstance(pair, Programs) and (guide is None or (model, guide) == (pair.model, pair.guide))
    return pair if its else None


@contextmanager
def whole_plates() -> Iterator[None]:
    """Let every ``pyro.plate(name, N, subsample_size=B)`` take all N indices in their order."""
    original = SubsampleMessenger._subsample

    def all_of_it(
        name: str, size: int | None = None, subsample_size: int | None = None, subsample: Any = None, *rest: Any
    ) -> Any:
        return original(name, size, None, subsample, *rest)

    SubsampleMessenger._subsample = staticmethod(all_of_it)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        SubsampleMessenger._subsample = staticmethod(original)  # type: ignore[method-assign]
