"""A quick look at what containers hold, as the first sign that a callback has changed something."""

from __future__ import annotations

import contextvars
import types
from collections import deque
from collections.abc import Iterable
from itertools import chain
from operator import is_, methodcaller
from typing import Any

from torch import nn

from pyrogen.models.reach import children, is_library, is_memory, modules_of
from pyrogen.training.step.state import PARTS

SMALL = 4096  # bytes of an array that is compared at each look
EMPTY = types.CellType()
values = methodcaller("values")


class Glance:
    """What containers hold, by identity, and small arrays by value: some 0.1 milliseconds a look.

    Args:
        objects: all that programs reach, each with its path.
    """

    def __init__(self, objects: Iterable[tuple[str, Any]]) -> None:
        self._maps: list[Any] = []
        self._rows: list[Any] = []
        self._cells: list[Any] = []
        self._names: list[tuple[Any, list[str]]] = []
        self._weights: list[nn.Parameter] = []
        self._memory: list[Any] = []
        self._variables: list[Any] = []
        for _, value in objects:
            self._note(value)
        self._seen = self._look()

    def same(self) -> bool:
        """Return whether nothing has changed since the last look."""
        (held, memory), (now, bits) = self._seen, self._look()
        self._seen = now, bits
        return len(held) == len(now) and all(map(is_, held, now)) and memory == bits

    def _note(self, value: Any) -> None:
        own = getattr(value, "__dict__", None)
        if isinstance(value, dict):
            self._maps.append(value)
        elif isinstance(value, list | deque | set):
            self._rows.append(value)
        elif isinstance(value, nn.Parameter):
            self._weights.append(value)
        elif isinstance(value, contextvars.ContextVar):
            self._variables.append(value)
        elif is_memory(value):
            self._memory += [value] if memoryview(value).nbytes <= SMALL else []
        elif isinstance(value, types.FunctionType):
            if not is_library(value.__module__):
                names = [name for name, _ in children("", value) if name in value.__globals__]
                self._names += [(value.__globals__, names), (vars(value), list(vars(value)))]
                self._names += [(vars(module), list(named)) for module, named in modules_of(value)]
            self._cells += value.__closure__ or ()
        elif isinstance(value, type):
            self._maps += [] if is_library(value.__module__) else [vars(value)]
        elif isinstance(own, dict):
            self._maps += [own, *(own[part] for part in PARTS if isinstance(value, nn.Module))]

    def _look(self) -> tuple[list[Any], list[bytes]]:
        held = chain.from_iterable(chain(map(values, self._maps), self._rows))  # the objects: identities are reused
        named = (names.get(name) for names, several in self._names for name in several)
        cells = (cell.cell_contents for cell in self._cells if cell != EMPTY)
        rest = (variable.get(None) for variable in self._variables)
        trained = (weight.requires_grad for weight in self._weights)
        return [*held, *named, *cells, *rest, *trained], [memoryview(value).tobytes() for value in self._memory]
