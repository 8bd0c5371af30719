"""Of exercises: old files, students of one name, folders, formulas, and how many ways make an answer sound."""

import json

import pytest
from helpers.exercises import COLLIDER

from pyrogen.exercises import grade
from pyrogen.exercises.exercise import read_exercise
from pyrogen.exercises.grading import _harmless
from pyrogen.exercises.results import Row, _ways

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported


def write(folder, *claims):
    folder.mkdir(exist_ok=True)
    (folder / "e.json").write_text(json.dumps({"title": "t", "network": COLLIDER, "claims": claims}))
    return folder / "e.json"


def test_a_file_of_version_0_1_is_read(tmp_path):
    exercise = read_exercise(write(tmp_path, {"kind": "factorisation", "stated": "P(a) P(b) P(m | a, b) P(d | m)"}))
    assert exercise.claims[0]["kind"] == "factorization"


def test_students_of_one_name_are_two_and_a_folder_is_none(tmp_path):
    path = write(tmp_path / "exercise", {"kind": "independence", "x": "a", "y": "b", "stated": True})
    answers = tmp_path / "answers"
    (answers / "folder.json").mkdir(parents=True)
    for name in "xy":
        (answers / f"{name}.json").write_text(json.dumps({"student": "Ada", "answers": {"1": True}}))
    assert list(grade(path, answers, progress=False).marks) == ["Ada", "Ada (y.json)"]


@pytest.mark.parametrize("sign", "=+-@")
def test_a_cell_that_a_spreadsheet_takes_for_a_formula_is_text(sign):
    assert _harmless(f"{sign}1") == f"'{sign}1"
    assert _harmless(f"1{sign}") == f"1{sign}"


def test_one_way_alone_is_not_sound_and_ways_that_are_too_large_are_named():
    row = {"kind": "k", "claim": "c", "stated": "", "computed": "c", "agrees": None, "evidence": ()}
    assert not Row(**row, ways={"one": 1, "two": None}).sound
    assert not Row(**row, ways={"one": 1, "two": 2}).sound
    two = Row(**row, ways={"one": 1, "two": 1, "three": None})
    assert two.sound
    assert _ways(two) == "the same by one, two; too large for three"
