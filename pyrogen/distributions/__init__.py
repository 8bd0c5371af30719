"""Priors, and estimates of distributions, that pairs are made of; all in nats."""

from pyrogen.distributions.aggregate import (
    Decomposition,
    decompose,
    decompose_all,
    log_aggregate,
    log_weights,
    pairwise_log_prob,
)
from pyrogen.distributions.autoregressive_prior import AutoregressiveCodes, AutoregressivePrior
from pyrogen.distributions.code_distribution import CodeDistribution, UniformCodes
from pyrogen.distributions.flat import Flat
from pyrogen.distributions.mixture_prior import GaussianMixture
from pyrogen.distributions.quantized import Quantized
from pyrogen.distributions.vamp_prior import VampPrior

__all__ = [
    "AutoregressiveCodes",
    "AutoregressivePrior",
    "CodeDistribution",
    "Decomposition",
    "Flat",
    "GaussianMixture",
    "Quantized",
    "UniformCodes",
    "VampPrior",
    "decompose",
    "decompose_all",
    "log_aggregate",
    "log_weights",
    "pairwise_log_prob",
]
