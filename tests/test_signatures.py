"""Arguments that are checked by their annotations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pytest
import torch

from pyrogen.signatures import checked


@checked
def called(
    n: int = 1,
    names: Sequence[str] = (),
    pairs: Iterable[tuple[float, float]] = (),
    by: Mapping[str, float] | None = None,
    how: Literal["a", "b"] = "a",
    make: Callable[[], int] | None = None,
    anything: Any = None,
) -> Any:
    return n, names, pairs, by, how, make, anything


def test_sound_arguments_come_out_as_plain_python():
    n, names, pairs, by, how, make, anything = called(
        np.int64(3), iter(["x"]), torch.ones(1, 2), {"k": np.float32(0.5)}, "b", list, 1j
    )
    assert (n, names, pairs, by, how, make, anything) == (3, ("x",), ((1.0, 1.0),), {"k": 0.5}, "b", list, 1j)
    assert type(n) is int
    assert type(by["k"]) is float


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"n": True}, TypeError, "n must be a whole number, got True"),
        ({"names": "kl"}, TypeError, "pass .'kl'."),
        ({"names": [1]}, TypeError, "names.0. must be a text, got 1"),
        ({"names": np.array(3)}, TypeError, "names must be a sequence, got array"),
        ({"pairs": [(1.0,)]}, ValueError, "pairs.0. must be a tuple of 2, got 1"),
        ({"pairs": [(1.0, np.nan)]}, ValueError, "pairs.0..1. must be a finite number, got nan"),
        ({"by": 3}, TypeError, "by must be a dict, got 3"),
        ({"by": {"k": "3"}}, TypeError, "by.'k'. must be a finite number, got '3'"),
        ({"how": "c"}, ValueError, "how must be one of 'a', 'b', got 'c'"),
        ({"make": 3}, TypeError, "make must be a function, got 3"),
    ],
)
def test_others_are_refused_in_one_sentence(arguments, kind, said):
    with pytest.raises(kind, match=said):
        called(**arguments)
