r"""The β-VAE score: which factor two rows share, told from how far apart their codes lie."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen.metrics.batches import SharedValues, accuracies, prepared
from pyrogen.metrics.fitting import quiet
from pyrogen.metrics.score import Score

PRESETS: dict[str, dict[str, object]] = {
    "disentanglement_lib": {"points": 10_000, "evaluation": 5_000, "batch_size": 64, "penalty": 1.0},
    "paper": {"points": 10_000, "evaluation": 800, "batch_size": 200, "penalty": 0.0},
}


def beta_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    preset: Literal["disentanglement_lib", "paper"] = "disentanglement_lib",
    points: int | None = None,
    evaluation: int | None = None,
    batch_size: int | None = None,
    penalty: float | None = None,
    bins: int | None = None,
    least_rows: int = 2,
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    seed: int = 0,
) -> Score:
    r"""Return the β-VAE score: the accuracy of a linear classifier of the *factor* that pairs of rows share.

    Each point has one factor k, drawn uniformly, and B pairs of rows; the rows of a pair have the same value of factor
    k, which differs between pairs. Its features are the mean distances of the codes within pairs, one a *latent*,

    .. math:: d_j = \frac{1}{B} \sum_{b=1}^B \left| z_j^{(b,1)} - z_j^{(b,2)} \right| ,

    and a linear softmax classifier, fitted to `points` of them, names k for `evaluation` others. The score is the share
    that it names rightly: 1 if the factors can be told from d, 1/K for codes that know nothing of K factors. A high
    score asks little of the codes. d need only differ between factors, so rotated codes can have one as well. With K −
    1 factors encoded, the last can be told by elimination (Kim & Mnih). A dead latent adds a constant feature.

    Presets, of which each setting can be replaced:

    - `"disentanglement_lib"`: 10,000 points, 5,000 others to evaluate, batches of 64, and scikit-learn's logistic
      regression at its defaults. Its penalty ½‖W‖² is on the weights of the features as they are, so codes of small
      scale score less.
    - `"paper"`: a linear softmax classifier without a penalty. Higgins et al. train it by Adagrad until it converges;
      here it is fitted by L-BFGS. Batches of 200 and 800 points to evaluate are what Kim & Mnih computed this
      score with. Higgins et al. also repeat it over models and seeds and drop the lower half, which is for the caller.

    Pairs come from the given rows in place of the data's generator. The first row is drawn uniformly, the second from
    those with its value. The draw is with replacement, so the second can be the same row. On a full grid of factors
    this is the published score. On a subset, the other factors differ within a pair as they do among these rows. Two
    factors that always change together cannot be told apart, and combinations that are missing are never drawn. A value
    of n rows pairs a row with itself once in n. Values of fewer than `least_rows` rows are left out.

    Args:
        codes: The posterior means, (N, L).
        factors: The factors' values, (N, K) with K ≥ 2.
        preset: `"disentanglement_lib"` or `"paper"`.
        points: The number of points that the classifier is fitted to.
        evaluation: The number of other points that it is evaluated on.
        batch_size: The number of pairs B a point.
        penalty: The weight of ½‖W‖² beside the sum of the points' log losses; 0 for none.
        bins: The number of parts of near equal counts to cut each continuous factor into (latents are not cut);
            without it a continuous factor is refused.
        least_rows: The least number of rows of a value that is drawn.
        continuous: The continuous factors, by index or by name, or True for all.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,).
        seed: The seed of the draws; no global generator is touched.

    Returns:
        A `Score`, whose details are the `train_accuracy`, the `accuracy` of each factor, the `rows_left_out` for too
        few of a value, and the `fewest_rows` that share a value drawn. (2 rows make one pair, of which any score is
        confident and says nothing.) They also say whether the classifier `converged`, and the `standard_error` of the
        evaluation's draws, not of the choice of images.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If shapes disagree, a number is not finite, or a setting is unknown or too small. Also if a factor
            has a single value or too few rows a value, there is one factor only, or a factor is continuous without
            bins.

    References:
        | β-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework (Higgins et al., 2017)
        | https://openreview.net/forum?id=Sy2fzU9gl

        | Disentangling by Factorizing (Kim & Mnih, 2018), for the weakness of the score and settings
        | https://arxiv.org/abs/1802.05983

        | Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations (Locatello et al.,
          2019), for the settings of disentanglement_lib
        | https://arxiv.org/abs/1811.12359

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import beta_vae_score
        >>> factors = np.stack(np.meshgrid(np.arange(3), np.arange(4)), axis=-1).reshape(-1, 2)
        >>> float(beta_vae_score(factors * [2.0, -1.0], factors, points=500, evaluation=100))
        1.0
    """

    means, shared, settings = prepared(
        codes,
        factors,
        continuous,
        leave_out,
        factor_names,
        PRESETS,
        preset,
        least={"points": 2, "evaluation": 1, "batch_size": 1, "penalty": -1},
        seed=seed,
        points=points,
        evaluation=evaluation,
        batch_size=batch_size,
        penalty=penalty,
        bins=bins,
        least_rows=least_rows,
    )

    unit = float(np.ldexp(1.0, np.frexp(np.ptp(means, axis=0).max())[1] - 1)) or 1.0
    means = (means - means.min(axis=0)) / unit  # a solver holds no features of any size
    rng = np.random.default_rng(settings["seed"])
    train, train_factor = _points(means, shared, settings["points"], settings["batch_size"], rng)
    test, test_factor = _points(means, shared, settings["evaluation"], settings["batch_size"], rng)
    said, converged = _classify(train, train_factor, np.concatenate([train, test]), settings["penalty"], unit)
    train_right, right = np.split(said == np.concatenate([train_factor, test_factor]), [len(train)])

    value = float(right.mean())
    number = len(shared.names)
    details: dict[str, object] = {
        "train_accuracy": float(train_right.mean()),
        "accuracy": accuracies(
            shared.names,
            np.bincount(test_factor[right], minlength=number),
            np.bincount(test_factor, minlength=number),
        ),
        "rows_left_out": shared.left_out,
        "fewest_rows": shared.fewest,
        "converged": converged,
        "standard_error": float(np.sqrt(value * (1 - value) / len(right))),
    }
    return Score(value, "beta_vae_score", "logistic_regression", settings, details)


def _points(
    codes: NDArray[np.float64], shared: SharedValues, number: int, batch_size: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    r"""Return the mean distances within pairs that share a factor (number, L), and that factor (number,)."""

    distance, factor = np.empty((number, codes.shape[1])), np.empty(number, dtype=np.int64)
    for k, place, shape in shared.points(rng, number, batch_size):
        first = shared.rows[k][rng.integers(len(shared.rows[k]), size=shape)]
        second = shared.alike(k, first, rng)
        distance[place] = np.abs(codes[first] - codes[second]).mean(axis=1)
        factor[place] = k
    return distance, factor


def _classify(
    train: NDArray[np.float64], factor: NDArray[np.int64], asked: NDArray[np.float64], penalty: float, unit: float
) -> tuple[NDArray[np.int64], bool]:
    r"""Return what a linear softmax classifier says of each point asked, and whether its fit converged.

    The penalty is that of the weights of features times `unit`, which are those of features as given over `unit`.
    """

    if (factor == factor[0]).all():  # few points can all have the same factor
        return np.full(len(asked), factor[0]), True
    from sklearn.linear_model import LogisticRegression

    with np.errstate(over="ignore"):
        inverse = np.square(np.float64(unit)) / penalty if penalty else np.inf
    model = LogisticRegression(C=max(inverse, np.finfo(np.float64).tiny))
    with quiet():  # of convergence the details speak
        model.fit(train, factor)
    return model.predict(asked), bool(model.n_iter_.max() < model.max_iter)
