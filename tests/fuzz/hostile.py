"""Values that no one means, but that arrive: of wrong kinds, at the ends of their range, or in another container."""

from __future__ import annotations

import datetime
import fractions
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

ANY: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "np.bool_": lambda: np.bool_(True),
    "'3'": lambda: "3",
    "''": lambda: "",
    "'no'": lambda: "no",
    "bytes": lambda: b"abc",
    "null character": lambda: "a\0b",
    "long text": lambda: "x" * 6000,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "-1": lambda: -1,
    "0": lambda: 0,
    "2.5": lambda: 2.5,
    "-0.5": lambda: -0.5,
    "1e308": lambda: 1e308,
    "1e-320": lambda: 1e-320,
    "10**30": lambda: 10**30,
    "10**400": lambda: 10**400,
    "-10**30": lambda: -(10**30),
    "1j": lambda: 1j,
    "fraction": lambda: fractions.Fraction(1, 3),
    "np.int64(3)": lambda: np.int64(3),
    "np.float32": lambda: np.float32(0.5),
    "0-d tensor": lambda: torch.tensor(2),
    "0-d array": lambda: np.array(2.0),
    "object": object,
    "class": lambda: dict,
    "function": lambda: len,
    "lambda": lambda: lambda *args: None,
    "generator": lambda: (i for i in range(3)),
    "range": lambda: range(3),
    "path": lambda: Path("/nowhere/at/all"),
    "date": lambda: datetime.date(2026, 1, 1),
    "[]": list,
    "{}": dict,
    "()": tuple,
    "set": lambda: {1, 2},
    "{'a': 1}": lambda: {"a": 1},
    "[None]": lambda: [None],
    "['a', 'b']": lambda: ["a", "b"],
    "['a', 'a']": lambda: ["a", "a"],
    "[[]]": lambda: [[]],
    "[[1]]": lambda: [[1]],
    "[1, 2, 3]": lambda: [1, 2, 3],
    "[nan]": lambda: [math.nan],
    "ragged": lambda: [[1.0], [2.0, 3.0]],
    "deep": lambda: _deep(60),
    "empty array": lambda: np.zeros((0, 3)),
    "empty tensor": lambda: torch.zeros(0),
    "array of nan": lambda: np.full((4, 4), np.nan),
    "array of texts": lambda: np.array([["a", "b"], ["c", "d"]]),
    "array of objects": lambda: np.array([[object(), None], [1, "a"]], dtype=object),
    "array of dates": lambda: np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]"),
    "complex array": lambda: np.ones((4, 4), dtype=complex),
    "masked array": lambda: np.ma.masked_array(np.ones((4, 4)), mask=np.eye(4, dtype=bool)),
    "structured array": lambda: np.zeros(3, dtype=[("a", "f4"), ("b", "i4")]),
    "complex tensor": lambda: torch.ones(4, 4, dtype=torch.complex64),
    "bool tensor": lambda: torch.ones(4, 4, dtype=torch.bool),
    "sparse tensor": lambda: torch.eye(4).to_sparse(),
    "meta tensor": lambda: torch.zeros(4, 4, device="meta"),
    "tensor of five dimensions": lambda: torch.zeros(1, 2, 1, 2, 1),
}


def _deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _array(value: Any) -> Any:
    return value.detach().numpy() if isinstance(value, torch.Tensor) else np.array(value)


def _spoiled(value: Any, entry: Any) -> Any:
    array = _array(value).astype(float)
    if array.size:
        array.reshape(-1)[-1] = entry
    return torch.from_numpy(array) if isinstance(value, torch.Tensor) else array


def _masked(value: Any) -> Any:
    array = _array(value)
    mask = np.zeros(array.shape, dtype=bool)
    if mask.size:
        mask.reshape(-1)[0] = True
    return np.ma.masked_array(array, mask=mask)


ARRAYS: dict[str, Callable[[Any], Any]] = {
    "as an array": _array,
    "as a tensor": lambda value: torch.as_tensor(_array(value)),
    "as lists": lambda value: _array(value).tolist(),
    "as a tuple": lambda value: tuple(_array(value).tolist()) if _array(value).ndim else value,
    "in float64": lambda value: torch.as_tensor(_array(value).astype(np.float64)),
    "in float16": lambda value: torch.as_tensor(_array(value).astype(np.float32)).half(),
    "in bfloat16": lambda value: torch.as_tensor(_array(value).astype(np.float32)).bfloat16(),
    "in integers": lambda value: torch.as_tensor(_array(value).astype(np.int64)),
    "in uint8": lambda value: torch.as_tensor(_array(value).astype(np.uint8)),
    "in truth values": lambda value: torch.as_tensor(_array(value).astype(bool)),
    "complex": lambda value: torch.as_tensor(_array(value).astype(np.complex64)),
    "as texts": lambda value: _array(value).astype(str),
    "as objects": lambda value: _array(value).astype(object),
    "masked": _masked,
    "with nan": lambda value: _spoiled(value, math.nan),
    "with inf": lambda value: _spoiled(value, math.inf),
    "with 1e300": lambda value: _spoiled(value, 1e300),
    "negative": lambda value: -_spoiled(value, 1.0),
    "zeros": lambda value: 0 * _spoiled(value, 0.0),
    "without rows": lambda value: value[:0] if _array(value).ndim else value,
    "one row": lambda value: value[:1] if _array(value).ndim else value,
    "transposed": lambda value: _array(value).T.copy(),
    "one more dimension": lambda value: _array(value)[None],
    "flat": lambda value: _array(value).reshape(-1),
    "with a gradient": lambda value: torch.as_tensor(_array(value).astype(np.float32)).requires_grad_(),
    "backwards": lambda value: _array(value)[::-1] if _array(value).ndim else value,
}


def is_array(value: Any) -> bool:
    """Whether a sound value is a table of numbers."""
    return isinstance(value, torch.Tensor | np.ndarray)
