r"""Disentanglement scores: pure functions of plain arrays (codes, factors), which never see a model."""

from pyrogen.metrics.gap import latent_gap, mig
from pyrogen.metrics.information import entropy, mutual_information
from pyrogen.metrics.score import Score

__all__ = ["Score", "entropy", "latent_gap", "mig", "mutual_information"]
