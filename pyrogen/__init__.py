"""Deep generative models as Pyro model/guide pairs that can be trusted."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from pyrogen import distributions, evaluation, models, nn, training, weights
from pyrogen._version import __version__
from pyrogen.config import Described
from pyrogen.errors import CheckpointError, DivergenceError, PyrogenError
from pyrogen.evaluation import evaluate
from pyrogen.sweep import sweep
from pyrogen.training import fit, load, save
from pyrogen.weights import pretrained

if TYPE_CHECKING:
    from pyrogen import datasets, exercises, explore, graphs, metrics, oracles, plots, report, testing

# `import pyrogen` costs what `import pyro` costs
_ON_FIRST_USE = ("datasets", "exercises", "explore", "graphs", "metrics", "oracles", "plots", "report", "testing")

__all__ = [
    "CheckpointError",
    "Described",
    "DivergenceError",
    "PyrogenError",
    "__version__",
    "datasets",
    "distributions",
    "evaluate",
    "evaluation",
    "exercises",
    "explore",
    "fit",
    "graphs",
    "load",
    "metrics",
    "models",
    "nn",
    "oracles",
    "plots",
    "pretrained",
    "report",
    "save",
    "sweep",
    "testing",
    "training",
    "weights",
]


def __getattr__(name: str) -> ModuleType:
    if name in _ON_FIRST_USE:
        return importlib.import_module(f"pyrogen.{name}")
    raise AttributeError(f"module 'pyrogen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
