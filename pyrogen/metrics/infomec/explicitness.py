r"""InfoE: how much a linear predictor on all latents knows of each factor, in predictive V-information."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen import checks
from pyrogen.metrics.batches import settled
from pyrogen.metrics.fitting import quiet
from pyrogen.metrics.infomec.information import as_levels
from pyrogen.metrics.information import entropy
from pyrogen.metrics.score import Score
from pyrogen.metrics.validation import as_codes, as_mixed_factors

Estimator: TypeAlias = Literal["linear", "one_hot"]
PRESETS: dict[str, dict[str, object]] = {
    "standalone": {"balanced": True, "iterations": 100},
    "definition": {"balanced": False, "iterations": 1_000},
}


def info_explicitness(
    codes: ArrayLike,
    factors: ArrayLike,
    estimator: Estimator = "linear",
    *,
    preset: Literal["standalone", "definition"] = "standalone",
    balanced: bool | None = None,
    iterations: int | None = None,
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
) -> Score:
    r"""Return InfoE, the explicitness of InfoMEC: what a linear predictor on all *latents* knows of each *factor*.

    .. math:: \mathrm{InfoE} = \frac{1}{K} \sum_{k=1}^K
        \frac{H_{\mathcal V}(v_k) - H_{\mathcal V}(v_k \mid z)}{H_{\mathcal V}(v_k)} , \qquad
        H_{\mathcal V}(v \mid z) = \min_{q \in \mathcal V} \mathbb{E}[-\log q(v \mid z)] ,

    the mean share of the predictive V-information, where 𝒱 are the linear softmax classifiers and H(v_k) without z is
    that of the best constant one. It is 1 if a linear classifier names every value with certainty, and 0 if z does not
    help one. A rotation of the codes changes nothing: InfoM and InfoC ask for axes, InfoE does not.

    For a *continuous* factor 𝒱 are Gaussians with a linear mean and a fixed variance. Their information, over the most
    there can be of it, is the coefficient of determination R² of least squares.

    Predictors are fitted and judged on the same rows, as by the authors. Of codes that know nothing a discrete factor
    then gains near (V - 1) D / 2N nats (V values, D features, N rows), and R² is near D / N.

    The estimators are the features of the classifier: `"linear"`, the standardized codes; and `"one_hot"`, an indicator
    for each level of a quantized code, the authors' choice for those.

    Presets, of which each setting can be replaced:

    - `"standalone"`: the authors' code. At most 100 iterations; and values are weighted to be equally frequent in the
      fit, but not in the mean log loss, with log V for the constant. Of unevenly frequent values this is not the
      formula above, whose minimum is that of one and the same loss, and it can fall below 0. Of even ones it is.
    - `"definition"`: the formula above, with plain frequencies and at most 1,000 iterations.

    The classifiers have no penalty. Where one can tell all values apart, the loss has no minimum and tends to 0 as the
    weights grow. The fit ends when its slope is small, with InfoE a little below 1 (0.9997 with 3,000 ideal codes of
    dSprites' factors). The details name the factors whose fit was stopped before (`not_converged`).

    Args:
        codes: The codes, such as posterior means, (N, L).
        factors: The factors' values, (N, K); integers, or floats with their continuous columns named.
        estimator: `"linear"` or `"one_hot"`.
        preset: `"standalone"` or `"definition"`.
        balanced: Whether the fit weights the values to be equally frequent.
        iterations: The most iterations of L-BFGS.
        continuous: The factors that are continuous, by index or name, or True for all.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,).

    Returns:
        A `Score`, whose details are by factor: the share of each (`factors`), H without z (`entropy`) and with it
        (`conditional`) in nats, None for continuous ones; and the list `not_converged`.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If shapes disagree, a number is not finite, a factor has a single value, or a setting is unknown or
            too small. Also if rows are so few that their codes fit any factor. `"one_hot"` refuses codes with less than
            two rows a level.

    References:
        | Disentanglement via Latent Quantization (Hsu et al., 2023)
        | https://arxiv.org/abs/2305.18378

        | A Theory of Usable Information Under Computational Constraints (Xu et al., 2020), for V-information
        | https://arxiv.org/abs/2002.10689

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import info_explicitness
        >>> factors = np.stack(np.meshgrid(np.arange(2), np.arange(2)), axis=-1).reshape(-1, 2)
        >>> either = (factors[:, :1] + factors[:, 1:]) % 2  # known to the codes, but not linearly
        >>> round(info_explicitness(factors, np.hstack([factors, either])), 2)
        0.67
    """

    table = as_codes(codes)
    values = as_mixed_factors(factors, continuous, factor_names, len(table), leave_out)
    if balanced is not None and not isinstance(balanced, bool | np.bool_):
        raise ValueError(f"balanced must be True or False, got {balanced!r}")
    settings = settled(PRESETS, preset, {"iterations": 1}, balanced=balanced, iterations=iterations)
    if checks.one_of("estimator", estimator, get_args(Estimator)) == "linear":
        span = np.ptp(table, axis=0)
        features = (table - table.min(axis=0)) / np.where(span > 0, span, 1.0)  # in [0, 1]: no square overflows
        spread = features.std(axis=0)
        features = (features - features.mean(axis=0)) / np.where(span > 0, spread, 1.0)
    else:
        levels = as_levels(table, 'estimator="one_hot"', '"linear"')
        features = np.concatenate([np.eye(level.max() + 1)[level] for level in levels.T], axis=1)

    if (
        len(table) <= features.shape[1] + 1
        and np.linalg.matrix_rank(features - features.mean(axis=0)) >= len(table) - 1
    ):
        raise ValueError(
            f"codes must have more rows than a linear predictor of {features.shape[1]} features can fit whatever the "
            f"factor, got {len(table)}: give more rows"
        )

    shares: dict[str, float] = {}
    without: dict[str, float | None] = {}
    given: dict[str, float | None] = {}
    stopped: list[str] = []
    for k, name in enumerate(values.names):
        if values.continuous[k]:
            shares[name], without[name], given[name] = _determination(features, values.values[:, k]), None, None
            continue
        label = values.discrete(k)
        apart = float(np.log(label.max() + 1)) if settings["balanced"] else float(entropy(label[:, None])[0])
        loss, converged = _log_loss(features, label, settings["balanced"], settings["iterations"])
        shares[name], without[name], given[name] = (apart - loss) / apart, apart, loss
        stopped += [] if converged else [name]
    details = {"factors": shares, "entropy": without, "conditional": given, "not_converged": stopped}
    settings |= {"n": len(table)}
    return Score(float(np.mean(list(shares.values()))), "info_explicitness", estimator, settings, details)


def _log_loss(
    features: NDArray[np.float64], label: NDArray[np.int64], balanced: bool, iterations: int
) -> tuple[float, bool]:
    r"""Return the mean log loss of a fitted linear softmax classifier in nats, and whether the fit converged."""

    from scipy.special import log_softmax
    from sklearn.linear_model import LogisticRegression

    weight = "balanced" if balanced else None
    model: Any = LogisticRegression(C=np.inf, class_weight=weight, max_iter=iterations)
    with quiet():  # of convergence the details speak
        model.fit(features, label)
    logits = model.decision_function(features)
    if logits.ndim == 1:  # scikit-learn's form for two values
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    loss = -log_softmax(logits, axis=1)[np.arange(len(label)), label].mean()
    return float(loss), bool((model.n_iter_ < iterations).all())


def _determination(features: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    r"""Return R² of least squares with an intercept, on the rows that it is fitted to."""

    target = (target - target.min()) / np.ptp(target)
    target = target - target.mean()
    features = features - features.mean(axis=0)
    weight = np.linalg.lstsq(features, target, rcond=None)[0]
    return float(1 - np.square(target - features @ weight).sum() / np.square(target).sum())
