"""Rates that are shared among tests, limits that are left out, and what is called a sample."""

import numpy as np
import pytest
import torch
from helpers.conjugates import DATA, one_mean

from pyrogen.testing.posterior import calibration, importance, nuts


def test_the_false_alarms_of_a_calibration_are_shared_among_its_elements(monkeypatch):
    monkeypatch.setattr(calibration, "uniformity", lambda row, draws, margin: 5e-4)
    ranks = {"a": np.zeros((20, 3), dtype=np.int64), "b": np.zeros((20, 1), dtype=np.int64)}
    assert calibration._report(ranks, {}, 9, 1e-3, 0.0).ok  # each of the four has 2.5e-4
    assert not calibration._report(ranks, {}, 9, 2.1e-3, 0.0).ok


def test_a_tolerance_of_one_half_grants_everything():
    with pytest.raises(ValueError, match=r"`?tolerance`? must be"):
        calibration.calibrate(*one_mean(1.0), (DATA,), tolerance=0.5)


def test_nuts_shares_its_false_alarms_among_two_questions_and_two_sides(monkeypatch):
    rates, beyond = [], nuts.Difference.beyond

    def watched(self, tolerance, rate):
        rates.append(rate)
        return beyond(self, tolerance, rate)

    draws = np.random.default_rng(0).normal(size=(2, 500))
    monkeypatch.setattr(nuts, "_nuts", lambda *_: ({"z": draws}, 0))
    monkeypatch.setattr(nuts.Difference, "beyond", watched)
    nuts.against_nuts(*one_mean(1.0), (DATA,), num_samples=100, false_alarm=1e-3, progress=False)
    assert rates == [1e-3 / 4]


def test_a_bound_says_how_many_draws_it_is_of():
    assert importance.bounds(np.zeros((200, 1)))["bound_samples"] == 200 / importance.BATCHES != importance.BATCHES


def test_a_density_shares_its_false_alarms_among_sites_and_parameters(monkeypatch):
    import pyro

    from pyrogen.testing.checks import density as module
    from pyrogen.testing.running.programs import Tested as Pair

    class Site(pyro.distributions.Normal):
        """One that Pyro did not write."""

    Site.__module__ = "mine"

    def model():
        for name in "ab":
            pyro.sample(name, pyro.distributions.Normal(0.0, 1.0))

    def guide():
        for name in "ab":
            loc, scale = pyro.param(f"{name}_loc", torch.tensor(0.1)), pyro.param(f"{name}_scale", torch.tensor(1.0))
            pyro.sample(name, Site(loc, scale))

    rates = []
    monkeypatch.setattr(module, "exceeds", lambda bias, margin, rate: rates.append(rate))
    monkeypatch.setattr(module, "_BLOCKS", 2)
    module.density(Pair(model, guide, (), {}, None, 0), 0.4)
    # two sites; of each two parameters by two identities
    assert rates == [pytest.approx(0.4 / 2 / 4)] * 8


def test_supports_are_probed_far_from_their_middle():
    from pyrogen.testing.checks.supports import _values_of

    torch.manual_seed(0)
    values = torch.stack(list(_values_of(torch.distributions.Normal(torch.zeros(100), 1.0))))
    assert values.min() < -5 < 5 < values.max()
