"""Whether programs take ``size``, the number N of data behind a batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pyro.infer.autoguide import AutoGuideList
from pyro.poutine.guide import GuideMessenger
from torch import nn

Program = Callable[..., Any]


def takes_size(*programs: Program) -> bool:
    """Return whether all take ``size`` and one by name; an AutoGuide takes any keyword, for its model.

    Example:
        >>> takes_size(lambda x, size=None: None, lambda x, **keywords: None), takes_size(lambda x, size: None, len)
        (True, False)
    """
    takes = [_takes(program) for program in programs]
    return True in takes and False not in takes


def gets_size(data: Any, *programs: Program) -> bool:
    """Return whether programs take ``size`` and `data`, their arguments, do not hold it already."""
    return takes_size(*programs) and not _hold(data, next(program for program in programs if _takes(program)))


def without_size(data: Any, model: Program, guide: Program) -> str:
    """Return which program does not take the ``size`` that the other cannot run without, "" if neither."""
    for name, program, other in (("guide", guide, model), ("model", model, guide)):
        size = _parameters(other).get("size")
        if size is not None and size.default is size.empty and _takes(program) is False and not _hold(data, other):
            return name
    return ""


def _hold(data: Any, program: Program) -> bool:
    """Return whether arguments hold the ``size`` of a program, by name or by place."""
    if isinstance(data, Mapping):
        return "size" in data
    given = len(data) if isinstance(data, tuple) else int(data is not None)
    return "size" in list(_parameters(program))[:given]


def _takes(program: Program) -> bool | None:
    """Return whether a program takes ``size`` by name; None if it takes any keyword."""
    if isinstance(program, GuideMessenger):
        return None
    if isinstance(program, AutoGuideList):
        return None if all(_takes(part) is not False for part in program) else False
    forward: Any = getattr(program, "forward", program)
    eased = str(getattr(forward, "__module__", "")).startswith("pyro.contrib.easyguide")
    parameters = _parameters(program.guide if eased else program)  # type: ignore[attr-defined]
    other = None if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else False
    return "size" in parameters or other


def _parameters(program: Program) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(program.forward if isinstance(program, nn.Module) else program).parameters
    except (TypeError, ValueError):
        return {}
