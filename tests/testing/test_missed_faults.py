"""Faults that run without a word, each with the sentence that names it; several members a kind, beside the reports."""

import pyro
import pytest
import torch
from helpers.reports.base import POSITIVE, X, mean_of, normal
from helpers.reports.parameters import Own
from pyro import distributions as dist
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoDiagonalNormal, AutoIAFNormal, AutoMultivariateNormal, AutoNormal
from torch import nn

import pyrogen as pg


def report(model, guide, args=(X,), **settings):
    return pg.testing.check(model, guide, args, progress=False, **settings)


def the_fault(*args, **settings):
    """The one fault that is found."""
    (finding,) = (one for one in report(*args, **settings).findings if one.level == "fault")
    return finding


@pytest.mark.parametrize("way", ["param", "store"])
def test_what_is_registered_outside_alone(way):
    """SVI trains the parameters of a step's traces, and not those of the store."""
    weight = pyro.param("weight", torch.tensor(0.5))

    def decoded(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            factor = weight if way == "param" else pyro.get_param_store()["weight"]
            pyro.sample("x", dist.Normal(z * factor, 1.0), obs=x)

    def encoded(x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(pyro.param("a", torch.tensor(0.3)) * x, 0.7))

    fault = the_fault(decoded, encoded)
    assert fault.check == "registration"
    assert "is registered only outside of model and guide" in fault.message


class TestSize:
    def test_rows_as_one_event(self):
        def events(x):
            mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(mean, 1.0).expand([len(x)]).to_event(1), obs=x)

        assert report(events, normal, size=24).ok
        assert not report(events, normal, size=240).ok

    def test_a_loop_over_the_batch(self):
        def loop(x):
            mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
            for i in pyro.plate("data", len(x)):
                pyro.sample(f"x_{i}", dist.Normal(mean, 1.0), obs=x[i])

        assert report(loop, normal, (X[:4],), size=4).ok
        assert not report(loop, normal, (X[:4],), size=40).ok


def test_a_frozen_module_that_pyro_trains():
    class Frozen(pyro.nn.PyroModule):
        def __init__(self):
            super().__init__()
            self.net = pyro.nn.PyroModule[nn.Linear](1, 1).requires_grad_(False)

        def forward(self, x):
            mean = pyro.sample("mean", dist.Normal(self.net(torch.ones(1))[0], 1.0))
            with pyro.plate("data", len(x)):
                pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

    frozen = Frozen()
    assert "requires_grad=False stands at 'Frozen." in the_fault(frozen, normal).message
    assert not any(parameter.requires_grad for parameter in frozen.parameters())  # as before


@pytest.mark.parametrize(
    ("constraint", "start", "stuck"),
    [
        (constraints.simplex, torch.ones(2, 3, 1), True),
        (constraints.corr_cholesky, torch.ones(4, 1, 1), True),
        (constraints.simplex, torch.ones(1), False),  # the one weight of one component
    ],
)
def test_a_constraint_that_leaves_nothing_to_move(constraint, start, stuck):
    def guide(x):
        weights = pyro.param("weights", start, constraint=constraint)
        pyro.sample("mean", dist.Normal(pyro.param("loc", torch.tensor(0.2)) + weights.mean(), 0.5))

    findings = report(mean_of, guide).findings
    assert ["'weights' cannot move" in one.message for one in findings] == [True] * stuck


class TestLocalParametersOfABatch:
    @pytest.mark.parametrize("kind", [AutoDiagonalNormal, AutoMultivariateNormal, AutoIAFNormal])
    def test_automatic(self, kind):
        def model(x):
            mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
            with pyro.plate("data", len(x), subsample_size=5) as i:
                z = pyro.sample("z", dist.Normal(mu, 1.0))
                pyro.sample("x", dist.Normal(z, 1.0), obs=x[i])

        message = the_fault(model, kind(model)).message
        assert kind.__name__ in message
        assert "holds 5 rows for 'z', as many as one batch, but plate 'data' stands for 24" in message

    def test_of_a_batch_that_was_cut_before(self):
        def model(batch):
            mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
            with pyro.plate("data", len(batch)):
                z = pyro.sample("z", dist.Normal(mu, 1.0))
                pyro.sample("x", dist.Normal(z, 1.0), obs=batch)

        found = report(model, AutoNormal(model), (X[:6],), size=30).findings
        assert any("'AutoNormal.locs.z' holds 6 rows" in one.message for one in found)


def test_a_guide_that_draws_one_latent_from_the_prior():
    def two(x):
        mean, other = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("mean", "other"))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean + other, pyro.param("s", torch.tensor(1.0), constraint=POSITIVE)), obs=x)

    def prior(x):
        pyro.sample("mean", dist.Normal(0.0, 1.0))
        pyro.sample("other", dist.Normal(pyro.param("loc", torch.tensor(0.1)), 1.0))

    told = report(two, prior)
    assert told["prior"].outcome == "warning"
    assert "draws 'mean' from the model's prior" in told.findings[0].message


def test_an_observed_distribution_of_your_own_that_cannot_be_drawn_from():
    class NotDrawn(Own):
        has_rsample = False

        def sample(self, sample_shape=()):
            raise NotImplementedError

    def observing(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", NotDrawn(mean, pyro.param("s", torch.tensor(1.0), constraint=POSITIVE)), obs=x)

    told = report(observing, normal)["density"]
    assert told.outcome == "skipped"
    assert told.detail == "not tested: 'x' (NotDrawn cannot be drawn from (NotImplementedError))"


@pytest.mark.parametrize("right", [False, True])
def test_a_change_of_variables_needs_its_jacobian(right):
    def model(x):
        rate = pyro.sample("rate", dist.Gamma(2.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Exponential(rate), obs=x)

    def guide(x):
        scale = pyro.param("scale", torch.tensor(0.3), constraint=POSITIVE)
        u = pyro.sample("u", dist.Normal(pyro.param("loc", torch.tensor(0.4)), scale), infer={"is_auxiliary": True})
        pyro.sample("rate", dist.Delta(u.exp(), log_density=-u if right else 0.0))

    found = report(model, guide, (X.abs(),)).findings
    assert [one.check for one in found] == ([] if right else ["jacobian"])


class TestLosses:
    @staticmethod
    def terms(model, guide, *args):
        guide_trace = poutine.trace(guide).get_trace(*args)
        trace = poutine.trace(poutine.replay(model, trace=guide_trace)).get_trace(*args)
        return trace.log_prob_sum(), guide_trace.log_prob_sum()

    @pytest.mark.parametrize(
        ("loss", "said"),
        [
            (lambda p, q: p - q, "it has the wrong sign"),
            (lambda p, q: -p - q, "log q(z) has the wrong sign"),
            (lambda p, q: -(p - 0.5 * q), "log p(z) and log q(z) weigh differently"),
            (lambda p, q: -p, "log p(z) and log q(z) weigh differently"),
            (lambda p, q: q - p, None),
        ],
    )
    def test_a_wrong_sign_or_weight(self, loss, said):
        told = report(mean_of, normal, loss=lambda *args: loss(*self.terms(*args)))
        assert told["objective"].outcome == ("fault" if said else "passed")
        if said:
            assert said in told["objective"].findings[0].message
            assert told["objective"].findings[0].figures["negative_elbo"] > 0

    def test_an_elbo_of_your_own_with_the_other_sign(self):
        class Other(Trace_ELBO):
            def loss(self, *args, **kwargs):
                return -super().loss(*args, **kwargs)

        for own in (normal, lambda *args: pyro.sample("mean", dist.Normal(0.4, 0.7))):  # with parameters, and without
            told = report(mean_of, own, loss=Other())["objective"]
            assert told.outcome == "fault"
            assert "it has the wrong sign" in told.findings[0].message


def test_what_the_store_held_before_is_named_and_stays():
    size = 2

    def model(y):
        scale = pyro.param("scale", torch.ones(size), constraint=POSITIVE)
        pyro.sample("y", dist.Normal(torch.zeros(size), scale).to_event(1), obs=y)

    pyro.param("other", torch.ones(1))
    assert report(model, lambda y: None, (torch.zeros(2),)).ok
    pyro.param("scale", torch.full((2,), 3.0))
    size = 3
    told = report(model, lambda y: None, (torch.zeros(3),))
    assert told["parameter store"].findings[0].site == "scale"
    store = {name: value.tolist() for name, value in pyro.get_param_store().items()}
    assert store == {"other": [1.0], "scale": [3.0, 3.0]}
