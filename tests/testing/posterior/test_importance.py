"""Importance weights against densities written out, and k̂ where the tail of the weights is known."""

import json
import math

import numpy as np
import pyro
import pytest
import torch
from helpers.conjugates import DATA, evidence_of_mean, local_means, one_mean
from pyro import distributions as dist
from pyro import poutine
from pyro.infer.autoguide import AutoDelta, AutoDiagonalNormal, AutoNormalMessenger
from scipy.stats import norm

import pyrogen as pg
from pyrogen.testing.posterior.importance import BATCHES, _noise, bounds, fault_above, importance, pareto_k
from pyrogen.testing.running import batched
from pyrogen.testing.running.programs import Tested as Pair
from pyrogen.testing.running.weights import NoWeights, log_weights

Z = float(norm.isf(1e-6))
X = torch.tensor([3.0], dtype=torch.float64)


def gamma(factor=1.0):
    """The pair at θ = factor · (x + 1), where x + 1 = 4."""
    g = pg.models.GammaExponential(4.0 * factor).double()
    return Pair(g.model, g.guide, (X,))


def sound_below(samples, rate):
    """k₀: a true k up to this has a k̂ beyond `fault_above` at most at this rate; (1 + k)/√M is the error of k̂."""
    noise = _noise(samples, rate)
    return max(0.0, (1 - noise) / (1 + noise))


def ask(tested, **settings):
    result = importance(tested, **settings)
    json.dumps(dict(result.figures), allow_nan=False)
    return result


# --- the weights


def test_the_exact_posterior_gives_equal_weights():
    result = ask(gamma(), samples=500)
    assert (result.outcome, result.figures["pareto_k"]) == ("passed", 0.0)
    assert result.figures["elbo"] == pytest.approx(-2 * math.log(4.0), abs=1e-9)
    assert result.figures["gap"] == pytest.approx(0.0, abs=1e-9)
    assert result.figures["effective_samples"] == pytest.approx(500)


def test_a_guide_that_runs_the_model_itself_is_weighted_without_the_data():
    model, _ = one_mean()
    guide = AutoNormalMessenger(model)
    guide(DATA)
    guide.locs.z = DATA.sum() / 7
    guide.scales.z = torch.tensor(1 / math.sqrt(7))
    figures = ask(Pair(model, guide, (DATA,)), samples=100).figures
    assert figures["bound"] == pytest.approx(evidence_of_mean(DATA), abs=1e-5)
    assert figures["effective_samples"] == pytest.approx(100)


@pytest.mark.parametrize("factor", [0.4, 1.5, 4.0])
def test_elbo_and_bound_are_those_of_the_oracle(factor):
    figures = ask(gamma(factor), samples=4000).figures
    theta, r = 4.0 * factor, factor
    elbo = -2 * math.log(theta) - 8 / theta + 2
    divergence = 2 * (math.log(r) + 1 / r - 1)  # KL(Gamma(2, θ) ‖ Gamma(2, 4))
    assert elbo == pytest.approx(-2 * math.log(4.0) - divergence)
    assert abs(figures["elbo"] - elbo) < Z * figures["elbo_error"]
    assert figures["bound"] < -2 * math.log(4.0) + 6 * figures["bound_error"]  # 20 batches: Student's t
    assert 0.3 * divergence < figures["gap"] < divergence + 6 * figures["gap_error"]


@pytest.mark.parametrize("factor", [1.5, 4.0])
def test_k_is_the_tail_of_the_weights(factor):
    # w ∝ exp((θ − 4) z) with z ~ Gamma(2, θ): P(w > t) ~ t^(−1/k), k = (θ − 4)/θ; ArviZ draws k̂ to ½ by 10 in M + 10
    samples = 40_000
    k = 1 - 1 / factor
    found = ask(gamma(factor), samples=samples).figures["pareto_k"]
    assert abs(found - k) < Z * (1 + k) / math.sqrt(3 * math.sqrt(samples)) + 0.02


def test_weights_do_not_know_beta_nor_subsampling():
    def scaled(program, beta, size):
        def run(x):
            with pyro.plate("data", len(x), subsample_size=size) as index, poutine.scale(scale=beta):
                return program(x, index)

        return run

    def model(x, index):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with poutine.scale(scale=1.0):
            pyro.sample("x", dist.Normal(z, 1.0), obs=x[index])

    def guide(x, index):
        pyro.sample("z", dist.Normal(0.3 * x[index], 1.0))

    found = []
    for beta, size in ((1.0, 6), (4.0, 6), (1.0, 2), (4.0, 2)):
        found.append(log_weights(Pair(scaled(model, beta, size), scaled(guide, beta, size), (DATA,)), 50))
    assert found[0].shape == (50, 6)
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_latents_enumerated_in_the_model_are_summed_out():
    seen = []

    def model(x):
        loc = pyro.sample("loc", dist.Normal(0.0, 2.0))
        with pyro.plate("data", len(x), subsample_size=4) as index:
            k = pyro.sample("k", dist.Categorical(torch.tensor([0.3, 0.7])), infer={"enumerate": "parallel"})
            pyro.sample("x", dist.Normal(loc * k, 1.0), obs=x[index])

    def guide(x):
        with poutine.scale(scale=3.0):
            seen.append(pyro.sample("loc", dist.Normal(0.5, 0.7)))

    found = log_weights(Pair(poutine.scale(model, scale=3.0), guide, (DATA,)), 20)
    loc = torch.stack(seen[-20:]).flatten().double()[:, None]
    by_hand = torch.logaddexp(
        math.log(0.3) + dist.Normal(0.0, 1.0).log_prob(DATA), math.log(0.7) + dist.Normal(loc, 1.0).log_prob(DATA)
    ).sum(1)
    by_hand += (dist.Normal(0.0, 2.0).log_prob(loc) - dist.Normal(0.5, 0.7).log_prob(loc)).squeeze(1)
    assert found == pytest.approx(by_hand.numpy(), abs=1e-4)


def test_latents_marked_in_the_guide_are_drawn():
    seen = []

    def model(x):
        k = pyro.sample("k", dist.Bernoulli(0.3))
        pyro.sample("x", dist.Normal(3 * k, 1.0), obs=x)

    def guide(x):
        seen.append(pyro.sample("k", dist.Bernoulli(0.6), infer={"enumerate": "parallel"}))

    x = torch.tensor(1.0)
    found = log_weights(Pair(model, guide, (x,)), 40)
    k = seen[[len(one.shape) == 1 for one in seen].index(True)]  # the run of all at once
    by_hand = dist.Bernoulli(0.3).log_prob(k) + dist.Normal(3 * k, 1.0).log_prob(x) - dist.Bernoulli(0.6).log_prob(k)
    assert found == pytest.approx(by_hand.numpy(), abs=1e-5)
    assert np.exp(found).std() > 0


def test_latents_marked_on_both_sides_are_drawn_and_summed():
    seen = []

    def model(x):
        j = pyro.sample("j", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
        k = pyro.sample("k", dist.Bernoulli(0.8), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(3 * k + j, 1.0), obs=x)

    def guide(x):
        seen.append(pyro.sample("j", dist.Bernoulli(0.6), infer={"enumerate": "parallel"}))

    x = torch.tensor(1.0)
    found = log_weights(Pair(model, guide, (x,)), 20)
    j = torch.stack(seen[-20:])
    on, off = (dist.Normal(3 * k + j, 1.0).log_prob(x) + math.log(p) for k, p in ((1.0, 0.8), (0.0, 0.2)))
    by_hand = torch.logaddexp(on, off) + dist.Bernoulli(0.3).log_prob(j) - dist.Bernoulli(0.6).log_prob(j)
    assert j.unique().tolist() == [0.0, 1.0]
    assert found == pytest.approx(by_hand.numpy(), abs=1e-5)


def test_programs_that_cannot_run_at_once_run_one_by_one():
    def model(x):
        z = pyro.sample("z", dist.Normal(torch.zeros(3), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z.sum(), 1.0), obs=x)  # the sum over all runs, if they are made as one

    def guide(x):
        pyro.sample("z", dist.Normal(x / 4, torch.ones(3)).to_event(1))

    x = torch.tensor(1.0)
    tested = Pair(model, guide, (x,))
    found = log_weights(tested, 100)
    by_hand = []
    for run in range(100):
        z = tested.guide_alone(run).nodes["z"]["value"]
        log_p = dist.Normal(0.0, 1.0).log_prob(z).sum() + dist.Normal(z.sum(), 1.0).log_prob(x)
        by_hand.append(float(log_p - dist.Normal(x / 4, 1.0).log_prob(z).sum()))
    assert found == pytest.approx(np.array(by_hand), abs=1e-5)


def test_all_at_once_is_one_by_one(monkeypatch):
    """The mean log weight by both ways: a two-sample z-test, rate 1e-6."""
    tested = Pair(*local_means(0.5, 1.3), (DATA,))
    fast = log_weights(tested, 2000)
    monkeypatch.setattr(batched, "_at_once", lambda *rest: None)
    slow = log_weights(tested, 200)
    assert fast.shape[1] == slow.shape[1] == 6
    error = np.hypot(fast.std(0) / math.sqrt(2000), slow.std(0) / math.sqrt(200))
    assert (np.abs(fast.mean(0) - slow.mean(0)) < Z * error).all()
    assert len(np.unique(fast[:, 0])) > 1900


# --- guides without weights


@pytest.mark.parametrize("kind", ["points", "weighted data", "one side", "part"])
def test_without_weights_the_check_is_skipped_and_says_why(kind):
    model, guide = one_mean()
    words = {"points": "one point", "weighted data": "weighs the data", "one side": "one side", "part": "4 of 6"}[kind]
    if kind == "points":
        guide = AutoDelta(model)
        guide(DATA)
    if kind == "weighted data":

        def model(x):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            with poutine.scale(scale=10.0), pyro.plate("data", len(x)):
                pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    if kind == "one side":

        def guide(x):
            pyro.sample("other", dist.Normal(0.0, 1.0))

    if kind == "part":

        def model(x):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            with pyro.plate("data", 6, subsample=torch.arange(4)):
                pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    result = ask(Pair(model, guide, (DATA[:4] if kind == "part" else DATA,)))
    assert result.outcome == "skipped"
    assert words in result.detail


def test_a_weight_on_everything_goes():
    model, guide = one_mean()
    both = [poutine.scale(program, scale=0.1) for program in (model, guide)]
    assert np.array_equal(log_weights(Pair(*both, (DATA,)), 30), log_weights(Pair(model, guide, (DATA,)), 30))


def test_an_autoguide_has_weights():
    model, _ = one_mean()
    guide = AutoDiagonalNormal(model, init_scale=1 / math.sqrt(7))
    guide(DATA)
    with torch.no_grad():
        guide.loc.fill_(DATA.sum() / 7)
    assert log_weights(Pair(model, guide, (DATA,)), 30) == pytest.approx(evidence_of_mean(DATA), abs=1e-4)


# --- the verdict


def test_a_guide_too_narrow_is_a_warning_and_far_too_narrow_a_fault():
    def narrow(scale, dims):
        def model():
            pyro.sample("z", dist.Normal(torch.zeros(dims), 1.0).to_event(1))

        def guide():
            pyro.sample("z", dist.Normal(torch.zeros(dims), scale).to_event(1))

        return Pair(model, guide)

    middle = []
    for seed in range(5):
        outcomes = [
            ask(Pair(one.model, one.guide, seed=seed), samples=10_000).outcome
            for one in (narrow(0.9, 1), narrow(0.3, 1), narrow(0.2, 100))
        ]
        assert (outcomes[0], outcomes[2]) == ("passed", "fault")
        middle.append(outcomes[1])  # k = 0.91, and k̂ errs by 0.1
    assert "passed" not in middle
    assert middle.count("warning") >= 3


def test_a_guide_too_wide_has_a_small_k_and_its_gap_is_found():
    """The prior as the guide, alone and for each of six elements; one a little too wide gives no warning."""
    for seed in range(5):
        model, _ = one_mean()
        prior = Pair(
            model, lambda x: pyro.sample("z", dist.Normal(0.0, 1.0)), (torch.cat([DATA, DATA + 1]),), seed=seed
        )
        result = ask(prior)
        assert (result.outcome, result.figures["pareto_k"] < 0.67) == ("fault", True)
        assert f"{result.figures['gap']:.2g} ±" in result.findings[0].message
        assert "wider than the posterior" in result.findings[0].message
        wide = ask(Pair(*local_means(stretch=4.0), (DATA,), seed=seed))  # KL 6.1 nats an element
        assert wide.outcome == "fault"
        assert "nats an element below a tighter bound" in wide.findings[0].message
        assert wide.findings[0].figures["gap"] == pytest.approx(wide.figures["gap"] / 6)
        slightly = ask(Pair(*local_means(stretch=1.8), (DATA,), seed=seed))  # KL 0.53 an element, 3.2 nats in all
        assert slightly.outcome == "passed"
        assert slightly.figures["gap"] > 1
        assert "only where the guide goes" in slightly.detail


def test_no_alarm_on_a_sound_pair_over_seeds():
    """A guide 5 % off in width, in a plate and alone, 50 seeds each."""
    for seed in range(50):
        for pair in (one_mean(stretch=1.05), local_means(stretch=0.97)):
            assert ask(Pair(*pair, (DATA,), seed=seed), samples=200).outcome == "passed"


def test_the_bound_of_a_fault_keeps_its_rate():
    """Weights with an exact Pareto tail k₀ that goes with a rate of 1 %: at most 1 % are beyond (2000 sets)."""
    rng = np.random.default_rng(0)
    k0 = sound_below(1000, 0.01)
    assert k0 == pytest.approx((1 - 0.2387) / (1 + 0.2387), abs=1e-3)  # z = 2.326, M = 95
    k = pareto_k(k0 * rng.exponential(size=(2000, 1000)))[0]
    assert abs(k.mean() - k0) < 0.1
    alarms = (k > fault_above(1000, 0.01)).sum()
    assert alarms <= 20 + Z * math.sqrt(20)
    assert alarms > 0


def test_the_stated_bound_of_a_sound_guide():
    """0.34 for 1000 draws; there and for k ≤ 0.2 none of 2000 reaches 1; few draws take a bound above 1."""
    assert fault_above(1000, 1e-6) == 1.0
    assert sound_below(1000, 1e-6) == pytest.approx(0.34, abs=0.006)
    assert 0.2 < sound_below(1000, 1e-6 / 10_000) < 0.22
    assert fault_above(100, 1e-6) == pytest.approx(Z / math.sqrt(20))
    assert sound_below(100, 1e-6) == 0.0
    rng = np.random.default_rng(1)
    for k in (0.05, 0.2, 0.34):
        assert pareto_k(k * rng.exponential(size=(2000, 1000)))[0].max() < 1


def test_a_guide_beside_the_posterior_is_a_fault_from_one_on():
    """A guide of half the width, five sds off: a handful of draws is effective."""
    for seed in range(5):
        result = ask(Pair(*one_mean(5.0, 0.5), (DATA,), seed=seed))
        assert result.figures["pareto_k"] > 1
        assert result.figures["effective_samples"] < 20
        assert result.outcome == "fault"
        assert "a warning above 0.67, a fault above 1.00" in result.findings[0].message


def test_draws_outside_the_model_are_a_fault():
    def model():
        pyro.sample("z", dist.Uniform(0.0, 1.0, validate_args=False))

    def guide():
        pyro.sample("z", dist.Normal(0.5, 0.5))

    result = ask(Pair(model, guide))
    assert result.outcome == "fault"
    assert "support" in result.findings[0].message


def test_without_latents_there_are_no_weights():
    with pytest.raises(NoWeights):
        log_weights(Pair(lambda: pyro.sample("x", dist.Normal(0.0, 1.0), obs=torch.tensor(0.0)), lambda: None), 10)


def test_a_bound_says_how_many_draws_it_is_of():
    assert bounds(np.zeros((200, 1)))["bound_samples"] == 200 / BATCHES != BATCHES
