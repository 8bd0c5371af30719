"""Faults that run without a word, each with the sentence that names it; several members a kind."""

import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, config_enumerate
from pyro.infer.autoguide import AutoDiagonalNormal, AutoIAFNormal, AutoMultivariateNormal, AutoNormal
from torch import nn

import pyrogen as pg

X = torch.linspace(-1.0, 2.0, 30)
POSITIVE = constraints.positive


def report(model, guide, args=(X,), **settings):
    return pg.testing.check(model, guide, args, progress=False, **settings)


def the_fault(*args, **settings):
    """The one fault that is found."""
    (finding,) = (one for one in report(*args, **settings).findings if one.level == "fault")
    return finding


def model(x):
    mean = pyro.sample("level", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(mean, 1.0), obs=x)


def guide(x, y=None):
    loc = pyro.param("loc", torch.tensor(0.2))
    pyro.sample("level", dist.Normal(loc, pyro.param("scale", torch.tensor(0.5), constraint=POSITIVE)))


@pytest.mark.parametrize("way", ["module", "param", "store"])
def test_what_is_registered_outside_alone(way):
    """SVI trains the parameters of a step's traces, and not those of the store."""
    net = nn.Linear(1, 1)
    if way == "module":
        pyro.module("net", net)
    weight = pyro.param("weight", torch.tensor(0.5))

    def decoded(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            if way == "module":
                mean = net(z[:, None])[:, 0]
            else:
                mean = z * (weight if way == "param" else pyro.get_param_store()["weight"])
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

    def encoded(x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(pyro.param("a", torch.tensor(0.3)) * x, 0.7))

    fault = the_fault(decoded, encoded)
    assert fault.check == "registration"
    assert "is registered only outside of model and guide" in fault.message


class TestSize:
    def test_one_datum_a_step(self):
        def one(row):
            mean = pyro.sample("level", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(mean, 1.0), obs=row)

        fault = the_fault(one, guide, (X[0],), size=5000)
        assert "the one observation of 'x' weighs 1, and not as much as the 5000" in fault.message
        weighted = poutine.scale(one, 1.0)
        assert not report(weighted, guide, (X[0],), size=5000).ok

    def test_rows_as_one_event(self):
        def events(x):
            mean = pyro.sample("level", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(mean, 1.0).expand([len(x)]).to_event(1), obs=x)

        assert report(events, guide, size=30).ok
        assert not report(events, guide, size=300).ok

    def test_a_loop_over_the_batch(self):
        def loop(x):
            mean = pyro.sample("level", dist.Normal(0.0, 1.0))
            for i in pyro.plate("data", len(x)):
                pyro.sample(f"x_{i}", dist.Normal(mean, 1.0), obs=x[i])

        assert report(loop, guide, (X[:4],), size=4).ok
        assert not report(loop, guide, (X[:4],), size=40).ok


@pytest.mark.parametrize("named", ["parameter", "module"])
def test_a_frozen_parameter_that_pyro_trains(named):
    class Frozen(pyro.nn.PyroModule):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.tensor(0.5))
            if named == "parameter":
                self.w = nn.Parameter(torch.tensor(2.0), requires_grad=False)
            else:
                self.net = pyro.nn.PyroModule[nn.Linear](1, 1).requires_grad_(False)

        def forward(self, x):
            prior = self.w if named == "parameter" else self.net(torch.ones(1))[0]
            mean = pyro.sample("level", dist.Normal(prior + self.shift, 1.0))
            with pyro.plate("data", len(x)):
                pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

    frozen = Frozen()
    fault = the_fault(frozen, guide)
    assert "requires_grad=False stands at 'Frozen." in fault.message
    assert sum(parameter.requires_grad for parameter in frozen.parameters()) == 1  # as before


@pytest.mark.parametrize(
    ("constraint", "start"),
    [
        (constraints.simplex, torch.ones(5, 1)),
        (constraints.simplex, torch.ones(2, 3, 1)),
        (constraints.corr_cholesky, torch.ones(4, 1, 1)),
    ],
)
def test_a_constraint_that_leaves_nothing_to_move(constraint, start):
    def stuck(x):
        weights = pyro.param("weights", start, constraint=constraint)
        pyro.sample("level", dist.Normal(pyro.param("loc", torch.tensor(0.2)) + weights.mean(), 0.5))

    assert "'weights' cannot move" in the_fault(model, stuck).message


def test_one_weight_of_one_component_may_stand_still():
    def single(x):
        weights = pyro.param("weights", torch.ones(1), constraint=constraints.simplex)
        pyro.sample("level", dist.Normal(pyro.param("loc", torch.tensor(0.2)) + weights.sum(), 0.5))

    assert report(model, single).findings == ()


@pytest.mark.parametrize("automatic", [True, False])
def test_a_model_that_observes_nothing(automatic):
    def unobserved(x, y=None):
        mean = pyro.sample("level", dist.Normal(0.0, 1.0))
        if y is not None or automatic:
            with pyro.plate("data", len(x)):
                pyro.sample("y", dist.Normal(mean * x, 1.0), obs=y)

    told = report(unobserved, AutoNormal(unobserved) if automatic else guide)
    assert told.findings[0].level == "warning"
    assert "the model observes nothing with these arguments" in told.findings[0].message


class TestLocalParametersOfABatch:
    @staticmethod
    def model(x):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x), subsample_size=5) as i:
            z = pyro.sample("z", dist.Normal(mu, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x[i])

    @pytest.mark.parametrize("start", ["zeros", "other"])
    def test_by_hand(self, start):
        begin = torch.zeros(5) if start == "zeros" else torch.linspace(0.1, 0.5, 5)

        def guide(x):
            pyro.sample("mu", dist.Normal(pyro.param("mu_loc", torch.tensor(0.1)), 1.0))
            with pyro.plate("data", len(x), subsample_size=5):
                pyro.sample("z", dist.Normal(pyro.param("locs", begin), 1.0))

        assert "the parameter 'locs' holds 5 rows for 'z'" in the_fault(self.model, guide).message

    @pytest.mark.parametrize("kind", [AutoDiagonalNormal, AutoMultivariateNormal, AutoIAFNormal])
    def test_automatic(self, kind):
        message = the_fault(self.model, kind(self.model)).message
        assert kind.__name__ in message
        assert "holds 5 rows for 'z', as many as one batch, but plate 'data' stands for 30" in message

    def test_of_a_batch_that_was_cut_before(self):
        def model(batch):
            mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
            with pyro.plate("data", len(batch)):
                z = pyro.sample("z", dist.Normal(mu, 1.0))
                pyro.sample("x", dist.Normal(z, 1.0), obs=batch)

        found = report(model, AutoNormal(model), (X[:6],), size=30).findings
        assert any("'AutoNormal.locs.z' holds 6 rows" in one.message for one in found)

    def test_indices_that_the_guide_overrides(self):
        def model(batch, rows):
            mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
            with pyro.plate("data", 30, subsample=rows):
                z = pyro.sample("z", dist.Normal(mu, 1.0))
                pyro.sample("x", dist.Normal(z, 1.0), obs=batch)

        args = X[6:12], torch.arange(6, 12)
        fault = the_fault(model, AutoNormal(model), args)
        assert "plate 'data' is given its indices in the model, and the guide draws others" in fault.message
        mended = AutoNormal(model, create_plates=lambda batch, rows: pyro.plate("data", 30, subsample=rows))
        assert report(model, mended, args).ok


@pytest.mark.parametrize("some", [False, True])
def test_a_guide_that_draws_from_the_prior(some):
    def two(x):
        mean = pyro.sample("level", dist.Normal(0.0, 1.0))
        other = pyro.sample("other", dist.Normal(0.0, 1.0)) if some else 0.0
        scale = pyro.param("scale", torch.tensor(1.0), constraint=POSITIVE)
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean + other, scale), obs=x)

    def prior(x):
        pyro.sample("level", dist.Normal(0.0, 1.0))
        if some:
            pyro.sample("other", dist.Normal(pyro.param("loc", torch.tensor(0.1)), 1.0))

    told = report(two, prior)
    assert told["prior"].outcome == ("warning" if some else "fault")
    assert "draws 'level' from the model's prior" in told.findings[0].message


class Own(dist.TorchDistribution):
    """A normal distribution as a user writes it."""

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real
    normalized, drawn = True, True

    def __init__(self, loc, scale):
        self.loc, self.scale = torch.broadcast_tensors(torch.as_tensor(loc), torch.as_tensor(scale))
        super().__init__(self.loc.shape, validate_args=False)

    def expand(self, batch_shape, _instance=None):
        return type(self)(self.loc.expand(batch_shape), self.scale.expand(batch_shape))

    def sample(self, sample_shape=None):
        if not self.drawn:
            raise NotImplementedError
        shape = tuple(sample_shape or ()) + tuple(self.loc.shape)
        return (self.loc + self.scale * torch.randn(shape)).detach()

    def log_prob(self, value):
        return -0.5 * ((value - self.loc) / self.scale) ** 2 - self.scale.log() * self.normalized


class Unnormalized(Own):
    normalized = False


class NotDrawn(Own):
    drawn = False


@pytest.mark.parametrize(("kind", "outcome"), [(Own, "passed"), (Unnormalized, "fault"), (NotDrawn, "skipped")])
def test_an_observed_distribution_of_your_own(kind, outcome):
    def observing(x):
        mean = pyro.sample("level", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", kind(mean, pyro.param("s", torch.tensor(1.0), constraint=POSITIVE)), obs=x)

    told = report(observing, guide)["density"]
    assert told.outcome == outcome
    if outcome == "skipped":
        assert told.detail == "not tested: 'x' (NotDrawn cannot be drawn from (NotImplementedError))"


def test_neither_program_draws_a_latent():
    def likelihood(x):
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(pyro.param("m", torch.tensor(0.0)), 1.0), obs=x)

    told = report(likelihood, lambda x: None)
    assert told.results[0].findings[0].message.startswith("neither the model nor the guide draws a latent")


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
        ],
    )
    def test_a_wrong_sign_or_weight(self, loss, said):
        told = report(model, guide, loss=lambda *args: loss(*self.terms(*args)))
        assert said in told["objective"].findings[0].message
        with pytest.raises(AssertionError, match="objective"):
            told.assert_ok()

    def test_an_elbo_of_your_own_with_the_other_sign(self):
        class Other(Trace_ELBO):
            def loss(self, *args, **kwargs):
                return -super().loss(*args, **kwargs)

        for own in (guide, lambda *args: pyro.sample("level", dist.Normal(0.4, 0.7))):  # with parameters, and without
            told = report(model, own, loss=Other())["objective"]
            assert told.outcome == "fault"
            assert "it has the wrong sign" in told.findings[0].message

    def test_a_sound_one(self):
        assert report(model, guide, loss=lambda *args: self.terms(*args)[1] - self.terms(*args)[0])["objective"].outcome
        assert report(model, guide, loss=lambda *a: (lambda p, q: q - p)(*self.terms(*a))).findings == ()


def test_an_enumerated_global_latent_with_subsampling():
    @config_enumerate
    def mixture(x):
        k = pyro.sample("k", dist.Bernoulli(0.5))
        with pyro.plate("data", len(x), subsample_size=5) as i:
            pyro.sample("x", dist.Normal(k, 1.0), obs=x[i])

    fault = the_fault(mixture, lambda x: None, loss=TraceEnum_ELBO(max_plate_nesting=1))
    assert fault.check == "step"
    assert "take the whole plate, without subsample_size" in fault.message


@pytest.mark.parametrize(("width", "outcome"), [(16.0, "fault"), (1.0, "passed")])
def test_a_guide_far_too_wide(width, outcome):
    def wide(x):
        scale = pyro.param("width", torch.tensor(width), constraint=POSITIVE) / len(x) ** 0.5
        pyro.sample("level", dist.Normal(x.mean(), scale))

    told = report(model, wide, loss=Trace_ELBO(), fitted=True)["importance"]
    assert told.outcome == outcome
    assert told.outcome == "passed" or "more than 1 nat for each number" in told.findings[0].message
