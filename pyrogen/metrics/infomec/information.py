r"""Mutual information of each active latent with each factor as a share of the factor's entropy, for InfoMEC."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyrogen.metrics.batches import equal_counts
from pyrogen.metrics.fitting import quiet
from pyrogen.metrics.histogram import histogram_information
from pyrogen.metrics.information import entropy
from pyrogen.metrics.validation import MixedFactors

Estimator: TypeAlias = Literal["knn", "histogram", "discrete"]
ESTIMATORS: dict[Estimator, tuple[str, ...]] = {  # and the settings that each uses
    "knn": ("neighbors", "active", "seed"),
    "histogram": ("bins", "active"),
    "discrete": (),
}
_NOTHING = 1e-12  # nats; what rounding leaves of an information that is 0, and whose shares would be noise


def normalized_information(
    codes: NDArray[np.float64], factors: MixedFactors, estimator: str, settings: Mapping[str, Any]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    r"""Return I(z_j; v_k) / H(v_k), (A, K), and the A active latents, those of a range worth the name."""

    discrete = estimator == "discrete"
    labels = np.stack([as_label(factors, k, settings.get("factor_bins", 0)) for k in range(len(factors.names))], axis=1)
    if estimator == "knn":
        _check_neighbors(labels, factors.names, settings["neighbors"])
    levels = as_levels(codes, 'estimator="discrete"', '"knn" or "histogram"') if discrete else None

    spans = np.ptp(codes, axis=0)
    least = 0.0 if discrete else settings["active"] * spans.max()
    active = np.flatnonzero((spans > 0) & (spans >= least))
    if not len(active):
        information = np.empty((0, labels.shape[1]))
    elif levels is not None:
        information = _counted(levels[:, active], labels)
    elif estimator == "histogram":
        information = histogram_information(codes[:, active], labels, settings["bins"])
    else:
        information = _neighbors(codes[:, active] / spans[active], labels, settings["neighbors"], settings["seed"])
    return np.where(information < _NOTHING, 0.0, information) / entropy(labels), active


def as_label(factors: MixedFactors, k: int, bins: int) -> NDArray[np.int64]:
    r"""Return the values (N,) of factor k, of a continuous one the part of near equal counts that they lie in."""

    return equal_counts(factors.values[:, k], bins) if factors.continuous[k] else factors.discrete(k)


def as_levels(codes: NDArray[np.float64], asked: str, instead: str) -> NDArray[np.int64]:
    r"""Return the levels (N, L) of quantized codes, numbered from 0; refuses codes with few rows a level."""

    levels = np.stack([np.unique(code, return_inverse=True)[1] for code in codes.T], axis=1).astype(np.int64)
    many = levels.max(axis=0) + 1
    if 2 * many.max() > len(codes):
        raise ValueError(
            f"codes must be quantized for {asked}, with two rows a level or more, got {many.max()} levels in "
            f"{len(codes)} rows of latent {many.argmax()}: use {instead}"
        )
    return levels


def _counted(levels: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""Return the plug-in information of the counts, in nats, (L, K)."""

    apart_levels, apart_labels = entropy(levels), entropy(labels)
    joint = np.stack([entropy(level[:, None] * (labels.max() + 1) + labels) for level in levels.T])
    return apart_levels[:, None] + apart_labels - joint


def _check_neighbors(labels: NDArray[np.int64], names: Sequence[str], neighbors: int) -> None:
    if neighbors >= len(labels):
        raise ValueError(f"neighbors must be smaller than the number of rows, got {neighbors} and {len(labels)} rows")
    for name, label in zip(names, labels.T, strict=True):
        if label.max() + 1 == len(label):
            raise ValueError(
                f'factor {name!r} must have values that rows share for estimator="knn", got each in one row only: '
                "leave the factor out, cut it into fewer values, or use another estimator"
            )


def _neighbors(codes: NDArray[np.float64], labels: NDArray[np.int64], neighbors: int, seed: int) -> NDArray[np.float64]:
    r"""Return Ross's nearest-neighbor estimate of the information, in nats, (L, K)."""

    from sklearn.feature_selection import mutual_info_classif

    with quiet():  # many values for the number of rows are the caller's choice
        columns = [
            mutual_info_classif(codes, label, discrete_features=False, n_neighbors=neighbors, random_state=seed)
            for label in labels.T
        ]
    return np.stack(columns, axis=1)
