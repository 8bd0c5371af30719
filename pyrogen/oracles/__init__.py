"""Closed forms that the pairs are tested against, in numpy and torch alone, each file one model.

They import nothing else of pyrogen, so that a fault in a pair cannot hide in its oracle.
"""

from pyrogen.oracles import (
    gamma_exponential,
    gaussian,
    importance_weighted,
    labels,
    lasso,
    linear_autoencoder,
    mixture,
    mixture_kl,
    ppca,
    total_correlation,
    two_layer,
    two_sample,
    vector_quantization,
)

__all__ = [
    "gamma_exponential",
    "gaussian",
    "importance_weighted",
    "labels",
    "lasso",
    "linear_autoencoder",
    "mixture",
    "mixture_kl",
    "ppca",
    "total_correlation",
    "two_layer",
    "two_sample",
    "vector_quantization",
]
