"""The gamma–exponential oracle against quadrature, autograd and torch's own divergence."""

import math

import pytest
import torch
from scipy.integrate import quad
from torch.distributions import Exponential, Gamma, kl_divergence

from pyrogen.oracles import gamma_exponential as exact

DATA = pytest.mark.parametrize("x", [0.0, 0.5, 3.0, 1000.0, [2.0, 0.0], [1.0] * 7, [30.0, 200.0, 0.5]])


def tensor(x):
    return torch.as_tensor(x, dtype=torch.float64).reshape(-1)


def log_joint(z, x):
    z = torch.tensor(z, dtype=torch.float64)
    return (Exponential(torch.ones_like(z)).log_prob(z) + Exponential(z).log_prob(tensor(x)).sum()).item()


def expectation(f, x):
    """∫ f(z) dz over where a gamma of this scale lives, to about 1e-11 of its size."""
    scale = (len(tensor(x)) + 1) / (1 + tensor(x).sum().item())
    return quad(lambda u: f(u * scale) * scale, 0.0, 40.0, points=[0.1, 1.0, 3.0], limit=200, epsabs=0, epsrel=1e-12)[0]


@DATA
def test_gamma_evidence_is_the_integral_of_the_joint(x):
    top = log_joint((len(tensor(x)) + 1) / (1 + tensor(x).sum().item()), x)
    integral = expectation(lambda z: math.exp(log_joint(z, x) - top) if z > 0 else 0.0, x)
    assert exact.evidence(x).item() == pytest.approx(top + math.log(integral), rel=1e-9, abs=1e-9)


@DATA
def test_gamma_posterior_is_the_joint_over_the_evidence(x):
    q = exact.posterior(x)
    for z in (0.3, 1.0, 2.5):
        z = z * q.mean
        assert q.log_prob(z).item() == pytest.approx(log_joint(z.item(), x) - exact.evidence(x).item(), abs=1e-10)


@DATA
def test_gamma_elbo_is_the_integral_that_defines_it(x):
    scale = (1 + tensor(x).sum().item()) / (len(tensor(x)) + 1)
    for theta in (scale, 2 * scale, 3 * scale):
        q = Gamma(2.0, torch.tensor(theta, dtype=torch.float64))

        def integrand(z, q=q):
            log_q = q.log_prob(torch.tensor(z, dtype=torch.float64)).item()
            return math.exp(log_q) * (log_joint(z, x) - log_q)

        assert exact.elbo(theta, x).item() == pytest.approx(expectation(integrand, x), rel=1e-8, abs=1e-8)


@DATA
def test_gamma_elbo_plus_kl_is_the_evidence(x):
    theta = torch.logspace(-2, 4, 50, dtype=torch.float64)
    kl = exact.kl(theta, x)
    torch.testing.assert_close(kl, kl_divergence(Gamma(2.0, theta), exact.posterior(x)), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(exact.elbo(theta, x) + kl, exact.evidence(x).expand(50), rtol=1e-9, atol=1e-9)
    assert (kl >= 0).all()


@DATA
def test_gamma_gradient_is_that_of_autograd_and_vanishes_at_the_optimum_alone(x):
    theta = torch.logspace(-1, 4, 40, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(exact.elbo(theta, x).sum(), theta)
    torch.testing.assert_close(gradient, exact.elbo_gradient(theta, x).detach(), rtol=1e-12, atol=1e-12)
    best = exact.optimum(x)
    assert exact.elbo_gradient(best, x).abs().item() < 1e-14
    assert torch.equal(gradient > 0, theta < best)


@pytest.mark.parametrize("x", [0.0, 0.5, 3.0, 1000.0])
def test_gamma_of_one_observation_is_exact_at_x_plus_one(x):
    assert exact.optimum(x).item() == x + 1
    assert exact.evidence(x).item() == pytest.approx(-2 * math.log(1 + x), rel=1e-14)
    assert exact.elbo(x + 1, x).item() == pytest.approx(-2 * math.log(1 + x), abs=1e-13)
    assert exact.kl(x + 1, x).item() == 0
    assert exact.elbo(2.5, x).item() == pytest.approx(-2 * (x + 1) / 2.5 - 2 * math.log(2.5) + 2, rel=1e-14)


@pytest.mark.parametrize("x", [-1.0, math.nan, [], [[1.0]]])
def test_gamma_oracle_refuses_what_is_no_observation(x):
    with pytest.raises(ValueError, match="x must be"):
        exact.evidence(x)


@pytest.mark.parametrize("theta", [0.0, -1.0, math.nan])
def test_gamma_oracle_refuses_what_is_no_rate(theta):
    with pytest.raises(ValueError, match=r"theta must be (positive|finite)"):
        exact.elbo(theta, 1.0)
