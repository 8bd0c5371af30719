r"""InfoM and InfoC: how far each latent keeps to one factor, and each factor to one latent, by mutual information."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen import checks
from pyrogen.metrics.batches import settled
from pyrogen.metrics.infomec.information import ESTIMATORS, Estimator, normalized_information
from pyrogen.metrics.score import Score
from pyrogen.metrics.validation import MixedFactors, as_codes, as_mixed_factors, check_several

PRESETS: dict[str, dict[str, object]] = {
    "standalone": {"neighbors": 10, "active": 1 / 20},
    "experiments": {"neighbors": 3, "active": 1 / 8},
}


def info_modularity(
    codes: ArrayLike,
    factors: ArrayLike,
    estimator: Estimator = "knn",
    *,
    preset: Literal["standalone", "experiments"] = "standalone",
    neighbors: int | None = None,
    active: float | None = None,
    bins: int = 20,
    factor_bins: int = 20,
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    seed: int = 0,
) -> Score:
    r"""Return InfoM, the modularity of InfoMEC: whether each *latent* knows of one *factor* only.

    .. math:: \mathrm{InfoM} = \frac{\bar m - 1/K}{1 - 1/K} , \qquad
        \bar m = \frac{1}{A} \sum_{j=1}^A \frac{\max_k N_{jk}}{\sum_k N_{jk}} , \qquad
        N_{jk} = \frac{I(z_j; v_k)}{H(v_k)} ,

    over the A active latents. It is 1 if each knows one factor only, and 0 if each knows all K equally well. A latent
    that knows none has no share and is left out; without any other the score is 0.

    **Noise is shared out like information.** A latent that knows next to nothing adds the share of its luckiest
    estimate. That share is large because `"knn"` is cut off at 0: ten random latents of 3,000 images score 0.88. So
    read InfoM beside the `information` in the details, or beside InfoE, which is near 0 for those.

    The estimators of I are:

    - `"knn"`: Ross's nearest-neighbor estimate for a continuous latent and a discrete factor, the authors' choice for
      continuous codes, cut off at 0.
    - `"histogram"`: equal-width bins of each latent (see `mutual_information`, also for its bias).
    - `"discrete"`: each level of a quantized code is its own value, such as with a VQ-VAE; I is that of the counts.

    A continuous *factor* is cut into `factor_bins` parts of near equal counts, so that H(v_k) is a number to divide by.
    (A differential entropy can be negative.) The authors' data sets hold such parts already.

    Presets, both by the authors of InfoMEC; each setting can be replaced:

    - `"standalone"`: 10 neighbors; a latent is active if its range is a twentieth of the greatest or more.
    - `"experiments"`: 3 neighbors and an eighth, as in the code that their experiments log with.

    With the `"discrete"` estimator any latent with two levels is active.

    Args:
        codes: The codes, such as posterior means, (N, L).
        factors: The factors' values, (N, K) with K ≥ 2; integers, or floats with their continuous columns named.
        estimator: `"knn"`, `"histogram"` or `"discrete"`.
        preset: `"standalone"` or `"experiments"`.
        neighbors: The number of neighbors, smaller than the number of rows; for `"knn"`.
        active: The least range of an active latent, as a share of the greatest.
        bins: The number of equal-width bins of a latent; for `"histogram"`. It does not cut factors: see `factor_bins`.
        factor_bins: The number of parts a continuous factor is cut into.
        continuous: The factors that are continuous, by index or name, or True for all.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,).
        seed: The seed of the tiny noise that parts equal codes for `"knn"`; no global generator is touched.

    Returns:
        A `Score`, whose details are the `information` N (L, K), the `active_latents`, and the `shares` max / sum of
        each latent. Information and shares are None for latents that are not active.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If shapes disagree, a number is not finite, a factor has a single value, there is one factor only,
            or a setting is unknown or too small. `"discrete"` refuses codes with less than two rows a level. `"knn"`
            refuses as few rows as neighbors, and a factor whose values all occur in one row only.

    References:
        | Disentanglement via Latent Quantization (Hsu et al., 2023)
        | https://arxiv.org/abs/2305.18378

        | Mutual Information between Discrete and Continuous Data Sets (Ross, 2014)
        | https://doi.org/10.1371/journal.pone.0087357

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import info_modularity
        >>> factors = np.stack(np.meshgrid(np.arange(2), np.arange(4)), axis=-1).reshape(-1, 2)
        >>> float(info_modularity(3.0 * factors, factors, "discrete"))
        1.0
        >>> pair = factors @ [[4], [1]]  # one latent for both factors
        >>> round(info_modularity(np.repeat(pair, 2, axis=0), np.repeat(factors, 2, axis=0), "discrete"), 3)
        0.0
    """

    values, information, found, details, settings = _informed(
        codes,
        factors,
        estimator,
        preset,
        continuous,
        leave_out,
        factor_names,
        several=True,
        neighbors=neighbors,
        active=active,
        bins=bins,
        factor_bins=factor_bins,
        seed=seed,
    )
    shares = _shares(information)
    details["shares"] = _spread(shares, found, len(details["information"]))
    return Score(_above_chance(shares, len(values.names)), "info_modularity", estimator, settings, details)


def info_compactness(
    codes: ArrayLike,
    factors: ArrayLike,
    estimator: Estimator = "knn",
    *,
    preset: Literal["standalone", "experiments"] = "standalone",
    neighbors: int | None = None,
    active: float | None = None,
    bins: int = 20,
    factor_bins: int = 20,
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    seed: int = 0,
) -> Score:
    r"""Return InfoC, the compactness of InfoMEC: whether each *factor* is known to one *latent* only.

    .. math:: \mathrm{InfoC} = \frac{\bar c - 1/A}{1 - 1/A} , \qquad
        \bar c = \frac{1}{K} \sum_{k=1}^K \frac{\max_j N_{jk}}{\sum_j N_{jk}} , \qquad
        N_{jk} = \frac{I(z_j; v_k)}{H(v_k)} ,

    over the A active latents. It is 1 if each factor is known to one latent only, and 0 if all latents know each
    equally well. A factor that no latent knows has no share and is left out; without any other the score is 0. With one
    active latent it is 1 if that knows anything: what there is lies in one place (the formula reads 0/0).

    Arguments, estimators, presets and errors are those of `info_modularity`, but a single factor will do.

    Returns:
        A `Score`, whose details are the `information` N (L, K), with None for latents that are not active, and the
        `active_latents`. Also the `shares` max / sum of each factor by name, None without any information.

    References:
        | Disentanglement via Latent Quantization (Hsu et al., 2023)
        | https://arxiv.org/abs/2305.18378

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import info_compactness, info_modularity
        >>> factors = np.stack(np.meshgrid(np.arange(2), np.arange(4)), axis=-1).reshape(-1, 2)
        >>> twice = np.hstack([factors, factors])  # each latent is modular, no factor is in one place
        >>> float(info_modularity(twice, factors, "discrete"))
        1.0
        >>> round(info_compactness(twice, factors, "discrete"), 3)
        0.333
    """

    values, information, found, details, settings = _informed(
        codes,
        factors,
        estimator,
        preset,
        continuous,
        leave_out,
        factor_names,
        several=False,
        neighbors=neighbors,
        active=active,
        bins=bins,
        factor_bins=factor_bins,
        seed=seed,
    )
    shares = _shares(information.T)
    details["shares"] = dict(zip(values.names, _spread(shares, np.arange(len(shares)), len(shares)), strict=True))
    return Score(_above_chance(shares, len(found)), "info_compactness", estimator, settings, details)


def _informed(
    codes: ArrayLike,
    factors: ArrayLike,
    estimator: Estimator,
    preset: str,
    continuous: bool | int | str | Sequence[int | str],
    leave_out: int | str | Sequence[int | str],
    factor_names: Sequence[str] | None,
    several: bool,
    **given: Any,
) -> tuple[MixedFactors, NDArray[np.float64], NDArray[np.int64], dict[str, Any], dict[str, Any]]:
    r"""Return the factors, the information (A, K), the A active latents, the details and the settings in use."""

    table = as_codes(codes)
    values = as_mixed_factors(factors, continuous, factor_names, len(table), leave_out)
    checks.one_of("estimator", estimator, ESTIMATORS)
    settings = settled(PRESETS, preset, {"neighbors": 1, "active": -1, "bins": 2, "factor_bins": 2}, **given)
    settings["seed"] = checks.seed("seed", settings.get("seed"))
    if estimator == "histogram":
        checks.whole("bins", settings.get("bins"), least=2, most=checks.LARGEST_COUNT)
    if settings["active"] > 1:
        raise ValueError(f"active must be a share of the greatest range, at most 1, got {settings['active']!r}")
    used = {"preset", *ESTIMATORS[estimator], *(["factor_bins"] if any(values.continuous) else [])}
    settings = {name: settings[name] for name in settings if name in used} | {"n": len(table)}
    if several:
        check_several(values.names, "InfoM")
    information, active = normalized_information(table, values, estimator, settings)
    rows: list[list[float] | None] = [None] * table.shape[1]
    for j, row in zip(active.tolist(), information.tolist(), strict=True):
        rows[j] = row
    return values, information, active, {"information": rows, "active_latents": active.tolist()}, settings


def _shares(table: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return max / sum of each row (R,) of (R, C), NaN for a row of zeros."""

    total = table.sum(axis=1)
    best = table.max(axis=1, initial=0.0)
    value: NDArray[np.float64] = np.divide(best, total, out=np.full(len(table), np.nan), where=total > 0)
    return value


def _above_chance(shares: NDArray[np.float64], ways: int) -> float:
    r"""Return the mean share, scaled so that equal shares of all ways are 0 and a single one is 1."""

    known = shares[~np.isnan(shares)]
    if not len(known):
        return 0.0
    return float((known.mean() - 1 / ways) / (1 - 1 / ways)) if ways > 1 else 1.0


def _spread(shares: NDArray[np.float64], places: NDArray[np.int64], number: int) -> list[float | None]:
    spread: list[float | None] = [None] * number
    for place, share in zip(places.tolist(), shares.tolist(), strict=True):
        spread[place] = None if np.isnan(share) else share
    return spread
