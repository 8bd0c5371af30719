"""Argument checks: one set for the whole package.

A check takes the argument's name and value, and returns the value as plain Python, so that what follows can trust it.
NumPy scalars, 0-d arrays and 0-d tensors are numbers everywhere; ``True`` and ``"3"`` are numbers nowhere. A value of
the wrong kind raises ``TypeError``, a number out of range ``ValueError``; both say "name must be what, got value".
"""

from __future__ import annotations

import difflib
import math
import numbers
import operator
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

INFINITY = math.inf
LARGEST_COUNT = 10**7  # of what is held in memory once for each, such as bins and draws
LARGEST_SIZE = 2**40  # of all that is made at once: no memory holds more
LARGEST_SEED = 2**32 - 1  # the largest that NumPy, torch and scikit-learn all take


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """Return a whole number, such as a count or a size.

    Args:
        name: the argument's name, for the error.
        value: an ``int``, a NumPy integer, or a 0-d array or tensor of integers.
        least: the smallest value allowed; ``None`` allows all.
        most: the largest value allowed; ``None`` allows all.

    Raises:
        TypeError: if it is another kind of value, ``bool`` and ``float`` included.
        ValueError: if it is out of range.

    Example:
        >>> import numpy as np
        >>> whole("steps", np.int64(3), least=1)
        3
    """
    absurd = most in (LARGEST_COUNT, LARGEST_SIZE)
    wanted = "a whole number" + _range(least, None if absurd else most)
    single = _single(value)
    if isinstance(single, bool | np.bool_) or not isinstance(single, numbers.Integral):
        raise TypeError(f"{name} must be {wanted}, got {shown(value)}")
    result = operator.index(single)
    if absurd and most is not None and result > most:
        raise ValueError(f"{name} must be at most {most}, so that memory holds it, got {shown(result)}")
    if (least is not None and result < least) or (most is not None and result > most):
        raise ValueError(f"{name} must be {wanted}, got {result}")
    return result


def real(
    name: str,
    value: Any,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    finite: bool = True,
) -> float:
    """Return a real number.

    Args:
        name: the argument's name, for the error.
        value: an ``int``, ``float``, NumPy number, or a 0-d array or tensor of real numbers.
        least, most: the range allowed, its ends included.
        above, below: the range allowed, its ends left out.
        finite: whether infinity is refused; NaN always is.

    Raises:
        TypeError: if it is another kind of value, such as ``bool``, ``str`` or ``complex``.
        ValueError: if it is out of range.

    Example:
        >>> real("lr", torch.tensor(0.5), above=0)
        0.5
    """
    limits = _range(least, most, above, below)
    wanted = f"a {'finite ' if finite and most is None and below is None else ''}number{limits}"
    single = _single(value)
    if isinstance(single, bool | np.bool_) or not isinstance(single, numbers.Real):
        raise TypeError(f"{name} must be {wanted}, got {shown(value)}")
    try:
        result = float(single)
    except OverflowError:
        result = INFINITY if operator.gt(single, 0) else -INFINITY
    outside = (
        math.isnan(result)
        or (finite and math.isinf(result))
        or (least is not None and result < least)
        or (most is not None and result > most)
        or (above is not None and result <= above)
        or (below is not None and result >= below)
    )
    if outside:
        raise ValueError(f"{name} must be {wanted}, got {shown(single)}")
    return result


def probability(name: str, value: Any, open: bool = False) -> float:
    """Return a number in [0, 1], or with ``open=True`` in (0, 1).

    Raises:
        TypeError, ValueError: as `real`.
    """
    return real(name, value, above=0, below=1) if open else real(name, value, least=0, most=1)


def seed(name: str, value: Any) -> int:
    """Return a seed, a whole number from 0 to 2³² − 1.

    Raises:
        TypeError, ValueError: as `whole`.
    """
    return whole(name, value, least=0, most=LARGEST_SEED)


def flag(name: str, value: Any) -> bool:
    """Return ``True`` or ``False``; NumPy's are taken too.

    Raises:
        TypeError: if it is anything else, such as ``1`` or ``"no"``.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def one_of(name: str, value: Any, options: Iterable[str]) -> Any:
    """Return one of the named options.

    Raises:
        TypeError: if it is not a string.
        ValueError: if it is another string.

    Example:
        >>> one_of("update", "ema", ("ema", "loss"))
        'ema'
    """
    known = list(options)
    wanted = f"one of {', '.join(map(repr, known))}" if len(known) > 1 else repr(known[0])
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {wanted}, got {shown(value)}")
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1) if len(known) > 3 else []
        raise ValueError(f"{name} must be {wanted}, got {shown(value)}" + "".join(f": try {n!r}" for n in near))
    return value


def sizes(name: str, value: Any, least: int = 1, example: str = "", in_all: int = LARGEST_SIZE) -> tuple[int, ...]:
    """Return a sequence of whole numbers as a tuple, such as a shape.

    Args:
        name: the argument's name, for the error.
        value: a sequence.
        least: the smallest entry allowed.
        example: what a good value looks like, for the error.
        in_all: the largest product of the entries allowed.

    Raises:
        TypeError: if it is not a sequence.
        ValueError: if their product is too large.
        TypeError, ValueError: as `whole`, for an entry.
    """
    like = f" such as {example}" if example else ""
    if isinstance(value, torch.Tensor | np.ndarray) and value.ndim == 1:
        value = array(name, value).tolist()
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | torch.Size):
        raise TypeError(f"{name} must be a sequence of whole numbers{like}, got {shown(value)}")
    result = tuple(whole(f"{name}[{place}]", entry, least) for place, entry in enumerate(value))
    if math.prod(result) > in_all:
        raise ValueError(f"{name} must be sizes of at most {in_all} entries, so that memory holds them, got {result}")
    return result


def names(name: str, value: Any) -> tuple[str, ...]:
    """Return a sequence of texts as a tuple, such as the names of columns.

    Raises:
        TypeError: if it is not a sequence, or an entry is not a text.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a sequence of names, got {shown(value)}")
    for place, entry in enumerate(value):
        if not isinstance(entry, str):
            raise TypeError(f"{name}[{place}] must be a name, got {shown(entry)}")
    return tuple(value)


def array(name: str, value: Any, any_kind: bool = False) -> np.ndarray:
    """Return real numbers as a NumPy array of their own type: an array, a tensor, a list or a number.

    This is the one way into the package for tables of numbers. A tensor is detached, and moved to the host. With
    ``any_kind`` the caller looks at the type of the entries itself.

    Raises:
        TypeError: for complex numbers, texts, dates, records and other objects.
        ValueError: for rows of different lengths and for masked entries, which no metric could leave out.

    Example:
        >>> array("codes", torch.tensor([1.0, 2.0], requires_grad=True))
        array([1., 2.], dtype=float32)
    """
    if isinstance(value, torch.Tensor):
        if value.device.type == "meta":
            raise TypeError(f"{name} must hold numbers, got a tensor on the meta device")
        value = value.detach().cpu().to_dense()
        value = (value.float() if value.dtype == torch.bfloat16 else value).resolve_neg().resolve_conj().numpy()
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.getmaskarray(value).any():
            raise ValueError(f"{name} must have no masked entries, got {np.ma.getmaskarray(value).sum()}: fill them")
        value = value.data
    try:
        result = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array, got rows of different lengths.") from None
    except Exception as error:  # whatever a stranger's container does
        raise TypeError(f"{name} must be an array of numbers, got {shown(value)}") from error
    if result.dtype.kind not in "biuf" and not any_kind:
        raise TypeError(f"{name} must be real numbers, got an array of dtype {result.dtype}.")
    return result


def tensor(name: str, value: Any) -> torch.Tensor:
    """Return real numbers as a tensor: a tensor as it is, gradient and device too, and what `array` takes.

    Raises:
        TypeError, ValueError: as `array`.
    """
    if isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_complex():
        if value.device.type == "meta":
            raise TypeError(f"{name} must hold numbers, got a tensor on the meta device")
        return value
    result = array(name, value)
    if result.dtype.kind == "u" and result.dtype.itemsize > 1:
        result = result.astype(np.int64)
    native = result.astype(result.dtype.newbyteorder("="), copy=True)
    return torch.from_numpy(native.astype(np.float64) if native.dtype.itemsize > 8 else native)


def path(name: str, value: Any) -> Path:
    """Return a path.

    Raises:
        TypeError: if it is neither a string nor ``os.PathLike``.
        ValueError: if it is empty or holds a null character.
    """
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise TypeError(f"{name} must be a path, got {shown(value)}")
    if not os.fspath(value) or "\0" in os.fspath(value):
        raise ValueError(f"{name} must be a path, got {shown(os.fspath(value))}")
    return Path(value)


def shown(value: Any) -> str:
    """Return a wrong value as an error shows it: itself where it is short, else its kind."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, torch.Tensor | np.ndarray) and value.ndim:
        return f"{'a tensor' if isinstance(value, torch.Tensor) else 'an array'} of shape {tuple(value.shape)}"
    try:
        said = repr(value)
    except Exception:  # a stranger's own
        said = ""
    if said and len(said) <= 40 and "\n" not in said and " at 0x" not in said:
        return said
    kind = type(value).__name__
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def _single(value: Any) -> Any:
    """Return the element of a 0-d array or tensor."""
    if isinstance(value, torch.Tensor | np.ndarray) and value.ndim == 0 and not isinstance(value, np.ma.MaskedArray):
        return value.item()
    return value


def _range(
    least: float | None = None, most: float | None = None, above: float | None = None, below: float | None = None
) -> str:
    low = f"{least:g}" if isinstance(least, float) else f"{least}"
    if least is not None and most is not None:
        return f" from {low} to {most}"
    if above is not None and below is not None:
        return f" between {above} and {below}, both left out"
    if least is not None and below is not None:
        return f" of at least {low} and below {below}"
    parts = {" of at least": least, " above": above, " of at most": most, " below": below}
    return "".join(f"{words} {limit}" for words, limit in parts.items() if limit is not None)
