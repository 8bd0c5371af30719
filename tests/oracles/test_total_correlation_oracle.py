"""The Gaussian total correlation and what goes with it, against scipy's entropies and quadrature."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from pyrogen.oracles import total_correlation
from pyrogen.oracles.gaussian import kl_diagonal

RNG = np.random.default_rng(5)
A, BIAS, SCALE = RNG.standard_normal((3, 2)), RNG.standard_normal(3), np.array([0.5, 1.0, 2.0])
LOC, ROOT = np.array([0.3, -1.0]), np.array([[1.0, 0.0], [0.6, 0.5]])
COVARIANCE = ROOT @ ROOT.T
SPLIT = total_correlation.linear(A, BIAS, SCALE, LOC, COVARIANCE)


def entropy(covariance):
    return multivariate_normal(np.zeros(len(covariance)), covariance).entropy()


def test_total_correlation_is_the_entropy_of_the_latents_less_that_of_the_whole():
    sigma = SPLIT.covariance
    expected = sum(norm(0, math.sqrt(variance)).entropy() for variance in np.diag(sigma)) - entropy(sigma)
    assert total_correlation.gaussian(sigma) == pytest.approx(expected, rel=1e-12)
    assert SPLIT.total_correlation == pytest.approx(expected, rel=1e-12)
    d = np.diag([1.0, 7.0, 0.1])
    assert total_correlation.gaussian(d @ sigma @ d) == pytest.approx(expected, rel=1e-12)  # in any unit
    assert total_correlation.gaussian(d) == pytest.approx(0, abs=1e-15)


def test_total_correlation_is_the_integral_that_defines_it():
    joint, marginal = multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]]), norm(0, 1)
    line, step = np.linspace(-9, 9, 181, retstep=True)  # the midpoint rule is exact to rounding for such functions
    grid = np.stack(np.meshgrid(line, line), -1)
    ratio = joint.logpdf(grid) - marginal.logpdf(grid).sum(-1)
    integral = (joint.pdf(grid) * ratio).sum() * step**2
    assert total_correlation.gaussian([[1, 0.6], [0.6, 1]]) == pytest.approx(integral, rel=1e-9)


def test_the_aggregated_posterior_has_the_moments_of_a_mean_over_the_data():
    """Two-point quadrature along each axis of C is exact for moments up to the third."""
    points = LOC + np.concatenate([ROOT.T, -ROOT.T]) * math.sqrt(2)  # D = 2 axes, 2D points
    codes = points @ A.T + BIAS
    np.testing.assert_allclose(SPLIT.loc, codes.mean(0), rtol=1e-12)
    np.testing.assert_allclose(SPLIT.covariance, np.cov(codes.T, bias=True) + np.diag(SCALE**2), rtol=1e-12)


def test_the_parts_are_entropies_and_sum_to_the_kl_of_the_encoder():
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    grid = np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2) @ ROOT.T + LOC
    mass = np.outer(weights, weights).ravel() / (2 * math.pi)
    expected = mass @ kl_diagonal(grid @ A.T + BIAS, SCALE).sum(1)  # E KL, a polynomial of degree two
    assert SPLIT.kl == pytest.approx(expected, rel=1e-12)
    parts = SPLIT.mutual_information + SPLIT.total_correlation + SPLIT.dimension_wise_kl
    assert parts == pytest.approx(SPLIT.kl, rel=1e-12)
    information = entropy(SPLIT.covariance) - entropy(np.diag(SCALE**2))
    assert SPLIT.mutual_information == pytest.approx(information, rel=1e-12)
    each = [norm(0, math.sqrt(SPLIT.covariance[i, i])).entropy() - norm(0, SCALE[i]).entropy() for i in range(3)]
    np.testing.assert_allclose(SPLIT.each, each, rtol=1e-12)
    q = [norm(m, math.sqrt(v)) for m, v in zip(SPLIT.loc, np.diag(SPLIT.covariance), strict=True)]
    integrals = [quad(lambda z, d=d: d.pdf(z) * (d.logpdf(z) - norm.logpdf(z)), -30, 30)[0] for d in q]
    assert SPLIT.dimension_wise_kl == pytest.approx(sum(integrals), rel=1e-7)


def test_the_mean_ratio_in_the_bias_is_its_integral():
    """E q(z | x) / q(z) = exp 2 I; what the bias makes of it is held against simulations of the estimator."""
    split = total_correlation.linear([[1.0]], [0.0], [1.2], [0.0], [[1.0]])
    (x, dx), (z, dz) = np.linspace(-12, 12, 241, retstep=True), np.linspace(-25, 25, 501, retstep=True)
    squares = norm.pdf(z[:, None], x, 1.2) ** 2 / norm(0, math.sqrt(1 + 1.2**2)).pdf(z)[:, None]  # q(z | x)² / q(z)
    integral = (squares @ norm.pdf(x)).sum() * dx * dz
    assert math.exp(2 * split.mutual_information) == pytest.approx(integral, rel=1e-9)
    biases = split.biases(10, 50)
    rate = 1 / 50 - (49 / 50) ** 2 / 18
    assert biases["mutual_information"] == pytest.approx(-rate * (integral - 1), rel=1e-9)
    assert biases["dimension_wise_kl"] == pytest.approx(rate * (integral - 1), rel=1e-9)  # of one latent
    assert biases["total_correlation"] == pytest.approx(0, abs=1e-15)
    assert sum(SPLIT.biases(10, math.inf).values()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([1.0, 2.0], "symmetric matrix"),
        ([[1.0, 0.5], [0.4, 1.0]], "symmetric matrix"),
        ([[1.0, 1.0], [1.0, 1.0]], "positive definite"),
        ([[1.0, math.nan], [math.nan, 1.0]], "must be finite, got"),
    ],
)
def test_what_is_no_covariance_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        total_correlation.gaussian(wrong)


def test_a_scale_of_zero_is_refused():
    with pytest.raises(ValueError, match="scale must be positive"):
        total_correlation.linear(A, BIAS, [1.0, 0.0, 1.0], LOC, COVARIANCE)
