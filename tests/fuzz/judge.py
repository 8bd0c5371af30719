"""What may come of a call: a result without a silent NaN, or an error that our own checks raised."""

from __future__ import annotations

import contextlib
import dis
import io
import math
import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pyrogen as pg

PACKAGE = str(Path(pg.__file__).parent)
ALLOWED = (ValueError, TypeError, FileNotFoundError, pg.PyrogenError)
RAISES = {dis.opmap["RAISE_VARARGS"]}
LONGEST = 10  # seconds for one call


class _Slow(BaseException):
    pass


def judge(function: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """Call it, and return what is wrong with what came of it; "" if nothing is. ``assert_...`` may raise its error.

    Not allowed: an error of another type, or one that the code beneath our checks raised; NaN from finite arguments;
    more than some seconds.
    """
    positional = arguments.pop("*", ())
    finite = not _holds_nan([*positional, *arguments.values()])
    with _limits(), _elsewhere(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(*positional, **arguments)
        except AssertionError as error:
            asserts = function.__name__.startswith("assert_") and _ours(error)
            return "" if asserts else f"AssertionError: {_place(error)}"
        except ALLOWED as error:
            return "" if _ours(error) else f"{type(error).__name__} not ours: {_place(error)}"
        except _Slow:
            return f"slow: more than {LONGEST} s"
        except Exception as error:
            if isinstance(error, OSError) and _ours(error):
                return ""  # the world outside, with a sentence
            return f"{type(error).__name__}: {_place(error)}"
    return "silent NaN" if finite and _holds_nan(result) else ""


def _ours(error: BaseException) -> bool:
    """Whether a ``raise`` of the package made it, and said something."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None or not str(error):
        return False
    code = traceback.tb_frame.f_code
    return code.co_filename.startswith(PACKAGE) and code.co_code[traceback.tb_lasti] in RAISES


def _place(error: BaseException) -> str:
    """The last line of ours that an error came through, and its text."""
    traceback, place = error.__traceback__, "?"
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.startswith(PACKAGE):
            place = f"{traceback.tb_frame.f_code.co_filename[len(PACKAGE) + 1 :]}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return f"{place}: {str(error)[:100]}".replace("\n", " ")


def _holds_nan(value: Any, depth: int = 3) -> bool:
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    if isinstance(value, torch.Tensor):
        if value.device.type == "meta" or value.is_sparse:
            return False
        return bool(value.is_floating_point() and value.isnan().any())
    if isinstance(value, np.ma.MaskedArray):
        return bool(value.dtype.kind == "f" and np.isnan(value).any() is np.True_)
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind == "f" and np.isnan(value).any())
    if depth and isinstance(value, list | tuple):
        return any(_holds_nan(item, depth - 1) for item in value[:50])
    return bool(depth and isinstance(value, dict) and any(_holds_nan(item, depth - 1) for item in value.values()))


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """A time limit; the caller's random numbers and what is printed put back."""

    def end(number: int, frame: Any) -> None:
        raise _Slow

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LONGEST)
    try:
        with (
            torch.random.fork_rng(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """A folder of its own, because hostile paths may be relative."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
