"""The Gaussian oracles against scipy, torch, scikit-learn and quadrature by another route."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from sklearn.decomposition import PCA
from torch.distributions import Normal, kl_divergence

from pyrogen.oracles import gaussian, importance_weighted, mixture, ppca

RNG = np.random.default_rng(3)
W, B, SIGMA = RNG.standard_normal((5, 2)), RNG.standard_normal(5), 0.7
X = RNG.standard_normal((40, 5)) * [3.0, 2.0, 1.0, 0.5, 0.2] @ np.linalg.qr(RNG.standard_normal((5, 5)))[0] + 1


def test_the_kl_of_diagonal_gaussians_is_that_of_torch():
    m, mu = RNG.standard_normal((2, 6))
    s, sigma = RNG.random((2, 6)) + 0.2
    expected = kl_divergence(*(Normal(torch.tensor(a), torch.tensor(b)) for a, b in ((m, s), (mu, sigma))))
    np.testing.assert_allclose(gaussian.kl_diagonal(m, s, mu, sigma), expected, rtol=1e-12)


def test_the_evidence_is_scipys_and_bayes_rule_holds():
    expected = multivariate_normal(B, W @ W.T + SIGMA**2 * np.eye(5)).logpdf(X)
    np.testing.assert_allclose(gaussian.evidence(torch.tensor(X), W, B, SIGMA), expected, rtol=1e-12)
    means, covariance = gaussian.posterior(X, W, B, SIGMA)
    z = np.array([0.3, -1.0])
    joint = multivariate_normal(np.zeros(2), np.eye(2)).logpdf(z) + norm(W @ z + B, SIGMA).logpdf(X).sum(1)
    posterior = [multivariate_normal(mean, covariance).logpdf(z) for mean in means]
    np.testing.assert_allclose(joint - posterior, expected, rtol=1e-12)


def test_the_elbo_is_the_evidence_less_the_kl_to_the_posterior():
    means, covariance = gaussian.posterior(X, W, B, SIGMA)
    loc, scale = means + 0.1, np.array([0.4, 0.9])
    inverse, rest = np.linalg.inv(covariance), loc - means  # KL between full Gaussians
    kl = 0.5 * (
        np.trace(inverse @ np.diag(scale**2))
        + ((rest @ inverse) * rest).sum(1)
        - 2
        + np.linalg.slogdet(covariance)[1]
        - 2 * np.log(scale).sum()
    )
    expected = gaussian.evidence(X, W, B, SIGMA) - kl
    np.testing.assert_allclose(gaussian.elbo(X, W, B, SIGMA, loc, scale), expected, rtol=1e-12)


@pytest.mark.parametrize("latent", [1, 2, 4])
def test_ppca_at_its_own_noise_is_scikit_learns(latent):
    pca = PCA(latent, svd_solver="full").fit(X)
    n = len(X)  # scikit-learn divides by n − 1, so its data are a little larger
    scaled = (X - X.mean(0)) * math.sqrt(n / (n - 1))
    best = ppca.optimum(scaled, latent, math.sqrt(pca.noise_variance_))
    np.testing.assert_allclose(
        best.w @ best.w.T + best.sigma**2 * np.eye(5), pca.get_covariance(), rtol=1e-9, atol=1e-9
    )
    centered = X - X.mean(0)
    assert gaussian.evidence(centered, best.w, np.zeros(5), best.sigma).mean() == pytest.approx(pca.score(X), rel=1e-10)


@pytest.mark.parametrize("beta", [0.3, 1.0, 5.0, 1000.0])
def test_the_ppca_optimum_has_its_objective_and_every_step_away_is_worse(beta):
    best = ppca.optimum(X, 3, SIGMA, beta)
    tau = beta * SIGMA**2

    def objective(w, b, loc, scale):
        return -gaussian.elbo(X, w, b, SIGMA, loc, scale, beta).mean()

    assert objective(best.w, best.mean, best.encode(X), best.scale) == pytest.approx(best.objective, rel=1e-12)
    by_density = (  # the same least value by the pPCA density at noise βσ²
        -beta * gaussian.evidence(X, best.w, best.mean, math.sqrt(tau)).mean()
        - beta * 2.5 * math.log(2 * math.pi * tau)
        + 2.5 * math.log(2 * math.pi * SIGMA**2)
    )
    assert by_density == pytest.approx(best.objective, rel=1e-12)
    assert best.kl.sum() == pytest.approx(gaussian.kl_diagonal(best.encode(X), best.scale).sum(1).mean(), abs=1e-12)
    assert (best.collapsed == (best.eigenvalues[:3] <= tau)).all()
    assert (np.linalg.norm(best.w, axis=0)[best.collapsed] == 0).all()
    rng = np.random.default_rng(0)
    for _ in range(200):
        w = best.w + 0.1 * rng.standard_normal(best.w.shape)
        means, covariance = gaussian.posterior(X, w, best.mean, math.sqrt(tau))
        scale = 1 / np.sqrt(np.diag(np.linalg.inv(covariance)))  # the best diagonal guide there
        assert objective(w, best.mean, means, scale) > best.objective
    if beta == 1:
        assert best.objective == pytest.approx(-best.log_likelihood, rel=1e-12)


def test_axes_collapse_one_by_one_as_beta_rises():
    counts = [ppca.optimum(X, 4, SIGMA, beta).collapsed.sum() for beta in np.geomspace(0.01, 1000, 60)]
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("wrong", [{"latent": 0}, {"latent": 6}, {"sigma": 0.0}, {"beta": -1.0}, {"x": X[0]}])
def test_ppca_refuses_what_it_cannot_be(wrong):
    with pytest.raises(ValueError, match=r"^(x|latent|sigma|beta|there are) "):
        ppca.optimum(**{"x": X, "latent": 2, "sigma": 1.0} | wrong)


def test_the_mixture_evidence_is_the_integral_over_z():
    w, b = W[:, :1], B
    weights, locs, scales = [0.2, 0.5, 0.3], [[-2.0], [0.5], [3.0]], [[0.3], [1.0], [0.7]]

    def joint(z, x):
        prior = math.exp(mixture.log_prior([[z]], weights, locs, scales)[0])
        return prior * math.exp(norm(w[:, 0] * z + b, SIGMA).logpdf(x).sum())

    z = np.array([[-2.5], [0.0], [1.0], [4.0]])
    each = [norm(m[0], s[0]).pdf(z[:, 0]) for m, s in zip(locs, scales, strict=True)]
    np.testing.assert_allclose(
        mixture.log_prior(z, weights, locs, scales), np.log(weights @ np.array(each)), rtol=1e-12
    )
    for x in X[:3] / 2:
        integral = quad(joint, -8, 8, args=(x,), points=[-2, 0, 0.5, 3], epsabs=0, epsrel=1e-11, limit=200)[0]
        assert mixture.evidence(x[None], w, b, SIGMA, weights, locs, scales)[0] == pytest.approx(math.log(integral))
    one = mixture.evidence(X, W, B, SIGMA, [0.4, 0.6], np.zeros((2, 2)), np.ones((2, 2)))
    np.testing.assert_allclose(one, gaussian.evidence(X, W, B, SIGMA), rtol=1e-12)


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [1.0]])
def test_mixture_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        mixture.log_prior([[0.0]], weights, [[0.0], [1.0]], [[1.0], [1.0]])


MODEL = ([1.0, -0.5], [1.5, 0.5], [0.2, 0.0], 0.8)  # x, w, b, σ
GUIDES = pytest.mark.parametrize(("loc", "scale"), [(0.2, 0.9), (-0.5, 0.5), (0.0, 1.5)])


@GUIDES
def test_the_importance_weighted_bound_of_one_draw_is_the_elbo(loc, scale):
    x, w, b, sigma = (np.asarray(a) for a in MODEL)
    expected = gaussian.elbo(x[None], w[:, None], b, float(sigma), [[loc]], [scale])[0]
    assert importance_weighted.bound(*MODEL, loc, scale, 1) == pytest.approx(expected, abs=1e-9)


@GUIDES
def test_the_importance_weighted_bound_of_two_draws_is_a_double_integral(loc, scale):
    x, w, b, sigma = (np.asarray(a) for a in MODEL)
    noise, step = np.linspace(-9, 9, 1801, retstep=True)
    z = loc + scale * noise
    log_v = norm(np.outer(z, w) + b, sigma).logpdf(x).sum(1) + norm.logpdf(z) - norm(loc, scale).logpdf(z)
    mass = norm.pdf(noise) * step
    expected = mass @ (np.logaddexp(log_v[:, None], log_v) - math.log(2)) @ mass
    assert importance_weighted.bound(*MODEL, loc, scale, 2) == pytest.approx(expected, abs=1e-9)


@GUIDES
def test_the_importance_weighted_bound_rises_to_the_evidence_at_the_rate_of_one_over_k(loc, scale):
    evidence, draws = importance_weighted.evidence(*MODEL), (1, 2, 5, 100, 1000, 2000)
    gaps = [evidence - importance_weighted.bound(*MODEL, loc, scale, k) for k in draws]
    assert (np.diff(gaps) < 0).all()
    assert gaps[-1] > 0
    first = [importance_weighted.gap(*MODEL, loc, scale, k) for k in draws]
    assert gaps[4] == pytest.approx(first[4], rel=0.1)
    left = [abs(gap - one) for gap, one in zip(gaps, first, strict=True)]
    assert 0.2 < left[5] / left[4] < 0.3  # of order 1/K², so about ¼ for twice K


def test_under_the_posterior_the_importance_weighted_bound_is_the_evidence_for_every_k():
    x, w, b, sigma = (np.asarray(a) for a in MODEL)
    mean, covariance = gaussian.posterior(x[None], w[:, None], b, float(sigma))
    for k in (1, 3, 1000):
        bound = importance_weighted.bound(*MODEL, mean[0, 0], math.sqrt(covariance[0, 0]), k)
        assert bound == pytest.approx(importance_weighted.evidence(*MODEL), abs=1e-9)
    assert importance_weighted.gap(*MODEL, mean[0, 0], math.sqrt(covariance[0, 0]), 1) == pytest.approx(0, abs=1e-12)


def test_a_guide_too_narrow_has_weights_without_a_variance():
    _, covariance = gaussian.posterior(np.zeros((1, 2)), np.array([[1.5], [0.5]]), np.zeros(2), 0.8)
    assert importance_weighted.gap(*MODEL, 0.0, 0.7 * math.sqrt(covariance[0, 0]), 5) == math.inf
