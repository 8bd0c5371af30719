"""Charges that depend on other images are those of the data set, whatever the batch size."""

import pytest
import torch
from pyro import distributions as dist

import pyrogen as pg
from pyrogen.distributions import decompose, decompose_all

PARTS = ("total_correlation", "mutual_information", "dimension_wise_kl")


def tc_vae():
    torch.manual_seed(0)
    networks = pg.nn.MLPEncoder((4, 4), 3, hidden=(8,)), pg.nn.MLPDecoder((4, 4), 3, hidden=(8,))
    networks[0].network[-1].weight.data.mul_(8.0)  # posteriors that differ from image to image
    return pg.models.TCVAE(*networks, beta=6.0, alpha=2.0, gamma=0.5).double()


def dip_vae():
    networks = pg.nn.MLPEncoder((4, 4), 3, hidden=(8,)), pg.nn.MLPDecoder((4, 4), 3, hidden=(8,))
    return pg.models.DIPVAE(*networks).double()


@pytest.mark.parametrize("kind", [tc_vae, dip_vae])
def test_they_and_the_objective_are_the_same_for_every_batch_size(kind):
    pair, x = kind(), torch.bernoulli(torch.full((120, 4, 4), 0.3))
    whole = pg.evaluate(pair, x, batch_size=120, importance_samples=1, nll_images=1)
    for batch_size in (7, 40):
        scores = pg.evaluate(pair, x, batch_size=batch_size, importance_samples=1, nll_images=1)
        for name in (*whole.extra, "objective"):
            assert abs(scores[name] - whole[name]) <= 5.5 * whole.standard_errors.get(name, 0.0) + 1e-9, name


def test_they_are_brute_force_over_all_pairs():
    pair, x = tc_vae(), torch.bernoulli(torch.full((60, 4, 4), 0.3)).double()
    scores = pg.evaluate(pair, x, batch_size=13, importance_samples=1, nll_images=1, seed=3)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        q = pair.encode(x[order])
        torch.manual_seed(0)
        draws = q.rsample((4_000,))  # their expectation
        parts = [decompose(q, pair.prior(), z) for z in draws[:300]]
    for name in PARTS:
        values = torch.stack([getattr(part, name) for part in parts])  # (draws, images)
        error = (values.var(0).sum().sqrt() / 60).item()  # of one draw an image
        assert abs(scores.extra[name] - values.mean()) < 5.5 * error
        assert error < 0.5


@pytest.mark.parametrize("size", [12, 40])
@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
@pytest.mark.parametrize("at_once", [1, 50, 10**6])
def test_batches_together_are_one_batch(size, estimator, at_once):
    generator = torch.Generator().manual_seed(0)
    mean = 3 * torch.randn(12, 2, generator=generator, dtype=torch.float64)
    q, p = dist.Normal(mean, 1.0).to_event(1), dist.Normal(torch.zeros(2), 1.0).to_event(1)
    z = mean[:9] + torch.randn(9, 2, generator=generator, dtype=torch.float64)
    whole = decompose(q, p, z, size, estimator)
    posteriors = [dist.Normal(part, 1.0).to_event(1) for part in mean.split([5, 1, 6])]
    parts = decompose_all(posteriors, p, z, size, estimator, at_once)
    for name in PARTS:
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=1e-10, atol=1e-12)
