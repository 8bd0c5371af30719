r"""SAP: how much better the best latent predicts a factor than the second best does."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen import checks
from pyrogen.metrics.fitting import quiet, standardized, unit_range
from pyrogen.metrics.preset import chosen, split
from pyrogen.metrics.score import Score
from pyrogen.metrics.validation import as_codes, as_mixed_factors

PRESETS: dict[str, dict[str, object]] = {
    "linear_svm": {},
    "disentanglement_lib": {"train": 10_000, "test": 5_000},
}
PENALTY = 0.01
GREATEST = 1_000.0  # from some 10,000 on the solver stops far from its optimum and says nothing


def sap(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    preset: Literal["linear_svm", "disentanglement_lib"] = "linear_svm",
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    train: int | None = None,
    test: int | None = None,
    seed: int = 0,
) -> Score:
    r"""Return the separated attribute predictability (SAP): the gap between a factor's two best single predictors.

    .. math:: \mathrm{SAP} = \frac{1}{K} \sum_{k=1}^K \left( S_{j_k k} - \max_{j \neq j_k} S_{jk} \right) , \quad
        j_k = \arg\max_j S_{jk} .

    For a discrete factor S_jk is the accuracy on test rows. The predictor is a linear support vector machine that sees
    latent j alone (squared hinge, C = 0.01, classes weighed to be balanced: the published settings). For a continuous
    one it is the squared correlation on the training rows; 0 of a constant latent.

    What its size means depends on the factors. A latent that knows nothing still guesses, so that the ideal code of a
    factor of V even values scores 1 - 1/V: 0.5 when it is binary. A line cannot cut a single latent into many
    intervals: for a factor of many values in an ordered code the accuracy itself is low (0.05 of 40 even values). (The
    paper describes the accuracy otherwise, as the balanced one of thresholds on the latent; the numbers in the
    literature are those of the support vector machine.)

    The presets are:

    - `"linear_svm"`: each latent is standardized with the training rows' mean and variance. So the score depends
      neither on the codes' units nor on where their zero is. It takes two thirds and one third of the rows given, at
      most 10,000 and 5,000.
    - `"disentanglement_lib"`: the codes as they are, on exactly 10,000 and 5,000 rows. The machine's penalty is on the
      slope and on the intercept. So the same codes in smaller units, or far from zero, score less: ideal codes plus 900
      score near 0. Codes beyond ±1,000 are refused, since its solver no longer finds the optimum there and does not say
      so. The library itself draws both sets of rows with replacement, here no row is in both.

    Args:
        codes: The codes, such as posterior means, (N, L), with L at least 2.
        factors: The factors' values, (N, K); integers, or floats with their continuous columns named.
        preset: `"linear_svm"` or `"disentanglement_lib"`, see above.
        continuous: The factors that are continuous, by index or name, or True for all.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,).
        train: The number of training rows.
        test: The number of test rows.
        seed: The seed of the split and of the machines; no global generator is touched.

    Returns:
        A `Score`. Its details are the `gaps` and the `best_latent` of each factor by name, and the `predictability`
        matrix S (L, K). `not_converged` is the number of support vector machines that stopped short of their optimum.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If there is one latent only, shapes disagree, a number is not finite, or a factor has a single
            value. Also if the preset is unknown, or there are fewer rows than asked for. `"disentanglement_lib"`
            refuses codes beyond ±1,000.

    References:
        | Variational Inference of Disentangled Latent Concepts from Unlabeled Observations (Kumar et al., 2018)
        | https://arxiv.org/abs/1711.00848

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import sap
        >>> factors = np.random.default_rng(0).integers(0, 2, (600, 2))
        >>> score = sap(6.0 * factors - 3.0, factors)
        >>> score.details["predictability"][0][0]
        1.0
        >>> round(score, 1)  # 1 less the accuracy of a guess
        0.5
        >>> round(sap(6.0 * factors - 3.0, factors.astype(float), continuous=True), 1)
        1.0
    """

    settings = chosen(preset, PRESETS)
    table = as_codes(codes)
    if table.shape[1] < 2:
        raise ValueError("codes must have at least two columns, as SAP is a gap between two latents, got one")
    values = as_mixed_factors(factors, continuous, factor_names, rows=len(table), leave_out=leave_out)
    seed = checks.seed("seed", seed)
    rows = split(values, preset, settings, train, test, seed)

    if preset == "linear_svm":
        table = standardized(table, rows[0])
    elif not all(values.continuous) and np.abs(table).max() > GREATEST:
        raise ValueError(
            f"codes must lie within ±{GREATEST:,.0f} for preset={preset!r}, which fits them as they are, got "
            f"{np.abs(table).max():.3g} in magnitude: rescale them, or take preset='linear_svm', which standardizes"
        )
    score = np.empty((table.shape[1], len(values.names)))
    unfinished = 0
    for k, is_real in enumerate(values.continuous):
        for j, code in enumerate(table.T):
            if is_real:
                score[j, k] = _squared_correlation(code[rows[0]], values.values[rows[0], k])
            else:
                value = values.discrete(k)
                score[j, k], done = _accuracy(code[rows[0]], value[rows[0]], code[rows[1]], value[rows[1]], seed)
                unfinished += not done

    ranked = np.sort(score, axis=0)
    gaps = ranked[-1] - ranked[-2]
    details: dict[str, object] = {
        "gaps": dict(zip(values.names, gaps.tolist(), strict=True)),
        "best_latent": dict(zip(values.names, score.argmax(axis=0).tolist(), strict=True)),
        "predictability": score.tolist(),
        "not_converged": unfinished,
    }
    used = {"continuous": values.real, "factors": list(values.names), "train": len(rows[0]), "test": len(rows[1])}
    return Score(gaps.mean(), "sap", preset, used | {"seed": int(seed), "n": len(table)}, details)


def _accuracy(
    code: NDArray[np.float64],
    value: NDArray[np.int64],
    test_code: NDArray[np.float64],
    test_value: NDArray[np.int64],
    seed: int,
) -> tuple[float, bool]:
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=PENALTY, class_weight="balanced", dual=False, random_state=seed)
    with quiet():
        machine.fit(code[:, None], value)
    return float(np.mean(machine.predict(test_code[:, None]) == test_value)), bool(machine.n_iter_ < machine.max_iter)


def _squared_correlation(code: NDArray[np.float64], value: NDArray[np.float64]) -> float:
    if np.ptp(code) == 0:
        return 0.0
    code, value = unit_range(np.stack([code, value], axis=1)).T
    return min(float(np.corrcoef(code, value)[0, 1] ** 2), 1.0)
