"""Charges that depend on other images are those of the data set, whatever the batch size."""

import json
import math

import numpy as np
import pytest
import torch
from helpers.small import binary, make_pair
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


def vq_vae():
    torch.manual_seed(0)
    encoder = pg.nn.ConvGridEncoder((1, 4, 4), dim=3, channels=(8,))
    decoder = pg.nn.ConvGridDecoder((1, 4, 4), dim=3, channels=(8,))
    pair = pg.models.VQVAE(encoder, decoder, pg.nn.Codebook(6, 3)).double()
    pair.initialize(torch.bernoulli(torch.full((120, 1, 4, 4), 0.3)).double())
    return pair


def sc_vae():
    torch.manual_seed(0)
    dictionary = pg.nn.Dictionary(16, 24)
    encoder = pg.nn.SparseLinearEncoder((1, 4, 4), pg.nn.FISTA(dictionary, 20))
    decoder = pg.nn.SparseLinearDecoder((1, 4, 4), dictionary, pg.nn.Gaussian(0.5))
    return pg.models.SCVAE(encoder, decoder, rate=3.0).double()


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


@pytest.mark.parametrize("kind", [vq_vae, sc_vae])
def test_counts_are_those_of_all_images_whatever_the_batch_size(kind):
    pair, x = kind(), torch.bernoulli(torch.full((120, 1, 4, 4), 0.3)).double()
    whole = pg.evaluate(pair, x, batch_size=120, importance_samples=1, nll_images=1)
    counted = [name for name, how in whole.estimators.items() if how == {"estimator": "counts", "images": 120}]
    assert counted == {vq_vae: ["perplexity", "usage"], sc_vae: ["active_atoms"]}[kind]
    for batch_size in (1, 7, 50):
        scores = pg.evaluate(pair, x, batch_size=batch_size, importance_samples=1, nll_images=1)
        for name in whole.extra:
            assert scores[name] == pytest.approx(whole[name], rel=1e-9), name
    assert all(whole[name] > 1 / 12 for name in counted)


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_print_and_json_name_the_estimator_with_its_images_and_draws(estimator):
    networks = pg.nn.MLPEncoder((4, 4), 3, hidden=(8,)), pg.nn.MLPDecoder((4, 4), 3, hidden=(8,))
    pair = pg.models.TCVAE(*networks, estimator=estimator)
    x = torch.bernoulli(torch.full((2_050, 4, 4), 0.3))
    scores = pg.evaluate(pair, x, importance_samples=1, nll_images=1)
    how = {"estimator": estimator, "images": 2_050, "draws": 2_000}
    assert scores.estimators == dict.fromkeys(PARTS, how) == json.loads(scores.to_json())["estimators"]
    assert str(scores).count(f" by the {estimator} estimator (2050 images, 2000 draws)") == 3
    assert f"<td>{estimator}, 2050 images, 2000 draws</td>" in scores._repr_html_()


def test_moments_of_posteriors_need_no_draws():
    x = torch.bernoulli(torch.full((20, 4, 4), 0.3)).double()
    scores = pg.evaluate(dip_vae(), x, importance_samples=1, nll_images=1)
    assert scores.estimators["diagonal"] == {"estimator": "posterior moments", "images": 20}
    assert "by the posterior moments estimator (20 images)" in str(scores)


def test_what_is_of_each_image_alone_has_no_estimator():
    pair = pg.models.VAE(pg.nn.MLPEncoder((4, 4), 3), pg.nn.MLPDecoder((4, 4), 3))
    assert pg.evaluate(pair, torch.ones(9, 4, 4), importance_samples=1).estimators == {}


def test_a_pair_of_ones_own_that_names_no_estimator_has_its_own():
    class Spread(pg.models.VAE):
        def data_charges(self, posteriors, z, size):
            return {"spread": (self.beta, torch.cat([q.mean for q in posteriors]).std().expand(len(z)))}

    pair = Spread(pg.nn.MLPEncoder((4, 4), 3), pg.nn.MLPDecoder((4, 4), 3))
    scores = pg.evaluate(pair, torch.ones(9, 4, 4), importance_samples=1)
    assert scores.estimators == {"spread": {"estimator": "pair's own", "images": 9}}


FEW = {"nll_images": 5, "importance_samples": 3, "progress": False}


class Charged(pg.models.VAE):
    """A VAE whose charge on all data differs from image to image."""

    def data_charges(self, posteriors, z, size):
        return {"spread": (torch.tensor(1.0), 1000.0 * torch.arange(len(z)))}


def test_the_objectives_error_has_the_charges_of_all_data():
    plain = make_pair()
    scores = pg.evaluate(Charged(plain.encoder, plain.decoder), binary(20), **FEW)
    expected = 1000 * np.arange(20.0).std(ddof=1) / math.sqrt(20)
    assert scores.standard_errors["objective"] == pytest.approx(expected, rel=0.05)
