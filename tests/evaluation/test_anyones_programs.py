"""Scores of anyone's programs and their draws in ArviZ, against models whose answer is known."""

import dataclasses
import math

import arviz as az
import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import TraceEnum_ELBO, config_enumerate
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal, init_to_value
from scipy.special import logsumexp
from scipy.stats import norm

import pyrogen as pg
from pyrogen.evaluation.passes import Found
from pyrogen.evaluation.posterior import Codes

Z = 5.5  # standard errors: a false alarm has probability below 4e-8 for a normal mean
Y = torch.randn(30, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 2.0
PRECISION = 0.01 + 30
MEAN, SD = Y.sum().item() / PRECISION, 1 / math.sqrt(PRECISION)  # of the posterior of the level


def level(y):
    """One level for all data."""
    mu = pyro.sample("mu", dist.Normal(torch.zeros((), dtype=torch.float64), 10.0))
    with pyro.plate("data", len(y)):
        pyro.sample("y", dist.Normal(mu, 1.0), obs=y)


def exact(y):
    pyro.sample("mu", dist.Normal(torch.tensor(MEAN, dtype=torch.float64), SD))


def evidence():
    covariance = np.eye(30) + 100.0
    _, determinant = np.linalg.slogdet(2 * math.pi * covariance)
    return -0.5 * (determinant + Y.numpy() @ np.linalg.solve(covariance, Y.numpy()))


@config_enumerate
def mixture(x):
    """Two components with unknown centers; labels are summed out."""
    with pyro.plate("components", 2):
        mu = pyro.sample("mu", dist.Normal(0.0, 3.0))
    with pyro.plate("data", len(x)):
        label = pyro.sample("label", dist.Categorical(torch.tensor([0.3, 0.7])))
        pyro.sample("x", dist.Normal(mu[label], 1.0), obs=x)


X = torch.cat([torch.linspace(-3, -1, 10), torch.linspace(1, 3, 20)])


def test_the_evidence_of_a_level_is_exact():
    scores = pg.evaluate(pg.models.Programs(level, exact), Y, importance_samples=200)
    assert scores.elbo == pytest.approx(evidence(), abs=1e-8)
    assert scores.nll == pytest.approx(-evidence(), abs=1e-8)
    assert scores.unit == "nats"
    assert not any(wrong in str(scores) for wrong in ("nats per image", "inf", "images"))
    heavy = dataclasses.replace(scores, pareto_k={"median": 0.9, "share_above_0.7": 1.0})
    assert "Pareto k is above 0.7: the weights" in str(heavy)
    assert "inf" not in heavy._repr_html_()
    closed = 0.5 * ((SD**2 + MEAN**2) / 100 - 1 + math.log(100 / SD**2))  # KL(posterior ‖ prior)
    assert abs(scores.sites["mu"]["kl"] - closed) < Z * scores.sites["mu"]["standard_error"]


def test_arviz_has_the_posterior_and_leave_one_out_of_a_level():
    draws = 4_000
    data = pg.evaluate(pg.models.Programs(level, exact), Y, importance_samples=draws).to_arviz()
    mu = data.posterior["mu"].values
    assert mu.shape == (1, draws)
    assert abs(mu.mean() - MEAN) < Z * SD / math.sqrt(draws)
    assert abs(mu.std() / SD - 1) < Z / math.sqrt(2 * draws)
    assert data.log_likelihood["y"].shape == (1, draws, 30)
    np.testing.assert_allclose(
        data.log_likelihood["y"].values[0], norm.logpdf(Y.numpy(), mu[0][:, None], 1.0), rtol=1e-12
    )
    without = (Y.sum() - Y).numpy() / (PRECISION - 1)
    loo = norm.logpdf(Y.numpy(), without, math.sqrt(1 + 1 / (PRECISION - 1))).sum()
    found = az.loo(data)
    # ArviZ's estimate varies by the draws with a standard deviation of about √(p_loo / draws).
    assert abs(found.elpd_loo - loo) < Z * math.sqrt(found.p_loo / draws) + 0.02
    summary = az.summary(data, kind="stats", round_to="none")
    assert summary.loc["mu", "mean"] == pytest.approx(mu.mean())


def test_labels_of_the_model_are_summed_out():
    torch.manual_seed(0)
    guide = AutoNormal(poutine.block(mixture, hide=["label"]), init_scale=0.3)
    pair = pg.models.Programs(mixture, guide, loss=TraceEnum_ELBO(max_plate_nesting=1))
    scores = pg.evaluate(pair, X, importance_samples=300)
    mu = scores.draws.posterior["mu"]  # (K, 2)
    each = norm.logpdf(X.numpy()[:, None], mu[:, None], 1.0) + np.log([0.3, 0.7])
    pointwise = logsumexp(each, axis=-1)  # (K, N)
    np.testing.assert_allclose(scores.draws.log_likelihood["x"], pointwise, rtol=1e-4, atol=1e-4)
    losses = [pair.loss.loss(pair.model, pair.guide, X) for _ in range(300)]
    error = math.hypot(scores.standard_errors["elbo"], np.std(losses) / math.sqrt(300))
    assert abs(-scores.elbo - np.mean(losses)) < Z * error
    assert scores.nll <= -scores.elbo
    assert az.loo(scores.to_arviz()).elpd_loo < 0


def test_labels_of_the_guide_are_averaged_over():
    def model(x):
        with pyro.plate("data", len(x)):
            label = pyro.sample("label", dist.Categorical(torch.tensor([0.3, 0.7])), infer={"enumerate": "parallel"})
            pyro.sample("x", dist.Normal(torch.tensor([-2.0, 2.0])[label], 1.0), obs=x)

    def guide(x):
        each = dist.Normal(torch.tensor([-2.0, 2.0]), 1.0).log_prob(x[:, None]) + torch.tensor([0.3, 0.7]).log()
        with pyro.plate("data", len(x)):
            pyro.sample("label", dist.Categorical(logits=each), infer={"enumerate": "parallel"})

    scores = pg.evaluate(pg.models.Programs(model, guide), X, importance_samples=2)
    joint = norm.logpdf(X.numpy()[:, None], [-2.0, 2.0], 1.0) + np.log([0.3, 0.7])
    exact_value = logsumexp(joint, axis=1).sum()
    assert scores.elbo == pytest.approx(exact_value, rel=1e-5)
    assert scores.nll == pytest.approx(-exact_value, rel=1e-5)

    def indifferent(x):
        with pyro.plate("data", len(x)):
            pyro.sample("label", dist.Categorical(torch.ones(2)), infer={"enumerate": "parallel"})

    scores = pg.evaluate(pg.models.Programs(model, indifferent), X, importance_samples=2)
    assert scores.elbo == pytest.approx((joint.mean(1) + np.log(2)).sum(), rel=1e-5)  # no draw has a part in it
    assert scores.nll == pytest.approx(-exact_value, rel=1e-5)


def test_a_guide_through_an_auxiliary_variable_has_a_density():
    torch.manual_seed(0)
    pair = pg.models.Programs(level, AutoMultivariateNormal(level))
    pg.fit(pair, Y, steps=800, lr=0.02, progress=False)
    scores = pg.evaluate(pair, Y, importance_samples=400)
    assert scores.nll == pytest.approx(-evidence(), abs=0.05)
    assert scores.nll <= -scores.elbo + Z * scores.standard_errors["elbo"]
    assert [name for name, site in scores.sites.items() if "kl" in site] == ["all latents"]


def test_auxiliary_draws_count_to_their_latents():
    def model():
        pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("b", dist.LogNormal(0.0, 1.0))

    guide = AutoNormal(
        model, init_loc_fn=init_to_value(values={"a": torch.zeros(()), "b": torch.ones(())}), init_scale=1.0
    )
    scores = pg.evaluate(pg.models.Programs(model, guide), None, importance_samples=30)
    assert {name: site["kl"] for name, site in scores.sites.items()} == pytest.approx({"a": 0.0, "b": 0.0}, abs=1e-5)


def test_a_pair_of_ours_gives_its_draws_to_arviz():
    pair = pg.models.VAE(pg.nn.MLPEncoder((4,), 2, hidden=(8,)), pg.nn.MLPDecoder((4,), 2, hidden=(8,)))
    x = torch.bernoulli(torch.full((70, 4), 0.3))
    scores = pg.evaluate(pair, x, importance_samples=30, nll_images=60)
    data = scores.to_arviz()
    assert data.posterior["z"].shape == (1, 30, 60, 2)
    assert data.log_likelihood["x"].shape == (1, 30, 60)
    weights = data.sample_stats["log_weight"].values[0]
    assert scores.nll == pytest.approx(-(logsumexp(weights, axis=0) - math.log(30)).mean(), rel=1e-6)
    point = pg.models.Autoencoder(pg.nn.MLPEncoder((4,), 2, point=True), pg.nn.MLPDecoder((4,), 2))
    with pytest.raises(ValueError, match="no draws: a guide that is a point"):
        pg.evaluate(point, x).to_arviz()


def test_metrics_need_codes():
    class Data:
        factors = None

    with pytest.raises(ValueError, match="metrics must be left out for programs"):
        pg.evaluate(pg.models.Programs(level, exact), Data(), metrics=[lambda codes, factors: 0.0])


def test_codes_that_are_drawn_are_all_named():
    drawn, stated = Codes(torch.zeros(1), torch.zeros(1), torch.zeros(2)), Codes(torch.zeros(1), torch.zeros(1), None)
    assert Found({}, {}, {"a": stated}, set()).said == "posterior means"
    assert Found({}, {}, {"a": drawn, "b": drawn}, set()).said == "means of 100 draws of the guide"
    said = Found({}, {}, {"a": drawn, "b": drawn, "c": stated}, set()).said
    assert said == "means of 100 draws of the guide for a, b, posterior means for the rest"
