r"""Modularity: whether a latent knows of one factor only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyrogen.metrics.information import Estimator, informed
from pyrogen.metrics.score import Score


def modularity(
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
    r"""Return the modularity: for each *latent*, how little it knows of all factors but one.

    .. math:: \frac{1}{L} \sum_{j=1}^L
        \left( 1 - \frac{\sum_{k \neq k_j} I(z_j; v_k)^2}{(K - 1) \, I(z_j; v_{k_j})^2} \right) , \quad
        k_j = \arg\max_k I(z_j; v_k) .

    It is 1 if each latent knows one factor, and 0 if each knows all factors equally well. Two latents may know the same
    factor: `explicitness` and MIG answer the rest of the question. A latent with no information at all counts as 0, as
    in the library of Locatello et al. Their settings are the defaults: the histogram of 20 bins (on 10,000 images).

    The plug-in information of a latent that the model does not use is not 0 but near (B - 1)(V - 1) / 2N. So it counts
    as if it knew best the factor with most values. With those of dSprites (3, 6, 40, 32 and 32) its modularity is near
    1 - (2² + 5² + 2 · 31²) / (4 · 39²) = 0.68, however many images there are. The details give both the information and
    the modularity of each latent, to be read together.

    With a single factor a latent that knows it has modularity 1.

    Args:
        codes: The posterior means, (N, L).
        factors: The factors' values, (N, K); integers, or floats with their continuous columns named.
        estimator: `"histogram"` or `"posterior"` (see `mutual_information`); an estimate below 0 is taken as 0.
        scale: The standard deviations of q(z|x), (N, L); needed by `"posterior"`, unused by `"histogram"`.
        bins: The number of equal-width bins of a latent, for `"histogram"`, and of a continuous factor.
        continuous: The factors that are continuous, by index or name, or True for all; they are cut into bins.
        leave_out: Factors not to score, by index or by name.
        factor_names: The factors' names, (K,).
        samples: The number of draws from the aggregate posterior; for `"posterior"`.
        seed: The seed of these draws.

    Returns:
        A `Score`. Its details are the `latents`' modularity (L,), the `best_factor` of each (None without any
        information), and the `information` (L, K) in nats.

    Raises:
        TypeError: If factors are floats and none is said to be continuous.
        ValueError: If shapes disagree, a number is not finite, a factor has a single value, or the estimator is
            unknown or lacks its scale.

    References:
        | Learning Deep Disentangled Embeddings with the F-Statistic Loss (Ridgeway & Mozer, 2018)
        | https://arxiv.org/abs/1802.05312

    Example:
        >>> import numpy as np
        >>> from pyrogen.metrics import modularity
        >>> factors = np.stack(np.meshgrid(np.arange(3), np.arange(3)), axis=-1).reshape(-1, 2)
        >>> round(modularity(factors * 1.0, factors), 6)
        1.0
        >>> round(modularity(factors @ np.array([[1.0, 1.0], [1.0, -1.0]]), factors), 6)
        0.0
    """

    values, _, information, _, settings = informed(
        codes, factors, estimator, scale, bins, continuous, leave_out, factor_names, samples, seed
    )
    latents = modular(information)
    best = [values.names[k] for k in information.argmax(axis=1)]
    details: dict[str, object] = {
        "latents": latents.tolist(),
        "best_factor": [name if known else None for name, known in zip(best, information.max(axis=1) > 0, strict=True)],
        "information": information.tolist(),
    }
    settings["factors"] = list(values.names)
    return Score(latents.mean(), "modularity", estimator, settings, details)


def modular(information: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return the modularity of each latent (L,) from its information about each factor (L, K)."""

    squares = np.square(np.maximum(information, 0.0))
    most = squares.max(axis=1)
    others = (squares.sum(axis=1) - most) / np.where(most > 0, most, 1.0)
    return np.where(most > 0, 1.0 - others / max(squares.shape[1] - 1, 1), 0.0)
