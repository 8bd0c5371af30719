"""Runs of a user's programs that leave nothing behind: no weight, gradient, buffer, random state or parameter."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyro
import torch
from pyro.util import get_rng_state, set_rng_state
from torch import nn

from pyrogen.models.running import put_back

Program = Callable[..., Any]
_LARGEST = 1000  # a longer list is data


@contextmanager
def nothing_changed(*programs: Program) -> Iterator[None]:
    """Restore, on the way out, everything that a run of the programs may have changed.

    These are Pyro's parameter store, the random states of Python, numpy and torch, and the values, gradients and
    ``requires_grad`` of all known parameters. Modules that the programs refer to get back their buffers (running means
    of a batch norm) and their train or eval modes. What a program keeps in other places (a counter, a list) stays as
    the run left it. An AutoGuide that was never called sets itself up, as at its first call. Warnings are not
    shown: the checks say in their own words what Pyro warns of.
    """
    store, rng = pyro.get_param_store(), get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    state, held = store.get_state(), (store._params, store._constraints, store._param_to_name)
    modules = [part for program in programs for module in modules_of(program).values() for part in module.modules()]
    modes = [(module, module.training) for module in modules]
    tensors = {id(t): t for t in state["params"].values()}
    for module in modules:
        tensors |= {id(t): t for t in (*module._parameters.values(), *module._buffers.values()) if t is not None}
    kept = [(t, t.detach().clone(), t.grad if t.is_leaf else None, t.requires_grad) for t in tensors.values()]
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        with torch.no_grad():
            for tensor, value, gradient, trained in kept:
                if not torch.equal(tensor, value):  # also where NaN is
                    tensor.copy_(value)
                if tensor.is_leaf:
                    tensor.grad = gradient
                    if tensor.requires_grad != trained:  # Pyro's store turns it on
                        tensor.requires_grad_(trained)
        for module, training in modes:
            module.training = training
        store._params, store._constraints, store._param_to_name = held  # the same dicts, for a pair may own them
        for names in held:
            names.clear()
        store.set_state(state)
        set_rng_state(rng)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def modules_of(program: Any) -> dict[str, nn.Module]:
    """Return the modules that a program refers to, by the name it calls them.

    >>> net = nn.Linear(1, 1)
    >>> list(modules_of(lambda x: net(x)))
    ['net']
    """
    return dict(referred(spoken(program), program, nn.Module))


def referred(
    name: str, value: Any, kind: type | tuple[type, ...], depth: int = 0, seen: set[int] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield the objects of one kind that a value refers to: in its object, closure, globals, arguments and items."""
    seen = set() if seen is None else seen
    if id(value) in seen or depth > 4:
        return
    seen.add(id(value))
    if isinstance(value, kind):
        yield name, value
    else:
        for key, part in _parts(name, value):
            yield from referred(key, part, kind, depth + 1, seen)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a value in a program refers to, by the name it calls that."""
    if isinstance(value, functools.partial):
        yield name, value.func
        yield from ((f"argument {i}", part) for i, part in enumerate(value.args))
        yield from value.keywords.items()
    elif inspect.ismethod(value):
        yield name, value.__self__
        yield name, value.__func__
    elif inspect.isfunction(value):
        closure = inspect.getclosurevars(value)
        yield from (*closure.nonlocals.items(), *closure.globals.items())
        if hasattr(value, "__wrapped__"):
            yield name, value.__wrapped__
    elif isinstance(value, dict | list | tuple):
        if len(value) <= _LARGEST:
            items = value.items() if isinstance(value, dict) else ((f"{name}[{i}]", v) for i, v in enumerate(value))
            yield from ((str(key), part) for key, part in items)
    elif hasattr(value, "__dict__") and not inspect.ismodule(value) and not inspect.isclass(value):
        yield from vars(value).items()


def spoken(program: Any) -> str:
    """Return what a user calls a program: the name of its function, or of the class of its object."""
    while isinstance(program, functools.partial):
        program = program.func
    if inspect.ismethod(program):
        return type(program.__self__).__name__
    return getattr(program, "__name__", type(program).__name__)


def named_parameters(*programs: Program) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield each parameter that the programs' modules hold, once, with what a user calls it: ``encoder.weight``."""
    seen: set[int] = set()
    for program in programs:
        for name, module in modules_of(program).items():
            for inner, parameter in module.named_parameters():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield f"{name}.{inner}", parameter


@contextmanager
def shaken(seed: int, size: float = 0.02) -> Iterator[None]:
    """Move each parameter in Pyro's store a little, each entry otherwise, and back on the way out."""
    generator = torch.Generator().manual_seed(seed)
    parameters = [p for p in pyro.get_param_store()._params.values() if p.is_floating_point()]
    with put_back(*parameters):
        with torch.no_grad():
            for parameter in parameters:
                noise = torch.randn(parameter.shape, generator=generator).to(parameter)
                parameter += size * noise * (0.5 + parameter.abs())
        yield
