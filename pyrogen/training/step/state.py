"""The state that programs keep in Python, NumPy and torch: taken down, compared and put back."""

from __future__ import annotations

import array
import ctypes
import functools
import os
import pickle
import random
import types
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import is_
from typing import Any

import numpy as np
import torch
from torch import nn

from pyrogen.models.reach import (
    CONTAINERS,
    SIMPLE,
    children,
    is_library,
    is_opaque,
    is_value,
    modules_of,
    reachable,
    slots_of,
)

PARTS = ("_parameters", "_buffers", "_modules")  # the dicts of a module
LARGEST = 1 << 28  # bytes of one tensor that is still copied so that it can be put back
Undo = Callable[[], Any]


class Snapshot:
    """What all that is reachable from some objects holds at this moment, and how to go back to it.

    Args:
        copies: whether it can go back; without copies it is quicker to make.
        roots: the objects, by the names that begin the paths of what they hold.

    Attributes:
        obstacle: what cannot be copied or compared, such as a generator; "" if there is nothing of the kind.
        values: path to a token that is equal as long as nothing has changed; tensors by identity, for a recording
            refers to them and what changes in them is recorded.
        objects: all that was reached, each with its path.
    """

    def __init__(self, copies: bool = True, **roots: Any) -> None:
        self._copies = copies
        self.obstacle = ""
        self.values: dict[str, Any] = {}
        self._undo: list[Undo] = []
        self._tensors: list[tuple[torch.Tensor, torch.Tensor, int]] = []
        self.objects: list[tuple[str, Any]] = []  # which also keeps their identities from being given to others
        for path, value in reachable(**roots):
            if isinstance(value, torch.jit.ScriptModule):
                self.obstacle = f"`{path}` is made by torch.jit, which keeps its state out of Python"
                for tensor in (*value.parameters(), *value.buffers()) if self._copies else ():
                    self._note_tensor(tensor)
            else:
                self._note(path, value)
        self.values["random"], state = _digest(random.getstate()), random.getstate()
        self._undo.append(lambda: random.setstate(state))
        legacy: Any = np.random.get_state()  # noqa: NPY002 (that of programs)
        self.values["numpy.random"] = _digest((repr(legacy), legacy[1].tobytes()))
        self._undo.append(lambda: np.random.set_state(legacy))  # noqa: NPY002

    def changes(self, later: Snapshot) -> Iterator[tuple[str, Any, Any]]:
        """Yield (path, before, after) for what is another value in a snapshot that was taken later."""
        for path, value in later.values.items():
            before = self.values.get(path, "nothing")
            nan = before != before and value != value
            if type(before) is not type(value) or (before != value and not nan):
                yield path, before, value
        yield from ((path, value, "nothing") for path, value in self.values.items() if path not in later.values)

    @torch.no_grad()
    def restore(self) -> None:
        """Put everything back, tensors to the last bit."""
        for undo in self._undo:
            undo()
        for tensor, copy, version in self._tensors:
            if tensor._version != version or not torch.equal(tensor, copy):  # batch norm moves its means unseen
                tensor.copy_(copy)

    def keep(self, memory: list[torch.UntypedStorage]) -> None:
        """Have memory put back too that belongs to the caller's data, or that no path leads to."""
        self._undo.extend(functools.partial(storage.copy_, storage.clone()) for storage in memory)

    def _note(self, path: str, value: Any) -> None:
        self.objects.append((path, value))
        if isinstance(value, torch.Tensor):
            if self._copies:
                self._note_tensor(value)
        elif isinstance(value, np.ndarray):
            copy = value.copy()
            self.values[path] = _digest((value.shape, value.tobytes() if value.dtype != object else repr(value)))
            if value.flags.writeable:
                self._undo.append(functools.partial(np.copyto, value, copy))
        elif isinstance(value, _generators()) or is_opaque(value):
            try:
                state, undo = _state_of(value)
                self.values[path] = _digest(pickle.dumps(state))
                self._undo.append(undo)
            except (TypeError, ValueError, NotImplementedError, BufferError):
                self.obstacle = f"`{path}` is a {type(value).__name__}, whose state cannot be put back"
        elif hasattr(value, "__next__"):
            self.obstacle = self.obstacle or f"`{path}` is a {type(value).__name__}, whose place cannot be put back"
        else:
            if isinstance(value, functools._lru_cache_wrapper):
                self.values[path] = value.cache_info().currsize
                self._undo += [] if self.values[path] else [value.cache_clear]
            self._note_container(path, value)

    def _note_tensor(self, tensor: torch.Tensor) -> None:
        size = tensor.numel() * tensor.element_size()
        if tensor.layout == torch.strided and not tensor.is_inference() and size <= LARGEST and not overlaps(tensor):
            self._tensors.append((tensor, tensor.detach().clone(), tensor._version))

    def _note_container(self, path: str, value: Any) -> None:
        known = not isinstance(value, (*CONTAINERS, dict)) and is_library(type(value).__module__)
        for name, item in children(path, value):
            if isinstance(item, SIMPLE):
                self.values[name] = item
            elif isinstance(item, torch.Tensor):
                if not known or isinstance(item, nn.Parameter):  # what else a library's object keeps is its affair
                    self.values[name] = ("tensor", id(item), item.requires_grad)
            elif not isinstance(item, types.FunctionType | types.MethodType | type | types.ModuleType):
                self.values[name] = ("object", type(item).__qualname__, hash(item) if is_value(item) else 0)
        if self._copies:
            self._undo.extend(_undo(value))


def _state_of(value: Any) -> tuple[Any, Undo]:
    """Return the state of a generator or of memory, and what puts it back; raise `TypeError` for other things."""
    if isinstance(value, torch.Generator | np.random.RandomState):
        state: Any = value.get_state()
        return state, functools.partial(value.set_state, state)
    if isinstance(value, random.Random):
        return (state := value.getstate()), functools.partial(value.setstate, state)
    if isinstance(value, np.random.Generator | np.random.BitGenerator):
        bits = value.bit_generator if isinstance(value, np.random.Generator) else value
        return (state := bits.state), functools.partial(setattr, bits, "state", state)
    if isinstance(value, array.array | bytearray):
        return (state := value[:]), functools.partial(value.__setitem__, slice(None), state)
    view = memoryview(value)  # of mmap, of ctypes
    state = view.tobytes()
    kind = ctypes.c_char * len(state)
    return state, lambda: setattr(kind.from_buffer(value), "raw", state)


def overlaps(tensor: torch.Tensor) -> bool:
    """Return whether entries of a tensor share memory, as after ``expand``, and so cannot be written."""
    return any(step == 0 and size > 1 for step, size in zip(tensor.stride(), tensor.shape, strict=True))


def _undo(value: Any) -> Iterator[Undo]:
    """Yield what puts the entries of a container or the attributes of an object back."""
    if value is os.environ:
        yield functools.partial(value.update, dict(value))
    elif isinstance(value, dict):
        yield functools.partial(_refill, value, dict(value))
    elif isinstance(value, list | deque | set):
        yield functools.partial(_refill, value, list(value))
    elif isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # an empty one
                yield functools.partial(setattr, cell, "cell_contents", cell.cell_contents)
        names = [path for path, _ in children("", value) if path in value.__globals__]
        yield functools.partial(value.__globals__.update, {name: value.__globals__[name] for name in names})
        yield functools.partial(_refill, vars(value), dict(vars(value)))
        yield from (functools.partial(vars(module).update, named) for module, named in modules_of(value))
    elif isinstance(value, type):
        for name, item in vars(value).items():
            if name[:2] != "__" and (isinstance(item, SIMPLE) or is_value(item)) and not is_library(value.__module__):
                yield functools.partial(setattr, value, name, item)
    else:
        yield from (functools.partial(setattr, value, name, item) for name, item in slots_of(value))
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict):
            yield functools.partial(_refill, own, dict(own))
            if isinstance(value, nn.Module):
                for part in PARTS:
                    yield functools.partial(_refill, own[part], dict(own[part]))


def _refill(container: Any, entries: Any) -> None:
    """Give a container its entries back, unless it holds the same objects."""
    keyed = isinstance(container, dict)
    now, then = ([*each, *each.values()] if keyed else [*each] for each in (container, entries))
    if len(now) != len(then) or not all(map(is_, now, then)):
        container.clear()
        fill = container.extend if isinstance(container, list | deque) else container.update
        fill(entries)


def _digest(value: Any) -> tuple[str, int]:
    return "state", hash(value)


@functools.cache
def _generators() -> tuple[type, ...]:
    """The kinds of generators; NumPy loads its own only when they are first asked for."""
    return torch.Generator, np.random.RandomState, random.Random, np.random.Generator, np.random.BitGenerator
