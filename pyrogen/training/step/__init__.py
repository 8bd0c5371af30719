"""One training step: plain, where the programs run each time, or recorded, where a list of operations is replayed."""

from pyrogen.training.step.choice import First, Step
from pyrogen.training.step.objective import PairObjective, PlainStep, Precision, ProgramsObjective
from pyrogen.training.step.record import RecordedStep, record
from pyrogen.training.step.trainable import trainable

__all__ = [
    "First",
    "PairObjective",
    "PlainStep",
    "Precision",
    "ProgramsObjective",
    "RecordedStep",
    "Step",
    "record",
    "trainable",
]
