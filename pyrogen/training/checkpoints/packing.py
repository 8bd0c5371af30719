"""Nested Python state as tensors and JSON, so that a checkpoint keeps it without pickle."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np
import torch
from torch import Tensor

_CONTAINERS: dict[str, Any] = {"tuple": tuple, "set": set, "deque": deque}


def pack(state: Any, name: str) -> tuple[dict[str, Tensor], Any]:
    """Split `state` into its tensors, by the name of their place, and a JSON-ready rest that `unpack` puts together.

    Args:
        state: numbers, strings, ``None``, tensors and arrays, in lists, tuples, sets, dicts, counters and deques.
        name: what it belongs to, the prefix of the tensors' names.

    Returns:
        the tensors and the rest.

    Raises:
        TypeError: if it holds anything else.
    """
    tensors: dict[str, Tensor] = {}

    def visit(value: Any, place: str) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray):
            return {"array": visit(torch.from_numpy(value.copy()), place)["tensor"]}
        if isinstance(value, Tensor):
            tensors[place] = value.detach().clone()
            return {"tensor": place}
        if isinstance(value, dict):
            kind = "counter" if isinstance(value, Counter) else "dict"
            return {kind: [[visit(key, place), visit(entry, f"{place}.{key}")] for key, entry in value.items()]}
        if isinstance(value, list):
            return [visit(entry, f"{place}.{i}") for i, entry in enumerate(value)]
        for kind, cls in _CONTAINERS.items():
            if isinstance(value, cls):
                return {kind: [visit(entry, f"{place}.{i}") for i, entry in enumerate(value)]}
        raise TypeError(
            f"the state of {name} must be numbers, strings, tensors and containers of these for a checkpoint, and "
            f"{place} is a {type(value).__name__}: leave it out of state_dict"
        )

    return tensors, visit(state, name)


def unpack(rest: Any, tensors: dict[str, Tensor]) -> Any:
    """Put together what `pack` took apart."""
    if isinstance(rest, list):
        return [unpack(entry, tensors) for entry in rest]
    if not isinstance(rest, dict):
        return rest
    ((kind, value),) = rest.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "array":
        return tensors[value].numpy()
    if kind in ("dict", "counter"):
        content = {unpack(key, tensors): unpack(entry, tensors) for key, entry in value}
        return Counter(content) if kind == "counter" else content
    return _CONTAINERS[kind](unpack(entry, tensors) for entry in value)
