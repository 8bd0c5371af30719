"""Training: the objective, the recorded step, the loop, its history and its checkpoints."""

from pyrogen.training.callbacks import (
    Callback,
    CsvLog,
    EarlyStopping,
    KeepBest,
    MovingAverage,
    State,
    TensorBoard,
)
from pyrogen.training.checkpoints.checkpoint import load, save
from pyrogen.training.feedback import Feedback, HoldKL, TargetKL
from pyrogen.training.fit import Fit, fit
from pyrogen.training.history import History
from pyrogen.training.lightning import lightning_module
from pyrogen.training.objectives import Terms, elbo_terms
from pyrogen.training.schedules import Constant, Cyclical, Geometric, LinearWarmup, Schedule

__all__ = [
    "Callback",
    "Constant",
    "CsvLog",
    "Cyclical",
    "EarlyStopping",
    "Feedback",
    "Fit",
    "Geometric",
    "History",
    "HoldKL",
    "KeepBest",
    "LinearWarmup",
    "MovingAverage",
    "Schedule",
    "State",
    "TargetKL",
    "TensorBoard",
    "Terms",
    "elbo_terms",
    "fit",
    "lightning_module",
    "load",
    "save",
]
