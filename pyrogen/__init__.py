"""Deep generative models as Pyro model/guide pairs that can be trusted."""

from pyrogen import datasets, evaluation, inference, metrics, models, nn, oracles, plots, report
from pyrogen._version import __version__
from pyrogen.errors import CheckpointError, DivergenceError, PyrogenError
from pyrogen.evaluation import evaluate
from pyrogen.inference import fit, load, save

__all__ = [
    "CheckpointError",
    "DivergenceError",
    "PyrogenError",
    "__version__",
    "datasets",
    "evaluate",
    "evaluation",
    "fit",
    "inference",
    "load",
    "metrics",
    "models",
    "nn",
    "oracles",
    "plots",
    "report",
    "save",
]
