"""Many runs: each once, resumable, an error a row, the same scores on every backend."""

import functools
import importlib
import itertools
import json
import threading
from pathlib import Path
from types import SimpleNamespace

import joblib
import pytest
import torch
from helpers.small import SHAPE, binary

import pyrogen as pg

module = importlib.import_module("pyrogen.sweep")
X, TEST = binary(60), binary(30)
FEW = {"batch_size": 10, "evaluation": {"nll_images": 5, "importance_samples": 2}}


def build(beta=1.0, hidden=4):
    if beta == 666.0:
        raise RuntimeError("no such pair")
    encoder = pg.nn.MLPEncoder(SHAPE, 2, hidden=(hidden,))
    return pg.models.VAE(encoder, pg.nn.MLPDecoder(SHAPE, 2, hidden=(hidden,)), beta=beta)


def test_every_combination_is_a_run_of_its_own(tmp_path):
    grid = {"beta": [1.0, 4.0], "seed": range(2), "lr": [0.01]}
    table = pg.sweep(build, grid, X, TEST, steps=6, folder=tmp_path, **FEW)
    assert table[["beta", "seed"]].values.tolist() == [[1.0, 0], [1.0, 1], [4.0, 0], [4.0, 1]]
    assert (table["error"] == "").all()
    assert table["elbo"].nunique() == 4
    torch.manual_seed(1)
    alone = pg.fit(build(4.0), X, steps=6, batch_size=10, lr=0.01, seed=1, progress=False)
    scores = pg.evaluate(alone.pair, TEST, **FEW["evaluation"])
    last = table.iloc[3]
    assert (last["elbo"], last["kl"], last["nll"]) == (scores.elbo, scores.kl, scores.nll)
    assert all((Path(folder) / "result.json").exists() for folder in table["folder"])


def test_what_is_done_is_not_done_again_and_what_is_not_goes_on(tmp_path, monkeypatch):
    grid = {"beta": [1.0, 2.0]}
    first = pg.sweep(build, grid, X, TEST, steps=6, folder=tmp_path, **FEW)
    trained = []
    real = module.fit

    @functools.wraps(real)
    def counted(*args, **settings):
        trained.append(settings["checkpoint"].name)
        return real(*args, **settings)

    monkeypatch.setattr(module, "fit", counted)
    again = pg.sweep(build, grid | {"beta": [1.0, 2.0, 3.0]}, X, TEST, steps=6, folder=tmp_path, **FEW)
    assert trained == ["beta=3.0"]
    assert again.iloc[:2][["elbo", "nll"]].equals(first[["elbo", "nll"]])
    trained.clear()
    longer = pg.sweep(build, grid, X, TEST, steps=9, folder=tmp_path, **FEW)  # goes on from step 6
    assert trained == ["beta=1.0", "beta=2.0"]
    assert longer["steps"].tolist() == [9, 9]
    assert (longer["error"] == "").all()
    (tmp_path / "beta=1.0" / "result.json").write_text("{half a fi")
    trained.clear()
    assert (pg.sweep(build, grid, X, TEST, steps=9, folder=tmp_path, **FEW)["elbo"] == longer["elbo"]).all()
    assert trained == ["beta=1.0"]


def test_other_data_or_settings_are_another_sweep(tmp_path):
    pg.sweep(build, {"beta": [1.0]}, X, TEST, steps=6, folder=tmp_path, **FEW)
    table = pg.sweep(build, {"beta": [1.0]}, 1 - X, TEST, steps=6, folder=tmp_path, **FEW)
    assert "CheckpointError" in table["error"][0]
    assert "belongs to another run" in table["error"][0]


def test_a_run_that_fails_is_a_row_with_its_error(tmp_path):
    table = pg.sweep(build, {"beta": [1.0, 666.0, 2.0]}, X, TEST, steps=3, folder=tmp_path, **FEW)
    assert table["elbo"].notna().tolist() == [True, False, True]
    assert table["error"].tolist()[1].startswith("RuntimeError: no such pair (test_sweep.py, line ")
    assert json.loads((tmp_path / "beta=2.0" / "result.json").read_text())["row"]["steps"] == 3


def in_any_process(beta):
    """`build` with all that it needs inside: other processes cannot import a test."""
    import pyrogen as pg

    shape = (4, 4)
    return pg.models.VAE(pg.nn.MLPEncoder(shape, 2, hidden=(4,)), pg.nn.MLPDecoder(shape, 2, hidden=(4,)), beta=beta)


def by_value(function):
    """The same function, which cloudpickle sends along instead of its name."""
    function.__module__ = "__main__"
    return function


def test_two_processes_give_the_same_table(tmp_path):
    grid = {"beta": [1.0, 4.0]}
    two = pg.sweep(by_value(in_any_process), grid, X, TEST, steps=4, folder=tmp_path / "two", workers=2, **FEW)
    one = pg.sweep(build, grid, X, TEST, steps=4, folder=tmp_path / "one", **FEW)
    assert (two["error"] == "").all()
    assert two["elbo"].tolist() == pytest.approx(one["elbo"].tolist(), rel=1e-6)


def test_dask_carries_the_runs(tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        made = by_value(in_any_process)
        table = pg.sweep(made, {"beta": [1.0, 4.0]}, X, TEST, steps=4, folder=tmp_path, workers=2, **FEW)
    assert table["error"].tolist() == ["", ""]
    assert table["elbo"].notna().all()


@pytest.mark.parametrize(
    ("grid", "settings", "error", "message"),
    [
        ({}, {}, ValueError, "grid must hold a name and its values"),
        ([1.0], {}, TypeError, "grid must be a dict"),
        ({"beta": 1.0}, {}, TypeError, r"grid\['beta'\] must be a list of values, got 1.0"),
        ({"beta": "ab"}, {}, TypeError, r"grid\['beta'\] must be a list of values"),
        ({"beta": torch.tensor(2.0)}, {}, TypeError, r"grid\['beta'\] must be a list of values, got tensor"),
        ({"beta": dict}, {}, TypeError, r"grid\['beta'\] must be a list of values, got the class dict"),
        ({"beta": itertools.count()}, {}, ValueError, "grid must have at most 100,000 combinations"),
        ({"beta": [[1, 2], [1, 2]]}, {}, ValueError, r"grid\['beta'\] must hold different values, got \[1, 2\] twice"),
        ({"beta": []}, {}, ValueError, r"grid\['beta'\] must hold at least one value"),
        ({"beta": [1.0, 2.0, 1]}, {}, ValueError, r"grid\['beta'\] must hold different values, got 1 twice"),
        ({"betta": [1.0]}, {}, ValueError, "must be an argument of build or a setting of fit"),
        ({"beta": [1.0]}, {"workers": 0}, ValueError, "workers must be a whole number of at least 1"),
        ({"beta": [1.0]}, {"steps": 0}, ValueError, "steps must be a whole number of at least 1"),
        ({"beta": [1.0]}, {"epochs": 3}, TypeError, "settings must be arguments of fit .*, got 'epochs'"),
        ({"beta": [1.0]}, {"evaluation": {"image": 5}}, ValueError, "a key of evaluation must be one of 'images'"),
        ({"beta": [1.0]}, {"folder": ""}, ValueError, "folder must be a path"),
    ],
)
def test_what_cannot_be_swept_over_is_refused_before_any_run(grid, settings, error, message, tmp_path):
    with pytest.raises(error, match=message):
        pg.sweep(build, grid, X, TEST, **({"steps": 3, "folder": tmp_path} | settings))
    assert not list(tmp_path.iterdir())


def test_a_build_that_cannot_be_pickled_or_called_is_refused(tmp_path):
    lock = threading.Lock()

    def locked(beta):
        with lock:
            return build(beta)

    with pytest.raises(TypeError, match="build must be something that pickle can send to other processes"):
        pg.sweep(locked, {"beta": [1.0]}, X, TEST, steps=3, folder=tmp_path, workers=2)
    with pytest.raises(TypeError, match="build must make a pair"):
        pg.sweep(build(), {"beta": [1.0]}, X, TEST, steps=3, folder=tmp_path)
    with pytest.raises(ValueError, match="grid must have values for 'size', which build needs"):
        pg.sweep(lambda beta, size: None, {"beta": [1.0]}, X, TEST, steps=3, folder=tmp_path)


sweeping = importlib.import_module("pyrogen.sweep")


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
