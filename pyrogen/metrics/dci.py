r"""Disentanglement, completeness and informativeness: who predicts what, and how well."""

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen import checks
from pyrogen.metrics.importance import fitted
from pyrogen.metrics.preset import chosen, split
from pyrogen.metrics.score import Score
from pyrogen.metrics.validation import as_codes, as_mixed_factors

PRESETS: dict[str, dict[str, object]] = {
    "forest": {"predictor": "forest"},
    "disentanglement_lib": {"predictor": "boosted_trees", "train": 10_000, "test": 5_000},
    "paper_lasso": {"predictor": "lasso"},
    "paper_forest": {"predictor": "paper_forest"},
}
Part: TypeAlias = Literal["disentanglement", "completeness", "informativeness"]


def dci(
    codes: ArrayLike,
    factors: ArrayLike,
    part: Part = "disentanglement",
    *,
    preset: Literal["forest", "disentanglement_lib", "paper_lasso", "paper_forest"] = "forest",
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    train: int | None = None,
    test: int | None = None,
    seed: int = 0,
) -> Score:
    r"""Return the disentanglement, completeness or informativeness (DCI) of codes; the details hold all three.

    A predictor of each factor from all latents is fitted on training rows; R_ij ≥ 0 is the importance that it gives to
    latent i for factor j. With the entropies to the base of the number of terms, D_i asks that a latent serves one
    factor and C_j that a factor is served by one latent:

    .. math:: D_i = 1 - H_K\!\left( \frac{R_{i\cdot}}{\sum_j R_{ij}} \right) , \quad
        C_j = 1 - H_L\!\left( \frac{R_{\cdot j}}{\sum_i R_{ij}} \right) , \quad
        D = \sum_i \frac{\sum_j R_{ij}}{\sum_{ij} R_{ij}} D_i , \quad C = \frac{1}{K} \sum_j C_j .

    The informativeness is how well factors are predicted on test rows, a mean over factors. For a classifier it is the
    accuracy, for a regressor R², which falls below 0 when it predicts worse than the mean does. 1 is best.

    The presets are:

    - `"forest"`, ours, for its speed: a random forest of 10 trees of depth 10, which are offered all latents at each
      split. For a factor of 40 values on 10,000 rows of 10 latents it takes seconds, and the boosted trees minutes.
    - `"disentanglement_lib"`: gradient-boosted trees (scikit-learn's `GradientBoostingClassifier` as it comes) on
      10,000 training and 5,000 test rows, as the library of Locatello et al. has it and disent after it. They draw the
      two with replacement from the grid of all factors. A test row can then be a training row, which flatters the
      informativeness of a small data set. Here the rows given are split, so the two share no row. They weigh each
      factor in C by Σ_i R_ij, which is 1 for trees. A continuous factor gets the regressor, which they have not.
    - `"paper_lasso"`: the lasso with penalty 0.02 on standardized codes and factors, R = \|coefficient\|. Each factor
      is a number to it, so the values of a discrete one must be in a meaningful order. Of two equal latents it takes
      one, so that a duplicate costs no completeness. The `nrmse` of its predictions is the paper's own measure of
      informativeness, the root mean squared error over the standard deviation, √(1 - R²); 0 is best.
    - `"paper_forest"`: a random forest of 10 regression trees, on standardized codes and factors, of the depth that
      predicts a fifth of the training rows best. (The paper chooses it for each factor; that we choose among
      1, 2, 3, 5, 8, 12 and 16 is ours.)

    Codes that rank the same by one predictor can rank otherwise by another: name the preset with the number.
    A latent of no importance has D_i = 0 and no weight in D. Of a factor that no latent predicts the lasso has R = 0
    and C_j = 0. Trees share out an importance of 1 for every factor, predicted or not. So a latent gets some for
    factors of which it only fits noise. A single latent that knows one of two factors perfectly, and nothing of the
    other, has D_i = 0. Read the test `predictions` next to D and C, and leave out factors that are not predicted or
    take `"paper_lasso"`. With a single factor there is nothing to mix, so each used latent has D_i = 1. In the same way
    a predicted factor has C_j = 1 with a single latent. (disent gives NaN for both.)

    Args:
        codes: The codes, such as posterior means, (N, L).
        factors: The factors' values, (N, K); integers, or floats with their continuous columns named.
        part: Which of the three is the score's value: `"disentanglement"`, `"completeness"` or `"informativeness"`.
        preset: The predictor, see above.
        continuous: The factors that are continuous, by index or name, or True for all.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,).
        train: The number of training rows; without it that of the preset, or two thirds of the rows, at most 10,000.
        test: The number of test rows; without it that of the preset, or the rest of the rows, at most 5,000.
        seed: The seed of the split and of the trees; no global generator is touched.

    Returns:
        A `Score`. Its details are the three numbers by name, the `importance` matrix (L, K), D_i of the `latents` and
        their `weights`, (L,), and C_j of the `factors` by name. The `predictions` of each factor are the
        informativeness on `train` and `test` rows. Where a number is predicted they hold the `nrmse`, and for the
        paper's forest its `depth`.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If shapes disagree, a number is not finite, a factor has a single value, the preset or part is
            unknown, or there are fewer rows than asked for.

    References:
        | A Framework for the Quantitative Evaluation of Disentangled Representations (Eastwood & Williams, 2018)
        | https://openreview.net/forum?id=By-7dz-AZ

        | Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations
          (Locatello et al., 2019), for the boosted trees
        | https://arxiv.org/abs/1811.12359

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import dci
        >>> rng = np.random.default_rng(0)
        >>> factors = rng.integers(0, 4, (600, 2))
        >>> score = dci(factors * [2.0, -1.0], factors)
        >>> score
        Score(1.0, metric='dci', estimator='forest')
        >>> {part: round(score.details[part], 3) for part in ("completeness", "informativeness")}
        {'completeness': 1.0, 'informativeness': 1.0}
        >>> round(dci(factors @ np.array([[1.0, 1.0], [1.0, -1.0]]), factors, preset="paper_lasso"), 2)  # both mix
        0.0
    """

    settings = chosen(preset, PRESETS)
    checks.one_of("part", part, get_args(Part))
    table = as_codes(codes)
    values = as_mixed_factors(factors, continuous, factor_names, rows=len(table), leave_out=leave_out)
    regressed = any(values.continuous) or settings["predictor"] in ("lasso", "paper_forest")
    seed = checks.seed("seed", seed)
    rows = split(values, preset, settings, train, test, seed, both_vary=regressed)

    importance = np.empty((table.shape[1], len(values.names)))
    quality: dict[str, dict[str, float]] = {}
    for k, (name, is_real) in enumerate(zip(values.names, values.continuous, strict=True)):
        z, v = (table[rows[0]], table[rows[1]]), (values.values[rows[0], k], values.values[rows[1], k])
        importance[:, k], quality[name] = fitted(str(settings["predictor"]), z, v, is_real, seed)

    latents, served = specialization(importance.T), specialization(importance)
    weights = _shares(importance.sum(axis=1))
    values_of_parts = {
        "disentanglement": float(weights @ latents),
        "completeness": float(served.mean()),
        "informativeness": float(np.mean([found["test"] for found in quality.values()])),
    }
    details: dict[str, object] = {
        **values_of_parts,
        "importance": importance.tolist(),
        "latents": latents.tolist(),
        "weights": weights.tolist(),
        "factors": dict(zip(values.names, served.tolist(), strict=True)),
        "predictions": quality,
    }
    settings = {
        "part": part,
        "predictor": settings["predictor"],
        "continuous": values.real,
        "factors": list(values.names),
        "train": len(rows[0]),
        "test": len(rows[1]),
        "seed": int(seed),
        "n": len(table),
    }
    return Score(values_of_parts[part], "dci", preset, settings, details)


def specialization(importance: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return for each column of (M, C) one minus its entropy to the base M; 0 for a column of zeros."""

    total = importance.sum(axis=0)
    share = importance / np.where(total > 0, total, 1.0)
    entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=0)
    if len(importance) > 1:
        entropy = entropy / np.log(len(importance))
    return np.where(total > 0, 1.0 - entropy, 0.0)


def _shares(total: NDArray[np.float64]) -> NDArray[np.float64]:
    return total / total.sum() if total.sum() > 0 else total
