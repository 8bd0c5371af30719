"""One fit at a time: Pyro's handlers, parameter store and checks belong to the whole process."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")
LOCK = threading.RLock()


def one_at_a_time(function: Callable[P, R]) -> Callable[P, R]:
    """Let calls from several threads wait for each other, and autograd work under ``torch.inference_mode`` too."""

    @functools.wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with LOCK, torch.inference_mode(False):
            return function(*args, **kwargs)

    return alone
