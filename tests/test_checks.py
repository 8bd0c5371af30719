"""One set of argument checks: what counts as a number, what does not, and how each error reads."""

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from pyrogen import checks

NO_NUMBERS = [True, np.bool_(True), torch.tensor(True), "3", b"3", None, 3j, [3], np.array([3]), torch.tensor([3]), int]


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3), torch.tensor(3).short()])
def test_whole_numbers_of_every_library_are_plain_ones(value):
    assert checks.whole("n", value, least=1) == 3
    assert type(checks.whole("n", value)) is int
    assert type(checks.real("n", value)) is float


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.float64(0.5), torch.tensor(0.5), np.array(0.5), Fraction(1, 2)]
)
def test_real_numbers_of_every_library_are_plain_ones(value):
    assert checks.real("lr", value, above=0) == 0.5
    assert type(checks.real("lr", value)) is float
    assert checks.probability("p", value) == 0.5


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"^n must be a whole number of at least 1, got "):
        checks.whole("n", value, least=1)
    with pytest.raises(TypeError, match=r"^lr must be a finite number above 0, got "):
        checks.real("lr", value, above=0)


@pytest.mark.parametrize("value", [3.0, np.float32(3), torch.tensor(3.0), Decimal(3)])
def test_a_float_is_no_count(value):
    with pytest.raises(TypeError, match="whole number"):
        checks.whole("n", value)


def test_ranges_include_their_ends_or_leave_them_out():
    assert checks.whole("n", 1, least=1, most=1) == 1
    assert checks.real("x", 0, least=0) == 0
    assert checks.real("x", 1, most=1) == 1
    for settings in ({"above": 0}, {"below": 0}, {"least": 1e-9}, {"most": -1e-9}):
        with pytest.raises(ValueError, match="x must be a"):
            checks.real("x", 0, **settings)
    for value in (0, 3):
        with pytest.raises(ValueError, match=f"n must be a whole number from 1 to 2, got {value}"):
            checks.whole("n", value, 1, 2)
    with pytest.raises(ValueError, match="p must be a number between 0 and 1, both left out, got 1"):
        checks.probability("p", 1, open=True)
    assert checks.probability("p", 1) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), torch.tensor(math.nan), 10**400])
def test_what_is_not_finite_is_refused_unless_infinity_is_allowed(value):
    with pytest.raises(ValueError, match="x must be a finite number, got"):
        checks.real("x", value)


def test_infinity_may_be_allowed_but_nan_never_is():
    assert checks.real("x", math.inf, finite=False) == math.inf
    with pytest.raises(ValueError, match="x must be a number, got nan"):
        checks.real("x", math.nan, finite=False)


def test_flags_options_seeds_sizes_and_paths():
    assert checks.flag("f", np.bool_(True)) is True
    assert checks.one_of("update", "ema", ("ema", "loss")) == "ema"
    assert checks.seed("seed", 2**32 - 1) == 2**32 - 1
    assert checks.sizes("shape", torch.Size([1, 2])) == (1, 2)
    assert checks.sizes("shape", [np.int64(1), 2]) == (1, 2)
    assert checks.path("folder", "a") == Path("a")


@pytest.mark.parametrize(
    ("check", "error", "words"),
    [
        (lambda: checks.flag("f", 1), TypeError, "f must be True or False, got 1"),
        (lambda: checks.flag("f", "no"), TypeError, "f must be True or False, got 'no'"),
        (lambda: checks.one_of("u", "emma", ("ema", "loss")), ValueError, "u must be one of 'ema', 'loss', got 'emma'"),
        (lambda: checks.one_of("u", ["ema"], ("ema",)), TypeError, r"u must be 'ema', got \['ema'\]"),
        (lambda: checks.seed("seed", -1), ValueError, "seed must be a whole number from 0 to 4294967295, got -1"),
        (lambda: checks.sizes("shape", "28"), TypeError, "shape must be a sequence of whole numbers, got '28'"),
        (lambda: checks.sizes("shape", (3, 0)), ValueError, r"shape\[1\] must be a whole number of at least 1, got 0"),
        (lambda: checks.path("folder", 3), TypeError, "folder must be a path, got 3"),
        (lambda: checks.path("folder", ""), ValueError, "folder must be a path, got ''"),
        (lambda: checks.path("folder", "a\0"), ValueError, "folder must be a path"),
        (lambda: checks.path("folder", b"a"), TypeError, "folder must be a path"),
    ],
)
def test_errors_read_alike(check, error, words):
    with pytest.raises(error, match=f"^{words}"):
        check()


def test_a_long_or_strange_value_is_shown_by_its_kind():
    class Odd:
        def __repr__(self):
            raise RuntimeError

    shown = [checks.shown(value) for value in (int, "x" * 99, object(), torch.zeros(2, 3), np.zeros(2), Odd())]
    assert shown == [
        "the class int",
        "a str",
        "an object",
        "a tensor of shape (2, 3)",
        "an array of shape (2,)",
        "an Odd",
    ]
