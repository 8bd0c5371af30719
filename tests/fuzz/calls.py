"""The public callables, and calls of them with hostile arguments."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyrogen as pg
from fuzz.entries import ENTRIES, RECORDS
from fuzz.hostile import ANY, ARRAYS, is_array


def public() -> dict[str, Callable[..., Any]]:
    """Every public callable by its shortest name: what ``__all__`` of the package, its parts and their parts lists."""
    found: dict[int, tuple[str, Any]] = {}

    def walk(prefix: str, module: Any) -> None:
        names = getattr(module, "__all__", None)
        if names is None:
            own = vars(module).items()
            names = [n for n, v in own if n[0] != "_" and getattr(v, "__module__", "") == module.__name__]
        for name in sorted(names):
            value = getattr(module, name)
            if inspect.ismodule(value):
                if value.__name__.startswith("pyrogen."):
                    parts.append((f"{prefix}{name}.", value))
            elif callable(value) and (inspect.isclass(value) or inspect.isfunction(value)):
                found.setdefault(id(value), (f"{prefix}{name}", value))

    parts: list[tuple[str, Any]] = [("", pg)]
    for prefix, module in parts:
        walk(prefix, importlib.import_module(module.__name__))
    return dict(found.values())


def of(name: str) -> Callable[..., Any]:
    """The callable of an entry; that of a method takes its object first."""
    value: Any = pg
    for part in name.split("."):
        value = getattr(value, part)
    result: Callable[..., Any] = value
    return result


def without_entry() -> list[str]:
    """Public callables that the fuzzer does not know."""
    return sorted(set(public()) - set(ENTRIES) - RECORDS)


def stale() -> list[str]:
    """Entries of what is public no more; those of methods end in a method's name."""
    known = public()
    return sorted(n for n in {*ENTRIES, *RECORDS} if n not in known and n.rpartition(".")[0] not in known)


@dataclass(frozen=True)
class Call:
    """A call of `name` in which some arguments are hostile: ``argument: way``."""

    name: str
    changes: tuple[tuple[str, str], ...]

    def arguments(self) -> dict[str, Any]:
        """The arguments, made anew."""
        made = ENTRIES[self.name]()
        for argument, way in self.changes:
            made[argument] = ANY[way]() if way in ANY else ARRAYS[way](made[argument])
        return made


def ways(name: str) -> dict[str, list[str]]:
    """For each argument of a callable the hostile values that it can be given."""
    return {
        argument: [*ANY, *(ARRAYS if is_array(value) else [])]
        for argument, value in ENTRIES[name]().items()
        if argument != "*"
    }
