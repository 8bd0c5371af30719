r"""How much a fitted predictor of one factor relies on each latent, and how well it predicts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.metrics.fitting import quiet, standardized, unit_range

DEPTHS = (1, 2, 3, 5, 8, 12, 16)  # among which the forest of the paper is chosen
LASSO_PENALTY = 0.02


def fitted(
    predictor: str,
    codes: tuple[NDArray[np.float64], NDArray[np.float64]],
    factor: tuple[NDArray[np.float64], NDArray[np.float64]],
    continuous: bool,
    seed: int,
) -> tuple[NDArray[np.float64], dict[str, float]]:
    r"""Fit one predictor on training rows and judges it on test rows.

    Codes (N, L) and the factor (N,) are pairs (train, test). Returns the importance of each latent (L,), not negative,
    and of the predictions the `train` and `test` informativeness: the accuracy, or R² where a number is predicted.
    Of numbers there is also the `nrmse` on test rows, and of the paper's forest its `depth`.
    """

    if predictor in ("lasso", "paper_forest"):
        codes, factor = _standardized(codes), _standardized_numbers(factor)
        if predictor == "lasso":
            return _judged(_lasso(), codes, factor, continuous=True)
        model = _forest_of_best_depth(codes[0], factor[0], seed)
        importance, parts = _judged(model, codes, factor, continuous=True)
        return importance, parts | {"depth": model.max_depth}
    codes = _held_by_trees(codes)
    if predictor == "boosted_trees":
        return _judged(_boosted_trees(continuous, seed), codes, factor, continuous)
    return _judged(_forest(continuous, seed), codes, factor, continuous)


def _judged(
    model: Any,
    codes: tuple[NDArray[np.float64], NDArray[np.float64]],
    factor: tuple[NDArray[np.float64], NDArray[np.float64]],
    continuous: bool,
) -> tuple[NDArray[np.float64], dict[str, float]]:
    if not continuous:
        factor = factor[0].astype(np.int64), factor[1].astype(np.int64)
    with quiet():
        model.fit(codes[0], factor[0])
    importance = np.abs(model.coef_ if hasattr(model, "coef_") else model.feature_importances_)
    guesses = [model.predict(z) for z in codes]
    if not continuous:
        train, test = (float(np.mean(g == v)) for g, v in zip(guesses, factor, strict=True))
        return np.asarray(importance, dtype=np.float64), {"train": train, "test": test}
    wrong, test_wrong = (float(np.mean((g - v) ** 2) / np.var(v)) for g, v in zip(guesses, factor, strict=True))
    parts = {"train": 1.0 - wrong, "test": 1.0 - test_wrong, "nrmse": float(np.sqrt(test_wrong))}
    return np.asarray(importance, dtype=np.float64), parts


def _held_by_trees(codes: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Any:
    r"""Return codes (train, test) with tiny and huge latents times a power of two, which changes no order.

    The trees work in float32, and take values that differ by less than 1e-7 for equal.
    """

    table = np.concatenate(codes)
    largest = np.abs(table).max(axis=0)
    table = np.where((largest < 1e-2) | (largest > 1e30), unit_range(table), table)
    return table[: len(codes[0])], table[len(codes[0]) :]


def _standardized(pair: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Any:
    r"""Return train and test rows with the training rows' mean 0 and variance 1; a constant column becomes 0."""

    table = standardized(np.concatenate(pair), np.arange(len(pair[0])))
    return table[: len(pair[0])], table[len(pair[0]) :]


def _standardized_numbers(pair: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Any:
    train, test = _standardized((pair[0][:, None], pair[1][:, None]))
    return train[:, 0], test[:, 0]


def _forest(continuous: bool, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    # all latents at each split: trees that are offered few of them must use latents that know nothing
    kind = RandomForestRegressor if continuous else RandomForestClassifier
    return kind(n_estimators=10, max_features=None, max_depth=10, random_state=seed)


def _boosted_trees(continuous: bool, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    return (GradientBoostingRegressor if continuous else GradientBoostingClassifier)(random_state=seed)


def _lasso() -> Any:
    from sklearn.linear_model import Lasso

    return Lasso(alpha=LASSO_PENALTY, tol=1e-8, max_iter=100_000)  # to the optimum, in any order of the latents


def _forest_of_best_depth(codes: NDArray[np.float64], factor: NDArray[np.float64], seed: int) -> Any:
    r"""Return a forest of ten trees, its depth the best on the last fifth of the rows when fitted on the others."""

    from sklearn.ensemble import RandomForestRegressor

    cut = max(1, len(codes) - max(1, len(codes) // 5))
    errors = []
    for depth in DEPTHS:
        model = RandomForestRegressor(n_estimators=10, max_depth=depth, random_state=seed)
        guess = model.fit(codes[:cut], factor[:cut]).predict(codes[cut:])
        errors.append(np.mean((guess - factor[cut:]) ** 2))
    return RandomForestRegressor(n_estimators=10, max_depth=DEPTHS[int(np.argmin(errors))], random_state=seed)
