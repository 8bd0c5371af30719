"""Deep generative models as Pyro model/guide pairs that can be trusted."""

from pyrogen import inference, models, nn
from pyrogen._version import __version__
from pyrogen.inference import fit, load, save

__all__ = ["__version__", "fit", "inference", "load", "models", "nn", "save"]
