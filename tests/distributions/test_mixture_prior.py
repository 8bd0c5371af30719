"""The learned mixture of Gaussians: its density, its draws, its KL, and what it refuses."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

import pyrogen as pg
from pyrogen.oracles import gaussian, mixture
from pyrogen.training.divergence import divergence

FALSE_ALARMS = 1e-7


def prior_of(components=3, latent=2):
    prior = pg.distributions.GaussianMixture(components, latent).double()
    generator = torch.Generator().manual_seed(5)
    for parameter in prior.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    prior.locs.data *= 3
    prior.logits.data *= 9  # weights of 0.53, 0.19 and 0.28
    return prior


def test_the_density_is_that_of_the_mixture():
    prior, z = prior_of(), torch.randn(50, 2, dtype=torch.float64)
    weights = prior.logits.softmax(0)
    expected = mixture.log_prior(z, weights, prior.locs, prior.log_scales.exp())
    np.testing.assert_allclose(prior().log_prob(z).detach(), expected, rtol=1e-12)


def test_it_starts_with_equal_parts_of_width_one_at_different_places():
    prior = pg.distributions.GaussianMixture(4, 3)
    assert prior.logits.softmax(0).tolist() == [0.25] * 4
    assert (prior.log_scales == 0).all()
    assert prior.locs.shape == (4, 3)
    assert len(prior.locs.unique()) == 12


def test_draws_are_the_mixtures():
    """The Dvoretzky-Kiefer-Wolfowitz inequality: P(sup |F_n − F| > ε) ≤ 2 exp(−2nε²), for each of three directions."""
    prior, n = prior_of(), 20_000
    z = prior().sample((n,)).numpy()
    bound = math.sqrt(math.log(2 * 3 / FALSE_ALARMS) / (2 * n))
    weights, locs, scales = (t.detach().numpy() for t in (prior.logits.softmax(0), prior.locs, prior.log_scales.exp()))
    for direction in ([1.0, 0.0], [0.0, 1.0], [0.6, -0.8]):
        projected = np.sort(z @ direction)
        each = norm.cdf(projected[:, None], locs @ direction, np.sqrt(scales**2 @ np.square(direction)))
        expected = each @ weights
        steps = np.arange(n + 1) / n
        assert max((steps[1:] - expected).max(), (expected - steps[:-1]).max()) < bound


def test_of_one_component_the_kl_is_that_of_two_gaussians():
    """10,000 draws: beyond 5.5 standard errors, a false alarm in 4e-8."""
    prior = prior_of(components=1)
    q = torch.distributions.Independent(
        torch.distributions.Normal(torch.tensor([0.3, -1.0]).double(), torch.tensor([0.5, 2.0]).double()), 1
    )
    estimates = divergence(q.expand((10_000,)), prior().expand((10_000,)), q.sample((10_000,)))
    exact = gaussian.kl_diagonal(q.mean, q.stddev, prior.locs[0], prior.log_scales[0].exp()).sum()
    assert estimates.shape == (10_000,)
    assert abs(estimates.mean().item() - exact) < 5.5 * estimates.std().item() / 100


@pytest.mark.parametrize(
    ("components", "latent", "error", "message"),
    [
        (0, 2, ValueError, "components must be a whole number of at least 1, got 0"),
        (3, 0, ValueError, "latent must be a whole number of at least 1, got 0"),
        (2.0, 2, TypeError, r"components must be a whole number of at least 1, got 2\.0"),
        (True, 2, TypeError, "components must be a whole number of at least 1"),
    ],
)
def test_sizes_that_are_none_are_refused(components, latent, error, message):
    with pytest.raises(error, match=message):
        pg.distributions.GaussianMixture(components, latent)
