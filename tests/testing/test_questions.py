"""Single questions of `pg.testing.check`, each on the smallest pair that tells its answers apart."""

import math

import numpy as np
import pyro
import pytest
import torch
from helpers.conjugates import DATA, one_mean
from pyro import distributions as dist
from pyro import poutine
from pyro.distributions import constraints
from scipy import stats

import pyrogen as pg
from pyrogen.testing.checks.gradient import _Evidence, gradient
from pyrogen.testing.checks.gradient_estimators import Group
from pyrogen.testing.checks.indices import part_of_shuffled
from pyrogen.testing.checks.objective import objective
from pyrogen.testing.checks.parameters import parameters
from pyrogen.testing.checks.structure import structure
from pyrogen.testing.posterior.calibration import uniformity
from pyrogen.testing.posterior.importance import bounds, importance
from pyrogen.testing.running.draws import Moments
from pyrogen.testing.running.isolation import nothing_changed
from pyrogen.testing.running.programs import Tested as Pair
from pyrogen.testing.running.reparametrized_draws import Coupled
from pyrogen.testing.running.significance import Sample, exceeds
from pyrogen.testing.running.weights import log_weights

RATE = 1e-6


def of_structure(model, guide, *args):
    return {result.check: result for result in structure(Pair(model, guide, args))}


def of_parameters(model, guide, *args):
    return {result.check: result for result in parameters(Pair(model, guide, args))}


def latent(fn):
    """A program that draws z from one distribution."""
    return lambda: pyro.sample("z", fn)


def located(*args):
    """A guide with a location and a scale to train."""
    scale = pyro.param("scale", torch.tensor(0.6), constraint=constraints.positive)
    pyro.sample("z", dist.Normal(pyro.param("loc", torch.tensor(0.4)), scale))


# --- structure and supports


def test_plates_of_one_name_must_agree_in_size_and_dimension():
    def program(dim=-1, subsample_size=None):
        def run():
            with pyro.plate("data", 4, subsample_size, dim=dim) as index:
                pyro.sample("z", dist.Normal(torch.zeros(len(index), *[1] * (-1 - dim)), 1.0))

        return run

    assert of_structure(program(), program())["plates"].outcome == "passed"
    assert of_structure(program(), program(subsample_size=2))["plates"].outcome == "passed"  # the model follows
    (finding,) = of_structure(program(), program(dim=-2))["plates"].findings
    assert finding.site == "z"


def test_a_batch_dimension_needs_its_plate():
    """The plate's entries against themselves, and two columns that no plate holds."""
    column = torch.zeros(4, 1)

    def program(fn):
        def run():
            with pyro.plate("data", 4):
                pyro.sample("z", fn)

        return run

    sound = program(dist.Normal(column, 1.0).to_event(1))
    assert of_structure(sound, sound)["shapes"].outcome == "passed"
    for fn, dim in ((dist.Normal(column, torch.ones(4)), -2), (dist.Normal(torch.zeros(2, 4), 1.0), -2)):
        (finding,) = of_structure(program(fn), program(fn))["shapes"].findings
        assert f"no plate at dimension {dim}" in finding.message


def test_a_beta_near_one_counts():
    model, guide = latent(dist.Normal(0.0, 1.0)), latent(dist.Normal(0.5, 1.0))
    assert of_structure(poutine.scale(model, 1.001), poutine.scale(guide, 1.001))["scale"].outcome == "passed"
    (finding,) = of_structure(poutine.scale(model, 1.001), guide)["scale"].findings
    assert finding.figures == pytest.approx({"model": 1.001, "guide": 1.0})


def test_masks_agree_however_they_are_put_on():
    """On the site, around the distribution, or inside of its events: the first two entries of four."""
    mask, normal = torch.tensor([True, True, False, False]), dist.Normal(torch.zeros(4, 3), 1.0)

    def program(fn, site_mask=True):
        def run():
            with pyro.plate("data", 4), poutine.mask(mask=site_mask):
                pyro.sample("z", fn)

        return run

    ways = [
        program(normal.to_event(1), mask),
        program(normal.to_event(1).mask(mask)),
        program(normal.mask(mask[:, None].expand(4, 3)).to_event(1)),
    ]
    for model in ways:
        for guide in ways:
            assert of_structure(model, guide)["scale"].outcome == "passed"
    for other in (program(normal.to_event(1)), program(normal.to_event(1).mask(~mask))):
        assert all("masked differently" in of_structure(way, other)["scale"].findings[0].message for way in ways)


def test_what_a_guide_can_draw_counts_and_not_what_it_drew():
    found = of_structure(latent(dist.Gamma(2.0, 1.0)), latent(dist.Normal(50.0, 0.01)))["support"]
    assert found.outcome == "fault"
    assert "can draw" in found.findings[0].message


def test_a_guide_that_cannot_reach_all_of_the_support_is_a_warning():
    found = of_structure(latent(dist.Normal(0.0, 1.0)), latent(dist.LogNormal(0.0, 1.0)))["support"]
    assert found.outcome == "warning"
    assert "cannot reach" in found.findings[0].message
    assert of_structure(latent(dist.Gamma(2.0, 1.0)), latent(dist.LogNormal(0.0, 1.0)))["support"].findings == ()


def test_a_discrete_guide_with_more_values_is_found():
    two, three = dist.Categorical(torch.ones(2)), dist.Categorical(logits=torch.tensor([50.0, 0.0, 0.0]))  # draws 0
    assert "has more values" in of_structure(latent(two), latent(three))["support"].findings[0].message
    assert of_structure(latent(three), latent(two))["support"].findings == ()


# --- subsampling


def test_the_parts_of_shuffled_data_hold_each_row_once():
    parts = [part_of_shuffled(12, 4, seed=5, part=part) for part in range(4)]
    assert torch.cat(parts[:3]).sort().values.tolist() == list(range(12))
    assert torch.equal(parts[3], parts[0])
    assert not torch.equal(part_of_shuffled(12, 4, seed=6, part=0), parts[0])


# --- parameters


def test_a_gradient_that_is_always_zero_reaches_nothing():
    def guide(x):
        loc, dead = (pyro.param(name, torch.tensor(0.5)) for name in ("loc", "dead"))
        pyro.sample("z", dist.Normal(loc + torch.relu(dead - 9), 1.0))

    (finding,) = of_parameters(one_mean()[0], guide, DATA)["gradient reach"].findings
    assert finding.site == "dead"
    assert "always exactly zero" in finding.message


def test_an_infinite_density_is_found_unless_it_is_masked():
    outside = torch.tensor([0.5, 2.0])

    def model(mask):
        def run():
            pyro.sample("z", dist.Normal(0.0, 1.0))
            with pyro.plate("data", 2), poutine.mask(mask=mask):
                pyro.sample("x", dist.Uniform(0.0, 1.0, validate_args=False), obs=outside)

        return run

    assert of_parameters(model(outside < 1), located)["finite"].findings == ()
    (finding,) = of_parameters(model(outside < 9), located)["finite"].findings
    assert (finding.site, "in 1 of 2 entries" in finding.message) == ("x", True)


# --- densities, objective and gradients


@pytest.mark.parametrize("exact", [False, True])
def test_single_runs_that_are_apart_are_a_fault_where_they_must_agree(exact):
    """As those of a reversed gradient whose mean is zero."""
    evidence = _Evidence(Group(("loc",), (), ()), 0.0, exact)
    evidence.difference += np.random.default_rng(0).normal(size=48).tolist()
    evidence.gradient += [1.0] * 48
    assert evidence.wrong(RATE) is exact


class OwnGamma(dist.Gamma):
    """Nothing is wrong here either, but nobody knows that it draws by inversion."""


def test_a_distribution_whose_draws_may_jump_is_held_against_scores():
    def model():
        z = pyro.sample("z", dist.Gamma(2.0, 1.0))
        pyro.sample("x", dist.Exponential(z), obs=torch.tensor(1.0))

    def guide():
        alpha, beta = (pyro.param(name, torch.tensor(2.0), constraint=constraints.positive) for name in "ab")
        pyro.sample("z", OwnGamma(alpha, beta / 2))

    result = gradient(Pair(model, guide), RATE)
    assert "score-function" in result.detail
    assert result.outcome == "passed"
    assert "too noisy" not in result.detail


def test_coupled_draws_follow_their_distribution():
    """By Kolmogorov and Smirnov; each of the tests has a p-value below 1e-7 by chance as seldom as that."""
    cases = {
        "gamma": (dist.Gamma(2.5, 3.0), stats.gamma(2.5, scale=1 / 3)),
        "beta": (dist.Beta(0.7, 2.0), stats.beta(0.7, 2.0)),
        "dirichlet": (dist.Dirichlet(torch.tensor([0.5, 1.0, 3.0])), stats.beta(0.5, 4.0)),
        "chi2": (dist.Chi2(3.0), stats.chi2(3.0)),
        "student": (dist.StudentT(4.0, 1.0, 2.0), stats.t(4.0, 1.0, 2.0)),
        "inverse": (dist.InverseGamma(3.0, 2.0), stats.invgamma(3.0, scale=2.0)),
        "shifted": (dist.Normal(1.0, 2.0), stats.norm(1.0, 2.0)),
    }

    def program():
        with pyro.plate("draws", 4000):
            for name, (fn, _) in cases.items():
                pyro.sample(name, fn)

    trace = poutine.trace(Coupled()(program)).get_trace()
    for name, (_, law) in cases.items():
        value = trace.nodes[name]["value"]
        assert stats.kstest(value.reshape(4000, -1)[:, 0].double().numpy(), law.cdf).pvalue > 1e-7


def test_few_numbers_are_put_to_the_t_test_of_scipy():
    rng = np.random.default_rng(0)
    for count in (2, 3, 8, 24, 63):
        sample = Sample(rng.normal(1.0, 1.0, count).tolist())
        p = stats.ttest_1samp(sample, 0.0).pvalue
        assert exceeds(sample, 0.0, 1.01 * p)
        assert not exceeds(sample, 0.0, 0.99 * p)


# --- the whole


def test_the_tests_share_the_rate():
    report = pg.testing.check(one_mean()[0], located, (DATA,), false_alarm=1e-3, progress=False)
    assert "false alarms 2e-04" in report["gradient"].detail  # density, objective, minibatch, gradient, importance


def test_an_error_in_a_later_run_is_a_fault():
    runs = []

    def model(x):
        runs.append(x)
        if len(runs) > 2:
            raise RuntimeError("the file is closed")
        one_mean()[0](x)

    report = pg.testing.check(model, located, (DATA,), progress=False)
    assert not report.ok
    assert "RuntimeError: the file is closed" in report.findings[0].message


def test_a_mode_that_the_model_sets_is_put_back():
    net = torch.nn.Linear(1, 1)

    def model():
        net.eval()

    with nothing_changed(model):
        model()
        assert not net.training
    assert net.training


# --- weights and errors


def test_the_errors_of_elbo_and_bound_are_standard_errors():
    """400 sets: the bound's spread over them has a relative error of 3.5 %; 1.2 is beyond five of these."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((400, 1000))
    figures = [bounds(row) for row in weights]
    assert figures[0]["elbo_error"] == pytest.approx(weights[0].std(ddof=1) / math.sqrt(1000))
    for name in ("elbo", "bound", "gap"):
        spread = np.std([one[name] for one in figures], ddof=1)
        stated = math.sqrt(np.mean([one[f"{name}_error"] ** 2 for one in figures]))
        assert 1 / 1.2 < stated / spread < 1.2


def test_the_threshold_of_k_knows_the_number_of_draws():
    tested = Pair(*one_mean(stretch=0.8), (DATA,))
    for samples, threshold in ((100, 0.5), (1000, 2 / 3), (10_000, 0.7)):
        assert importance(tested, samples=samples).figures["threshold"] == pytest.approx(threshold)


def test_masked_entries_have_no_importance_weight():
    mask = torch.tensor([True, False, True, True, True, False])

    def model(x):
        with pyro.plate("data", len(x)), poutine.mask(mask=mask):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        with pyro.plate("data", len(x)), poutine.mask(mask=mask):
            pyro.sample("z", dist.Normal(x / 2, math.sqrt(0.5)))

    found = log_weights(Pair(model, guide, (DATA,)), 30)
    evidence = stats.norm(0, math.sqrt(2)).logpdf(DATA.numpy())  # the guide is exact: all weights are p(x)
    assert found == pytest.approx(np.tile(np.where(mask, evidence, 0.0), (30, 1)), abs=1e-5)


def test_the_error_of_a_standard_deviation_knows_the_tails():
    """Against a bootstrap of 4000, whose own error is 1.1 %."""
    rng = np.random.default_rng(0)
    for draws in (rng.laplace(size=400), rng.standard_normal(400), rng.uniform(size=400)):
        again = draws[rng.integers(0, 400, (4000, 400))].std(axis=1, ddof=1)
        assert float(Moments.of_draws(draws).sd_error) == pytest.approx(again.std(), rel=0.08)


def test_at_one_point_the_ranks_have_the_p_value_of_a_binomial_test():
    rng = np.random.default_rng(0)
    for share in (0.5, 0.6, 0.8):
        ranks = (rng.random(50) < share).astype(int)  # of two values, with one draw each
        expected = stats.binomtest(int(ranks.sum()), 50).pvalue
        assert uniformity(ranks, 1) == pytest.approx(expected)


def test_a_latent_enumerated_in_the_model_alone_is_no_wrong_objective():
    def model(x):
        k = pyro.sample("k", dist.Categorical(torch.ones(2)), infer={"enumerate": "parallel"})
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(z + 3 * k, 1.0), obs=x)

    assert objective(Pair(model, located, (DATA,)), RATE).findings == ()


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
