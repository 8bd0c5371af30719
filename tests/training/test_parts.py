"""Order of batches, schedules and history."""

import copy
import csv
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.small import binary, make_pair, quiet
from pyro import distributions as dist

from pyrogen.training import Constant, Cyclical, History, LinearWarmup, elbo_terms
from pyrogen.training.data.sources import Order


def test_every_epoch_shows_every_image_once_in_a_new_order():
    order = Order(size=12, batch_size=3, seed=0)
    epochs = [torch.cat([order(4 * e + i) for i in range(4)]) for e in range(3)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(12))
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3


def test_order_is_a_function_of_seed_and_step():
    forward, backward = Order(100, 7, seed=3), Order(100, 7, seed=3)
    batches = [forward(t) for t in range(40)]
    for t in reversed(range(40)):
        assert torch.equal(backward(t), batches[t])
    assert not torch.equal(Order(100, 7, seed=4)(0), batches[0])


def test_an_incomplete_batch_is_left_out():
    order = Order(size=10, batch_size=4, seed=0)
    assert [len(order(t)) for t in range(6)] == [4] * 6
    assert order.steps_per_epoch == 2


def test_schedules():
    assert [Constant()(t) for t in (0, 9)] == [1.0, 1.0]
    assert [LinearWarmup(5)(t) for t in (0, 1, 4, 5, 50)] == [0.0, 0.2, 0.8, 1.0, 1.0]
    assert [Cyclical(10, ramp=0.5)(t) for t in (0, 1, 4, 5, 9, 10, 11)] == [0.0, 0.2, 0.8, 1.0, 1.0, 0.0, 0.2]


@pytest.mark.parametrize(
    "make", [lambda: LinearWarmup(0), lambda: Cyclical(0), lambda: Cyclical(5, 0.0), lambda: Cyclical(5, 1.5)]
)
def test_bad_schedules_are_refused(make):
    with pytest.raises(ValueError, match=r"step|period"):
        make()


def test_a_guide_without_a_reparametrized_draw_is_refused():
    pair = make_pair()
    pair.encode = lambda x: dist.Poisson(torch.ones(len(x), 3)).to_event(1)
    with pytest.raises(ValueError, match="distributions that have an rsample, got Independent"):
        elbo_terms(pair, binary(6))


def test_history_to_csv_and_xarray(tmp_path):
    history = quiet(make_pair(), binary(), steps=60).history
    history.to_csv(tmp_path / "h.csv")
    rows = list(csv.reader((tmp_path / "h.csv").read_text().splitlines()))
    assert tuple(rows[0]) == history.columns
    np.testing.assert_array_equal(np.array(rows[1:], dtype=float), history.array)
    data = history.to_xarray()
    assert dict(data.sizes) == {"step": 60, "latent": 3}
    np.testing.assert_array_equal(data["kl_per_latent"].values, history["kl_per_latent"])
    assert data["kl"].attrs["units"] == "nats per image"
    assert data["step"].values[0] == 1


def test_history_refuses_what_it_does_not_know():
    history = History(("objective", "reconstruction", "kl"))
    with pytest.raises(KeyError, match="no column 'loss'; it has step"):
        history["loss"]
    with pytest.raises(ValueError, match="rows must be"):
        history.append(np.zeros((2, 3)))
    assert repr(history) == "History(no steps)"


def test_the_history_is_a_mapping_of_columns_with_a_row_a_step():
    history = quiet(make_pair(), binary(), steps=7, validation=binary(20), validate_every=3).history
    assert list(history) == list(history.columns) == list(history.keys())
    assert "kl" in history
    assert "loss" not in history
    assert history.get("loss") is None
    assert len(history) == 7
    assert dict(history).keys() == history.keys() == set(history.columns)
    assert len(history.keys()) == len(history.items()) == len(history.values()) == len(history.columns)
    assert (dict(history)["kl"] == history["kl"]).all()
    assert [name for name, _ in history.items()] == list(history)
    frame = pd.DataFrame(history)
    assert frame.shape == (7, len(history.columns))
    assert (frame["kl"] == history["kl"]).all()
    indexed = history.to_dataframe()
    assert indexed.index.tolist() == list(range(1, 8))
    assert (indexed["objective"].to_numpy() == history["objective"]).all()
    for copied in (copy.deepcopy(history), pickle.loads(pickle.dumps(history))):
        assert (copied["kl"] == history["kl"]).all()
        assert copied.monitored == history.monitored
        assert (copied.validation["kl"] == history.validation["kl"]).all()
    with pytest.raises(TypeError, match="read only"):
        history["kl"] = 3
    assert history == history
    assert history != History(["objective"])


def test_a_notebook_shows_the_last_terms():
    fit = quiet(make_pair(), binary(), steps=7, validation=binary(20), validate_every=3)
    page = fit._repr_html_()
    assert f"<td>{fit.history['objective'].mean():.2f}</td>" in page
    assert f"<td>{fit.history.validation['elbo'][-1]:.2f}</td>" in page
    assert "7 steps" in page
    assert "0 steps" in History(["objective"])._repr_html_()


def test_the_latents_of_a_history_are_the_numbered_columns():
    history = History(("objective", "kl", "kl_0", "kl_1", "kl_z2"))
    history.append(np.arange(9.0)[None])
    assert history["kl_per_latent"].tolist() == [[6.0, 7.0]]
