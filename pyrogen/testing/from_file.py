"""`pyrogen check FILE.py:function`: the programs that a function of a file returns, put through `check`."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyrogen.testing.check import check
from pyrogen.testing.findings import Report
from pyrogen.testing.running.errors import failing

_RETURNS = (
    "must return (model, guide, args), an object with a model and a guide together with args, or a dict of the "
    "arguments of pg.testing.check"
)


def check_file(target: str, **settings: Any) -> Report:
    """Check the programs that a function without arguments returns.

    Args:
        target: ``FILE.py:function``. The file runs as a module, with its folder on the path.
        **settings: further arguments of `check`; they go before those that the function returns.

    Returns:
        The report.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file or the function fails, the file lacks the function, or it returns something else.
    """
    name, separator, function = target.rpartition(":")
    if not separator or not name.endswith(".py") or not function.isidentifier():
        raise ValueError(f"the target must be FILE.py:function, got {target!r}")
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {name}")
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        make = _run(path, lambda: runpy.run_path(str(path), run_name=path.stem)).get(function)
        if not callable(make):
            raise ValueError(f"{name} must define a function {function!r}, got none of that name")
        return check(**_arguments(_run(path, make), function) | settings)
    finally:
        sys.path.pop(0)


def _run(path: Path, part: Callable[[], Any]) -> Any:
    """Call the file's own code; its errors are told from a fault that `check` finds."""
    try:
        return part()
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
        place = f"{path}:{lines[-1]}" if lines else str(path)
        raise ValueError(f"{failing(place, error)}. The function is called without arguments") from error


def _arguments(made: Any, function: str) -> dict[str, Any]:
    """Return the arguments of `check` from what a function returned."""
    if isinstance(made, Mapping):
        return dict(made)
    parts = list(made) if isinstance(made, tuple) else [made]
    found: dict[str, Any] = {"model": parts.pop(0)} if parts else {}
    if parts and callable(parts[0]):
        found["guide"] = parts.pop(0)
    if not callable(found.get("model")) and not hasattr(found.get("model"), "guide"):
        raise ValueError(f"{function!r} {_RETURNS}, got a {type(made).__name__}")
    if parts:
        found["args"] = parts.pop(0)
    if parts:
        found["kwargs"] = parts.pop(0)
    if parts or not isinstance(found.get("args", ()), tuple | list) or not isinstance(found.get("kwargs", {}), Mapping):
        raise ValueError(f"{function!r} {_RETURNS}: args are a tuple such as (x,), got {found.get('args')!r:.60}")
    return found
