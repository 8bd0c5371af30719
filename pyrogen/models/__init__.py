"""The pairs: one model and guide a file."""

from pyrogen.models.base import Pair
from pyrogen.models.gamma_exponential import GammaExponential
from pyrogen.models.vae import VAE

__all__ = ["VAE", "GammaExponential", "Pair"]
