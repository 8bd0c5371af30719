"""Training: the objective, the recorded step, the loop, its history and its checkpoints."""

from pyrogen.inference.checkpoint import load, save
from pyrogen.inference.fit import Fit, fit
from pyrogen.inference.history import History
from pyrogen.inference.objectives import Terms, elbo_terms
from pyrogen.inference.schedules import Constant, Cyclical, LinearWarmup, Schedule

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
