"""NUTS itself on small problems with a known posterior; and the comparison on chains made here, over seeds."""

import json
import math

import numpy as np
import pyro
import pytest
import torch
from helpers.conjugates import DATA, fingerprint, one_mean
from pyro import distributions as dist
from pyro import poutine
from pyro.infer.autoguide import AutoDiagonalNormal

from pyrogen.testing.posterior import nuts
from pyrogen.testing.posterior.nuts import against_nuts

SD = 1 / math.sqrt(7)
MEAN = float(DATA.sum() / 7)


def ask(pair, **settings):
    report = against_nuts(*pair, (DATA,), progress=False, **settings)
    json.dumps(report.to_dict(), allow_nan=False)
    str(report)
    return report


def chain(seed, phi=0.5, samples=1000, chains=1):
    """An autoregressive chain whose stationary distribution is the posterior, for each latent; phi is what repeats."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((chains, samples))
    rows = np.empty((chains, samples))
    rows[:, 0] = noise[:, 0]
    for i in range(1, samples):
        rows[:, i] = phi * rows[:, i - 1] + math.sqrt(1 - phi**2) * noise[:, i]
    return MEAN + SD * rows


@pytest.fixture
def faked(monkeypatch):
    def fake(draws, divergent=0):
        monkeypatch.setattr(nuts, "_nuts", lambda *rest: ({"z": draws}, divergent))

    return fake


# --- NUTS itself


def test_nuts_samples_the_posterior_without_scale_and_with_whole_plates():
    """Two chains on half-seen data under β = 50; the exact guide passes, and what NUTS drew has the exact moments."""

    def model(x):
        with poutine.scale(scale=50.0):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x), subsample_size=3) as index:
            pyro.sample("x", dist.Normal(z, 1.0), obs=x[index])

    seen = {}
    real = nuts._nuts
    nuts._nuts = lambda *rest: seen.setdefault("drawn", real(*rest))
    try:
        report = ask((model, one_mean()[1]), num_samples=100, warmup=50, chains=2)
    finally:
        nuts._nuts = real
    drawn, divergent = seen["drawn"]
    assert drawn["z"].shape == (2, 100)
    assert divergent == 0
    assert report.findings[1:] == ()
    moments, r_hat, effective = nuts._diagnosed(drawn["z"])
    assert abs(moments.mean - MEAN) < 4.9 * moments.mean_error
    assert abs(moments.sd - SD) < 4.9 * moments.sd_error
    assert r_hat < 1.1
    assert effective > 30


def test_a_mixture_s_enumerated_latent_is_summed_out():
    def model(x):
        loc = pyro.sample("loc", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        with pyro.plate("data", len(x)):
            k = pyro.sample("k", dist.Categorical(torch.ones(2) / 2), infer={"enumerate": "parallel"})
            pyro.sample("x", dist.Normal(loc[k], 1.0), obs=x)

    guide = AutoDiagonalNormal(poutine.block(model, hide=["k"]), init_scale=0.01)
    guide(DATA)
    before = fingerprint(guide)
    report = ask((model, guide), num_samples=100, warmup=20)
    assert [one.site for one in report["against_nuts"].findings] == ["loc"]
    assert report["against_nuts"].figures["loc sd ratio"] < 0.3
    assert fingerprint(guide) == before


# --- the comparison, on chains of a known law


@pytest.mark.parametrize(("phi", "chains", "seeds"), [(0.6, 1, 30), (0.3, 4, 5)])
def test_no_alarm_on_the_exact_guide_over_seeds(faked, phi, chains, seeds):
    """No margin at all, 1e-6 a call."""
    for seed in range(seeds):
        faked(chain(seed, phi, chains=chains))
        report = ask(one_mean(), seed=seed, tolerance=0.0)
        assert report["against_nuts"].outcome == "passed"


def test_wrong_guides_are_found_over_seeds(faked):
    for seed in range(3):
        faked(chain(seed))
        for shift, stretch, words in ((1.2, 1.0, "mean is +1"), (-1.2, 1.0, "mean is -1"), (0.0, 0.4, "sd is 0.")):
            (finding,) = ask(one_mean(shift, stretch), seed=seed).findings
            assert (finding.site, finding.level) == ("z", "fault")
            assert words in finding.message


def test_the_margin_is_what_a_guide_is_granted(faked):
    faked(chain(0))
    assert ask(one_mean(0.25, 1.25)).ok
    assert not ask(one_mean(0.25, 1.25), tolerance=0.0).ok


def test_errors_of_a_chain_are_those_of_its_effective_draws():
    """The mean of an AR(1) chain errs by sd √((1 + φ)/((1 − φ) n)); ArviZ finds that within 15 % on average."""
    errors = [nuts._diagnosed(chain(seed, 0.7)[..., None])[0].mean_error[0] for seed in range(20)]
    assert np.mean(errors) == pytest.approx(SD * math.sqrt(1.7 / 0.3 / 1000), rel=0.15)


@pytest.mark.parametrize("how", ["stuck", "divergent", "apart"])
def test_where_nuts_has_not_converged_nothing_is_a_fault(faked, how):
    draws = chain(0, phi=0.999 if how == "stuck" else 0.5, chains=2)
    if how == "apart":
        draws[1] += 3
    faked(draws, 200 if how == "divergent" else 0)
    report = ask(one_mean(3.0))
    assert report["nuts"].outcome == "warning"
    assert report["against_nuts"].outcome == "unjudged"
    assert not any(finding.level == "fault" for finding in report.findings)
    assert not report.ok
    with pytest.raises(AssertionError, match="against_nuts: could not be judged"):
        report.assert_ok()


@pytest.mark.parametrize(("r_hat", "effective", "divergent"), [(1.2, 500.0, 0), (1.0, 50.0, 0), (1.0, 500.0, 30)])
def test_each_sign_that_nuts_has_not_converged_counts(r_hat, effective, divergent):
    assert nuts._sampler_result({"z": (None, 1.0, 500.0)}, 0, 1000).outcome == "passed"
    assert nuts._sampler_result({"z": (None, r_hat, effective)}, divergent, 1000).outcome == "warning"


def test_too_few_effective_draws_ask_for_more_samples_and_nothing_is_judged(faked):
    """Four chains of the same values, each of them 20 times on end: R̂ is fine, and fewer than 100 draws count."""
    result = nuts._sampler_result({"z": (None, 1.0, 71.4)}, 0, 1000)
    (finding,) = result.findings
    assert finding.message == "only 71 effective draws, 100 are needed: take more samples"
    assert "non-centered" in nuts._sampler_result({"z": (None, 1.2, 71.4)}, 0, 1000).findings[0].message
    levels, rng = np.linspace(-1.8, 1.8, 8), np.random.default_rng(0)
    halves = [rng.permutation(levels) for _ in range(4)]
    draws = np.repeat([[*half, *half[::-1]] for half in halves], 20, axis=1)
    faked(MEAN + SD * (draws + 0.1 * rng.standard_normal(draws.shape)))
    report = ask(one_mean())
    assert report["nuts"].figures["r_hat"] <= 1.05
    assert "take more samples" in report["nuts"].findings[0].message
    assert report["against_nuts"].outcome == "unjudged"
    assert report["against_nuts"].detail.startswith("NUTS cannot be relied on")
    assert "z shift" in report["against_nuts"].figures


# --- bad input


def test_a_discrete_latent_that_cannot_be_enumerated_is_refused():
    def model(x):
        pyro.sample("n", dist.Poisson(3.0))

    with pytest.raises(ValueError, match="got 'n'"):
        ask((model, model))


def test_different_latents_are_refused():
    with pytest.raises(ValueError, match="guide must draw a continuous latent of the model, which has z, got w"):
        ask((one_mean()[0], lambda x: pyro.sample("w", dist.Normal(0.0, 1.0))))
    with pytest.raises(ValueError, match="shape"):
        ask((one_mean()[0], lambda x: pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))))


@pytest.mark.parametrize("settings", [{"num_samples": 10}, {"chains": 0}, {"false_alarm": 2.0}, {"tolerance": -1.0}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ask(one_mean(), **settings)


@pytest.mark.parametrize(
    "settings", [{"false_alarm": "a"}, {"seed": "a"}, {"num_samples": 200.5}, {"tolerance": "wide"}]
)
def test_settings_of_another_kind_are_refused(settings):
    with pytest.raises(TypeError, match=f"{next(iter(settings))} must be a"):
        ask(one_mean(), **settings)


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
