"""A folder of students' answers: who got what, and why not."""

import csv
import io
import json

import pytest
from helpers.exercises import COLLIDER

import pyrogen as pg
from pyrogen.exercises import grade
from pyrogen.exercises.grading import Grades, Mark

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

EXERCISE = {
    "title": "A collider",
    "network": COLLIDER,
    "claims": [
        {"kind": "independence", "x": "a", "y": "b", "stated": True},
        {"kind": "factorization", "stated": "P(a) P(b) P(m | a, b) P(d | m)"},
        {"kind": "probability", "event": {"d": "high"}},
    ],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "exercise.json").write_text(json.dumps(EXERCISE))
    answers = tmp_path / "answers"
    answers.mkdir()
    ada = {"student": "Ada", "answers": {"1": True, "2": "P(a,b) P(m|a,b) P(d|m)", "3": "0.383"}}
    (answers / "ada.json").write_text(json.dumps(ada))
    (answers / "bob.csv").write_text("claim,answer\n1,false\n2,P(a) P(b)\n3,37 %\n9,true\n")
    (answers / "eve.json").write_text(json.dumps({"answers": {"1": "maybe", "3": 0.383}}))
    (answers / "broken.json").write_text("{")
    (answers / "notes.txt").write_text("not an answer")
    return tmp_path


def test_each_answer_is_judged_as_a_stated_one(folder):
    grades = grade(folder / "exercise.json", folder / "answers", draws=2, progress=False)
    verdicts = {student: [mark.verdict for mark in marks] for student, marks in grades.marks.items()}
    assert verdicts == {
        "Ada": ["right", "right", "right"],
        "bob": ["wrong", "wrong", "wrong"],
        "broken": ["missing"] * 3,
        "eve": ["not readable", "missing", "right"],
    }
    assert grades.right("Ada") == 3
    assert grades.marks["bob"][1].reason == "it has no factor for m and d"
    assert "rounds to 0.38" in grades.marks["bob"][2].reason or "cut off" in grades.marks["bob"][2].reason
    assert '"stated" must be true or false' in grades.marks["eve"][0].reason
    assert [note.split(":")[0] for note in grades.notes] == ["bob.csv", "broken.json"]
    assert "the claims are 1 to 3, got '9'" in grades.notes[0]


def test_the_table_is_csv_and_text_and_a_data_frame(folder):
    grades = grade(folder / "exercise.json", folder / "answers", draws=2, progress=False)
    rows = list(csv.DictReader(io.StringIO(grades.to_csv())))
    assert len(rows) == len(grades.to_dataframe()) == 4 * 3
    assert {row["student"] for row in rows} == set(grades.marks)
    assert "Ada     3 of 3" in str(grades)
    assert "bob     0 of 3" in str(grades)


def test_stated_answers_of_the_file_do_not_matter(folder):
    content = json.loads((folder / "exercise.json").read_text())
    content["claims"][0]["stated"] = False
    (folder / "exercise.json").write_text(json.dumps(content))
    grades = grade(folder / "exercise.json", folder / "answers", draws=1, progress=False)
    assert grades.marks["Ada"][0].verdict == "right"


def test_what_cannot_be_graded_is_refused(folder):
    with pytest.raises(FileNotFoundError, match="no such folder of answers"):
        grade(folder / "exercise.json", folder / "nowhere")
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"expected a .json or .csv file for each student"):
        grade(folder / "exercise.json", folder / "empty")
    with pytest.raises(TypeError, match="draws must be a whole number"):
        grade(folder / "exercise.json", folder / "answers", draws="5")
    assert pg.exercises.grade is grade


def test_a_witness_of_the_file_is_not_the_students(folder):
    content = json.loads((folder / "exercise.json").read_text())
    content["claims"].append({"kind": "chordal", "stated": False, "witness": ["a", "b", "m", "d"]})
    (folder / "exercise.json").write_text(json.dumps(content))
    (folder / "answers" / "ada.json").write_text(json.dumps({"answers": {"4": True}}))
    grades = grade(folder / "exercise.json", folder / "answers", draws=1, progress=False)
    assert grades.marks["ada"][3].verdict == "right"


def write(folder, *claims):
    folder.mkdir(exist_ok=True)
    (folder / "e.json").write_text(json.dumps({"title": "t", "network": COLLIDER, "claims": claims}))
    return folder / "e.json"


def test_students_of_one_name_are_two_and_a_folder_is_none(tmp_path):
    path = write(tmp_path / "exercise", {"kind": "independence", "x": "a", "y": "b", "stated": True})
    answers = tmp_path / "answers"
    (answers / "folder.json").mkdir(parents=True)
    for name in "xy":
        (answers / f"{name}.json").write_text(json.dumps({"student": "Ada", "answers": {"1": True}}))
    assert list(grade(path, answers, progress=False).marks) == ["Ada", "Ada (y.json)"]


def test_a_cell_that_a_spreadsheet_takes_for_a_formula_is_text():
    marks = {f"{sign}1": (Mark("right", answer=f"1{sign}"),) for sign in "=+-@"}
    rows = list(csv.DictReader(io.StringIO(Grades("t", ("c",), ("x",), marks).to_csv())))
    assert [row["student"] for row in rows] == ["'=1", "'+1", "'-1", "'@1"]
    assert [row["answer"] for row in rows] == ["1=", "1+", "1-", "1@"]
