"""Exercises on graphical models as files: each stated claim is computed in several ways, shown and judged.

`check_exercise` judges the answers stated in a file, `grade` those of a folder of students; `read_exercise` reads a
file alone.
"""

from pyrogen.exercises.exercise import Exercise, check_exercise, read_exercise
from pyrogen.exercises.grading import Grades, Mark, grade
from pyrogen.exercises.results import Row, Verdicts

__all__ = ["Exercise", "Grades", "Mark", "Row", "Verdicts", "check_exercise", "grade", "read_exercise"]
