"""The DIP-VAE-II's own: its price against the closed form of a linear encoder, and what it does to rotated codes."""

import numpy as np
import pytest
import torch
from helpers.small import SHAPE, binary
from pyro.infer import TraceMeanField_ELBO

import pyrogen as pg
from pyrogen.oracles import total_correlation
from pyrogen.training import elbo_terms


def networks(latent=3):
    torch.manual_seed(0)
    return pg.nn.MLPEncoder((4,), latent, hidden=(8,)), pg.nn.MLPDecoder((4,), latent, hidden=(8,))


def data(n):
    return torch.bernoulli(torch.full((n, 4), 0.3), generator=torch.Generator().manual_seed(0)).double()


def objective(pair, x, size=None):
    torch.manual_seed(0)
    return elbo_terms(pair, x, size).objective


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_without_a_price_it_is_the_vae(beta):
    encoder, decoder = networks()
    vae = pg.models.VAE(encoder, decoder, beta=beta).double()
    pair = pg.models.DIPVAE(encoder, decoder, off_diagonal=0.0, diagonal=0.0, beta=beta).double()
    for size in (None, 60):
        assert objective(pair, data(6), size).item() == pytest.approx(objective(vae, data(6), size).item(), rel=1e-14)
        losses = []
        for each in (pair, vae):
            torch.manual_seed(0)
            losses.append(TraceMeanField_ELBO().loss(each.model, each.guide, data(6), size))
        assert losses[0] == pytest.approx(losses[1], rel=1e-14)


def test_the_price_of_a_linear_encoder_is_that_of_the_closed_form():
    """A linear encoder of data with covariance C has codes with the covariance A C Aᵀ + diag σ²."""
    encoder, decoder = pg.nn.LinearEncoder((5,), 3), pg.nn.LinearDecoder((5,), 3)
    pair = pg.models.DIPVAE(encoder, decoder, off_diagonal=2.0, diagonal=3.0).double()
    encoder.log_variance.data.copy_(torch.tensor([0.3, -1.0, 0.1]))
    x = torch.randn(40, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    exact = total_correlation.linear(
        encoder.loc.weight.detach(),
        encoder.loc.bias.detach(),
        (0.5 * encoder.log_variance).exp().detach(),
        x.mean(0),
        np.cov(x.numpy().T, bias=True),
    ).covariance
    inside = np.eye(3, dtype=bool)
    terms = elbo_terms(pair, x)
    assert terms.charges["off_diagonal"].item() == pytest.approx((exact[~inside] ** 2).sum(), rel=1e-10)
    assert terms.charges["diagonal"].item() == pytest.approx(((exact[inside] - 1) ** 2).sum(), rel=1e-10)


@pytest.mark.parametrize("size", [None, 60])
def test_each_weight_is_on_its_own_sum(size):
    encoder, decoder = networks()
    x = data(6)
    for name in ("off_diagonal", "diagonal"):
        weights = {"off_diagonal": 1.0, "diagonal": 1.0}
        low, high = (pg.models.DIPVAE(encoder, decoder, **weights | {name: w}).double() for w in (1.0, 3.0))
        price = elbo_terms(low, x, size).charges[name].item()
        assert (objective(high, x, size) - objective(low, x, size)).item() == pytest.approx(2 * price, rel=1e-9)


def test_a_price_on_covariances_takes_them_away():
    """Images of two dependent pixels: the covariance of the codes falls, and is in the history as it is."""
    x = data(64)
    x[:, 1] = x[:, 0]
    off_diagonal = []
    for weight in (0.0, 50.0):
        pair = pg.models.DIPVAE(*networks(), off_diagonal=weight, diagonal=10.0).double()
        history = pg.fit(pair, x, steps=100, batch_size=64, lr=2e-2, progress=False).history
        off_diagonal.append(history["off_diagonal"][-20:].mean())
    assert off_diagonal[1] < 0.2 * off_diagonal[0]


def test_a_schedule_moves_the_weight_of_the_kl_alone():
    pair = pg.models.DIPVAE(*networks(), beta=2.0).double()
    x = data(8)
    parts = elbo_terms(pair, x)
    price = 10 * sum(value.item() for value in parts.charges.values())
    history = pg.fit(pair, x, steps=1, batch_size=8, schedule=pg.training.LinearWarmup(4), progress=False).history
    assert history["objective"][0] == pytest.approx(history["reconstruction"][0] + price, rel=1e-9)


@pytest.mark.parametrize("name", ["off_diagonal", "diagonal", "beta"])
@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(name, weight):
    with pytest.raises(ValueError, match=name):
        pg.models.DIPVAE(*networks(), **{name: weight})


def test_a_batch_of_one_image_is_refused_in_training():
    pair = pg.models.DIPVAE(*networks()).double()
    with pytest.raises(ValueError, match="x must be a batch of at least 2 images, got 1"):
        pair.train().guide(data(1))
    pair.eval().guide(data(1))


def test_each_charge_of_dip_vae_has_its_own_weight():
    networks = pg.nn.MLPEncoder(SHAPE, 2, hidden=(4,)), pg.nn.MLPDecoder(SHAPE, 2, hidden=(4,))
    pair = pg.models.DIPVAE(*networks, off_diagonal=3.0, diagonal=5.0)
    charges = pair.data_charges([pair.encode(binary(6))], torch.zeros(6, 2), 6)
    assert {name: weight.item() for name, (weight, _) in charges.items()} == {"off_diagonal": 3.0, "diagonal": 5.0}
