"""Runs of a user's programs that leave nothing behind: no weight, gradient, buffer, random state or parameter."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyro
import torch
from pyro.util import get_rng_state, set_rng_state
from torch import Tensor, nn

Program = Callable[..., Any]
_LARGEST = 1000  # a longer list is data


@contextmanager
def nothing_changed(*programs: Program) -> Iterator[None]:
    """Restore, on the way out, everything that a run of the programs may have changed.

    These are Pyro's parameter store, the random states of Python, numpy and torch, and the values, gradients and
    ``requires_grad`` of all known parameters. Modules that the programs refer to get back their buffers (running means
    of a batch norm) and their train or eval modes. What a program keeps in other places (a counter, a list) stays as
    the run left it. An AutoGuide that was never called sets itself up, as at its first call.
    """
    store, rng = pyro.get_param_store(), get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    state, held = store.get_state(), (store._params, store._constraints, store._param_to_name)
    modules = [part for program in programs for module in modules_of(program).values() for part in module.modules()]
    modes = [(module, module.training) for module in modules]
    tensors = {id(t): t for t in state["params"].values()}
    tensors |= {
        id(t): t
        for module in modules
        for t in (*module._parameters.values(), *module._buffers.values())
        if t is not None
    }
    kept = [(t, t.detach().clone(), t.grad if t.is_leaf else None, t.requires_grad) for t in tensors.values()]
    try:
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
    """Return the modules that a program refers to, by the name it calls them: its object, closure, globals, partial
    arguments.

    >>> net = nn.Linear(1, 1)
    >>> list(modules_of(lambda x: net(x)))
    ['net']
    """
    found: dict[str, nn.Module] = {}
    seen: set[int] = set()

    def look(name: str, value: Any, depth: int) -> None:
        if id(value) in seen or depth > 4:
            return
        seen.add(id(value))
        if isinstance(value, nn.Module):
            found[name] = value
        elif isinstance(value, functools.partial):
            look(name, value.func, depth + 1)
            for key, part in [*((f"argument {i}", a) for i, a in enumerate(value.args)), *value.keywords.items()]:
                look(key, part, depth + 1)
        elif inspect.ismethod(value):
            look(name, value.__self__, depth + 1)
            look(name, value.__func__, depth + 1)
        elif inspect.isfunction(value):
            closure = inspect.getclosurevars(value)
            for key, part in [*closure.nonlocals.items(), *closure.globals.items()]:
                look(key, part, depth + 1)
            if hasattr(value, "__wrapped__"):
                look(name, value.__wrapped__, depth + 1)
        elif isinstance(value, dict) and len(value) <= _LARGEST:
            for key, part in value.items():
                look(str(key), part, depth + 1)
        elif isinstance(value, list | tuple) and len(value) <= _LARGEST:
            for i, part in enumerate(value):
                look(f"{name}[{i}]", part, depth + 1)
        elif hasattr(value, "__dict__") and not inspect.ismodule(value) and not inspect.isclass(value):
            for key, part in vars(value).items():
                look(key, part, depth + 1)

    look(spoken(program), program, 0)
    return found


def spoken(program: Any) -> str:
    """Return what a user calls a program: the name of its function, or of the class of its object."""
    while isinstance(program, functools.partial):
        program = program.func
    if inspect.ismethod(program):
        return type(program.__self__).__name__
    return getattr(program, "__name__", type(program).__name__)


def frozen_parameters(*programs: Program) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters, by name, that the programs' modules hold with ``requires_grad=False``."""
    found: dict[int, tuple[str, nn.Parameter]] = {}
    for program in programs:
        for name, module in modules_of(program).items():
            for inner, parameter in module.named_parameters():
                if not parameter.requires_grad:
                    found.setdefault(id(parameter), (f"{name}.{inner}", parameter))
    return list(found.values())


def name_of(tensor: Tensor, *programs: Program) -> str:
    """Return what a user calls this parameter: ``encoder.weight`` if a module of the programs has it, else its
    shape."""
    for program in programs:
        for name, module in modules_of(program).items():
            for inner, parameter in module.named_parameters():
                if parameter is tensor:
                    return f"{name}.{inner}"
    return f"a tensor of shape {tuple(tensor.shape)}"
