"""A guide beside a known posterior: each way of stating it, right and wrong guides over seeds, and bad input."""

import json
import math

import numpy as np
import pyro
import pytest
import torch
from helpers.conjugates import DATA, evidence_of_mean, fingerprint, local_means, one_mean
from pyro import distributions as dist
from pyro.infer.autoguide import AutoDelta, AutoDiagonalNormal, AutoMultivariateNormal

import pyrogen as pg
from pyrogen.testing.posterior.compare import compare

SD = 1 / math.sqrt(7)
MEAN = float(DATA.sum() / 7)
RNG = np.random.default_rng(0)
EXACT = {
    "distribution": dist.Normal(MEAN, SD),
    "moments": (MEAN, SD),
    "draws": torch.as_tensor(MEAN + SD * RNG.standard_normal(4000)),
}


def ask(pair, exact, args=(DATA,), **settings):
    report = compare(*pair, args, exact=exact, **settings)
    json.dumps(report.to_dict(), allow_nan=False)
    str(report)
    return report


# --- right and wrong


@pytest.mark.parametrize("how", EXACT)
def test_the_exact_guide_passes_and_wrong_ones_do_not(how):
    """100 seeds of the sound guide: no alarm; shift, stretch and both found in each of 5."""
    for seed in range(100):
        assert ask(one_mean(), {"z": EXACT[how]}, seed=seed, num_samples=500).ok
    for shift, stretch in ((0.5, 1.0), (0.0, 1.6), (0.0, 0.6), (-2.0, 2.0)):
        for seed in range(5):
            report = ask(one_mean(shift, stretch), {"z": EXACT[how]}, seed=seed)
            assert not report.ok
            assert report.findings[0].site == "z"


def test_a_guide_within_the_tolerance_passes():
    for how in EXACT.values():
        assert ask(one_mean(0.05), {"z": how}).ok
        assert ask(one_mean(0.5, 1.5), {"z": how}, tolerance=1.0).ok


def test_the_kl_is_the_closed_form():
    report = ask(one_mean(0.5, 1.6), {"z": EXACT["distribution"]})
    expected = 0.5 * (1.6**2 + 0.25 - 1) - math.log(1.6)
    assert report["compare"].figures["kl"] == pytest.approx(expected, rel=1e-4)


def test_another_shape_with_the_same_moments_is_found():
    def guide(x):
        two = dist.Normal(MEAN + SD * torch.tensor([-0.95, 0.95]), SD * math.sqrt(1 - 0.95**2))
        pyro.sample("z", dist.MixtureSameFamily(dist.Categorical(torch.ones(2)), two))

    report = ask((one_mean()[0], guide), {"z": EXACT["draws"]}, num_samples=20_000, tolerance=0.02)
    assert "distribution function" in report.findings[0].message
    assert "mean" not in report.findings[0].message
    assert ask((one_mean()[0], guide), {"z": EXACT["moments"]}, num_samples=20_000).ok


@pytest.mark.parametrize("theta", [4.0, 2.0, 9.0])
def test_the_gamma_pair_by_its_oracle(theta):
    x = torch.tensor([3.0])
    g = pg.models.GammaExponential(theta)
    exact = {"z": dist.Gamma(2.0, 4.0)}
    report = ask((g.model, g.guide), exact, (x,), evidence=-2 * math.log(4.0))
    assert report.ok == (theta == 4.0)
    assert report["evidence"].outcome == "passed"
    r = theta / 4
    error = report["evidence"].figures["elbo_error"]
    gap = 2 * (math.log(r) + 1 / r - 1)
    assert abs(report["evidence"].figures["gap"] - gap) < 4.9 * error + 1e-5


def test_each_element_of_a_plate_is_looked_at():
    exact = {"z": dist.Normal(DATA / 2, math.sqrt(0.5))}
    assert ask(local_means(), exact).ok
    worse = DATA / 2 + torch.tensor([0, 0, 0, 0, 0, 0.6])
    for posterior in (dist.Normal(worse, math.sqrt(0.5)), (worse, math.sqrt(0.5))):
        report = ask(local_means(), {"z": posterior})
        assert not report.ok
    slightly = DATA / 2 + torch.tensor([0, 0, 0, 0, 0, 0.12])  # KL 0.0144 in one element of six, 0.0024 on average
    assert not ask(local_means(), {"z": dist.Normal(slightly, math.sqrt(0.5))}).ok


@pytest.mark.parametrize("kind", [AutoDiagonalNormal, AutoMultivariateNormal])
def test_autoguides_are_compared_by_draws(kind):
    model, _ = one_mean()
    guide = kind(model, init_scale=SD)
    guide(DATA)
    assert not ask((model, guide), {"z": EXACT["distribution"]}, num_samples=300).ok
    with torch.no_grad():
        guide.loc.fill_(MEAN)
    before = fingerprint(guide)
    assert ask((model, guide), {"z": EXACT["distribution"]}, num_samples=300).ok
    assert fingerprint(guide) == before


def test_exact_may_be_a_callable_of_the_arguments():
    assert ask(one_mean(), lambda x: {"z": (x.sum() / (len(x) + 1), SD)}).ok


# --- the evidence


def test_the_gap_is_the_kl_and_an_elbo_above_the_evidence_is_found():
    evidence = evidence_of_mean(DATA)
    for seed in range(20):
        report = ask(one_mean(0.3, 1.2), {}, evidence=evidence, seed=seed, num_samples=500)
        assert report.ok
        assert not ask(one_mean(0.3, 1.2), {}, evidence=evidence - 1, seed=seed, num_samples=500).ok
        divergence = 0.5 * (1.2**2 + 0.09 - 1) - math.log(1.2)
        figures = report["evidence"].figures
        assert abs(figures["gap"] - divergence) < 5.5 * figures["elbo_error"]


def test_equal_weights_must_give_the_evidence():
    evidence = evidence_of_mean(DATA)
    assert ask(one_mean(), {}, evidence=evidence).ok
    assert "all draws give" in ask(one_mean(), {}, evidence=evidence + 0.5).findings[0].message


def test_a_guide_of_one_point_has_no_elbo():
    model, _ = one_mean()
    guide = AutoDelta(model)
    guide(DATA)
    report = ask((model, guide), {"z": EXACT["distribution"]}, evidence=evidence_of_mean(DATA))
    assert report["evidence"].outcome == "unjudged"
    assert not report.ok
    assert "sd is 0.00" in report.findings[0].message


# --- bad input


@pytest.mark.parametrize(
    ("exact", "error", "words"),
    [
        ({"w": (0.0, 1.0)}, ValueError, "the guide draws, z, got 'w'"),
        (
            {"z": dist.Normal(torch.zeros(2), 1.0)},
            ValueError,
            r"the guide's shape \(\), got \(2,\)",
        ),
        ({"z": (torch.zeros(3), 1.0)}, ValueError, r"the mean of 'z' must have the guide's shape \(\), got \(3,\)"),
        ({"z": (0.0, 0.0)}, ValueError, "must be positive"),
        ({"z": torch.zeros(200, 3)}, ValueError, r"exact draws of 'z' must be \(n,\) with n at least 100"),
        ({"z": "normal"}, TypeError, "must be a distribution"),
        ({"z": torch.full((200,), math.nan)}, ValueError, r"exact\['z'\] must be finite, got 200 values"),
        ({"z": (0.0, "1")}, TypeError, r"exact\['z'\] must be real numbers"),
        (lambda x: 1 / 0, ValueError, "exact fails with ZeroDivisionError: division by zero"),
        ({"z": dist.Normal}, TypeError, "got the class Normal"),
        (dist.Normal, TypeError, "exact must be a mapping .* got the class Normal"),
        (dist.Normal(0.0, 1.0), TypeError, "exact must be a mapping .* got Normal"),
        (3, TypeError, "exact must be a mapping .* got 3"),
        (lambda x: x, TypeError, "the callable exact must return a mapping .* got a tensor"),
        ({}, ValueError, "nothing to compare with"),
    ],
)
def test_bad_answers_are_refused(exact, error, words):
    with pytest.raises(error, match=words):
        compare(*one_mean(), (DATA,), exact=exact)


@pytest.mark.parametrize("settings", [{"num_samples": 10}, {"false_alarm": 0.0}, {"tolerance": -1.0}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        compare(*one_mean(), (DATA,), exact={}, **settings)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"evidence": math.nan}, ValueError, "evidence must be a finite number"),
        ({"evidence": math.inf}, ValueError, "evidence must be a finite number"),
        ({"evidence": "a"}, TypeError, "evidence must be a .*number.*, got 'a'"),
        ({"false_alarm": "a"}, TypeError, "false_alarm must be a .*number"),
        ({"seed": "a"}, TypeError, "seed must be a whole number"),
        ({"num_samples": "many"}, TypeError, "num_samples must be a whole number"),
        ({"args": DATA}, TypeError, "args must be the arguments of model and guide as a tuple"),
        ({"args": ("a",)}, ValueError, "the guide fails with"),
        ({"kwargs": [1]}, TypeError, "kwargs must be a dict of arguments"),
        ({"tolerance": math.nan}, ValueError, "tolerance must be a number from 0 to 100, got nan"),
    ],
)
def test_settings_of_another_kind_are_refused(settings, error, words):
    with pytest.raises(error, match=words):
        compare(*one_mean(), **({"args": (DATA,), "exact": {"z": (0.0, 1.0)}} | settings))


def test_draws_of_many_numbers_are_asked_for_by_shape():
    with pytest.raises(ValueError, match=r"exact draws of 'z' must be \(n, 6\)"):
        compare(*local_means(), (DATA,), exact={"z": torch.zeros(200, 3)})
