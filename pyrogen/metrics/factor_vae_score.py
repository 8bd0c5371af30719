r"""The FactorVAE score: which latent varies least where a factor is held fixed, by majority vote."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen.metrics.batches import SharedValues, accuracies, prepared
from pyrogen.metrics.score import Score

PRESETS: dict[str, dict[str, object]] = {
    "disentanglement_lib": {"votes": 10_000, "evaluation": 5_000, "batch_size": 64, "threshold": 0.05},
    "paper": {"votes": 800, "evaluation": 0, "batch_size": 100, "threshold": 0.05},
}


def factor_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    preset: Literal["disentanglement_lib", "paper"] = "disentanglement_lib",
    votes: int | None = None,
    evaluation: int | None = None,
    batch_size: int | None = None,
    threshold: float | None = None,
    bins: int | None = None,
    least_rows: int = 2,
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    seed: int = 0,
) -> Score:
    r"""Return the FactorVAE score: how well the *latent* of least variance in a batch tells the *factor* held fixed.

    Each vote holds one factor k, drawn uniformly, at the value of a row drawn at random, and takes a batch of B rows
    with that value. The vote goes from the latent that varies least in the batch, for its variance over all rows, to k:

    .. math:: j = \arg\min_j \frac{\operatorname{Var}_{\text{batch}} z_j}{\operatorname{Var} z_j} , \qquad
        C(j) = \arg\max_k V_{jk} , \qquad \text{score} = \Pr\left( C(j) = k \right) ,

    with V_jk the number of votes from latent j to factor k. It is 1 if each factor alone sets some latent, and 1/K for
    codes that know nothing of K factors. It does not see everything. Copies of a latent cost nothing. Neither does a
    factor that is spread over several latents, as long as one of them is that factor's alone.

    Presets, of which each setting can be replaced:

    - `"disentanglement_lib"`: 10,000 votes for C, 5,000 others to evaluate it, batches of 64.
    - `"paper"`: 800 votes in batches of 100, and their own share of right answers: no others evaluate C, so that codes
      that know nothing score above 1/K.

    Both leave out dead latents, those with a standard deviation (not a variance) below `threshold` over all rows. The
    paper means latents whose posterior is the prior; their means vary as little. If all are dead the score is 0.

    The published score makes its batches with the data's generator. Here they are drawn with replacement from the given
    rows that share the value, and a value is as frequent as its rows. On a full grid of factors the two are the same.
    On a subset, the other factors vary in a batch as they do among these rows. Two factors that always change together
    cannot be told apart, and combinations that are missing are never drawn. A value of few rows gives batches that
    repeat them, whose variances are those of few rows. Values of fewer than `least_rows` rows are left out. Variances
    over all rows are taken from all rows given, where disentanglement_lib draws 10,000.

    Args:
        codes: The posterior means, (N, L).
        factors: The factors' values, (N, K) with K ≥ 2.
        preset: `"disentanglement_lib"` or `"paper"`.
        votes: The number of votes that make the classifier C.
        evaluation: The number of other votes to evaluate it on; 0 evaluates it on those that made it.
        batch_size: The number of rows B a vote.
        threshold: The least standard deviation of a latent that takes part.
        bins: The number of parts of near equal counts to cut each continuous factor into (latents are not cut);
            without it a continuous factor is refused.
        least_rows: The least number of rows of a value that is held fixed.
        continuous: The continuous factors, by index or by name, or True for all.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,).
        seed: The seed of the draws; no global generator is touched.

    Returns:
        A `Score`, whose details are the `votes` (L, K), the `best_factor` C(j) of each latent (None without votes), the
        `active_latents` and the `accuracy` of each factor. Also the `rows_left_out` for too few of a value, and the
        `fewest_rows` that share a value drawn. (Variances of few rows say little.) With `evaluation` votes they hold
        the `standard_error` of their draws, not of the choice of images.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If shapes disagree, a number is not finite, or a setting is unknown or too small. Also if a factor
            has a single value or too few rows a value, there is one factor only, or a factor is continuous without
            bins.

    References:
        | Disentangling by Factorizing (Kim & Mnih, 2018)
        | https://arxiv.org/abs/1802.05983

        | Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations (Locatello et al.,
          2019), for the settings of disentanglement_lib
        | https://arxiv.org/abs/1811.12359

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import factor_vae_score
        >>> factors = np.stack(np.meshgrid(np.arange(3), np.arange(4)), axis=-1).reshape(-1, 2)
        >>> score = factor_vae_score(factors * [2.0, -1.0], factors, factor_names=("shape", "scale"))
        >>> float(score), score.details["best_factor"]
        (1.0, ['shape', 'scale'])
    """

    means, shared, settings = prepared(
        codes,
        factors,
        continuous,
        leave_out,
        factor_names,
        PRESETS,
        preset,
        least={"votes": 1, "evaluation": 0, "batch_size": 2, "threshold": -1},
        seed=seed,
        votes=votes,
        evaluation=evaluation,
        batch_size=batch_size,
        threshold=threshold,
        bins=bins,
        least_rows=least_rows,
    )

    span = np.ptp(means, axis=0)
    scaled = (means - means.min(axis=0)) / np.where(span > 0, span, 1.0)  # in [0, 1], so that no square overflows
    spread = scaled.std(axis=0, ddof=1)
    active = np.flatnonzero((span > 0) & (spread * span >= settings["threshold"]))
    scaled = scaled[:, active] / spread[active]
    rng = np.random.default_rng(settings["seed"])
    table = np.zeros((means.shape[1], len(shared.names)), dtype=np.int64)
    table[active] = _votes(scaled, shared, settings["votes"], settings["batch_size"], rng)
    best = table.argmax(axis=1)
    judged = table
    if settings["evaluation"]:
        judged = np.zeros_like(table)
        judged[active] = _votes(scaled, shared, settings["evaluation"], settings["batch_size"], rng)

    correct = np.where(best[:, None] == np.arange(len(shared.names)), judged, 0).sum(axis=0)
    value = float(correct.sum() / max(judged.sum(), 1))
    details: dict[str, object] = {
        "votes": table.tolist(),
        "best_factor": [shared.names[k] if row.any() else None for k, row in zip(best, table, strict=True)],
        "active_latents": active.tolist(),
        "accuracy": accuracies(shared.names, correct, judged.sum(axis=0)),
        "rows_left_out": shared.left_out,
        "fewest_rows": shared.fewest,
    }
    if settings["evaluation"] and len(active):
        details["standard_error"] = float(np.sqrt(value * (1 - value) / settings["evaluation"]))
    return Score(value, "factor_vae_score", "majority_vote", settings, details)


def _votes(
    scaled: NDArray[np.float64], shared: SharedValues, number: int, batch_size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    r"""Return how often each latent, of unit variance (N, L), varied least while each factor was fixed: (L, K)."""

    votes = np.zeros((scaled.shape[1], len(shared.names)), dtype=np.int64)
    if not len(votes):
        return votes
    for k, _, shape in shared.points(rng, number, batch_size):
        first = shared.rows[k][rng.integers(len(shared.rows[k]), size=(shape[0], 1))]
        batch = scaled[shared.alike(k, np.broadcast_to(first, shape), rng)]  # (points, B, L)
        least = batch.var(axis=1, ddof=1).argmin(axis=1)
        votes[:, k] += np.bincount(least, minlength=len(votes))
    return votes
