r"""The boundary of the metrics: what comes in is made a checked numpy array here, and trusted afterwards."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_codes(codes: ArrayLike, name: str = "codes") -> NDArray[np.float64]:
    r"""Returns codes as float64 (N, L), finite, with at least two rows and one column."""

    array = _to_numpy(codes)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got an array of dtype {array.dtype}.")
    _check_table(array, name, "(N, L): one row an image, one column a latent")
    with np.errstate(over="ignore"):
        array = array.astype(np.float64)
        bad = ~np.isfinite(array)
        wide = not bad.any() and not np.isfinite(np.ptp(array, axis=0)).all()
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"{name} must be finite, got {array[row, column]} in row {row}, column {column}.")
    if wide:
        raise ValueError(f"{name} span more than float64 can hold; rescale them.")
    return array


def as_factors(factors: ArrayLike, rows: int | None = None) -> NDArray[np.int64]:
    r"""Returns factors as int64 (N, K), renumbered so that column k holds 0, ..., V_k - 1 with every value present."""

    array = _to_numpy(factors)
    if array.dtype.kind not in "biu":
        raise TypeError(
            f"factors must be integers (the index of each factor's value), got dtype {array.dtype}; "
            "convert them, or number the values with numpy.unique(..., return_inverse=True)."
        )
    _check_table(array, "factors", "(N, K): one row an image, one column a factor")
    if rows is not None and len(array) != rows:
        raise ValueError(f"codes and factors must have one row an image each, got {rows} and {len(array)} rows.")
    return np.stack([np.unique(column, return_inverse=True)[1] for column in array.T], axis=1).astype(np.int64)


def as_scale(scale: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    r"""Returns the posterior standard deviations as float64 (N, L), positive and of the codes' shape."""

    if scale is None:
        raise ValueError(
            'estimator="posterior" needs scale, the standard deviations (N, L) of q(z|x); '
            'without them use estimator="histogram".'
        )
    array = as_codes(scale, "scale")
    if array.shape != shape:
        raise ValueError(f"scale must have the shape of codes, expected {shape}, got {array.shape}.")
    if not (array >= np.finfo(np.float64).tiny).all():  # the smallest number whose inverse is finite
        row, column = np.argwhere(array < np.finfo(np.float64).tiny)[0]
        raise ValueError(f"scale must be positive, got {array[row, column]} in row {row}, column {column}.")
    return array


def kept_factors(
    number: int,
    leave_out: int | str | Sequence[int | str],
    factor_names: Sequence[str] | None,
) -> tuple[list[int], list[str]]:
    r"""Returns the columns of the factors that stay, and the names of all factors (`"0"`, `"1"`, ... without names)."""

    names = [str(k) for k in range(number)] if factor_names is None else list(factor_names)
    if len(names) != number or len(set(names)) != number:
        raise ValueError(f"factor_names must be {number} different names, one a column of factors, got {names}.")
    asked = [leave_out] if isinstance(leave_out, int | np.integer | str) else list(leave_out)
    out = set()
    for item in asked:
        if isinstance(item, str) and factor_names is None:
            raise ValueError(f"leave_out names {item!r} but factor_names is not given; give it, or use an index.")
        if isinstance(item, str) and item in names:
            out.add(names.index(item))
        elif isinstance(item, int | np.integer) and not isinstance(item, bool) and 0 <= item < number:
            out.add(int(item))
        else:
            raise ValueError(f"leave_out has {item!r}, which is no factor; expected 0..{number - 1} or one of {names}.")
    kept = [k for k in range(number) if k not in out]
    if not kept:
        raise ValueError(f"leave_out leaves no factor to score; all {number} are left out.")
    return kept, names


def _to_numpy(value: Any) -> NDArray[Any]:
    if hasattr(value, "detach"):  # a torch tensor that requires grad or lies on a device has no direct numpy view
        value = value.detach().cpu()
    return np.asarray(value)


def _check_table(array: NDArray[Any], name: str, meaning: str) -> None:
    if array.ndim != 2:
        raise ValueError(f"{name} must have two dimensions {meaning}; got shape {array.shape}.")
    if array.shape[0] < 2 or array.shape[1] < 1:
        raise ValueError(f"{name} must have at least two rows and one column, got shape {array.shape}.")
