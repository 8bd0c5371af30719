"""Simulation-based calibration: ranks and their test against exact laws; guides off by known amounts; data put back."""

import json
import math

import numpy as np
import pyro
import pytest
import torch
from helpers.conjugates import DATA, fingerprint, local_means, one_mean
from pyro import distributions as dist
from pyro import poutine
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroModule, PyroParam
from scipy.stats import binom

import pyrogen as pg
from pyrogen.testing.posterior import calibration
from pyrogen.testing.posterior.calibration import _rank, calibrate, uniformity
from pyrogen.testing.posterior.simulation import from_prior
from pyrogen.testing.running.programs import Tested as Pair
from pyrogen.testing.running.weights import log_joints


def ask(pair, args=(DATA,), **settings):
    result = calibrate(*pair, args, progress=False, **({"simulations": 40, "num_samples": 49} | settings))
    json.dumps(result.to_dict(), allow_nan=False)
    str(result)
    return result


# --- the test of uniformity


@pytest.mark.parametrize(("size", "draws"), [(30, 9), (200, 99), (1000, 19)])
def test_p_values_are_never_too_small(size, draws):
    """Uniform ranks, 2000 sets: at most 5 % and 1 % below 0.05 and 0.01, by a binomial test at 1e-6."""
    rng = np.random.default_rng(0)
    p = np.array([uniformity(rng.integers(0, draws + 1, size), draws) for _ in range(2000)])
    for rate in (0.05, 0.01):
        assert binom.sf((p < rate).sum() - 1, 2000, rate) > 1e-6
    assert p.min() > 1e-8


def test_each_kind_of_misfit_has_a_small_p_value():
    rng = np.random.default_rng(0)
    for a, b in ((0.5, 0.5), (2.0, 2.0), (2.0, 1.0), (1.0, 2.0)):
        assert uniformity((rng.beta(a, b, 300) * 100).astype(int), 99) < 1e-6


def test_the_margin_covers_what_is_nearly_uniform():
    ranks = (100 * ((np.arange(40_000) + 0.5) / 40_000) ** 1.1).astype(int)  # its distribution function is 0.035 off
    assert uniformity(ranks, 99) < 1e-6
    assert uniformity(ranks, 99, margin=0.05) == 1.0


# --- guides


def test_an_exact_guide_is_calibrated_over_seeds():
    for seed in range(2):
        result = ask(local_means(), seed=seed)
        assert result.ok
        assert result.ranks["z"].shape == (40, 6)
        assert 0 <= result.ranks["z"].min() <= result.ranks["z"].max() <= 49


@pytest.mark.parametrize(
    ("shift", "stretch", "words"),
    [(0.7, 1.0, "too high"), (-0.7, 1.0, "too low"), (0.0, 0.5, "too narrow"), (0.0, 2.5, "too wide")],
)
def test_guides_off_the_posterior_are_found_and_named(shift, stretch, words):
    for seed in range(2):
        finding = ask(local_means(shift, stretch), seed=seed).findings[0]
        assert finding.site == "z"
        assert words in finding.message


@pytest.mark.parametrize("factor", [1.0, 3.0, 0.3])
def test_the_gamma_pair_is_calibrated_at_x_plus_one(factor):
    g = pg.models.GammaExponential(2.0)
    before = fingerprint(g)

    def train(model, guide, args, kwargs):
        assert g.theta == pytest.approx(2.0)  # each time from where it stood
        g.theta = factor * (args[0].sum() + 1)

    result = ask((g.model, g.guide), (torch.tensor([3.0]),), train=train, simulations=70)
    assert result.ok == (factor == 1.0)
    assert fingerprint(g) == before


def test_elements_of_a_plate_are_taken_together_unless_something_is_shared():
    assert "240 ranks" in ask(local_means())["calibration"].detail.replace("1 × ", "")
    model, guide = local_means()

    def shared(x):
        pyro.sample("w", dist.Normal(0.0, 1.0))
        model(x)

    def guide_shared(x):
        pyro.sample("w", dist.Normal(0.0, 1.0))
        guide(x)

    result = ask((shared, guide_shared))
    assert result.ok
    assert [one.detail.split(" ranks")[0] for one in result.results] == ["1 × 40", "6 × 40", "1 × 40"]


def test_ties_of_a_discrete_latent_are_broken_evenly():
    def model(x):
        k = pyro.sample("k", dist.Bernoulli(0.5))
        pyro.sample("x", dist.Normal(0 * k, 1.0), obs=x)

    def guide(x):
        pyro.sample("k", dist.Bernoulli(0.5))

    assert ask((model, guide), (torch.tensor(0.0),), simulations=150, num_samples=19).ok


def test_a_dependent_guide_is_drawn_run_by_run():
    """The second latent is the first, in model and guide: drawn apart, they would not be."""

    def model(x):
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        b = pyro.sample("b", dist.Normal(a, 0.01))
        pyro.sample("x", dist.Normal(b, 1e6), obs=x)

    def guide(x):
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("b", dist.Normal(a, 0.01))

    result = ask((model, guide), (torch.tensor(0.0),), simulations=40, num_samples=9)
    assert result.ok
    assert np.abs(result.ranks["a"] - result.ranks["b"]).mean() < 1


# --- log p(x, z)


def test_a_guide_that_returns_the_prior_is_found_by_the_log_joint_alone():
    def prior(x):
        pyro.sample("z", dist.Normal(0.0, 1.0))

    def priors(x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(torch.zeros(6), 1.0))

    for pair, shape in (((one_mean()[0], prior), (100,)), ((local_means()[0], priors), (100, 6))):
        result = ask(pair, simulations=100)
        assert result.ranks["log joint"].shape == shape
        (finding,) = result.findings
        assert finding.site == "log joint"
        assert "less probable than the truth" in finding.message


def test_the_log_joint_of_an_exact_guide_is_uniform():
    """Without a margin, 1e-6 a call: one number, one of each element, run by run, and a discrete one with ties."""

    def coin(x):
        k = pyro.sample("k", dist.Bernoulli(0.3))
        pyro.sample("x", dist.Normal(torch.zeros(()) * k, 1.0), obs=x)

    def guessed(x):
        pyro.sample("k", dist.Bernoulli(0.3))

    def looped(program):
        def run(x):
            for _ in pyro.plate("once", 1):  # no run of many at once
                program(x)

        return run

    pairs = [(one_mean(), DATA), (local_means(), DATA), ((coin, guessed), torch.tensor(0.5))]
    for pair, x in [*pairs, (tuple(looped(one) for one in one_mean()), DATA)]:
        result = ask(pair, (x,), simulations=100, num_samples=19, tolerance=0.0)
        assert result.ok
        assert 8 <= result.ranks["log joint"].mean() <= 11


def test_log_joints_are_the_densities_at_the_truth_and_at_draws():
    model, guide = local_means(0.5)
    truth = torch.linspace(-1, 1, 6)
    tested = Pair(poutine.scale(model, scale=3.0), guide, (DATA,))
    at_truth, drawn = log_joints(tested, {"z": truth}, 50, 0)
    by_hand = dist.Normal(0.0, 1.0).log_prob(truth) + dist.Normal(truth, 1.0).log_prob(DATA)
    assert at_truth == pytest.approx(by_hand.numpy(), abs=1e-5)
    assert drawn.shape == (50, 6)
    assert not np.array_equal(drawn, log_joints(tested, {"z": truth}, 50, 1)[1])
    assert log_joints(tested, {"w": truth}, 50, 0) is None
    assert (
        log_joints(Pair(model, lambda x: pyro.sample("w", dist.Normal(0.0, 1.0)), (DATA,)), {"z": truth}, 9, 0) is None
    )


def test_what_differs_by_rounding_is_a_tie():
    generator = np.random.default_rng(0)
    nearly = np.full(99, -100.0 - 1e-5)
    assert len({int(_rank(-100.0, nearly, "log joint", generator, 1e-5)) for _ in range(200)}) > 50
    assert int(_rank(-100.0, nearly, "z", generator)) == 99
    assert int(_rank(-100.0, np.full(99, -np.inf), "log joint", generator, 1e-5)) == 99


def test_draws_that_the_model_cannot_have_made_rank_below_the_truth():
    def model(x):
        scale = pyro.sample("scale", dist.Exponential(1.0))
        pyro.sample("x", dist.Normal(0.0, scale), obs=x)

    def guide(x):
        pyro.sample("scale", dist.Normal(0.0, 1.0))

    at_truth, drawn = log_joints(Pair(model, guide, (torch.tensor(0.3),)), {"scale": torch.tensor(1.0)}, 100, 0)
    assert np.isfinite(at_truth)
    assert 20 < np.isneginf(drawn).sum() < 80


# --- the fit to each data set


class Fitted(PyroModule):
    """A guide with its own mean and width, for the model of one mean, whose noise is a parameter of the model."""

    def __init__(self):
        super().__init__()
        self.loc = PyroParam(torch.tensor(0.0))
        self.scale = PyroParam(torch.tensor(0.5), constraint=dist.constraints.positive)

    def forward(self, x):
        return pyro.sample("z", dist.Normal(self.loc, self.scale))


def noisy(x):
    noise = pyro.param("noise", torch.tensor(1.0), constraint=dist.constraints.positive)
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(z, noise), obs=x)


def test_the_guide_is_fitted_again_and_the_model_stays():
    seen = []

    class Watched(Fitted):
        def forward(self, x):
            z = super().forward(x)
            seen.append(
                (round(float(x.sum()), 4), float(self.loc.detach()), float(pyro.get_param_store()["noise"].detach()))
            )
            return z

    guide = Watched()
    noisy(DATA), guide(DATA)
    before = fingerprint(guide)
    ask((noisy, guide), simulations=10, num_samples=9, train=40, lr=0.1)
    assert fingerprint(guide) == before
    assert {noise for _, _, noise in seen} == {1.0}
    data = list(dict.fromkeys(total for total, _, _ in seen if total != round(float(DATA.sum()), 4)))
    assert len(data) == 10
    for total in data:
        places = [loc for one, loc, _ in seen if one == total]
        assert places[0] == 0.0  # where it stood
        assert abs(places[-1] - total / 7) < 0.35 * max(1.0, abs(total / 7))  # near the posterior's mean


def test_unfitted_guides_are_not_calibrated():
    guide = AutoNormal(noisy, init_scale=0.01)
    result = ask((noisy, guide), simulations=60, num_samples=9)
    assert not result.ok


# --- data, put back


def put_back(model, *args, **kwargs):
    pyro.set_rng_seed(0)
    return from_prior(Pair(model, lambda *a, **k: None, args, kwargs))


def test_data_are_replaced_wherever_they_come_from():
    def model(x, rows, y=None):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("x", dist.Normal(z, torch.ones(6)).to_event(1), obs=x)
        for i, value in enumerate(rows["r"]):
            pyro.sample(f"r_{i}", dist.Normal(torch.zeros(2), 1.0).to_event(1), obs=value)
        pyro.sample("y", dist.Poisson(torch.full((3,), 50.0)).to_event(1), obs=y.float())

    x, rows, y = DATA.clone(), {"r": torch.arange(6.0).reshape(3, 2), "other": 1}, torch.tensor([1, 2, 3])
    copies = x.clone(), rows["r"].clone(), y.clone()
    truth, (new_x, new_rows), kwargs = put_back(model, x, rows, y=y)
    assert set(truth) == {"z"}
    assert all(torch.equal(a, b) for a, b in zip((x, rows["r"], y), copies, strict=True))
    assert new_rows["other"] == 1
    assert kwargs["y"].dtype == y.dtype
    assert (kwargs["y"] > 10).all()
    assert not torch.isclose(new_x, x).any()
    assert not torch.isclose(new_rows["r"], rows["r"]).any()


def test_a_subsampled_plate_is_filled_as_a_whole():
    def model(x):
        with pyro.plate("data", 6, subsample_size=2) as index:
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(z, 0.001), obs=x[index])

    result = ask(
        (model, lambda x: pyro.sample("w", dist.Normal(0.0, 1.0))), simulate=lambda: ({"w": torch.zeros(())}, (DATA,))
    )
    assert set(result.ranks) == {"w"}
    from pyrogen.testing.running.programs import whole_plates

    with whole_plates():
        truth, (x,), _ = put_back(model, DATA.clone())
    assert torch.allclose(truth["z"], x, atol=0.01)


@pytest.mark.parametrize(
    ("model", "args", "words"),
    [
        (
            lambda x: pyro.sample("x", dist.Normal(0.0, 1.0), obs=torch.as_tensor(x)),
            (3.0,),
            "hold .* got none",
        ),
        (
            lambda x, y: pyro.sample("x", dist.Normal(0.0, 1.0).expand([6]).to_event(1), obs=x * 1),
            (DATA, DATA.clone()),
            "several",
        ),
        (lambda x: pyro.factor("f", x.sum()), (DATA,), "pyro.factor"),
        (lambda x: pyro.sample("z", dist.Normal(0.0, 1.0)), (DATA,), "must observe something"),
    ],
)
def test_data_that_cannot_be_put_back_are_refused(model, args, words):
    with pytest.raises(ValueError, match=words) as error:
        put_back(model, *args)
    assert "simulate=" in str(error.value)


def test_simulate_may_make_the_data():
    def simulate():
        z = torch.randn(())
        return {"z": z}, (z + torch.randn(6),)

    model, guide = one_mean()
    assert ask((lambda x: model(x * 1.0), guide), simulate=simulate, simulations=60).ok
    assert not ask((lambda x: model(x * 1.0), one_mean(1.0)[1]), simulate=simulate, simulations=60).ok
    with pytest.raises(ValueError, match="simulate must return"):
        ask((model, guide), simulate=lambda: 3)
    with pytest.raises(ValueError, match="must have a latent of the guide, which has z, got w"):
        ask((model, guide), simulate=lambda: ({"w": torch.zeros(())}, (DATA,)))


@pytest.mark.parametrize(
    "settings",
    [{"simulations": 1}, {"num_samples": 2}, {"train": 0}, {"lr": 0.0}, {"false_alarm": 0.0}, {"tolerance": 0.7}],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ask(one_mean(), **settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"train": "a"}, "train must be None, a number of steps or a callable, got 'a'"),
        ({"train": True}, "train must be None"),
        ({"simulate": 3}, "simulate must be None or a callable that returns"),
        ({"false_alarm": "a"}, "false_alarm must be a .*number.*, got 'a'"),
        ({"seed": "a"}, "seed must be a .*number.*, got 'a'"),
        ({"lr": "a"}, "lr must be a .*number"),
        ({"num_samples": 9.5}, "num_samples must be a whole number"),
        ({"train": len}, "train fails with TypeError: len"),
    ],
)
def test_settings_of_another_kind_are_refused(settings, words):
    with pytest.raises((TypeError, ValueError), match=words):
        ask(one_mean(), **settings)


def test_the_same_seed_gives_the_same_ranks():
    a, b, c = (ask(local_means(), simulations=10, seed=seed).ranks["z"] for seed in (3, 3, 4))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert math.isfinite(a.mean())


def test_the_false_alarms_of_a_calibration_are_shared_among_its_elements(monkeypatch):
    monkeypatch.setattr(calibration, "uniformity", lambda row, draws, margin: 5e-4)
    ranks = {"a": np.zeros((20, 3), dtype=np.int64), "b": np.zeros((20, 1), dtype=np.int64)}
    rows = {"a": (), "b": ()}
    for rate, outcome in ((1e-3, "passed"), (2.1e-3, "fault")):  # each of the four has a quarter
        assert {one.outcome for one in calibration._results(ranks, rows, 9, rate, 0.0)} == {outcome}


def test_a_tolerance_of_one_half_grants_everything():
    with pytest.raises(ValueError, match=r"`?tolerance`? must be"):
        calibration.calibrate(*one_mean(1.0), (DATA,), tolerance=0.5)
