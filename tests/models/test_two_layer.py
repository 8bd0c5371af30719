"""The two-layer VAE against two linear-Gaussian layers, whose evidence is exact."""

import math

import numpy as np
import pytest
import torch

import pyrogen as pg
from pyrogen.evaluation import importance_weighted_bound
from pyrogen.oracles import ppca, two_layer

Z = 5.5  # standard errors: a false alarm has probability below 4e-8 for a normal mean
A = np.array([[1.0], [0.0]])  # so that the posteriors are products over the latents
SCALE, SIGMA = np.array([0.8, 1.2]), 0.7
W = np.linalg.qr(np.random.default_rng(5).standard_normal((5, 2)))[0] * [2.0, 1.0]
LOC, B = np.array([0.5, -1.0]), np.arange(5.0)
ALL = {"a": A, "loc": LOC, "scale": SCALE, "w": W, "b": B, "sigma": SIGMA}


def exact_pair(beta=1.0):
    """A pair whose guide is the exact posterior, layer by layer."""
    bottom = pg.nn.LinearEncoder((5,), 2), pg.nn.LinearDecoder((5,), 2, pg.nn.Gaussian(SIGMA))
    pair = pg.models.TwoLayerVAE(
        *bottom, pg.nn.LinearEncoder((2,), 1), pg.nn.LinearEncoder((1,), 2), beta=beta
    ).double()
    pair.decoder.likelihood.log_scale.fill_(math.log(SIGMA))
    zero, covariance = two_layer.posterior(np.zeros((1, 5)), **ALL)
    slope = two_layer.posterior(np.eye(5), **ALL)[0] - zero
    top_zero, top = two_layer.posterior_of_top(np.zeros((1, 2)), A, LOC, SCALE)
    top_slope = two_layer.posterior_of_top(np.eye(2), A, LOC, SCALE)[0] - top_zero
    for network, weight, bias, variance in (
        (pair.encoder, slope.T, zero[0], np.diag(covariance)),
        (pair.top_encoder, top_slope.T, top_zero[0], np.diag(top)),
        (pair.top_decoder, A, LOC, SCALE**2),
        (pair.decoder, W, B, None),
    ):
        network.loc.weight.data.copy_(torch.from_numpy(weight))
        network.loc.bias.data.copy_(torch.from_numpy(bias))
        if variance is not None:
            network.log_variance.data.copy_(torch.from_numpy(np.log(variance)))
    return pair


def images(n, seed=2):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 1)) @ A.T + LOC + SCALE * rng.standard_normal((n, 2))
    return torch.from_numpy(z @ W.T + B + SIGMA * rng.standard_normal((n, 5)))


@pytest.mark.parametrize("samples", [1, 2, 64])
@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_under_the_exact_posterior_every_bound_is_the_evidence(samples, beta):
    x = images(20)
    bound = importance_weighted_bound(exact_pair(beta), x, samples)
    np.testing.assert_allclose(bound.numpy(), two_layer.evidence(x, **ALL), rtol=0, atol=1e-9)


def test_the_elbo_is_the_evidence_though_the_guide_draws_the_layers_in_the_other_order():
    """An analytic KL of z at a draw of z₂ would be another number: z₂ is drawn given z."""
    x = images(1_000)
    pair = exact_pair()
    scores = pg.evaluate(pair, x, nll_images=10)
    assert scores.latent == pair.latent + pair.top_latent >= scores.active_units
    gap = scores.elbo - two_layer.evidence(x, **ALL).mean()
    assert abs(gap) < Z * scores.standard_errors["elbo"]
    torch.manual_seed(0)
    with torch.no_grad():
        losses = torch.stack([pg.training.elbo_terms(exact_pair(), x).objective for _ in range(40)])
    error = losses.std().item() / math.sqrt(40)  # of the draws alone; the analytic KL is off by 0.1 nats
    assert abs(losses.mean() + two_layer.evidence(x, **ALL).mean()) < Z * error < 0.05


def test_the_oracle_is_the_integral():
    """One latent each: log p(x) by quadrature over z₂ and z."""
    a, loc, scale, w, b, sigma = [[0.7]], [0.2], 0.5, [[1.5]], [0.3], 0.9
    z = np.linspace(-12, 12, 4001)
    x = np.array([[0.4], [-2.0]])

    def normal(v, mean, s):
        return np.exp(-0.5 * ((v - mean) / s) ** 2) / (s * math.sqrt(2 * math.pi))

    p_z = np.array([(normal(z, 0, 1) * normal(v, 0.7 * z + 0.2, 0.5)).sum() for v in z]) * (z[1] - z[0])
    exact = [math.log((p_z * normal(v[0], 1.5 * z + 0.3, 0.9)).sum() * (z[1] - z[0])) for v in x]
    np.testing.assert_allclose(two_layer.evidence(x, a, loc, scale, w, b, sigma), exact, rtol=1e-9)
    mean, covariance = two_layer.posterior(x, a, loc, scale, w, b, sigma)
    weights = p_z * normal(0.4, 1.5 * z + 0.3, 0.9)
    np.testing.assert_allclose(mean[0, 0], (weights * z).sum() / weights.sum(), rtol=1e-9)
    np.testing.assert_allclose(covariance[0, 0] + mean[0, 0] ** 2, (weights * z**2).sum() / weights.sum(), rtol=1e-9)


def test_training_reaches_the_optimum_of_linear_gaussian_data():
    """A free p(z) adds nothing to pPCA, so the best evidence is that of pPCA."""
    torch.manual_seed(0)
    x = images(1_000).float()
    bottom = pg.nn.LinearEncoder((5,), 2), pg.nn.LinearDecoder((5,), 2, pg.nn.Gaussian(SIGMA))
    pair = pg.models.TwoLayerVAE(*bottom, pg.nn.LinearEncoder((2,), 1), pg.nn.LinearEncoder((1,), 2))
    begin = pg.evaluate(pair, x, importance_samples=50).nll
    fit = pg.fit(pair, x, steps=800, batch_size=500, lr=2e-2, progress=False)
    best = ppca.optimum(x, latent=2, sigma=SIGMA).log_likelihood
    nll = pg.evaluate(pair, x, importance_samples=50).nll
    assert -nll < best + 1e-3
    assert -nll > best - 0.1  # it starts more than a nat below
    assert -begin < best - 1
    assert {"kl_z2", "kl_z"} <= set(fit.history.columns)


def test_networks_that_do_not_fit_are_refused():
    bottom = pg.nn.MLPEncoder((4,), 3), pg.nn.MLPDecoder((4,), 3)
    for top, message in (
        (
            (pg.nn.MLPEncoder((2,), 2), pg.nn.MLPEncoder((2,), 3)),
            "`top_encoder` must be a network that takes vectors of 3",
        ),
        (
            (pg.nn.MLPEncoder((3,), 2), pg.nn.MLPEncoder((2,), 4)),
            "`top_decoder` must be a network that returns vectors of 3",
        ),
        (
            (pg.nn.MLPEncoder((3,), 2), pg.nn.MLPEncoder((1,), 3)),
            "`top_decoder` must be a network that takes vectors of 2",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            pg.models.TwoLayerVAE(*bottom, *top)
    decoder = pg.nn.MLPDecoder((3,), 2, likelihood="gaussian")
    assert pg.models.TwoLayerVAE(*bottom, pg.nn.MLPEncoder((3,), 2), decoder).sample(2).shape == (2, 4)
    with pytest.raises(TypeError, match="`top_encoder` must say its latent and shape"):
        pg.models.TwoLayerVAE(*bottom, torch.nn.Linear(3, 2), decoder)
