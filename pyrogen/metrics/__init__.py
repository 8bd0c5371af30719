r"""Scores of codes, and distances of samples: pure functions of plain arrays, which never see a model."""

from pyrogen.metrics.beta_vae_score import beta_vae_score
from pyrogen.metrics.dci import dci
from pyrogen.metrics.explicitness import explicitness
from pyrogen.metrics.factor_vae_score import factor_vae_score
from pyrogen.metrics.infomec.compactness_modularity import info_compactness, info_modularity
from pyrogen.metrics.infomec.explicitness import info_explicitness
from pyrogen.metrics.information import entropy, mutual_information
from pyrogen.metrics.mig import latent_gap, mig
from pyrogen.metrics.modularity import modularity
from pyrogen.metrics.sap import sap
from pyrogen.metrics.score import Score
from pyrogen.metrics.two_sample import TwoSampleScore, energy_distance, squared_mmd

__all__ = [
    "Score",
    "TwoSampleScore",
    "beta_vae_score",
    "dci",
    "energy_distance",
    "entropy",
    "explicitness",
    "factor_vae_score",
    "info_compactness",
    "info_explicitness",
    "info_modularity",
    "latent_gap",
    "mig",
    "modularity",
    "mutual_information",
    "sap",
    "squared_mmd",
]
