"""The command line: what it prints, what it writes, and how it refuses."""

import json
from pathlib import Path

import pytest

from pyrogen.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

DATA = Path(__file__).parents[1] / "data"


def test_an_exercise_is_judged_and_written(tmp_path, capsys):
    assert main(["exercise", str(DATA / "bayesian_network.json"), "--draws", "2", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "5 of 6 stated answers are right." in printed
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert json.loads((tmp_path / "verdicts.json").read_text(encoding="utf-8"))["wrong"] == 1


def test_a_folder_of_answers_is_graded_and_written(tmp_path, capsys):
    answers = tmp_path / "answers"
    answers.mkdir()
    (answers / "ada.json").write_text(json.dumps({"answers": {"2": False, "3": True}}))
    command = ["exercise", str(DATA / "bayesian_network.json"), "--answers", str(answers), "--draws", "2"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert "ada  2 of 6" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "2 of 6" in page
    assert "✓" in page
    assert (tmp_path / "out" / "grades.csv").read_text(encoding="utf-8").startswith("student,number,claim")


def test_wrong_input_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert main(["exercise", str(tmp_path / "none.json")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("pyrogen: ")
    assert "there is no such file" in error
    assert error.count("\n") == 1
    with pytest.raises(SystemExit) as refused:
        main([])
    assert refused.value.code == 2


def test_help_names_each_command(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    assert "exercise" in capsys.readouterr().out
