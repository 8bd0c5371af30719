r"""Explicitness: whether a linear classifier reads each factor off the whole code."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen.metrics.fitting import quiet, standardized
from pyrogen.metrics.preset import chosen, split
from pyrogen.metrics.score import Score
from pyrogen.metrics.validation import MixedFactors, as_codes, as_mixed_factors, binned

PRESETS: dict[str, dict[str, object]] = {
    "multinomial": {},
    "disentanglement_lib": {"train": 10_000, "test": 5_000},
    "one_vs_rest": {},
}


def explicitness(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    preset: Literal["multinomial", "disentanglement_lib", "one_vs_rest"] = "multinomial",
    bins: int = 10,
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    train: int | None = None,
    test: int | None = None,
    seed: int = 0,
) -> Score:
    r"""Return the explicitness: how well logistic regression on all latents tells the values of each factor apart.

    .. math:: \frac{1}{K} \sum_{k=1}^K \frac{1}{V_k} \sum_v \mathrm{AUC}_{kv}

    AUC_kv is the area under the receiver operating characteristic of "v_k = v" on test rows. It is the share of pairs,
    an image with the value and one without it, that the classifier puts in the right order. **0.5 is chance** and 1 is
    best. It does not ask which latents hold the information: a rotation of the codes changes little.

    The presets are:

    - `"multinomial"`: one softmax over all values, and the probability of v as the classifier's score. It takes two
      thirds and one third of the rows, at most 10,000 and 5,000.
    - `"disentanglement_lib"`: the same on exactly 10,000 and 5,000 rows. That library does this with any scikit-learn
      since 0.22. Before, it was one regression a value, their probabilities scaled to sum to 1.
    - `"one_vs_rest"`: one regression a value, as the paper words it, each scored by itself. A line cannot tell a middle
      value from those on both sides of it. Take V even values in order along one latent, which is ideal by the other
      scores. Value i then gets max(i, V - 1 - i) / (V - 1), in the mean 0.83 for three values and 0.75 for many. A
      softmax can.

    Codes are standardized with the training rows' mean and variance; the inverse penalty is 1, scikit-learn's default.

    Args:
        codes: The codes, such as posterior means, (N, L).
        factors: The factors' values, (N, K); integers, or floats with their continuous columns named.
        preset: See above.
        bins: The number of equal-width bins into which a continuous factor is cut.
        continuous: The factors that are continuous, by index or name, or True for all.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,).
        train: The number of training rows.
        test: The number of test rows.
        seed: The seed of the split; no global generator is touched.

    Returns:
        A `Score`. Its details are the mean AUC of the `factors` by name on test rows, and the same on training rows
        (`factors_train`). `values` lists the AUC of each value by name. A value has None if it is missing among
        the training or the test rows, which leaves it out of the mean. `not_converged` is the number of regressions
        that stopped short of their optimum.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If shapes disagree, a number is not finite, the preset is unknown, or there are fewer rows than
            asked for. Also if a factor has a single value among the training or the test rows, or no value that both
            hold.

    References:
        | Learning Deep Disentangled Embeddings with the F-Statistic Loss (Ridgeway & Mozer, 2018)
        | https://arxiv.org/abs/1802.05312

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import explicitness
        >>> factors = np.random.default_rng(0).integers(0, 3, (600, 2))
        >>> explicitness(factors * [2.0, -1.0], factors)
        Score(1.0, metric='explicitness', estimator='multinomial')
        >>> round(explicitness(factors * [2.0, -1.0], factors, preset="one_vs_rest"), 1)  # two of three values
        0.8
    """

    settings = chosen(preset, PRESETS)
    table = as_codes(codes)
    values = as_mixed_factors(factors, continuous, factor_names, rows=len(table), leave_out=leave_out)
    labels = binned(values, bins)
    discrete = MixedFactors(labels.astype(np.float64), (False,) * len(values.names), values.names)
    rows = split(discrete, preset, settings, train, test, seed, both_vary=True)

    strange = [n for n, label in zip(values.names, labels.T, strict=True) if not _can_be_judged(label, rows)]
    if strange:
        raise ValueError(
            "a factor must have a value that training and test rows share, got none for "
            f"{', '.join(map(repr, strange))}: take more rows, leave these factors out, or list them in "
            "continuous"
        )
    table = standardized(table, rows[0])
    areas: dict[str, list[float | None]] = {}
    areas_train: dict[str, list[float | None]] = {}
    unfinished = 0
    for name, label in zip(values.names, labels.T, strict=True):
        known, found, failures = _scores(table, label, rows[0], alone=preset == "one_vs_rest")
        unfinished += failures
        for part, areas_of in zip(rows, (areas_train, areas), strict=True):
            areas_of[name] = [None] * (int(label.max()) + 1)
            for column, value in enumerate(known):
                areas_of[name][value] = _area(found[part, column], label[part] == value)
    of_factors = {name: _mean(area) for name, area in areas.items()}
    details: dict[str, object] = {
        "factors": of_factors,
        "factors_train": {name: _mean(area) for name, area in areas_train.items()},
        "values": areas,
        "not_converged": unfinished,
    }
    used: dict[str, object] = {"bins": int(bins)} if values.real else {}
    used |= {"continuous": values.real, "factors": list(values.names), "train": len(rows[0]), "test": len(rows[1])}
    return Score(
        float(np.mean(list(of_factors.values()))),
        "explicitness",
        preset,
        used | {"seed": int(seed), "n": len(table)},
        details,
    )


def _can_be_judged(label: NDArray[np.int64], rows: tuple[NDArray[np.int64], NDArray[np.int64]]) -> bool:
    return bool(np.isin(label[rows[1]], label[rows[0]]).any())  # of test rows that vary: some have it and some do not


def _scores(
    codes: NDArray[np.float64], label: NDArray[np.int64], rows: NDArray[np.int64], alone: bool
) -> tuple[list[int], NDArray[np.float64], int]:
    r"""Return the values that the training rows know, each one's score of every row (N, known), and failed fits."""

    known = np.unique(label[rows]).tolist()
    if alone:
        fits = [_regression(codes[rows], label[rows] == value) for value in known]
        return known, np.stack([m.decision_function(codes) for m, _ in fits], axis=1), sum(not ok for _, ok in fits)
    model, done = _regression(codes[rows], label[rows])
    return known, model.predict_proba(codes), int(not done)


def _regression(codes: NDArray[np.float64], label: NDArray[Any]) -> tuple[Any, bool]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression()
    with quiet():
        model.fit(codes, label)
    return model, bool((model.n_iter_ < model.max_iter).all())


def _area(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    r"""Return the share of pairs (positive, negative) in the right order, ties by half; None without both."""

    if positive.all() or not positive.any():
        return None
    from scipy.stats import rankdata

    many, few = int(positive.sum()), int((~positive).sum())
    return float((rankdata(score)[positive].sum() - many * (many + 1) / 2) / (many * few))


def _mean(areas: Sequence[float | None]) -> float:
    return float(np.mean([area for area in areas if area is not None]))
