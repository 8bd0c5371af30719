r"""Published settings by name: what a preset fixes, and what the caller says over it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pyrogen import checks
from pyrogen.metrics.validation import MixedFactors, split_rows


def chosen(preset: str, presets: Mapping[str, Mapping[str, object]]) -> Mapping[str, object]:
    r"""Return the settings of a preset."""

    return presets[checks.one_of("preset", preset, presets)]


def split(
    values: MixedFactors,
    preset: str,
    settings: Mapping[str, object],
    train: int | None,
    test: int | None,
    seed: int,
    *,
    both_vary: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    r"""Return training and test rows, of the preset's sizes if it has any and the caller asks for none.

    Each factor must vary among the training rows, and with `both_vary` among the test rows too.
    """

    rows = len(values.values)
    if train is None and test is None and "train" in settings:
        train, test = int(str(settings["train"])), int(str(settings["test"]))
        if train + test > rows:
            raise ValueError(
                f"codes must have {train + test} rows for preset={preset!r}, which trains on {train} and tests on "
                f"{test}, got {rows}: give more, or say how many to take: train=..., test=..."
            )
    both = split_rows(rows, train, test, seed)
    for name, part in zip(("training", "test"), both if both_vary else both[:1], strict=False):
        still = np.ptp(values.values[part], axis=0) == 0
        if still.any():
            single = ", ".join(repr(values.names[k]) for k in np.flatnonzero(still))
            raise ValueError(
                f"{name} rows must differ in each factor, got {len(part)} of one {single}: take more, or another seed"
            )
    return both
