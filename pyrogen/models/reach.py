"""What Python code can get at from a program: its closures, globals, attributes and the modules among them."""

from __future__ import annotations

import functools
import sys
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

LIBRARIES = frozenset(
    {"torch", "pyro", "pyroapi", "numpy", "scipy", "pandas", "sklearn", "opt_einsum", "tqdm", "pyrogen"}
)
CONTAINERS = (list, tuple, set, frozenset, deque)


def reachable(**roots: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, object) for the roots and all that they hold, each object once.

    Followed are closures, defaults and the globals that a function names, attributes of objects and of their classes,
    the entries of containers, and ``functools.partial``. Code of libraries is not looked into; their objects are.

    Args:
        roots: the objects to start from, under the names that begin their paths.

    Example:
        >>> def guide_of(net):
        ...     return lambda x: net(x)
        >>> found = reachable(guide=guide_of(nn.Linear(1, 1)))
        >>> [type(value).__name__ for _, value in found if isinstance(value, nn.Module)]
        ['Linear']
    """
    seen: set[int] = set()
    waiting: deque[tuple[str, Any]] = deque(roots.items())
    while waiting:
        path, value = waiting.popleft()
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | types.ModuleType):
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield path, value
        waiting.extend(children(path, value))


def children(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, object) for what `value` holds itself, simple values too."""
    if isinstance(value, torch.Tensor):
        return
    if isinstance(value, types.MethodType):
        yield path, value.__self__
        yield path, value.__func__
    elif isinstance(value, types.FunctionType):
        yield from _of_function(value)
    elif isinstance(value, functools.partial):
        yield path, value.func
        yield from ((f"{path}[{i}]", item) for i, item in enumerate(value.args))
        yield from ((f"{path}[{key!r}]", item) for key, item in value.keywords.items())
    elif isinstance(value, dict):
        yield from ((f"{path}[{key!r}]", item) for key, item in list(value.items()))
    elif isinstance(value, CONTAINERS):
        yield from ((f"{path}[{i}]", item) for i, item in enumerate(list(value)))
    elif isinstance(value, type):
        if not is_library(value.__module__):
            yield from ((f"{value.__name__}.{key}", item) for key, item in list(vars(value).items()) if key[:2] != "__")
            yield from (
                (f"{value.__name__}.{key}", item) for key, item in list(vars(value).items()) if _is_special(key, item)
            )
    elif isinstance(value, staticmethod | classmethod):
        yield path, value.__func__
    elif isinstance(value, property):
        yield from ((path, function) for function in (value.fget, value.fset) if function)
    else:
        yield from ((f"{path}.{key}", item) for key, item in _attributes(value))
        yield from ((base.__name__, base) for base in type(value).__mro__[:-1])


def is_library(module: str | None) -> bool:
    """Return whether code of the module `module` keeps no state of a program's own."""
    top = (module or "builtins").partition(".")[0]
    return top in LIBRARIES or (top in sys.stdlib_module_names and top != "__main__")


def _is_special(key: str, item: Any) -> bool:
    return key[:2] == "__" and isinstance(item, types.FunctionType)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    own = getattr(value, "__dict__", None)
    if isinstance(own, dict):
        for key, item in list(own.items()):
            if isinstance(value, nn.Module) and key in ("_parameters", "_buffers", "_modules"):
                yield from item.items()
            elif not key.startswith("_cached"):  # what a transform has computed last
                yield key, item
    for base in type(value).__mro__:
        for key in getattr(base, "__slots__", ()) if not is_library(base.__module__) else ():
            if isinstance(key, str) and hasattr(value, key):
                yield key, getattr(value, key)


def _of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    name = function.__name__
    if is_library(function.__module__) and not function.__closure__:
        return
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield variable, cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue
    if is_library(function.__module__):
        return
    yield from ((f"{name}'s default", item) for item in function.__defaults__ or ())
    yield from ((f"{name}'s default", item) for item in (function.__kwdefaults__ or {}).values())
    yield from ((f"{name}.{key}", item) for key, item in vars(function).items())
    for variable in sorted(_names(function.__code__)):
        if variable in function.__globals__:
            yield variable, function.__globals__[variable]


def _names(code: types.CodeType) -> set[str]:
    """Return the names that a function's code looks up, those of the functions inside of it too."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))
