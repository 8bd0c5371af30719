r"""Plug-in mutual information of binned codes."""

import numpy as np
from numpy.typing import NDArray


def digitize(code: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    r"""Return the bin (N,) of each value of one latent (N,): equal widths from the least to the greatest value.

    The last bin holds the greatest value; all of a constant code lies in one bin.
    """

    inner = np.linspace(code.min(), code.max(), bins + 1)[1:-1]
    return np.searchsorted(inner, code, side="right").astype(np.int64)


def histogram_information(codes: NDArray[np.float64], factors: NDArray[np.int64], bins: int) -> NDArray[np.float64]:
    r"""Return I(bin of z_j; v_k) in nats, (L, K), for codes (N, L) and factors (N, K) numbered from 0."""

    sizes = factors.max(axis=0) + 1
    information = np.empty((codes.shape[1], factors.shape[1]))
    for j, code in enumerate(codes.T):
        cell = digitize(code, bins)
        for k, (value, size) in enumerate(zip(factors.T, sizes, strict=True)):
            counts = np.bincount(cell * size + value, minlength=bins * size).reshape(bins, size)
            information[j, k] = _table_information(counts)
    return information


def _table_information(counts: NDArray[np.int64]) -> float:
    joint = counts / counts.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    full = joint > 0
    total = float((joint[full] * np.log(joint[full] / independent[full])).sum())
    return max(total, 0.0)  # it cannot be negative but for rounding
