"""Training: the objective, the recorded step, the loop, its history and its checkpoints."""

from pyrogen.training.checkpoint import load, save
from pyrogen.training.fit import Fit, fit
from pyrogen.training.history import History
from pyrogen.training.objectives import Terms, elbo_terms
from pyrogen.training.schedules import Constant, Cyclical, LinearWarmup, Schedule

__all__ = [
    "Constant",
    "Cyclical",
    "Fit",
    "History",
    "LinearWarmup",
    "Schedule",
    "Terms",
    "elbo_terms",
    "fit",
    "load",
    "save",
]
