"""Where Python and tensors meet while programs are recorded: values that are read, and lines of the caller's code."""

from __future__ import annotations

import builtins
import dis
import functools
import io
import os
import random
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pyro
import pyro.util
import torch
from torch.distributions import Distribution
from torch.overrides import TorchFunctionMode

LIBRARIES = tuple(
    os.path.realpath(folder) + os.sep
    for folder in (
        *(os.path.dirname(str(module.__file__)) for module in (torch, pyro, os)),
        str(Path(__file__).parents[2]),
    )
)
RECORDER = os.path.join("step", "record.py")  # what calls the programs
VALUES = {torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.__array__, torch.Tensor.__dlpack__}
LOOKS = {  # of a library, these are its messages and its memory
    *(torch.Tensor.__repr__, torch.Tensor.__format__, torch.Tensor.__reduce_ex__, torch.Tensor.data_ptr),
    *(torch.Tensor.storage, torch.Tensor.untyped_storage),
}
GRADIENT = torch.Tensor.grad.__get__  # type: ignore[union-attr]
ITSELF = ("importlib", "linecache", "inspect", "traceback", "warnings", "torch._", "pyro.", "pyrogen.")
OUTSIDE: tuple[tuple[Any, str], ...] = (  # what else a program may depend on
    *((builtins, "open"), (io, "open"), (random, "_urandom")),
    *((subprocess.Popen, "__init__"), (socket.socket, "__init__")),
    *((os, name) for name in ("open", "stat", "lstat", "access", "listdir", "scandir", "mkdir", "remove", "urandom")),
)


class Watch(TorchFunctionMode):
    """Tells of values that leave torch without an operation, and has ``one_hot`` write its ones without a look.

    Args:
        read: called with a tensor and the name of the function that gives its values to Python.
        refuse: called with the cause, where no recording can stand for the programs.
    """

    def __init__(self, read: Callable[[torch.Tensor, str], None], refuse: Callable[[str], None]) -> None:
        super().__init__()
        self.read, self.refuse = read, refuse

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.one_hot:
            return self._one_hot(*args, **(kwargs or {}))
        if func in VALUES or (
            func in LOOKS and not outside("torch._tensor", "torch.overrides").startswith(("torch", "pyro.", "copy"))
        ):
            self.read(args[0], func.__name__)
        if func == GRADIENT and (place := _asked()):
            self.refuse(f"it reads the gradient of an earlier step ({place})")
        return func(*args, **(kwargs or {}))

    @staticmethod
    def _one_hot(tensor: torch.Tensor, num_classes: int = -1) -> torch.Tensor:
        if num_classes < 1 or tensor.dtype != torch.long:
            return torch.nn.functional.one_hot(tensor, num_classes)
        zeros = torch.zeros(*tensor.shape, num_classes, dtype=torch.long, device=tensor.device)
        return zeros.scatter_(-1, tensor.unsqueeze(-1), 1)


class Unrecordable(Exception):
    """Programs that no recording can stand for; the message is the cause."""


@contextmanager
def values_stay_tensors() -> Iterator[None]:
    """Let Pyro's losses keep tensors where they would read numbers from them, as they do for ``torch.jit.trace``."""
    read, nan, inf = torch.Tensor.item, pyro.util.torch_isnan, pyro.util.torch_isinf
    tracing = torch._C._get_tracing_state

    def item(tensor: torch.Tensor) -> Any:
        if not _caller().startswith("pyro.infer."):
            return read(tensor)
        return tensor.detach().double() if tensor.is_floating_point() else tensor.detach().clone()  # as Python counts

    def state() -> Any:
        name = _caller()
        return (name.startswith("pyro.") and name != "pyro.infer.util") or tracing()

    def passed(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
        return lambda value: not _caller().startswith("pyro.") and check(value)

    torch._C._get_tracing_state = state
    torch.Tensor.item = item  # type: ignore[method-assign,assignment]
    pyro.util.torch_isnan, pyro.util.torch_isinf = passed(nan), passed(inf)  # type: ignore[assignment]
    try:
        yield
    finally:
        del torch.Tensor.item
        torch._C._get_tracing_state = tracing
        pyro.util.torch_isnan, pyro.util.torch_isinf = nan, inf


@contextmanager
def watched(refuse: Callable[[str], None]) -> Iterator[None]:
    """Refuse programs that look at files, at other processes or at the network, before they do."""
    ours, before = threading.get_ident(), [getattr(module, name) for module, name in OUTSIDE]

    def guard(name: str, function: Any) -> Any:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == ours and not asking:
                asking.append(name)  # to find the line of code looks at files too
                place = _asked()
                asking.clear()
                if place:
                    refuse(f"it calls `{name}`, whose answer may change ({place})")
            return function(*args, **kwargs)

        return guarded

    asking: list[str] = []
    try:
        for (module, name), function in zip(OUTSIDE, before, strict=True):
            setattr(module, name, guard(f"{module.__name__}.{name}", function))
        yield
    finally:
        for (module, name), function in zip(OUTSIDE, before, strict=True):
            setattr(module, name, function)


@contextmanager
def unchecked() -> Iterator[None]:
    """Let no distribution check its parameters or values, those too that were made before with their checks on."""
    check = Distribution._validate_sample
    Distribution._validate_sample = lambda self, value: None  # type: ignore[method-assign]
    try:
        with pyro.validation_enabled(False):
            yield
    finally:
        Distribution._validate_sample = check  # type: ignore[method-assign]


def _caller() -> str:
    """Return the module of what has called the function that asks."""
    return str(sys._getframe(2).f_globals.get("__name__", ""))


def _frames() -> Iterator[tuple[FrameType, str]]:
    """Yield what is being run below the recorder, the innermost first, each with the name of its module."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.endswith(RECORDER):
        name = str(frame.f_globals.get("__name__", ""))
        if name != __name__:
            yield frame, name
        frame = frame.f_back


def _line(frame: FrameType) -> str:
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def here() -> str:
    """Return the line of the caller's own code that is being run, as "file:line"; "" if only libraries are."""
    return next((_line(frame) for frame, _ in _frames() if is_own(frame.f_code.co_filename)), "")


def _asked() -> str:
    """Return the line of the caller's own code that calls; "" where a library does so on its own account."""
    for frame, name in _frames():
        if is_own(frame.f_code.co_filename) or name.startswith(ITSELF):
            return "" if name.startswith(ITSELF) else _line(frame)
    return ""


def guarded() -> bool:
    """Return whether the caller's own code would catch an error that is raised now."""
    own = (frame for frame, _ in _frames() if is_own(frame.f_code.co_filename))
    return any("suppress" in frame.f_code.co_names or _catches(frame) for frame in own)


def _catches(frame: FrameType) -> bool:
    names = {step.offset: step.opname for step in dis.get_instructions(frame.f_code)}
    for entry in dis._parse_exception_table(frame.f_code):  # type: ignore[attr-defined]
        handler = [name for offset, name in names.items() if offset >= entry.target][:2]
        inside = entry.start <= frame.f_lasti < entry.end
        if inside and handler[0] == "PUSH_EXC_INFO" and handler[1] != "WITH_EXCEPT_START":
            return True
    return False


def outside(*also: str) -> str:
    """Return the module of the innermost function that is neither part of the recording nor of the modules `also`."""
    return next((name for _, name in _frames() if not name.startswith(("pyrogen.training.step", *also))), "")


def said(error: BaseException) -> str:
    """Return the first line of an error, or its class if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def place_of(error: BaseException) -> str:
    """Return the innermost line of the caller's own code in an error's traceback, as "file:line"."""
    files = ((frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__))
    own = [f"{os.path.basename(file)}:{line}" for file, line in files if is_own(file)]
    return own[-1] if own else ""


@functools.cache
def is_own(filename: str) -> bool:
    """Return whether a file is the caller's: it belongs to no library, not to Python and not to pyrogen."""
    path = os.path.realpath(filename)
    return not (filename.startswith("<") or path.startswith(LIBRARIES) or f"site-packages{os.sep}" in path)
