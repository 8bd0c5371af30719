r"""The boundary of the metrics: what comes in is made a checked numpy array here, and trusted afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pyrogen import checks
from pyrogen.metrics.histogram import digitize


@dataclass(frozen=True)
class MixedFactors:
    r"""Checked factors, some of them continuous: (N, K) float64, with a name and a kind a column.

    A discrete column holds 0, ..., V_k - 1 with every value present, a continuous one the numbers that were given.
    """

    values: NDArray[np.float64]
    continuous: tuple[bool, ...]
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def real(self) -> list[str]:
        r"""The names of the continuous factors."""

        return [name for name, is_real in zip(self.names, self.continuous, strict=True) if is_real]

    def discrete(self, k: int) -> NDArray[np.int64]:
        r"""Return column k of the values as int64 (N,); of a continuous factor this makes no sense."""

        return self.values[:, k].astype(np.int64)


def as_codes(codes: ArrayLike, name: str = "codes") -> NDArray[np.float64]:
    r"""Return codes as float64 (N, L), finite, with at least two rows and one column."""

    array = _to_numpy(codes, name)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got an array of dtype {array.dtype}")
    _check_table(array, name, "(N, L): one row an image, one column a latent")
    with np.errstate(over="ignore"):
        array = array.astype(np.float64)
        bad = ~np.isfinite(array)
        wide = not bad.any() and not np.isfinite(np.ptp(array, axis=0)).all()
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"{name} must be finite, got {array[row, column]} in row {row}, column {column}")
    if wide:
        raise ValueError(f"{name} must span no more than float64 can hold, got more: rescale them")
    return array


def as_factors(factors: ArrayLike, rows: int | None = None) -> NDArray[np.int64]:
    r"""Return factors as int64 (N, K), renumbered so that column k holds 0, ..., V_k - 1 with every value present."""

    array = _to_numpy(factors, "factors")
    if array.dtype.kind not in "biu":
        raise TypeError(
            f"factors must be integers (the index of each factor's value), got dtype {array.dtype}: "
            "convert them, or number the values with numpy.unique(..., return_inverse=True)"
        )
    _check_table(array, "factors", "(N, K): one row an image, one column a factor")
    if rows is not None and len(array) != rows:
        raise ValueError(f"codes and factors must have one row an image each, got {rows} and {len(array)} rows")
    return np.stack([np.unique(column, return_inverse=True)[1] for column in array.T], axis=1).astype(np.int64)


def as_mixed_factors(
    factors: ArrayLike,
    continuous: bool | int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    rows: int | None = None,
    leave_out: int | str | Sequence[int | str] = (),
) -> MixedFactors:
    r"""Return factors (N, K), discrete or continuous, that are finite and have at least two values each.

    `continuous` names the continuous columns, by index or by name, or is True for all of them; the others are discrete.
    An array has one dtype, so discrete columns may be floats beside a continuous one; they must hold whole numbers.
    """

    array = _to_numpy(factors, "factors")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"factors must be numbers, got an array of dtype {array.dtype}")
    _check_table(array, "factors", "(N, K): one row an image, one column a factor")
    if rows is not None and len(array) != rows:
        raise ValueError(f"codes and factors must have one row an image each, got {rows} and {len(array)} rows")
    number = array.shape[1]
    real, names = _continuous_columns(number, continuous, factor_names)
    kept, _ = kept_factors(number, leave_out, factor_names)
    if array.dtype.kind == "f" and not real:
        raise TypeError(
            f"factors must be integers (the index of each factor's value), got dtype {array.dtype}; "
            "convert them, or say which are continuous: continuous=[...] with their indices or names, or True for all"
        )
    values = as_codes(array, "factors")
    whole = (values == np.floor(values)).all(axis=0)
    broken = [names[k] for k in kept if k not in real and not whole[k]]
    if broken:
        raise ValueError(
            f"discrete factors must hold whole numbers, got others in {_listed(broken)}: "
            "name them in continuous, or number their values"
        )
    single = [names[k] for k in kept if (array[:, k] == array[0, k]).all()]
    if single:
        raise ValueError(f"factors must have two values or more, got one in {_listed(single)}: leave them out")
    columns = [values[:, k] if k in real else np.unique(array[:, k], return_inverse=True)[1] for k in kept]
    return MixedFactors(
        np.stack(columns, axis=1).astype(np.float64),
        tuple(k in real for k in kept),
        tuple(names[k] for k in kept),
        tuple(name for k, name in enumerate(names) if k not in kept),
    )


def check_several(names: Sequence[str], score: str = "a score that tells them apart") -> None:
    r"""Raise ``ValueError`` for a single factor."""

    if len(names) < 2:
        raise ValueError(f"factors must be at least two for {score}, got {names[0]!r} alone")


def binned(factors: MixedFactors, bins: int) -> NDArray[np.int64]:
    r"""Return factors as int64 (N, K) from 0, every value present: the continuous cut into bins of equal width."""

    bins = checks.whole("bins", bins, least=2)
    columns = [
        np.unique(digitize(factors.values[:, k], bins), return_inverse=True)[1] if is_real else factors.discrete(k)
        for k, is_real in enumerate(factors.continuous)
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def split_rows(
    rows: int, train: int | None = None, test: int | None = None, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    r"""Return the indices of training and test rows: disjoint, drawn at random by `seed`.

    Without sizes these are two thirds and one third of the rows, at most 10,000 and 5,000.
    """

    for name, size in (("train", train), ("test", test)):
        if size is not None and (isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1):
            raise ValueError(f"{name} must be a positive number of rows, got {size!r}")
    most = rows - (test or 1)
    if most < 1 or (train or 1) > most:
        asked = ", ".join(f"{name}={size}" for name, size in (("train", train), ("test", test)) if size is not None)
        raise ValueError(f"training and test rows must be disjoint, got {rows} rows for {asked}")
    if train is None:
        train = min(10_000, most, -(-2 * rows // 3) if test is None else most)
    test = min(5_000, rows - train) if test is None else test
    order = np.random.default_rng(checks.seed("seed", seed)).permutation(rows)
    return order[:train], order[train : train + test]


def as_scale(scale: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    r"""Return the posterior standard deviations as float64 (N, L), positive and of the codes' shape."""

    if scale is None:
        raise ValueError(
            'scale must be the standard deviations (N, L) of q(z|x) for estimator="posterior", got None: '
            'without them use estimator="histogram"'
        )
    array = as_codes(scale, "scale")
    if array.shape != shape:
        raise ValueError(f"scale must have the shape of codes, expected {shape}, got {array.shape}")
    if not (array >= np.finfo(np.float64).tiny).all():  # the smallest number whose inverse is finite
        row, column = np.argwhere(array < np.finfo(np.float64).tiny)[0]
        raise ValueError(f"scale must be positive, got {array[row, column]} in row {row}, column {column}")
    return array


def kept_factors(
    number: int,
    leave_out: int | str | Sequence[int | str],
    factor_names: Sequence[str] | None,
) -> tuple[list[int], list[str]]:
    r"""Return the columns of the factors that stay, and the names of all factors (`"0"`, `"1"`, ... without names)."""

    names = (
        [str(k) for k in range(number)] if factor_names is None else list(checks.names("factor_names", factor_names))
    )
    if len(names) != number or len(set(names)) != number:
        raise ValueError(f"factor_names must be {number} different names, one a column of factors, got {names}")
    out = {_column(item, names, factor_names is not None, "leave_out") for item in _items(leave_out, "leave_out")}
    kept = [k for k in range(number) if k not in out]
    if not kept:
        raise ValueError(f"leave_out must leave a factor to score, got all {number}")
    return kept, names


def _to_numpy(value: Any, name: str) -> NDArray[Any]:
    return checks.array(name, value, any_kind=True)


def _items(asked: int | str | Sequence[int | str], argument: str) -> list[int | str]:
    if isinstance(asked, int | np.integer | str):
        return [asked]
    if isinstance(asked, torch.Tensor | np.ndarray) and not isinstance(asked, np.ma.MaskedArray):
        asked = asked.tolist() if asked.ndim == 1 else [asked.item()] if asked.ndim == 0 else None
    if not isinstance(asked, Sequence) or not all(isinstance(item, int | np.integer | str) for item in asked):
        raise TypeError(f"{argument} must be an index, a name, or a sequence of them, got {checks.shown(asked)}")
    return list(asked)


def _continuous_columns(
    number: int, continuous: bool | int | str | Sequence[int | str], factor_names: Sequence[str] | None
) -> tuple[set[int], list[str]]:
    names = kept_factors(number, (), factor_names)[1]
    if isinstance(continuous, bool):
        return set(range(number)) if continuous else set(), names
    asked = _items(continuous, "continuous")
    return {_column(item, names, factor_names is not None, "continuous") for item in asked}, names


def _column(item: int | str, names: Sequence[str], named: bool, argument: str) -> int:
    if isinstance(item, str) and not named:
        raise ValueError(
            f"{argument} must hold indices without factor_names, got {item!r}: give factor_names, or an index"
        )
    if isinstance(item, str) and item in names:
        return names.index(item)
    if isinstance(item, int | np.integer) and not isinstance(item, bool) and 0 <= item < len(names):
        return int(item)
    raise ValueError(f"{argument} must name factors, 0 to {len(names) - 1} or one of {list(names)}, got {item!r}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _check_table(array: NDArray[Any], name: str, meaning: str) -> None:
    if array.ndim != 2:
        raise ValueError(f"{name} must have two dimensions {meaning}, got shape {array.shape}")
    if array.shape[0] < 2 or array.shape[1] < 1:
        raise ValueError(f"{name} must have at least two rows and one column, got shape {array.shape}")
