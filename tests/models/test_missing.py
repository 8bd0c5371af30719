"""Missing pixels: what was not seen counts nowhere, and is filled in."""

import math

import numpy as np
import pytest
import torch

import pyrogen as pg
from pyrogen.evaluation import importance_weighted_bound
from pyrogen.oracles import gaussian
from pyrogen.training import elbo_terms

Z = 5.5  # standard errors: a false alarm has probability below 4e-8 for a normal mean
W = np.array([[1.5, 0.3], [0.0, 1.0], [-0.5, 0.2], [0.4, -1.0]])
B, SIGMA = np.array([0.5, -1.0, 0.0, 2.0]), 0.7


def linear():
    decoder = pg.nn.LinearDecoder((4,), 2, pg.nn.Gaussian(SIGMA))
    pair = pg.models.MissingVAE(pg.nn.LinearEncoder((4,), 2), decoder, beta=2.0).double()
    pair.decoder.likelihood.log_scale.fill_(math.log(SIGMA))
    for parameter, value in {pair.decoder.loc.weight: W, pair.decoder.loc.bias: B}.items():
        parameter.data.copy_(torch.from_numpy(value))
    pair.encoder.loc.weight.data.mul_(0.1)
    return pair


def images(n, seen):
    x = (
        np.random.default_rng(0).standard_normal((n, 2)) @ W.T
        + B
        + SIGMA * np.random.default_rng(1).standard_normal((n, 4))
    )
    x = torch.from_numpy(x)
    x[:, ~torch.tensor(seen)] = math.nan
    return x


@pytest.mark.parametrize("seen", [[True, True, False, True], [False, True, False, False]])
def test_the_evidence_is_that_of_the_pixels_that_were_seen(seen):
    x, keep = images(40, seen), np.array(seen)
    exact = gaussian.evidence(x[:, keep].numpy(), W[keep], B[keep], SIGMA)
    torch.manual_seed(0)
    bounds = torch.stack([importance_weighted_bound(linear(), x, 10_000) for _ in range(4)]).mean(0).numpy()
    assert abs((bounds - exact).mean()) < 0.01
    np.testing.assert_allclose(bounds, exact, atol=0.25)
    scores = pg.evaluate(linear(), x, importance_samples=200)
    assert -scores.nll < exact.mean() + Z * scores.standard_errors["nll"]
    assert scores.nll <= -scores.elbo


def test_without_a_missing_pixel_it_is_the_vae():
    torch.manual_seed(0)
    networks = pg.nn.MLPEncoder((4, 4), 3, hidden=(8,)), pg.nn.MLPDecoder((4, 4), 3, hidden=(8,))
    x = torch.bernoulli(torch.full((10, 4, 4), 0.4))
    losses = []
    for kind in (pg.models.VAE, pg.models.MissingVAE):
        torch.manual_seed(0)
        losses.append(elbo_terms(kind(*networks, beta=2.0), x).objective.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_values_behind_the_mask_move_nothing():
    """No gradient comes from a missing pixel, and none is NaN."""
    pair = pg.models.MissingVAE(pg.nn.MLPEncoder((6,), 2, hidden=(8,)), pg.nn.MLPDecoder((6,), 2, hidden=(8,))).double()
    x = torch.bernoulli(torch.full((10, 6), 0.4)).double()
    x[:, 3:] = math.nan
    elbo_terms(pair, x).objective.backward()
    assert all(torch.isfinite(p.grad).all() for p in pair.parameters())
    last = pair.decoder.network[-1]
    assert (last.weight.grad[3:] == 0).all()
    assert (last.weight.grad[:3] != 0).any()


def test_missing_pixels_are_filled_in_and_the_others_kept():
    torch.manual_seed(0)
    z = torch.randn(600, 1)
    x = z @ torch.tensor([[1.0, 2.0, -1.0, 0.5]]) + 0.1 * torch.randn(600, 4)  # each pixel tells the others
    holes = torch.where(torch.rand(600, 4) < 0.25, torch.tensor(math.nan), x)
    pair = pg.models.MissingVAE(
        pg.nn.MLPEncoder((4,), 2, hidden=(32,)), pg.nn.MLPDecoder((4,), 2, pg.nn.Gaussian(0.1), hidden=(32,))
    )
    pg.fit(pair, holes, steps=600, batch_size=100, lr=5e-3, progress=False)
    filled, missing = pair.reconstruct(holes), holes.isnan()
    assert torch.equal(filled[~missing], x[~missing])
    error = (filled - x)[missing].square().mean() / x[missing].square().mean()
    assert error < 0.5  # the mean of the pixel has 1
    assert pair.reconstruct(holes[0]).shape == (4,)
    assert pair.sample(3).shape == (3, 4)
