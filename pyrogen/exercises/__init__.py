"""Exercises on graphical models as files: each stated claim is computed in several ways, shown and judged.

`check_exercise` grades a file; `read_exercise` reads it alone.
"""

from pyrogen.exercises.exercise import Exercise, check_exercise, read_exercise
from pyrogen.exercises.results import Row, Verdicts

__all__ = ["Exercise", "Row", "Verdicts", "check_exercise", "read_exercise"]
