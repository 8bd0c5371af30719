"""What Python code can get at from a program: its closures, globals, attributes and the modules among them."""

from __future__ import annotations

import contextvars
import functools
import gc
import logging
import os
import sys
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

import pyro
import torch
from torch import nn

LIBRARIES = frozenset(
    {"torch", "pyro", "pyroapi", "numpy", "scipy", "pandas", "sklearn", "opt_einsum", "tqdm", "pyrogen"}
)
SIMPLE = (bool, int, float, complex, str, bytes, type(None))
STATELESS = ("builtins", "torch", "pyro", "weakref", "operator", "inspect", "_abc", "_contextvars", "_thread")
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
        if isinstance(value, (*SIMPLE, types.ModuleType)):
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield path, value
        waiting.extend(children(path, value))


def children(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, object) for what `value` holds itself, simple values too."""
    if isinstance(value, torch.Tensor | logging.Logger):  # what has been logged changes nothing
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
        items = sorted(value, key=hash) if isinstance(value, set | frozenset) else list(value)
        yield from ((f"{path}[{i}]", item) for i, item in enumerate(items))
    elif isinstance(value, type):
        if not is_library(value.__module__):
            yield from ((f"{value.__name__}.{key}", item) for key, item in list(vars(value).items()) if key[:2] != "__")
            yield from (
                (f"{value.__name__}.{key}", item) for key, item in list(vars(value).items()) if _is_special(key, item)
            )
    elif value is os.environ:  # but for what torch's compiler notes there
        yield from ((f"{path}[{name!r}]", text) for name, text in value.items() if not name.startswith("TORCH"))
    elif isinstance(value, contextvars.ContextVar):
        yield f"{path}.get()", value.get(None)
    elif isinstance(value, functools._lru_cache_wrapper):
        yield path, value.__wrapped__
        for kept in gc.get_referents(value):  # the results, those of a cache without a bound in a dict
            for item in kept.values() if isinstance(kept, dict) and kept is not value.__dict__ else (kept,):
                if not isinstance(item, type | types.FunctionType) and "_lru_list_elem" not in type(item).__name__:
                    yield f"{path}'s cache", item
    elif isinstance(value, staticmethod | classmethod):
        yield path, value.__func__
    elif isinstance(value, property):
        yield from ((path, function) for function in (value.fget, value.fset) if function)
    else:
        yield from ((f"{path}.{key}", item) for key, item in _attributes(value))
        yield from ((base.__name__, base) for base in type(value).__mro__[:-1])


def being_registered() -> nn.Module | None:
    """Return the module that a ``pyro.module`` up the stack registers, for its messages name a parameter alone."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not pyro.module.__code__:
        frame = frame.f_back
    return frame.f_locals["nn_module"] if frame else None


def is_value(value: Any) -> bool:
    """Return whether an object never changes and is compared by its value, such as a NumPy number or a `Decimal`."""
    try:
        own = hash(value) != object.__hash__(value)
    except TypeError:
        return False
    return own and not (hasattr(value, "__dict__") or is_memory(value))


def is_memory(value: Any) -> bool:
    """Return whether an object is memory that can be written, such as a `bytearray`, or a number of ctypes."""
    try:
        return not memoryview(value).readonly
    except (TypeError, ValueError, BufferError):
        return False


def is_opaque(value: Any) -> bool:
    """Return whether an object keeps a state where Python cannot follow it, such as an `array` or a connection."""
    if is_memory(value):
        return True
    if hasattr(value, "__dict__") or is_value(value) or isinstance(value, (*CONTAINERS, dict)):
        return False
    own = any("__slots__" in vars(base) for base in type(value).__mro__ if not is_library(base.__module__))
    return not own and type(value).__module__.partition(".")[0] not in STATELESS


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
    yield from slots_of(value)


def slots_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of the attributes that an object keeps in ``__slots__`` of its classes."""
    for base in type(value).__mro__:
        slots = getattr(base, "__slots__", ()) if not is_library(base.__module__) else ()
        for key in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, key):
                yield key, getattr(value, key)


def _of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    name = function.__name__
    if is_library(function.__module__) and not function.__closure__:
        return
    yield from _closed(function)
    if is_library(function.__module__):
        return
    yield from ((f"{name}'s default", item) for item in function.__defaults__ or ())
    yield from ((f"{name}'s default", item) for item in (function.__kwdefaults__ or {}).values())
    yield from ((f"{name}.{key}", item) for key, item in vars(function).items())
    for variable in sorted(_names(function.__code__)):
        if variable in function.__globals__:
            yield variable, function.__globals__[variable]
        if variable in ("environ", "getenv"):
            yield "os.environ", os.environ
    for module, named in modules_of(function):
        yield from ((f"{module.__name__}.{name}", item) for name, item in named.items())


def _closed(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield variable, cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue


def modules_of(function: types.FunctionType) -> Iterator[tuple[types.ModuleType, dict[str, Any]]]:
    """Yield the imported modules whose attributes a function's code names, and these; of libraries only numbers."""
    names = _names(function.__code__)
    closed = {name: item for name, item in _closed(function) if isinstance(item, types.ModuleType)}
    held = closed | {name: item for name, item in function.__globals__.items() if name in names}
    waiting = [held.get(name, sys.modules.get(name)) for name in sorted(names | closed.keys())]
    seen: set[int] = set()
    while waiting:
        module = waiting.pop()
        if isinstance(module, types.ModuleType) and id(module) not in seen:
            seen.add(id(module))
            named = {name: vars(module)[name] for name in sorted(names & vars(module).keys())}
            if is_library(module.__name__):  # where programs may leave a number
                named = {name: item for name, item in named.items() if isinstance(item, SIMPLE)}
            yield module, named
            waiting.extend(named.values())


def _names(code: types.CodeType) -> set[str]:
    """Return the names that a function's code looks up, those of the functions inside of it too."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))
