r"""The mutual information gap: how much more the best latent knows of a factor than the second best."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen.metrics.information import Estimator, entropy, informed
from pyrogen.metrics.score import Score


def mig(
    codes: ArrayLike,
    factors: ArrayLike,
    estimator: Estimator = "histogram",
    *,
    scale: ArrayLike | None = None,
    bins: int = 20,
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    samples: int = 10_000,
    seed: int = 0,
) -> Score:
    r"""Return the mutual information gap (MIG): for each *factor* the gap between its two most informative *latents*.

    .. math:: \mathrm{MIG} = \frac{1}{K} \sum_{k=1}^K \frac{1}{H(v_k)}
        \left( I(z_{j_k}; v_k) - \max_{j \neq j_k} I(z_j; v_k) \right) , \quad j_k = \arg\max_j I(z_j; v_k) .

    It lies near 1 if one latent alone knows each factor, and at 0 if two latents know it equally well or none does. A
    number means something only with its estimator, which the score names (see `mutual_information` for both):

    - `"histogram"` cannot reach 1 with bins fewer than a factor's values: ideal linear codes of dSprites, with 20 bins
      for 40 orientations and 32 positions, score 0.90. Its plug-in bias is near (B - 1)(V - 1) / 2N nats.
    - `"posterior"` is the estimator of Chen et al., who also leave *shape* out on dSprites: `leave_out=["shape"]` with
      the data set's `factor_names`, or `leave_out=[0]`. Of a random subset it scores those images, not the grid.

    With a single latent the second best is 0, so the gap is that latent's information. A continuous factor is scored as
    the bin that its value lies in: its entropy and the information are those of the bin, and so depend on `bins`.

    Args:
        codes: The posterior means, (N, L).
        factors: The factors' values, (N, K); integers, or floats with their continuous columns named.
        estimator: `"histogram"` or `"posterior"`.
        scale: The standard deviations of q(z|x), (N, L); needed by `"posterior"`, unused by `"histogram"`.
        bins: The number of equal-width bins of a latent, for `"histogram"`, and of a continuous factor.
        continuous: The factors that are continuous, by index or name, or True for all; they are cut into bins.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,), for `leave_out` and the details.
        samples: The number of draws from the aggregate posterior; for `"posterior"`.
        seed: The seed of these draws.

    Returns:
        A `Score`: a float, with `.estimator`, `.settings` and `.details`. These hold the `gaps` of the factors (as
        shares of their entropy), and the best latent and the entropy of each in nats. For `"posterior"` they hold the
        `standard_error` of the draws, not of the choice of images.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If shapes disagree, a code is not finite, the estimator is unknown, scale is missing or not
            positive, or a factor has a single value. Also if leave_out names no factor or all of them.

    References:
        | Isolating Sources of Disentanglement in Variational Autoencoders (Chen et al., 2018)
        | https://arxiv.org/abs/1802.04942

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import mig
        >>> factors = np.stack(np.meshgrid(np.arange(3), np.arange(4)), axis=-1).reshape(-1, 2)
        >>> score = mig(factors @ np.diag([2.0, -1.0]), factors, factor_names=("shape", "scale"))
        >>> f"{score:.3f} by {score.estimator}"
        '1.000 by histogram'
        >>> round(mig(factors @ np.array([[1.0, 1.0], [1.0, -1.0]]), factors), 3)  # both know both
        0.0
    """

    mixed, values, information, draws, settings = informed(
        codes, factors, estimator, scale, bins, continuous, leave_out, factor_names, samples, seed
    )
    names, bounds = mixed.names, entropy(values)
    best, second, gaps = _gaps(information, axis=0)
    gaps = gaps / bounds
    details: dict[str, object] = {
        "gaps": _named(names, gaps),
        "best_latent": _named(names, best),
        "entropy": _named(names, bounds),
    }
    if draws is not None:
        column = np.arange(len(names))
        share = draws[:, best, column] - (draws[:, second, column] if len(information) > 1 else 0.0)  # (S, K)
        details["standard_error"] = float((share / bounds).mean(axis=1).std(ddof=1) / np.sqrt(len(draws)))
    settings["left_out"] = list(mixed.left_out)
    return Score(gaps.mean(), "mig", estimator, settings, details)


def latent_gap(
    codes: ArrayLike,
    factors: ArrayLike,
    estimator: Estimator = "histogram",
    *,
    scale: ArrayLike | None = None,
    bins: int = 20,
    continuous: bool | int | str | Sequence[int | str] = (),
    leave_out: int | str | Sequence[int | str] = (),
    factor_names: Sequence[str] | None = None,
    samples: int = 10_000,
    seed: int = 0,
) -> Score:
    r"""Return for each *latent* the gap of its two most informative *factors*, as a mean over latents: **not MIG**.

    .. math:: \frac{1}{L} \sum_{j=1}^L \frac{1}{H(v_{k_j})}
        \left( I(z_j; v_{k_j}) - \max_{k \neq k_j} I(z_j; v_k) \right) , \quad k_j = \arg\max_k I(z_j; v_k) .

    This transposes the definition of Chen et al. (see `mig`), and is at times stated in its place; it is here so that a
    report can show both. It asks that a latent knows one factor only. Two latents that both copy one factor score 1
    here and 0 in MIG. Every latent that the model does not use lowers it.

    With a single factor the second best is 0. Arguments and errors are those of `mig`.

    Returns:
        A `Score`, whose details are the `gaps` and the index or name of the best factor of each latent, (L,).

    References:
        | Isolating Sources of Disentanglement in Variational Autoencoders (Chen et al., 2018), for the other definition
        | https://arxiv.org/abs/1802.04942

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import latent_gap, mig
        >>> factors = np.array([[0], [1], [2], [3]])
        >>> twice = np.hstack([factors, factors])
        >>> float(mig(twice, factors)), float(latent_gap(twice, factors))
        (0.0, 1.0)
    """

    mixed, values, information, _, settings = informed(
        codes, factors, estimator, scale, bins, continuous, leave_out, factor_names, samples, seed
    )
    best, _, gaps = _gaps(information, axis=1)
    gaps = gaps / entropy(values)[best]
    details = {"gaps": gaps.tolist(), "best_factor": [mixed.names[k] for k in best]}
    settings["left_out"] = list(mixed.left_out)
    return Score(gaps.mean(), "latent_gap", estimator, settings, details)


def _gaps(
    information: NDArray[np.float64], axis: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    r"""Return the best and second best index along an axis of (L, K), and the gap between them, in nats."""

    table = np.moveaxis(information, axis, 0)
    order = np.argsort(-table, axis=0, kind="stable")
    ranked = np.take_along_axis(table, order, axis=0)
    if len(table) == 1:
        return order[0], order[0], ranked[0]
    return order[0], order[1], ranked[0] - ranked[1]


def _named(names: Sequence[str], numbers: NDArray[np.generic]) -> dict[str, object]:
    return dict(zip(names, numbers.tolist(), strict=True))
