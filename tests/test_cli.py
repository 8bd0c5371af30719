"""The command line: what it prints, what it writes, and how it refuses."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.small import make_pair

from pyrogen import cli
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
    assert main(["explore", "runs/typo.safetensors"]) == 2
    assert "there is no file runs/typo.safetensors" in capsys.readouterr().err
    (tmp_path / "own.py").write_text("def a():\n    return {}['x']\n\n\ndef b(x):\n    return x\n")
    assert main(["check", f"{tmp_path}/own.py:a"]) == 2  # 1 would say that a fault is found
    assert "own.py:2 fails with KeyError: 'x'" in capsys.readouterr().err
    assert main(["check", f"{tmp_path}/own.py:b"]) == 2
    assert "The function is called without arguments" in capsys.readouterr().err
    with pytest.raises(SystemExit) as refused:
        main([])
    assert refused.value.code == 2


def test_help_names_each_command(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    assert "exercise" in capsys.readouterr().out


def test_an_array_that_is_explored_runs_no_code(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        cli._data_of(make_pair(), str(tmp_path / "x.npy"))


def test_no_time_limit_is_none(monkeypatch):
    from pyrogen.testing import from_file

    given = []
    monkeypatch.setattr(
        from_file, "check_file", lambda target, **kw: given.append(kw) or SimpleNamespace(ok=True, to_dict=dict)
    )
    assert cli.main(["check", "a.py:f", "--time-limit", "0"]) == 0
    assert given[0]["time_limit"] is None


def test_a_missing_extra_is_one_line(monkeypatch, capsys):
    def missing(args):
        raise ImportError("the explorer needs Panel")

    monkeypatch.setattr(cli, "_explore", missing)
    assert cli.main(["explore"]) == 2
    assert capsys.readouterr().err == "pyrogen: the explorer needs Panel\n"


def test_marks_have_their_signs(tmp_path):
    marks = {
        "Ada": [SimpleNamespace(verdict=v, answer="", reason="") for v in ("right", "wrong", "missing", "not readable")]
    }
    grades = SimpleNamespace(
        title="t", marks=marks, claims=list("abcd"), computed=list("abcd"), notes=(), right=lambda _: 1
    )
    cli._report_of_grades(grades, tmp_path)
    assert "| Ada | 1 of 4 | ✓ | ✗ | – | ? |" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_the_drawing_of_a_claim_marks_both_of_its_sides(tmp_path, monkeypatch):
    import pyrogen.plots
    from pyrogen.exercises import check_exercise, read_exercise

    drawn, graph = [], pyrogen.plots.graph
    monkeypatch.setattr(pyrogen.plots, "graph", lambda *a, **kw: (drawn.append(kw), graph(*a, **kw))[1])
    network = {"kind": "bayesian", "nodes": ["a", "b", "c"], "edges": [["a", "b"], ["b", "c"]]}
    claims = [{"kind": "independence", "x": "a", "y": "c", "stated": False}]
    (tmp_path / "e.json").write_text(json.dumps({"title": "t", "network": network, "claims": claims}))
    verdicts = check_exercise(tmp_path / "e.json")
    cli._report_of_verdicts(verdicts, read_exercise(tmp_path / "e.json"), tmp_path)
    assert [kw["ends"] for kw in drawn if kw] == [["a", "c"]]
