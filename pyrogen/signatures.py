"""Arguments checked by their annotations, so that a function with many of them needs no line for each."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar

import numpy as np
import torch

from pyrogen import checks

P = ParamSpec("P")
R = TypeVar("R")
Check = Callable[[str, Any], Any]

MOST_ENTRIES = 10**6  # of a sequence: an endless one ends there


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of a function, or of ``__init__``, by their annotations, and pass them on as plain Python.

    These are checked: ``bool``, ``int``, ``float`` (finite), ``str``, ``Literal``, paths, callables, mappings,
    sequences and tuples, in a container too, and with ``| None``. The function checks ranges itself, and arguments
    with other annotations.

    Raises:
        TypeError, ValueError: from the wrapped function, as the checks in `pyrogen.checks`.

    Example:
        >>> @checked
        ... def area(sides: tuple[float, float]) -> float:
        ...     return sides[0] * sides[1]
        >>> area((2, np.float32(3.0)))
        6.0
        >>> area((2, "3"))
        Traceback (most recent call last):
        TypeError: sides[1] must be a finite number, got '3'
    """
    signature = inspect.signature(function)
    found = {name: _check(_read(p.annotation, function)) for name, p in signature.parameters.items()}
    known = {name: check for name, check in found.items() if check is not None}

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python says what is missing
        for name, check in known.items():
            if name in bound.arguments and bound.arguments[name] is not signature.parameters[name].default:
                bound.arguments[name] = check(name, bound.arguments[name])
        return function(*bound.args, **bound.kwargs)

    return wrapper


def text(name: str, value: Any) -> str:
    """Return a text.

    Raises:
        TypeError: if it is not a string.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, got {checks.shown(value)}")
    return value


SIMPLE: dict[Any, Check] = {bool: checks.flag, int: checks.whole, float: checks.real, str: text}


def _read(annotation: Any, function: Callable[..., Any]) -> Any:
    """Return what an annotation stands for; ``Any`` where only type checkers know its names."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, vars(inspect.getmodule(function)))
    except NameError:
        return Any


def _check(annotation: Any) -> Check | None:
    """Return the check of an annotation, or None for one that is not checked."""
    kind, inner = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if kind in SIMPLE:
        return SIMPLE[kind]
    if kind in (typing.Union, types.UnionType):
        return _union(inner)
    if kind is Literal:
        return lambda name, value: checks.one_of(name, value, inner)
    if kind is Callable:
        return _callable
    if kind is Mapping:
        return functools.partial(_mapping, _check(inner[1]) if inner else None)
    if kind is tuple and ... not in inner:
        return functools.partial(_tuple, [_check(part) for part in inner])
    if kind in (Sequence, Iterable, tuple):
        return functools.partial(_sequence, _check(inner[0]) if inner else None)
    return None


def _union(parts: tuple[Any, ...]) -> Check | None:
    kinds = [part for part in parts if part is not type(None)]
    if str in kinds and any(typing.get_origin(kind) is os.PathLike for kind in kinds):
        check: Check | None = checks.path
    else:
        check = _check(kinds[0]) if len(kinds) == 1 else None
    if check is None or len(kinds) == len(parts):
        return check
    return lambda name, value: None if value is None else check(name, value)


def _callable(name: str, value: Any) -> Any:
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {checks.shown(value)}")
    return value


def _mapping(check: Check | None, name: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, got {checks.shown(value)}")
    return {key: check(f"{name}[{checks.shown(key)}]", item) for key, item in value.items()} if check else value


def _entries(name: str, value: Any, wanted: str) -> tuple[Any, ...]:
    if _is_array(value) and value.ndim:
        value = list(checks.array(name, value))
    if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable) or _is_array(value):
        raise TypeError(f"{name} must be {wanted}, got {checks.shown(value)}")
    return tuple(itertools.islice(value, MOST_ENTRIES))


def _sequence(check: Check | None, name: str, value: Any) -> tuple[Any, ...]:
    if check is text and isinstance(value, str):
        raise TypeError(f"{name} must be a sequence of texts, got {checks.shown(value)}: pass [{checks.shown(value)}]")
    entries = _entries(name, value, "a sequence")
    return tuple(check(f"{name}[{i}]", entry) for i, entry in enumerate(entries)) if check else entries


def _tuple(parts: list[Check | None], name: str, value: Any) -> tuple[Any, ...]:
    wanted = f"a tuple of {len(parts)}"
    entries = _entries(name, value, wanted)
    if len(entries) != len(parts):
        raise ValueError(f"{name} must be {wanted}, got {len(entries)}")
    pairs = enumerate(zip(parts, entries, strict=True))
    return tuple(entry if check is None else check(f"{name}[{i}]", entry) for i, (check, entry) in pairs)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | torch.Tensor)
