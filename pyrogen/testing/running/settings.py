"""Settings of the questions, looked at before work starts: each wrong one is an error of one sentence."""

from __future__ import annotations

import numbers
from typing import Any


def whole(name: str, value: Any, least: int | None = None) -> int:
    """A whole number, such as a count or a seed; ``TypeError`` for anything else, ``ValueError`` below `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, and it is {shown(value)}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, and it is {value}")
    return int(value)


def number(name: str, value: Any) -> float:
    """One number, that of a tensor or array with one element too; ``TypeError`` for anything else."""
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be a number, and it is {shown(value)}") from None


def rate(false_alarm: Any) -> float:
    """A rate between 0 and 1, both excluded."""
    value = number("false_alarm", false_alarm)
    if not 0 < value < 1:
        raise ValueError(f"false_alarm is a rate between 0 and 1, and it is {value}")
    return value


def margin(name: str, value: Any, below: float = float("inf")) -> float:
    """A margin: 0 or more, and below a limit."""
    result = number(name, value)
    if not 0 <= result < below:
        limit = "" if below == float("inf") else f" and below {below:g}"
        raise ValueError(f"{name} must be 0 or more{limit}, and it is {result}")
    return result


def shown(value: Any) -> str:
    """A wrong value in an error's sentence: itself where it is short, else its kind."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    said = repr(value)
    return said if len(said) <= 40 and "\n" not in said and " at 0x" not in said else f"a {type(value).__name__}"
