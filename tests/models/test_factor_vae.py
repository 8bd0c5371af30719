"""The FactorVAE's own: the density ratio of correlated Gaussian codes, whose gradients go where, and what it does."""

import numpy as np
import pytest
import torch
from torch import nn

import pyrogen as pg
from pyrogen.models.factor_vae import shuffled
from pyrogen.oracles import total_correlation
from pyrogen.training import elbo_terms

CORRELATION = torch.tensor([[1.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 1.0]], dtype=torch.float64)


class Quadratic(nn.Module):
    """w · (1, z₁², z₁z₂, ..., z₃²): for the right w the log density ratio of Gaussian codes, exactly."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(7, dtype=torch.float64))

    def features(self, z):
        i, j = torch.triu_indices(3, 3)
        return torch.cat((torch.ones_like(z[:, :1]), z[:, i] * z[:, j]), -1)

    def forward(self, z):
        return (self.features(z) @ self.w)[:, None]


def networks(latent=3):
    torch.manual_seed(0)
    return pg.nn.MLPEncoder((4,), latent, hidden=(8,)), pg.nn.MLPDecoder((4,), latent, hidden=(8,))


def gaussian_pair(gamma=1.0):
    """A pair whose codes are its images, with next to no noise, beside a discriminator that can be exact."""
    encoder = pg.nn.LinearEncoder((3,), 3)
    pair = pg.models.FactorVAE(encoder, pg.nn.LinearDecoder((3,), 3), gamma, hidden=(8,)).double()
    with torch.no_grad():
        encoder.loc.weight.copy_(torch.eye(3))
        encoder.loc.bias.zero_()
        encoder.log_variance.fill_(-80.0)
    pair.discriminator = Quadratic()
    return pair


def correlated(n):
    noise = torch.randn(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return noise @ torch.linalg.cholesky(CORRELATION).mT


def data(n):
    return torch.bernoulli(torch.full((n, 4), 0.3), generator=torch.Generator().manual_seed(0)).double()


def test_the_minimum_of_its_loss_is_the_density_ratio_and_its_mean_the_total_correlation():
    """Newton's method on the pair's own loss for 10,000 correlated codes, in a family that has the exact ratio.

    The estimate of a logistic regression has the standard error of its influence: of D(z) itself, and of the weights
    through H⁻¹ times the score. At 5 standard errors a false alarm has probability 6e-7.
    """
    pair, x = gaussian_pair(), correlated(10_000)
    w = pair.discriminator.w
    for _ in range(7):
        loss = elbo_terms(pair, x).charges["discriminator"]
        (gradient,) = torch.autograd.grad(loss, w, create_graph=True)
        hessian = torch.stack([torch.autograd.grad(g, w, retain_graph=True)[0] for g in gradient])
        with torch.no_grad():
            w -= torch.linalg.solve(hessian, gradient)
    assert gradient.abs().max() < 1e-7  # the codes have a noise of 1e-8
    features, others = (pair.discriminator.features(z) for z in (x, shuffled(x)))
    ratio = (features @ w).detach()
    scores = torch.sigmoid(-features @ w)[:, None] * features - torch.sigmoid(others @ w)[:, None] * others
    through = (scores / 2) @ torch.linalg.solve(hessian, features.mean(0))
    influence = (ratio - ratio.mean() + through).detach()
    error = influence.std().item() / len(x) ** 0.5
    exact = total_correlation.gaussian(CORRELATION)
    assert error < 0.03 * exact  # so that the next line says something
    assert elbo_terms(pair, x).charges["total_correlation"].item() == pytest.approx(exact, abs=5 * error)


def test_each_loss_has_gradients_to_its_own_networks_alone():
    pair, x = pg.models.FactorVAE(*networks(), gamma=2.0, hidden=(8,)).double(), data(8)
    own = [p for name, p in pair.named_parameters() if name.startswith("discriminator")]
    rest = [p for name, p in pair.named_parameters() if name.startswith("encoder")]
    charges = {name: elbo_terms(pair, x).charges[name] for name in ("total_correlation", "discriminator")}
    for name, used, unused in (("total_correlation", rest, own), ("discriminator", own, rest)):
        gradients = torch.autograd.grad(charges[name], used + unused, allow_unused=True)
        assert all(g is not None and g.abs().max() > 0 for g in gradients[: len(used)])
        assert all(g is None for g in gradients[len(used) :])


@pytest.mark.parametrize("batch", [2, 3, 7])
def test_shuffled_codes_keep_each_latent_and_take_it_from_other_images(batch):
    z = torch.arange(batch)[:, None].expand(batch, 3).double()
    rows = shuffled(z)
    assert all(sorted(column) == list(range(batch)) for column in rows.mT.tolist())
    assert all(len(set(row)) == min(batch, 3) for row in rows.tolist())


def test_without_its_weight_it_trains_as_the_vae_does():
    fits = []
    for kind, settings in ((pg.models.VAE, {}), (pg.models.FactorVAE, {"gamma": 0.0, "hidden": (8,)})):
        pair = kind(*networks(), beta=2.0, **settings).double()
        fits.append(pg.fit(pair, data(64), steps=20, batch_size=16, lr=1e-2, progress=False))
    for name, weight in fits[0].pair.named_parameters():
        torch.testing.assert_close(fits[1].pair.get_parameter(name), weight)


def test_a_price_on_the_total_correlation_takes_it_away():
    """Dependent pixels, a linear encoder and a decoder that copies: what is left, by its closed form."""
    x = correlated(256)
    left = []
    for gamma in (0.0, 20.0):
        torch.manual_seed(0)
        encoder, decoder = pg.nn.LinearEncoder((3,), 3), pg.nn.LinearDecoder((3,), 3, pg.nn.Gaussian(0.5))
        pair = pg.models.FactorVAE(encoder, decoder, gamma, hidden=(16, 16)).double()
        with torch.no_grad():
            decoder.loc.weight.copy_(torch.eye(3))
        decoder.requires_grad_(False)
        pg.fit(pair, x, steps=150, batch_size=128, lr=2e-2, progress=False)
        a, s = encoder.loc.weight.detach(), (0.5 * encoder.log_variance).exp().detach()
        left.append(total_correlation.linear(a, np.zeros(3), s, x.mean(0), np.cov(x.numpy().T)).total_correlation)
    assert left[1] < 0.5 * left[0]


def test_the_discriminator_can_have_a_learning_rate_of_its_own():
    def optimizer(parameters):
        own = set(pair.discriminator.parameters())
        rest = [p for p in parameters if p not in own]
        return torch.optim.Adam([{"params": rest, "lr": 1e-3}, {"params": list(own), "lr": 0.0}])

    pair = pg.models.FactorVAE(*networks(), hidden=(8,)).double()
    before = {name: weight.clone() for name, weight in pair.named_parameters()}
    pg.fit(pair, data(32), steps=3, optimizer=optimizer, progress=False)
    for name, weight in pair.named_parameters():
        assert torch.equal(weight, before[name]) == name.startswith("discriminator")


def test_weights_and_batches_that_cannot_be_used_are_refused():
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="gamma"):
            pg.models.FactorVAE(*networks(), gamma=weight)
    pair = pg.models.FactorVAE(*networks(), hidden=(8,)).double()
    with pytest.raises(ValueError, match="x must be a batch of at least 2 images, got 1"):
        pair.train().guide(data(1))
    pair.eval().guide(data(1))
    pair.gamma = 5.0
    assert pair.gamma.item() == 5.0
