"""The fields of a claim in an exercise's file, checked one by one; see `pyrogen.exercises.exercise`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyrogen.graphs.structure import validation

SIDES = {
    "x": False,
    "y": False,
    "of": False,
    "also": False,
    "nodes": False,
    "node": False,
    "given": True,
}  # may be empty
ONE = ("of", "node")


def names(network: Any, value: Any, what: str, empty: bool | None = None, ordered: bool = False) -> list[str]:
    """The names in a field, one or a list of them, all of them nodes."""
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise ValueError(f'"{what}" must be a name or a list of names, got {value!r}')
    found = validation.names(network, value, f'"{what}"', empty=SIDES.get(what, False) if empty is None else empty)
    if what in ONE and len(found) != 1:
        raise ValueError(f'"{what}" must be one name, got {len(found)}')
    return list(value) if isinstance(value, list) else [value]


def positive(value: Any, what: str) -> None:
    """Refuses what is no positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f'"{what}" must be a positive number, got {value!r}')


def only(content: Any, what: str, needs: set[str], takes: set[str]) -> None:
    """Refuses what is no JSON object, or has not these fields."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{what} must be a JSON object, got {type(content).__name__}")
    for field in sorted(needs - set(content)):
        raise ValueError(f'{what} needs the field "{field}"')
    for field in content:
        if field not in needs | takes:
            raise ValueError(f'{what} has the fields {", ".join(sorted(needs | takes))}, got "{field}"')
