"""One training step: plain, where the programs run each time, or recorded, where a list of operations is replayed."""

from pyrogen.training.step.programs import ProgramStep
from pyrogen.training.step.recorded import Objective, RecordedStep, record
from pyrogen.training.step.trainable import trainable

__all__ = ["Objective", "ProgramStep", "RecordedStep", "record", "trainable"]
