"""The bounds against a linear-Gaussian pair, whose evidence is N(b, WWᵀ + σ²I), in float64.

Statistical tests compare with z = 5.5 standard errors. A false alarm has probability below 4e-8 for a normal mean. With
the skewness that a mean of these quadratic forms has, it is below 1e-6.
"""

import math

import numpy as np
import pyro
import pytest
import torch
from helpers.small import SHAPE, binary
from pyro import distributions as dist
from scipy.stats import multivariate_normal

import pyrogen as pg
from pyrogen.evaluation import elbo_terms_per_image, importance_weighted_bound
from pyrogen.evaluation.runs import run
from pyrogen.evaluation.terms import elbo_terms

Z = 5.5
SIGMA = 0.7
D, L = 5, 2


class LinearGaussian:
    """z ~ N(0, I), x ~ N(Wz + b, σ²I) and a guide N(Vx + c, diag S), as arrays and as a pair."""

    def __init__(self, spread=1.0, shift=0.0, orthogonal=True):
        generator = np.random.default_rng(5)
        w = np.linalg.qr(generator.standard_normal((D, L)))[0] * [2.0, 1.0]  # orthogonal columns
        self.w = w if orthogonal else w @ np.array([[1.0, 0.6], [0.0, 1.0]])
        self.b = generator.standard_normal(D)
        self.pair = pg.models.VAE(
            pg.nn.LinearEncoder((D,), L), pg.nn.LinearDecoder((D,), L, pg.nn.Gaussian(SIGMA)), beta=3.0
        ).double()
        self.sigma = math.exp(self.pair.decoder.likelihood.log_scale.item())
        self.covariance = self.w @ self.w.T + self.sigma**2 * np.eye(D)
        self.posterior = np.linalg.inv(np.eye(L) + self.w.T @ self.w / self.sigma**2)
        self.v = self.posterior @ self.w.T / self.sigma**2
        self.c = shift - self.v @ self.b
        self.s = spread**2 * np.diag(self.posterior)
        for parameter, value in {
            self.pair.encoder.loc.weight: self.v,
            self.pair.encoder.loc.bias: self.c,
            self.pair.encoder.log_variance: np.log(self.s),
            self.pair.decoder.loc.weight: self.w,
            self.pair.decoder.loc.bias: self.b,
        }.items():
            parameter.data.copy_(torch.from_numpy(np.asarray(value)))

    def images(self, n, seed=2):
        x = np.random.default_rng(seed).multivariate_normal(self.b, self.covariance, size=n)
        return torch.from_numpy(x)

    def evidence(self, x):
        return multivariate_normal(self.b, self.covariance).logpdf(x.numpy())

    def entropy(self):
        return 0.5 * np.linalg.slogdet(2 * math.pi * math.e * self.covariance)[1]

    def kl_per_latent(self, x):
        mean = x.numpy() @ self.v.T + self.c
        return 0.5 * (mean**2 + self.s - 1 - np.log(self.s))

    def reconstruction(self, x):
        """Mean and variance over z of −log p(x | z): a noncentral quadratic form of a normal."""
        rest = x.numpy() - self.b - (x.numpy() @ self.v.T + self.c) @ self.w.T
        spread = self.w @ np.diag(self.s) @ self.w.T
        mean = ((rest**2).sum(1) + np.trace(spread)) / (2 * self.sigma**2) + D * math.log(
            self.sigma * math.sqrt(2 * math.pi)
        )
        variance = (4 * ((rest @ spread) * rest).sum(1) + 2 * np.trace(spread @ spread)) / (4 * self.sigma**4)
        return mean, variance


@pytest.fixture
def rough():
    """A guide that is off, so that each term counts."""
    return LinearGaussian(spread=1.3, shift=0.2, orthogonal=False)


def test_the_kl_of_each_image_and_latent_is_the_closed_form(rough):
    x = rough.images(50)
    terms = elbo_terms_per_image(rough.pair, x)
    np.testing.assert_allclose(terms.kl_per_latent.numpy(), rough.kl_per_latent(x), rtol=1e-12)
    np.testing.assert_allclose(terms.kl.numpy(), rough.kl_per_latent(x).sum(1), rtol=1e-12)


def test_the_reconstruction_of_each_image_averages_to_the_closed_form(rough):
    draws = 4_000
    for x in rough.images(5):
        values = elbo_terms_per_image(rough.pair, x.expand(draws, D)).reconstruction.numpy()
        mean, variance = rough.reconstruction(x[None])
        assert abs(values.mean() - mean[0]) < Z * math.sqrt(variance[0] / draws)


def test_the_terms_are_those_at_beta_one_and_without_a_gradient(rough):
    x = rough.images(10)
    torch.manual_seed(0)
    terms = elbo_terms_per_image(rough.pair, x)
    rough.pair.beta.fill_(1.0)
    torch.manual_seed(0)
    again = elbo_terms_per_image(rough.pair, x)
    assert torch.equal(terms.reconstruction, again.reconstruction)
    assert torch.equal(terms.kl, again.kl)
    assert not terms.reconstruction.requires_grad
    assert not importance_weighted_bound(rough.pair, x, 2).requires_grad


@pytest.mark.parametrize("samples", [1, 2, 7, 64])
@pytest.mark.parametrize("at_once", [1, 30, 4096])
def test_under_the_exact_posterior_every_bound_is_the_evidence(samples, at_once):
    exact = LinearGaussian()
    x = exact.images(20)
    np.testing.assert_allclose(exact.posterior, np.diag(exact.s), atol=1e-15)  # the guide can be exact
    bound = importance_weighted_bound(exact.pair, x, samples, at_once)
    np.testing.assert_allclose(bound.numpy(), exact.evidence(x), rtol=0, atol=1e-9)


def expected_gap(spread, samples, nodes=60):
    """log p(x) − E log mean w of K = 1 or 2 draws, by Gauss–Hermite quadrature.

    The guide has the posterior's mean and `spread` times its standard deviation. Then
    w / p(x) = Πₗ spread · exp(−(spread² − 1) εₗ² / 2).
    """
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    log_w = math.log(spread) - (spread**2 - 1) * points**2 / 2  # one latent, one draw
    log_w = (log_w[:, None] + log_w).ravel()  # both latents
    weights = np.outer(weights, weights).ravel()
    if samples == 1:
        return -(weights @ log_w)
    return -(weights @ (np.logaddexp(log_w[:, None], log_w) - math.log(2)) @ weights)


def gap(spread, samples, images, seed=0, **arguments):
    """The mean of log p(x) − bound over images, and its standard error."""
    wide = LinearGaussian(spread=spread)
    x = wide.images(images)
    torch.manual_seed(seed)
    values = wide.evidence(x) - importance_weighted_bound(wide.pair, x, samples, **arguments).numpy()
    return values.mean(), values.std() / math.sqrt(images)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("at_once", [1, 1_000_000])
def test_the_bound_of_one_and_of_two_draws_is_what_quadrature_gives(samples, at_once):
    mean, error = gap(1.5, samples, 10_000, at_once=at_once)
    assert expected_gap(1.5, 2) < 0.75 * expected_gap(1.5, 1)  # so that the two can be told apart
    assert abs(mean - expected_gap(1.5, samples)) < Z * error


def test_the_bound_rises_with_k_and_tends_to_the_evidence_at_the_rate_of_one_over_k():
    """log p(x) − bound = m₂ / 2K + (3 m₂² / 4 − m₃ / 3) / K² + O(1/K³), with mₙ the central moments of w / p(x)."""
    spread = 2.0

    def moment(n):  # of w / p(x), over both latents
        return (spread**n / math.sqrt(1 + n * (spread**2 - 1))) ** L

    second, third = moment(2) - 1, moment(3) - 3 * moment(2) + 2
    measured = {k: gap(spread, k, images=10_000, at_once=100_000) for k in (2, 8, 32)}
    mean, error = measured[32]
    order = second / 64 + (0.75 * second**2 - third / 3) / 32**2
    assert abs(mean - order) < Z * error + second**3 / 32**3
    for few, more in ((2, 8), (8, 32)):  # the expected steps are 15 and more of their standard errors
        (a, a_error), (b, b_error) = measured[few], measured[more]
        assert a - b > 5 * math.hypot(a_error, b_error)


def test_a_bound_needs_a_sample(rough):
    for samples in (0, -1):
        with pytest.raises(ValueError, match="samples must be a whole number of at least 1, got "):
            importance_weighted_bound(rough.pair, rough.images(3), samples)


FEW = {"nll_images": 5, "importance_samples": 3, "progress": False}


def test_a_pair_without_a_bound_has_no_importance_samples():
    networks = pg.nn.MLPEncoder(SHAPE, 2, hidden=(4,), point=True), pg.nn.MLPDecoder(SHAPE, 2, hidden=(4,))
    scores = pg.evaluate(pg.models.Autoencoder(*networks), binary(20), **FEW)
    assert (scores.nll, scores.nll_images, scores.importance_samples) == (None, 0, 0)


def test_the_kl_of_what_is_drawn_in_another_order_is_taken_at_the_draw():
    def model(x):
        with pyro.plate("data", len(x)):
            z2 = pyro.sample("z2", dist.Normal(0.0, 1.0))
            z = pyro.sample("z", dist.Normal(z2, 0.1))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(x, 1.0))
            pyro.sample("z2", dist.Normal(z, 0.1))

    once = run(pg.models.Programs(model, guide), torch.zeros(5))
    term = next(term for term in elbo_terms(once, -1) if term.name == "z")
    q, p = once.guide.nodes["z"], once.model.nodes["z"]
    expected = q["fn"].log_prob(q["value"]) - p["fn"].log_prob(q["value"])
    torch.testing.assert_close(term.nats, expected)
