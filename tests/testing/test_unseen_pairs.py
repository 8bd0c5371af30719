"""Kinds of pairs that `check` must not complain of although they look unlike the tutorials'."""

import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.contrib import gp
from pyro.distributions.testing.fakes import NonreparameterizedBeta
from pyro.infer import TraceEnum_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO, config_enumerate
from pyro.infer.autoguide import AutoIAFNormal, AutoNormal, AutoNormalMessenger, AutoStructured
from pyro.infer.reparam import LocScaleReparam
from torch import nn
from torch.distributions import constraints

import pyrogen as pg

Y = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
POSITIVE = constraints.positive


def findings(model, guide, *args, **settings):
    return pg.testing.check(model, guide, args, progress=False, **settings).findings


def schools(y):
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.LogNormal(0.0, 1.0))
    with pyro.plate("schools", 8):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, 10.0), obs=y)


@pytest.mark.parametrize("kind", [AutoNormalMessenger, AutoStructured, AutoIAFNormal])
def test_guides_that_run_the_model_or_transform_jointly(kind):
    torch.manual_seed(0)
    assert findings(schools, kind(schools), Y) == ()


def test_a_reparametrized_model():
    model = poutine.reparam(schools, {"theta": LocScaleReparam(0.0)})
    assert findings(model, AutoNormal(model), Y) == ()


def test_gaussian_processes():
    torch.manual_seed(0)
    x = torch.linspace(0, 5, 12)
    likelihood = gp.likelihoods.Gaussian()
    kernel = gp.kernels.RBF(1)
    process = gp.models.VariationalSparseGP(x, x.sin(), kernel, x[::3].clone(), likelihood, jitter=1e-4)
    assert findings(process.model, process.guide, loss=TraceMeanField_ELBO()) == ()


@pytest.mark.parametrize(
    ("prior", "guide"),
    [
        (lambda: dist.StudentT(4.0, 0.0, 1.0), lambda a, b: dist.StudentT(5.0, a, b)),
        (lambda: dist.InverseGamma(2.0, 2.0), lambda a, b: dist.InverseGamma(b + 1, a.exp())),
        (lambda: dist.Chi2(2.0), lambda a, b: dist.Gamma(b, a.exp())),
        (lambda: dist.VonMises(0.0, 1.0), lambda a, b: dist.VonMises(a, b)),
    ],
    ids=["StudentT", "InverseGamma", "Gamma", "VonMises"],
)
def test_families_whose_samplers_reject(prior, guide):
    def model(x):
        z = pyro.sample("z", prior())
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def program(x):
        a = pyro.param("a", torch.tensor(0.3))
        b = pyro.param("b", torch.tensor(1.5), constraint=POSITIVE)
        pyro.sample("z", guide(a, b))

    assert findings(model, program, Y / 10) == ()


@pytest.mark.parametrize("local", [False, True])
def test_sequential_plates(local):
    def model(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        for i in pyro.plate("data", 6) if local else pyro.plate("data", 6, subsample_size=3):
            if local:
                z = pyro.sample(f"z_{i}", dist.Normal(0.0, 1.0))
            pyro.sample(f"x_{i}", dist.Normal(z, 1.0), obs=x[i])

    def guide(x):
        a = pyro.param("a", torch.full((7,), 0.3))
        pyro.sample("z", dist.Normal(a[6], 0.5))
        if local:
            for i in pyro.plate("data", 6):
                pyro.sample(f"z_{i}", dist.Normal(a[i], 0.5))

    assert [one for one in findings(model, guide, Y[:6]) if one.level == "fault"] == []


def test_a_model_without_a_guide_to_speak_of():
    @config_enumerate
    def model(x):
        weights = pyro.param("weights", torch.ones(3) / 3, constraint=constraints.simplex)
        means = pyro.param("means", torch.tensor([-1.0, 0.0, 1.0]))
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.OneHotCategorical(weights))
            pyro.sample("x", dist.Normal((z * means).sum(-1), 1.0), obs=x)

    assert findings(model, lambda x: None, Y / 10, loss=TraceEnum_ELBO(max_plate_nesting=1)) == ()


def test_dropout_and_batch_norm():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
    decoder = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))

    def model(x):
        pyro.module("decoder", decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 1), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=decoder(z)).to_event(1), obs=x)

    def guide(x):
        pyro.module("encoder", encoder)
        with pyro.plate("data", len(x)):
            loc, log_scale = encoder(x).chunk(2, -1)
            pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))

    before = {key: value.clone() for key, value in decoder.state_dict().items()}
    assert findings(model, guide, (torch.rand(16, 4) < 0.5).float()) == ()
    assert all(torch.equal(value, before[key]) for key, value in decoder.state_dict().items())


def test_a_count_in_the_guide_with_a_baseline():
    def model(x):
        k = pyro.sample("k", dist.Poisson(3.0))
        pyro.sample("x", dist.Normal(k, 1.0), obs=x)

    def guide(x):
        rate = pyro.param("rate", torch.tensor(4.0), constraint=POSITIVE)
        pyro.sample("k", dist.Poisson(rate), infer={"baseline": {"use_decaying_avg_baseline": True}})

    assert findings(model, guide, torch.tensor(5.0), loss=TraceGraph_ELBO()) == ()


def test_a_guide_without_paths_and_its_baseline():
    """After svi_part_iii: a beta that claims no rsample, with a network to take the noise off."""
    torch.manual_seed(0)
    baseline = nn.Sequential(nn.Linear(1, 4), nn.Sigmoid(), nn.Linear(4, 1))
    settings = {"nn_baseline": lambda x: baseline(x).sum(), "nn_baseline_input": torch.ones(1)}

    def model(x):
        p = pyro.sample("p", dist.Beta(10.0, 10.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Bernoulli(p), obs=x)

    def guide(x):
        pyro.module("baseline", baseline)
        a = pyro.param("a", torch.tensor(12.0), constraint=POSITIVE)
        b = pyro.param("b", torch.tensor(14.0), constraint=POSITIVE)
        pyro.sample("p", NonreparameterizedBeta(a, b), infer={"baseline": settings})

    assert findings(model, guide, torch.tensor([1.0] * 6 + [0.0] * 4), loss=TraceGraph_ELBO()) == ()


def test_one_weight_on_everything():
    def model(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0).expand([3]).to_event(1))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(z.sum(), 1.0), obs=x)

    guide = AutoNormal(model)
    both = poutine.scale(model, scale=0.1), poutine.scale(guide, scale=0.1)
    assert findings(*both, Y / 10) == ()
    assert [one.check for one in findings(both[0], guide, Y / 10)] == ["scale"]
