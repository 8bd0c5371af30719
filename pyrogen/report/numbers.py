r"""Numbers for reading, and values for JSON."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pyrogen import checks
from pyrogen.signatures import checked

MINUS = "−"
MOST_DIGITS = 17  # of a float
_WRITTEN = re.compile(r"[−-]?\d[\d.,]*(?:e[−-]?\d+)?(?: ± \d[\d.,]*)?%?")


def format_number(value: Any, digits: int = 4) -> str:
    r"""Return a value as a reader wants it: four significant digits, thousands apart, a true minus, "–" for None.

    Args:
        value: a number, string, boolean or None; arrays and tensors of one number too.
        digits: significant digits of a float.

    Example:
        >>> [format_number(x) for x in (18.3141, -0.04, 737280, 1e-7, None, True, "β = 4")]
        ['18.31', '−0.04000', '737,280', '1.000e−07', '–', 'yes', 'β = 4']
    """

    digits = checks.whole("digits", digits, 1, MOST_DIGITS)
    value = _unwrap(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", MINUS)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if value == 0 or math.isinf(value):
            return f"{value:.0f}".replace("-0", "0").replace("inf", "∞").replace("-", MINUS)
        rounded = abs(float(f"{value:.{digits}g}"))
        text = f"{value:,.0f}" if 10 ** (digits - 1) <= rounded < 1e12 else f"{value:#.{digits}g}"
        return text.replace("-", MINUS)
    return str(value)


@checked
def format_column(values: Sequence[Any], digits: int = 4) -> list[str]:
    r"""Return the values of a column with one number of decimals for its floats, where none would lose its digits.

    Args:
        values: the cells of the column, as for `format_number`.
        digits: significant digits of the largest float.

    Example:
        >>> format_column([0.1642, 0.0734, 0.3, None])
        ['0.1642', '0.0734', '0.3000', '–']
        >>> format_column([1e-6, 5.0])
        ['1.000e−06', '5.000']
    """

    digits = checks.whole("digits", digits, 1, MOST_DIGITS)
    plain = [_unwrap(value) for value in values]
    sizes = [abs(value) for value in plain if isinstance(value, float) and math.isfinite(value) and value != 0]
    if not sizes or not 1e-3 <= max(sizes) < 1e6 or min(sizes) < 1e-3 * max(sizes):
        return [format_number(value, digits) for value in plain]
    decimals = max(0, digits - 1 - math.floor(math.log10(max(sizes))))
    return [
        f"{value:,.{decimals}f}".replace("-", MINUS)
        if isinstance(value, float) and math.isfinite(value)
        else format_number(value, digits)
        for value in plain
    ]


def with_error(value: float, error: float) -> str:
    r"""Return a value with its standard error, both rounded to two significant digits of the error.

    Args:
        value: the value.
        error: its standard error.

    Example:
        >>> with_error(18.3141, 0.1234), with_error(-2041.7, 31.0)
        ('18.31 ± 0.12', '−2042 ± 31')
    """

    value, error = _real("value", value), _real("error", error)
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return f"{format_number(value)} ± {format_number(error)}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}".replace("-", MINUS)


def to_plain(value: Any) -> Any:
    r"""Return a value as what JSON can hold: objects by `to_dict()` or `to_json()`, arrays as lists, NaN as None."""

    if hasattr(value, "to_dict"):
        return to_plain(value.to_dict())
    if hasattr(value, "to_json"):
        return to_plain(json.loads(value.to_json()))
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's and torch's arrays and scalars
        return to_plain(value.tolist())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"scores must be numbers, strings, lists and mappings of these, got {type(value).__name__}")


def _real(name: str, value: Any) -> float:
    r"""Return a number; NaN and infinity are numbers here."""

    value = _unwrap(value)
    return value if isinstance(value, float) and math.isnan(value) else checks.real(name, value, finite=False)


def _unwrap(value: Any) -> Any:
    r"""Return a scalar of numpy or torch as Python's, and everything else as it is."""

    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def is_number(value: Any) -> bool:
    r"""Return whether a cell is a number, absent (None), or a string that was written from a number."""

    value = _unwrap(value)
    if isinstance(value, str):
        return _WRITTEN.fullmatch(value) is not None
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
