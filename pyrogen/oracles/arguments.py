"""What closed forms take: numbers of one kind, shapes that fit together, and no NaN that comes out without a word.

The package's own checks are not used here: an oracle shares nothing with what it is held against.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]
Sizes = dict[str, tuple[int, str]]  # by letter: the size, and the argument that has it
Kind = Callable[[str, Any, Sizes], Any]
P = ParamSpec("P")
R = TypeVar("R")


def closed_form(**kinds: Kind) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check and convert the arguments of a closed form, and refuse a result that float64 cannot hold.

    Args:
        kinds: by name of the argument, `table`, `vector`, `covariance`, `number` or `count`. The letters of
            their shapes mean the same size in all arguments of one call.

    Raises:
        TypeError: in the call, for anything but a real number.
        ValueError: in the call, for numbers out of range, shapes that do not fit, and results that are NaN.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            sizes: Sizes = {}
            for name, kind in kinds.items():
                bound.arguments[name] = kind(name, bound.arguments[name], sizes)
            try:
                with np.errstate(all="ignore"):
                    result = function(*bound.args, **bound.kwargs)
            except (ArithmeticError, np.linalg.LinAlgError) as error:
                raise ValueError(f"{function.__name__} cannot be computed of these numbers: {error}") from error
            except ValueError as error:
                if str(error).startswith("math "):  # the logarithm of what became 0
                    raise ValueError(f"{function.__name__} cannot be computed of these numbers: {error}") from error
                raise
            if _holds_nan(result):
                raise ValueError(f"{function.__name__} cannot be computed of these numbers: they leave float64's range")
            return result

        return checked

    return decorate


def table(*letters: str, least: float = -math.inf, above: float = -math.inf, rows: int = 0) -> Kind:
    """Return an array of real numbers with one dimension a letter; of any shape without letters.

    Args:
        letters: the names of its sizes. ``"..."`` alone stands for any shape that broadcasts with the others'.
        least, above: the range of its entries.
        rows: the smallest first size.
    """

    def check(name: str, value: Any, sizes: Sizes) -> Array:
        array = as_array(value, name)
        if letters == ("...",):
            _broadcast(name, array.shape, sizes)
        elif letters:
            _match(name, array.shape, letters, sizes)
        if rows and (array.ndim == 0 or len(array) < rows):
            raise ValueError(f"{name} must have at least {rows} row(s), got shape {array.shape}")
        if (array < least).any() or (array <= above).any():
            wanted = "positive" if above == 0 else f"at least {least:g}"
            raise ValueError(f"{name} must be {wanted}, got {array.min():g}")
        return array

    return check


def vector(letter: str) -> Kind:
    """Return an array of real numbers in one row, or a single number."""

    def check(name: str, value: Any, sizes: Sizes) -> Array:
        row = as_array(value, name).reshape(-1)
        _match(name, row.shape, (letter,), sizes)
        return row

    return check


def covariance(letter: str) -> Kind:
    """Return a symmetric, positive definite matrix."""

    def check(name: str, value: Any, sizes: Sizes) -> Array:
        matrix = as_array(value, name)
        if matrix.ndim != 2 or not matrix.size or len(matrix) != matrix.shape[1]:
            raise ValueError(f"{name} must be a symmetric matrix ({letter}, {letter}), got shape {matrix.shape}")
        _match(name, matrix.shape, (letter, letter), sizes)
        if not np.allclose(matrix, matrix.T):
            raise ValueError(f"{name} must be a symmetric matrix, got one that is not")
        if not (np.linalg.eigvalsh(matrix) > 0).all():
            raise ValueError(f"{name} must be positive definite, got one with an eigenvalue of at most 0")
        return matrix

    return check


def number(least: float = -math.inf, above: float = -math.inf, most: float = math.inf) -> Kind:
    """Return a finite real number as a float."""

    def check(name: str, value: Any, sizes: Sizes) -> float:
        single = _single(value)
        if isinstance(single, bool | np.bool_) or not isinstance(single, numbers.Real):
            raise TypeError(f"{name} must be a number, got {_shown(value)}")
        try:
            result = float(single)
        except OverflowError:
            result = math.inf
        if not math.isfinite(result):
            raise ValueError(f"{name} must be {'positive and ' * (above == 0)}finite, got {_shown(single)}")
        if result < least or result <= above or result > most:
            limits = {"at least": least, "above": above, "at most": most}
            wanted = " and ".join(f"{words} {limit:g}" for words, limit in limits.items() if math.isfinite(limit))
            raise ValueError(f"{name} must be {wanted.replace('above 0', 'positive')}, got {result:g}")
        return result

    return check


def count(least: int = 1) -> Kind:
    """Return a whole number as an int."""

    def check(name: str, value: Any, sizes: Sizes) -> int:
        single = _single(value)
        if isinstance(single, bool | np.bool_) or not isinstance(single, numbers.Integral):
            raise TypeError(f"{name} must be a whole number, got {_shown(value)}")
        if int(single) < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {int(single)}")
        return int(single)

    return check


def labels(letter: str, classes: str) -> Kind:
    """Whole numbers of at least 0 in one row, below the size `classes` where another argument has told it."""
    row = table(letter, least=0)

    def check(name: str, value: Any, sizes: Sizes) -> NDArray[np.int64]:
        numbers_given: Array = row(name, value, sizes)
        if (numbers_given % 1 != 0).any():
            raise ValueError(f"{name} must hold whole numbers, got {numbers_given[numbers_given % 1 != 0][0]:g}")
        most = sizes.get(classes, (2**53, ""))[0]
        if (numbers_given >= most).any():
            raise ValueError(f"{name} must be below {classes} = {most}, got {numbers_given.max():g}")
        return numbers_given.astype(np.int64)

    return check


def indices(name: str, value: Any, sizes: Sizes) -> tuple[int, ...]:
    """Different whole numbers of at least 0, such as places of columns."""
    if (
        isinstance(value, str | bytes)
        or not isinstance(value, Sequence | np.ndarray)
        or (isinstance(value, np.ndarray) and not value.ndim)
    ):
        raise TypeError(f"{name} must be a sequence of whole numbers, got {_shown(value)}")
    each = count(least=0)
    return tuple(each(f"{name}[{place}]", entry, sizes) for place, entry in enumerate(value))


def as_array(value: Any, name: str = "an argument") -> Array:
    """Return numbers as a finite float64 array; tensors are detached.

    Raises:
        TypeError: for complex numbers, truth values, texts, dates and other objects.
        ValueError: for rows of different lengths, masked entries, NaN and infinity.
    """
    if isinstance(value, torch.Tensor):
        if value.device.type == "meta":
            raise TypeError(f"{name} must hold numbers, got a tensor on the meta device")
        value = value.detach().cpu().to_dense()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise ValueError(f"{name} must have no masked entries, got {np.ma.getmaskarray(value).sum()}: fill them")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise ValueError(f"{name} must be an array of numbers, got {_shown(value)}") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold real numbers, got {_shown(value)} of {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {(~np.isfinite(array)).sum()} NaN or infinite entries")
    return array


def _match(name: str, shape: tuple[int, ...], letters: tuple[str, ...], sizes: Sizes) -> None:
    if len(shape) != len(letters):
        raise ValueError(f"{name} must be of shape ({', '.join(letters)}), got {shape}")
    for letter, size in zip(letters, shape, strict=True):
        known, where = sizes.setdefault(letter, (size, name))
        if known != size:
            raise ValueError(
                f"{name} must be of shape ({', '.join(letters)}) with {letter} = {known}, as {where} has, got {shape}"
            )


def _broadcast(name: str, shape: tuple[int, ...], sizes: Sizes) -> None:
    """Keep the common shape so far among the sizes, a dimension from the right a letter."""
    for place, size in enumerate(reversed(shape)):
        known, where = sizes.get(f"dimension −{place + 1}", (1, name))
        if known != 1 and size not in (1, known):
            raise ValueError(f"{name} must fit the shape of {where}, got {shape}")
        sizes[f"dimension −{place + 1}"] = (size, name) if known == 1 else (known, where)


def _holds_nan(result: Any) -> bool:
    if isinstance(result, tuple):
        return any(map(_holds_nan, result))
    if isinstance(result, torch.Tensor):
        return bool(result.isnan().any())
    return isinstance(result, float | np.ndarray) and bool(np.isnan(result).any())


def _single(value: Any) -> Any:
    """Return the element of a 0-d array or tensor."""
    plain = isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray)
    if (plain or (isinstance(value, torch.Tensor) and value.device.type != "meta")) and value.ndim == 0:
        return value.item()
    return value


def _shown(value: Any) -> str:
    try:
        said = repr(value)
    except Exception:  # a stranger's own
        said = ""
    return said if said and len(said) <= 40 and "\n" not in said else f"a {type(value).__name__}"
