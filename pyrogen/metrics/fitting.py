r"""What the fits of scikit-learn share: codes in units of their own spread, and warnings that say nothing here."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray


def standardized(table: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""Return a table (N, L) whose columns have mean 0 and variance 1 on the given rows; one constant there becomes 0.

    Finite numbers of any size are held: a power of two is taken out first, which costs no digit.
    """

    table = unit_range(table)
    center, spread = table[rows].mean(axis=0), table[rows].std(axis=0)
    still = (np.ptp(table[rows], axis=0) == 0) | (spread == 0)
    return np.asarray(np.where(still, 0.0, (table - center) / np.where(still, 1.0, spread)), dtype=np.float64)


def unit_range(table: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return each column of (N, L) times the power of two that brings its greatest magnitude into [1/2, 1)."""

    return np.asarray(np.ldexp(table, -np.frexp(np.abs(table).max(axis=0))[1]), dtype=np.float64)


@contextmanager
def quiet() -> Iterator[None]:
    r"""Silences that a fit stopped early, which callers count, and that a factor has many values for so few rows."""

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%", UserWarning)
        yield
