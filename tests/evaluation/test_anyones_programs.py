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
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, config_enumerate
from pyro.infer.autoguide import (
    AutoDelta,
    AutoGuideList,
    AutoHierarchicalNormalMessenger,
    AutoLaplaceApproximation,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalMessenger,
    AutoRegressiveMessenger,
    init_to_value,
)
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


@pytest.mark.parametrize(
    ("messenger", "scale"),
    [(AutoNormalMessenger, SD), (AutoHierarchicalNormalMessenger, SD), (AutoRegressiveMessenger, SD / 10)],
)
def test_a_guide_that_runs_the_model_itself_is_scored_without_the_data(messenger, scale):
    guide = messenger(level)
    guide(Y)
    guide.locs.mu.data.fill_(MEAN)
    guide.scales.mu = torch.tensor(scale, dtype=torch.float64)  # the last one scales the prior's deviation of 10
    scores = pg.evaluate(pg.models.Programs(level, guide), Y, importance_samples=50)
    assert (scores.elbo, scores.nll) == pytest.approx((evidence(), -evidence()), abs=1e-8)
    assert scores.objective == pytest.approx(-evidence(), abs=1e-8)
    assert scores.draws.posterior["mu"].std() > 0.5 * SD


@pytest.mark.parametrize("z_first", [False, True])
def test_a_latent_that_is_drawn_given_an_enumerated_one_has_the_exact_evidence(z_first):
    x, prior, centers = torch.linspace(-3, 3, 7).double(), torch.tensor([0.3, 0.7]).double(), torch.tensor([-2.0, 2.0])

    def model(x):
        with pyro.plate("data", len(x)):
            if not z_first:
                y = pyro.sample("y", dist.Categorical(prior))
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            if z_first:
                y = pyro.sample("y", dist.Categorical(prior))
            pyro.sample("x", dist.Normal(z + centers[y], 1.0), obs=x)

    @config_enumerate
    def guide(x):
        with pyro.plate("data", len(x)):
            each = dist.Normal(centers, math.sqrt(2)).log_prob(x[:, None]) + prior.log()
            y = pyro.sample("y", dist.Categorical(logits=each))
            pyro.sample("z", dist.Normal((x - centers[y]) / 2, math.sqrt(0.5)))

    scores = pg.evaluate(pg.models.Programs(model, guide, TraceEnum_ELBO(max_plate_nesting=1)), x, importance_samples=5)
    exact_value = logsumexp(norm.logpdf(x.numpy()[:, None], [-2, 2], math.sqrt(2)) + np.log([0.3, 0.7]), axis=1).sum()
    assert (scores.elbo, scores.nll) == pytest.approx((exact_value, -exact_value), rel=1e-6)


def test_a_latent_of_all_data_beside_enumerated_ones_of_each_counts_once():
    def model(x):
        scale = pyro.sample("scale", dist.Categorical(torch.tensor([0.2, 0.8])), infer={"enumerate": "parallel"})
        with pyro.plate("data", len(x)):
            label = pyro.sample("label", dist.Categorical(torch.tensor([0.3, 0.7])), infer={"enumerate": "parallel"})
            pyro.sample("x", dist.Normal(torch.tensor([-1.0, 1.0])[label] * (1 + scale), 1.0), obs=x)

    def guide(x):
        pyro.sample("scale", dist.Categorical(torch.tensor([0.5, 0.5])), infer={"enumerate": "parallel"})
        with pyro.plate("data", len(x)):
            pyro.sample("label", dist.Categorical(torch.tensor([0.6, 0.4])), infer={"enumerate": "parallel"})

    loss = TraceEnum_ELBO(max_plate_nesting=1)
    scores = pg.evaluate(pg.models.Programs(model, guide, loss), X, importance_samples=2)
    assert -scores.elbo == pytest.approx(loss.loss(model, guide, X), rel=1e-5)
    assert scores.sites["scale"]["kl"] == pytest.approx(0.5 * math.log(0.25 / 0.16), rel=1e-4)


def test_words_in_documents_have_a_likelihood_each():
    words = torch.randint(0, 7, (8, 5), generator=torch.Generator().manual_seed(0))

    def topics():
        with pyro.plate("topics", 3):
            return pyro.sample("phi", dist.Dirichlet(torch.ones(7)))

    def model(d):
        phi = topics()
        with pyro.plate("docs", 5):
            theta = pyro.sample("theta", dist.Dirichlet(torch.ones(3)))
            with pyro.plate("words", 8):
                z = pyro.sample("z", dist.Categorical(theta), infer={"enumerate": "parallel"})
                pyro.sample("w", dist.Categorical(phi[z]), obs=d)

    def guide(d):
        topics()
        with pyro.plate("docs", 5):
            pyro.sample("theta", dist.Dirichlet(torch.ones(3)))

    pair = pg.models.Programs(model, guide, TraceEnum_ELBO(max_plate_nesting=2))
    scores = pg.evaluate(pair, words, importance_samples=6)
    phi, theta = (scores.draws.posterior[name] for name in ("phi", "theta"))
    each = np.log(np.einsum("kdt,ktwd->kwd", theta, phi[:, :, words.numpy()]))
    np.testing.assert_allclose(scores.draws.log_likelihood["w"], each, rtol=1e-4, atol=1e-5)
    assert scores.reconstruction == pytest.approx(-each.sum((1, 2)).mean(), rel=1e-5)
    assert scores.kl == pytest.approx(0.0, abs=1e-4)  # the guide is the prior


def test_labels_of_a_part_of_the_data_stand_for_all():
    def model(x):
        mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 3.0).to_event(1))
        with pyro.plate("data", len(x), subsample_size=3) as index:
            label = pyro.sample("label", dist.Categorical(torch.tensor([0.3, 0.7])), infer={"enumerate": "parallel"})
            pyro.sample("x", dist.Normal(mu[label], 1.0), obs=x[index])

    def guide(x):
        pyro.sample("mu", dist.Normal(torch.zeros(2), 3.0).to_event(1))

    pair = pg.models.Programs(model, guide, TraceEnum_ELBO(max_plate_nesting=1))
    scores = pg.evaluate(pair, torch.ones(12), importance_samples=5)  # data alike: each part says the same
    each = logsumexp(norm.logpdf(1.0, scores.draws.posterior["mu"], 1.0) + np.log([0.3, 0.7]), axis=1)
    assert scores.reconstruction == pytest.approx(-12 * each.mean(), rel=1e-4)


def test_each_draw_takes_its_own_part_of_the_data():
    """Draws at once would share one part, which moves the mean by its whole deviation and is in no standard error."""

    def model(x):
        with pyro.plate("data", len(x), subsample_size=2) as index:
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x[index])

    def guide(x):
        with pyro.plate("data", len(x), subsample_size=2) as index:
            pyro.sample("z", dist.Normal(x[index] / 2, math.sqrt(0.5)))

    x = torch.linspace(0, 9, 10).double()
    scores = pg.evaluate(pg.models.Programs(model, guide), x, importance_samples=200)
    each = norm.logpdf(x.numpy(), 0, math.sqrt(2))  # the guide is exact: a run is 5 times the sum of two of these
    deviation = 5 * math.sqrt(2 * each.var(ddof=1) * (1 - 2 / 10))
    assert abs(scores.elbo - each.sum()) < Z * deviation / math.sqrt(200)
    assert scores.standard_errors["elbo"] == pytest.approx(deviation / math.sqrt(200), rel=0.3)


@pytest.mark.parametrize(("latent", "data"), [(4.0, 1.0), (0.1, 1.0), (1 / 30, 1 / 30), (1.0, 2.0)])
def test_the_elbo_is_at_beta_one_and_the_objective_is_what_trains(latent, data):
    def model(y):
        with poutine.scale(scale=latent):
            mu = pyro.sample("mu", dist.Normal(torch.zeros((), dtype=torch.float64), 10.0))
            pyro.deterministic("twice", 2 * mu)
        with pyro.plate("data", len(y)), poutine.scale(scale=data):
            pyro.sample("y", dist.Normal(mu, 1.0), obs=y)

    scores = pg.evaluate(pg.models.Programs(model, poutine.scale(exact, latent)), Y, importance_samples=50)
    weighted = data == 2.0  # data that count twice: another model, whose evidence is unknown
    assert scores.objective == pytest.approx((1 if weighted else data) * scores.reconstruction + latent * scores.kl)
    assert weighted == (scores.nll is None)
    assert "twice" not in scores.sites
    if not weighted:
        assert (scores.elbo, scores.nll) == pytest.approx((evidence(), -evidence()), abs=1e-8)
        unweighted = pg.evaluate(pg.models.Programs(model, exact), Y, importance_samples=2)  # as AutoGuides are
        assert unweighted.elbo == pytest.approx(evidence(), abs=1e-8)


def scaled(y):
    """Two latents, one of them positive."""
    s = pyro.sample("s", dist.LogNormal(0.0, 1.0))
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    with pyro.plate("data", len(y)):
        pyro.sample("y", dist.Normal(mu, s), obs=y)


def partly(kind, points, others):
    guide = AutoGuideList(scaled)
    guide.append(AutoDelta(poutine.block(scaled, expose=points)))
    guide.append(kind(poutine.block(scaled, expose=others)))
    return guide


@pytest.mark.parametrize(
    ("make", "fixed"),
    [
        (lambda: AutoDelta(scaled), {"s", "mu"}),
        (lambda: AutoLaplaceApproximation(scaled), {"s", "mu"}),
        (lambda: partly(AutoNormal, ["s"], ["mu"]), {"s"}),
        (lambda: partly(AutoMultivariateNormal, ["mu"], ["s"]), {"mu"}),
    ],
    ids=["AutoDelta", "AutoLaplaceApproximation", "with AutoNormal", "with AutoMultivariateNormal"],
)
def test_a_guide_that_is_a_point_at_a_latent_has_no_bound_but_a_penalty(make, fixed):
    torch.manual_seed(0)
    pair = pg.models.Programs(scaled, make())
    scores = pg.evaluate(pair, Y.float(), importance_samples=40)
    assert (scores.elbo, scores.kl, scores.nll, scores.pareto_k, scores.draws) == (None,) * 5
    assert {name for name, site in scores.sites.items() if "penalty" in site} == fixed
    assert scores.extra == {"penalty": pytest.approx(sum(scores.sites[name]["penalty"] for name in fixed))}
    assert "no ELBO, KL or NLL" in str(scores)
    with pair.store():
        losses = [Trace_ELBO().loss(*pair.programs, Y.float()) for _ in range(40)]
    error = math.hypot(np.std(losses) / math.sqrt(40), scores.standard_errors["objective"])
    assert abs(scores.objective - np.mean(losses)) < 7 * error + 1e-4  # t of 39 degrees: 1e-7
    if len(fixed) == 2:
        assert scores.objective == pytest.approx(scores.reconstruction + scores.extra["penalty"])


def test_programs_that_ask_for_size_get_the_number_of_rows():
    def model(y, size):
        with poutine.scale(scale=size / 30):
            level(y)

    def guide(y, size):
        with poutine.scale(scale=size / 30):
            exact(y)

    assert pg.evaluate(pg.models.Programs(model, guide), Y).elbo == pytest.approx(evidence(), abs=1e-8)
    assert pg.evaluate(pg.models.Programs(model, AutoNormalMessenger(model)), Y).elbo < evidence()


def test_a_plate_that_is_looped_over_is_scored():
    def loops(y):
        mu = pyro.sample("mu", dist.Normal(torch.zeros((), dtype=torch.float64), 10.0))
        for i in pyro.plate("data", len(y)):
            pyro.sample(f"y{i}", dist.Normal(mu, 1.0), obs=y[i])

    scores = pg.evaluate(pg.models.Programs(loops, exact), Y, importance_samples=5)
    assert (scores.elbo, scores.nll) == pytest.approx((evidence(), -evidence()), abs=1e-8)

    def labels(y):
        for i in pyro.plate("data", 3):
            label = pyro.sample(f"label{i}", dist.Categorical(torch.ones(2)), infer={"enumerate": "parallel"})
            pyro.sample(f"y{i}", dist.Normal(2.0 * label, 1.0), obs=y[i])

    scores = pg.evaluate(pg.models.Programs(labels, lambda y: None), Y, importance_samples=2)
    assert scores.elbo == pytest.approx(np.log(norm.pdf(Y[:3, None].numpy(), [0, 2], 1.0).mean(1)).sum(), rel=1e-5)


def test_a_loss_of_ones_own_is_averaged_over_runs():
    def noisy(model, guide, *args):
        return 2 * Trace_ELBO().differentiable_loss(model, guide, *args) + torch.randn(())

    two = pg.evaluate(pg.models.Programs(level, exact, lambda *args: (noisy(*args), 1.0)), Y, importance_samples=2)
    assert two.objective > -2 * evidence() - 5  # wake and sleep have a loss each, and their sum counts
    scores = pg.evaluate(pg.models.Programs(level, exact, noisy), Y, importance_samples=50)
    assert 0.1 < scores.standard_errors["objective"] * math.sqrt(20) < 3  # χ² of 19 degrees: 1e-9
    assert abs(scores.objective + 2 * evidence()) < Z / math.sqrt(20)


def test_programs_in_bfloat16_are_scored():
    pair = pg.models.VAE(pg.nn.MLPEncoder((4,), 2), pg.nn.MLPDecoder((4,), 2)).bfloat16()
    scores = pg.evaluate(pair, torch.ones(9, 4).bfloat16(), importance_samples=3)
    assert scores.nll > 0
    assert scores.to_arviz().posterior["z"].dtype == np.float32


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
