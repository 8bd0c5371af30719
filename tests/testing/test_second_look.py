"""What a first user's pairs brought to light: two false alarms, three mistakes that went unseen, unclear refusals."""

import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal
from torch.distributions import constraints

import pyrogen as pg

Y = torch.tensor([0.3, 1.2, 0.5, 2.0, 0.1, 0.7])


def findings(model, guide, *args, **settings):
    return pg.testing.check(model, guide, args, progress=False, **settings).findings


def checks(*args, **settings):
    return [finding.check for finding in findings(*args, **settings) if finding.level == "fault"]


@pytest.mark.parametrize("local", [False, True])
def test_a_batch_that_is_an_argument_need_not_follow_indices(local):
    def model(x, size):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("data", size, subsample_size=len(x)):
            if local:
                mu = pyro.sample("z", dist.Normal(mu, 1.0))
            pyro.sample("x", dist.Normal(mu, 1.0), obs=x)

    def guide(x, size):
        scale = pyro.param("scale", torch.tensor(0.5), constraint=constraints.positive)
        pyro.sample("mu", dist.Normal(pyro.param("loc", torch.tensor(0.2)), scale))
        if local:
            with pyro.plate("data", size, subsample_size=len(x)):
                pyro.sample("z", dist.Normal(0.5 * x, scale))

    assert findings(model, guide, Y, 1000, size=1000) == ()
    assert findings(model, guide, Y, 1000) == ()


def test_support_is_judged_by_values_that_have_a_density():
    def model(x):
        z = pyro.sample("z", dist.RelaxedOneHotCategorical(torch.tensor(0.7), probs=torch.ones(3) / 3))
        pyro.sample("x", dist.Normal(z[0], 1.0), obs=x)

    def guide(x):
        pyro.sample("z", dist.RelaxedOneHotCategorical(torch.tensor(0.7), logits=pyro.param("l", torch.zeros(3))))

    assert findings(model, guide, torch.tensor(1.0)) == ()


@pytest.mark.parametrize("what", ["B as a number", "covariates of the first rows"])
def test_what_is_not_indexed_by_the_plate(what):
    x, y = torch.randn(40, 2), torch.randn(40)

    def model(x, y):
        w = pyro.sample("w", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        with pyro.plate("data", 40, subsample_size=8) as i:
            rows, scale = (x[:8], 1.0) if what.startswith("cov") else (x[i], torch.ones(8))
            pyro.sample("y", dist.Normal(rows @ w, scale), obs=y[i])

    found = findings(model, AutoMultivariateNormal(model), x, y)
    if what.startswith("cov"):
        assert [one.check for one in found] == ["subsampling"]
        assert "the distribution of 'y' in the model stays the same" in found[0].message
    else:
        assert [(one.check, one.level) for one in found] == [("minibatch", "warning")]


@pytest.mark.parametrize("right", [False, True])
def test_a_change_of_variables_needs_its_jacobian(right):
    def model(y):
        rate = pyro.sample("rate", dist.Gamma(2.0, 1.0))
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Exponential(rate), obs=y)

    def guide(y):
        scale = pyro.param("scale", torch.tensor(0.3), constraint=constraints.positive)
        u = pyro.sample("u", dist.Normal(pyro.param("loc", torch.tensor(0.4)), scale), infer={"is_auxiliary": True})
        pyro.sample("rate", dist.Delta(u.exp(), log_density=-u if right else 0.0))

    assert checks(model, guide, Y) == ([] if right else ["jacobian"])


def normal(y):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(y)):
        pyro.sample("y", dist.Normal(z, 1.0), obs=y)


def test_autoguides_carry_their_jacobian():
    def model(y):
        a = pyro.sample("a", dist.Gamma(2.0, 1.0))
        p = pyro.sample("p", dist.Beta(2.0, 1.0))
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Normal(p, a), obs=y)

    report = pg.testing.check(model, AutoMultivariateNormal(model), (Y,), progress=False)
    assert report.findings == ()
    assert findings(normal, AutoMultivariateNormal(normal), Y) == ()
    assert (
        pg.testing.check(normal, AutoMultivariateNormal(normal), (Y,), progress=False)["jacobian"].outcome == "passed"
    )


def test_parameters_named_anew_on_each_call():
    calls = []

    def guide(y):
        calls.append(0)
        pyro.sample("z", dist.Normal(pyro.param(f"loc_{len(calls)}", torch.tensor(0.2)), 0.5))

    found = findings(normal, guide, Y)
    assert found[0].check == "registration"
    assert "other parameters on each call" in found[0].message


def test_names_may_follow_the_rows_that_a_plate_draws():
    def model(y):
        for i in pyro.plate("data", len(y), subsample_size=2):
            z = pyro.sample(f"z_{i}", dist.Normal(0.0, 1.0))
            pyro.sample(f"y_{i}", dist.Normal(z, 1.0), obs=y[i])

    def guide(y):
        for i in pyro.plate("data", len(y), subsample_size=2):
            pyro.sample(f"z_{i}", dist.Normal(pyro.param(f"loc_{i}", torch.tensor(0.2)), 0.5))

    assert checks(model, guide, Y) == []


def test_a_flow_without_an_inverse():
    torch.manual_seed(0)
    flow = dist.transforms.Planar(2)

    def model(y):
        z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Normal(z[0] * z[1], 1.0), obs=y)

    def guide(y):
        pyro.module("flow", flow)
        pyro.sample("z", dist.TransformedDistribution(dist.Normal(torch.zeros(2), 1.0).to_event(1), [flow]))

    assert findings(model, guide, Y) == ()


@pytest.mark.parametrize("how", ["cleared", "filled"])
def test_parameters_set_back_on_each_call(how):
    def guide(y):
        if how == "cleared":
            pyro.clear_param_store()
        loc = pyro.param("loc", torch.tensor(0.2))
        if how == "filled":
            loc.data.fill_(0.2)
        pyro.sample("z", dist.Normal(loc, 0.5))

    found = findings(normal, guide, Y)
    assert [(one.check, one.site) for one in found] == [("registration", "loc")]
    assert "set back on each call" in found[0].message


def test_a_guide_that_is_made_anew_does_train():
    def guide(y):
        return AutoNormal(normal)(y)

    assert findings(normal, guide, Y) == ()


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            ({"loss": Trace_ELBO}, TypeError, "loss must be an ELBO of Pyro, .* got the class Trace_ELBO"),
            ({"loss": "elbo"}, TypeError, "loss must be an ELBO of Pyro, .* or a callable .* got 'elbo'"),
            (
                {"loss": SVI(normal, normal, pyro.optim.Adam({}), Trace_ELBO())},
                TypeError,
                "loss must be an ELBO of Pyro, .* or a callable .* got a SVI",
            ),
            ({"seed": "a"}, TypeError, "seed must be a whole number from 0 to .* got 'a'"),
            ({"false_alarm": "a"}, TypeError, "false_alarm must be a number between 0 and 1"),
            ({"size": 2.5}, TypeError, "a whole number of at least 1, got 2.5"),
            ({"size": True}, TypeError, "a whole number of at least 1, got True"),
            ({"batch": 3}, TypeError, "batch must be a callable"),
            ({"batch": lambda i: (Y[i],)}, TypeError, r"batch must return \(args, kwargs\)"),
        ],
    )
    def test_settings(self, settings, error, message):
        with pytest.raises(error, match=message):
            pg.testing.check(normal, AutoNormal(normal), (Y,), progress=False, **settings)


def test_what_the_store_held_before_is_named_and_stays():
    size = 2

    def model(y):
        scale = pyro.param("scale", torch.ones(size), constraint=constraints.positive)
        pyro.sample("y", dist.Normal(torch.zeros(size), scale).to_event(1), obs=y)

    pyro.param("other", torch.ones(1))
    assert pg.testing.check(model, lambda y: None, (torch.zeros(2),), progress=False).ok
    pyro.param("scale", torch.full((2,), 3.0))
    size = 3
    report = pg.testing.check(model, lambda y: None, (torch.zeros(3),), progress=False)
    assert report["parameter store"].findings[0].site == "scale"
    assert {name: value.tolist() for name, value in pyro.get_param_store().items()} == {
        "other": [1.0],
        "scale": [3.0, 3.0],
    }
