"""Of the sweep and the command: what a result is known by, what runs leave behind, and what is never opened."""

import functools
import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.small import SHAPE, binary, make_pair

import pyrogen as pg
from pyrogen import cli

sweeping = importlib.import_module("pyrogen.sweep")
FEW = {"batch_size": 10, "evaluation": {"nll_images": 5, "importance_samples": 2}}


def build(beta=1.0):
    return pg.models.VAE(pg.nn.MLPEncoder(SHAPE, 2, hidden=(4,)), pg.nn.MLPDecoder(SHAPE, 2, hidden=(4,)), beta=beta)


def spread(codes, factors):
    return float(codes.std())


def test_a_sweep_is_known_by_all_that_it_is_of_and_draws_nothing(tmp_path, monkeypatch):
    seen, fit = [], sweeping.fit

    @functools.wraps(fit)
    def watched(pair, data, **given):
        seen.append(given)
        return fit(pair, data, **given)

    monkeypatch.setattr(sweeping, "fit", watched)
    state = torch.get_rng_state()
    table = pg.sweep(build, {"beta": [1.0]}, binary(60), binary(30), steps=2, folder=tmp_path, **FEW)
    assert table["error"].tolist() == [""]
    assert torch.equal(torch.get_rng_state(), state)
    assert (seen[0]["lr"], seen[0]["progress"]) == (1e-3, False)
    key = json.loads(next(tmp_path.rglob("result.json")).read_text())["key"]
    assert len(key["data"]) == 2


def test_a_sweep_with_another_metric_is_another(tmp_path, monkeypatch):
    keys = []
    monkeypatch.setattr(sweeping, "_run", lambda task, run, accepted: keys.append(task.key) or {})
    for metrics in ([], [spread]):
        pg.sweep(build, {"beta": [1.0]}, binary(60), binary(30), steps=2, folder=tmp_path, metrics=metrics)
    assert [key["metrics"] for key in keys] == [[], ["spread"]]


def test_a_run_that_was_interrupted_is_not_done(tmp_path, monkeypatch):
    stopped = functools.wraps(pg.fit)(lambda *_, **__: SimpleNamespace(stopped=True, steps=3))
    monkeypatch.setattr(sweeping, "fit", stopped)
    table = pg.sweep(build, {"beta": [1.0]}, binary(60), binary(30), steps=5, folder=tmp_path, **FEW)
    assert "stopped at step 3; the same sweep goes on from there" in table["error"][0]


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
