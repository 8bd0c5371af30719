r"""Batches of rows that share the value of one factor, and what the scores made from such batches have in common."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen import checks
from pyrogen.metrics.validation import MixedFactors, as_codes, as_mixed_factors, check_several

_ROWS = 1 << 16  # rows of codes gathered at a time: a few MiB


class SharedValues:
    r"""Draws rows that share a factor's value, with replacement and from the given rows alone.

    It stands in for the generator of the published scores, which makes images with one factor held fixed. Values that
    fewer than `least_rows` rows have are left out: the rows of such a value say little of how codes vary beside it.

    Args:
        factors: The checked factors; continuous ones are cut into `bins` parts of near equal counts.
        bins: The number of these parts; needed if a factor is continuous.
        least_rows: The least number of rows of a value that is drawn.

    Raises:
        ValueError: If there is one factor only, a continuous factor and no bins, or a factor without a value that
            enough rows have.
    """

    def __init__(self, factors: MixedFactors, bins: int | None, least_rows: int) -> None:
        real = [name for name, continuous in zip(factors.names, factors.continuous, strict=True) if continuous]
        if real and bins is None:
            raise ValueError(
                "bins must be given for continuous factors, whose values no rows share, got None for "
                f"{', '.join(map(repr, real))}: set bins, the number of parts to cut these factors into"
            )
        check_several(factors.names)
        self.names = factors.names
        self.values: list[NDArray[np.int64]] = []
        self.rows: list[NDArray[np.int64]] = []  # for each factor the rows that may be drawn
        self.left_out: dict[str, int] = {}  # for each factor the number of rows that may not
        self.fewest: dict[str, int] = {}  # for each factor the least number of rows of a value that is drawn
        self._groups: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
        for k, name in enumerate(factors.names):
            value = equal_counts(factors.values[:, k], bins) if factors.continuous[k] and bins else factors.discrete(k)
            counts = np.bincount(value)
            rows = np.flatnonzero(counts[value] >= least_rows)
            if not len(rows):
                raise ValueError(
                    f"factor {name!r} must have a value that {least_rows} rows share, got at most {counts.max()} rows "
                    "a value: give more rows, cut the factor into fewer values, or leave it out"
                )
            self.values.append(value)
            self.rows.append(rows)
            self.left_out[name] = len(value) - len(rows)
            self.fewest[name] = int(counts[counts >= least_rows].min())
            self._groups.append((np.argsort(value, kind="stable"), np.cumsum(counts) - counts, counts))

    def alike(self, k: int, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        r"""Return for each row another drawn from those with its value of factor k (it may be itself)."""

        order, start, counts = self._groups[k]
        value = self.values[k][rows]
        return order[start[value] + (rng.random(rows.shape) * counts[value]).astype(np.int64)]

    def points(
        self, rng: np.random.Generator, number: int, batch_size: int
    ) -> Iterator[tuple[int, slice, tuple[int, int]]]:
        r"""Yield parts of `number` points: the factor held fixed, the part's place, and its shape (points, batch).

        The factor of each point is drawn uniformly; points of one factor lie beside each other.
        """

        counts = np.bincount(rng.integers(len(self.names), size=number), minlength=len(self.names))
        step, place = max(1, _ROWS // batch_size), 0
        for k, count in enumerate(counts):
            for start in range(0, int(count), step):
                size = min(step, int(count) - start)
                yield k, slice(place, place + size), (size, batch_size)
                place += size


def equal_counts(values: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    r"""Return the part (N,) of each number (N,), cut at quantiles into at most `bins` parts, all of them present."""

    inner = np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    return np.unique(np.searchsorted(inner, values, side="right"), return_inverse=True)[1].astype(np.int64)


def prepared(
    codes: ArrayLike,
    factors: ArrayLike,
    continuous: bool | int | str | Sequence[int | str],
    leave_out: int | str | Sequence[int | str],
    factor_names: Sequence[str] | None,
    presets: Mapping[str, Mapping[str, object]],
    preset: str,
    least: Mapping[str, int],
    seed: int,
    **given: Any,
) -> tuple[NDArray[np.float64], SharedValues, dict[str, Any]]:
    r"""Return the codes (N, L), the rows that share a value, and the settings of a score, all checked.

    `least` and `given` are those of `settled`, and `given` holds bins and least_rows.
    """

    means = as_codes(codes)
    mixed = as_mixed_factors(factors, continuous, factor_names, len(means), leave_out)
    settings = settled(presets, preset, {**least, "bins": 2, "least_rows": 2}, **given)
    shared = SharedValues(mixed, given["bins"], given["least_rows"])
    return means, shared, settings | {"seed": checks.seed("seed", seed), "n": len(means)}


def settled(
    presets: Mapping[str, Mapping[str, object]], preset: str, least: Mapping[str, int], **given: Any
) -> dict[str, Any]:
    r"""Return the settings of a preset, replaced by those given that are not None.

    `least` holds the least value of each count; numbers that are in it as -1 need only be finite and not negative.
    """

    settings: dict[str, Any] = dict(presets[checks.one_of("preset", preset, presets)]) | {
        name: value for name, value in given.items() if value is not None
    }
    for name, smallest in least.items():
        value: Any = settings.get(name)
        if smallest < 0:
            settings[name] = checks.real(name, value, least=0)
        elif value is not None:
            settings[name] = checks.whole(name, value, least=smallest, most=checks.LARGEST_COUNT)
    return {"preset": preset} | settings


def accuracies(names: tuple[str, ...], correct: NDArray[np.int64], total: NDArray[np.int64]) -> dict[str, float | None]:
    r"""Return the share of right answers for each factor, and None for one that was not asked for."""

    return {name: float(c / t) if t else None for name, c, t in zip(names, correct, total, strict=True)}
