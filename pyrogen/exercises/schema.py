"""The fields of a claim in an exercise's file, checked one by one; see `pyrogen.exercises.exercise`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyrogen import checks
from pyrogen.graphs.structure import validation

LARGEST = 1e300
LONGEST = 10_000  # characters of a title, text or note

SIDES = {**dict.fromkeys(("x", "y", "of", "also", "nodes", "node"), False), "given": True}  # whether it may be empty
EDGES = "a list of edges, each a list of two names"
ONE = ("of", "node")


def names(network: Any, value: Any, what: str, empty: bool | None = None) -> list[str]:
    """Return the names in a field, one or a list of them, all of them nodes."""
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise ValueError(f'"{what}" must be a name or a list of names, got {checks.shown(value)}')
    found = validation.names(network, value, f'"{what}"', empty=SIDES.get(what, False) if empty is None else empty)
    if what in ONE and len(found) != 1:
        raise ValueError(f'"{what}" must be one name, got {len(found)}')
    return list(value) if isinstance(value, list) else [value]


def count(value: Any, what: str, least: int) -> None:
    """Refuse anything but a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < LARGEST:
        raise ValueError(f'"{what}" must be a whole number of at least {least}, got {checks.shown(value)}')


def flag(value: Any, what: str) -> bool:
    """`value`, which must be true or false."""
    if not isinstance(value, bool):
        raise ValueError(f'"{what}" must be true or false, got {checks.shown(value)}')
    return value


def words(value: Any, what: str) -> None:
    """Refuse anything but a text of a usual length."""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError(f'"{what}" must be text of at most {LONGEST:,} characters, got {checks.shown(value)}')


def lists(value: Any, what: str) -> list[Any]:
    """`value`, which must be a list of lists."""
    if not isinstance(value, list) or not all(isinstance(one, list) for one in value):
        raise ValueError(f'"{what}" must be a list of lists, got {checks.shown(value)}')
    return value


def groups(network: Any, value: Any, what: str, size: int, wanted: str) -> list[list[str]]:
    """Return lists of `size` names each; `wanted` says in the message what they stand for."""
    found = [names(network, one, what) for one in lists(value, what)]
    if any(len(one) != size for one in found):
        raise ValueError(f'"{what}" must be {wanted}')
    return found


def states(network: Any, value: Any, what: str, empty: bool = False) -> dict[Any, Any]:
    """States of some nodes, such as ``{"rain": "yes"}``; a state may be written as text or as the number it is."""
    if not isinstance(value, Mapping) or not (value or empty):
        raise ValueError(f'"{what}" must map names to states, such as {{"rain": "yes"}}, got {checks.shown(value)}')
    known = validation.states(network)
    found = {}
    for name, state in value.items():
        if name not in known:
            raise ValueError(f'"{what}" names {checks.shown(name)}, but the nodes are {", ".join(map(str, known))}')
        own = [one for one in known[name] if type(one) is type(state) and one == state]
        own = own or [one for one in known[name] if str(one) == str(state)]
        if len(own) != 1:
            listed = ", ".join(map(repr, known[name]))
            raise ValueError(f'"{what}" says {checks.shown(state)} for {name}, whose states are {listed}')
        found[name] = own[0]
    return found


def only(content: Any, what: str, needs: set[str], takes: set[str] | None) -> None:
    """Refuse anything but a JSON object with these fields; other fields are fine if `takes` is None."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{what} must be a JSON object, got {type(content).__name__}")
    for field in sorted(needs - set(content)):
        raise ValueError(f'{what} needs the field "{field}"')
    for field in content if takes is not None else ():
        if field not in (allowed := needs | (takes or set())):
            raise ValueError(f"{what} has the fields {', '.join(sorted(allowed))}, got {checks.shown(field)}")
