r"""Disentanglement scores: pure functions of plain arrays (codes, factors), which never see a model."""

from pyrogen.metrics.gap import latent_gap, mig
from pyrogen.metrics.information import entropy, mutual_information
from pyrogen.metrics.score import Score
from pyrogen.metrics.two_sample import TwoSampleScore, energy_distance, squared_mmd

__all__ = [
    "Score",
    "TwoSampleScore",
    "energy_distance",
    "entropy",
    "latent_gap",
    "mig",
    "mutual_information",
    "squared_mmd",
]
