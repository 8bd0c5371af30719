"""The autoencoder: its loss by hand, PCA as its optimum, no bound and no samples, and what it refuses."""

import math

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO
from sklearn.decomposition import PCA

import pyrogen as pg
from pyrogen.oracles import linear_autoencoder
from pyrogen.training import elbo_terms

ELBOS = pytest.mark.parametrize("elbo", [Trace_ELBO, TraceMeanField_ELBO, TraceGraph_ELBO])
N, D, L = 80, 6, 2
SIGMA = 0.5


def data():
    """(N, D) with eigenvalues that are well apart."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((D, D)))[0]
    x = rng.standard_normal((N, D)) * [3.0, 2.0, 1.0, 0.5, 0.3, 0.2] @ turn.T + rng.standard_normal(D)
    return torch.from_numpy(x)


def linear():
    encoder = pg.nn.LinearEncoder((D,), L, point=True)
    pair = pg.models.Autoencoder(encoder, pg.nn.LinearDecoder((D,), L, pg.nn.Gaussian(SIGMA))).double()
    pair.decoder.likelihood.log_scale.fill_(math.log(SIGMA))
    return pair


def mlp(likelihood="bernoulli"):
    encoder = pg.nn.MLPEncoder((4,), 2, hidden=(8,), point=True)
    return pg.models.Autoencoder(encoder, pg.nn.MLPDecoder((4,), 2, likelihood, hidden=(8,))).double()


def binary(n):
    return torch.bernoulli(torch.full((n, 4), 0.3, dtype=torch.float64))


@ELBOS
def test_the_loss_is_the_cross_entropy_or_the_squared_error(elbo):
    """Nothing is random, so it is the same each time."""
    x, pair = binary(6), mlp()
    p = pair.decode(pair.encode(x).mean).mean
    cross_entropy = -(x * p.log() + (1 - x) * (1 - p).log()).sum().item()
    assert elbo().loss(pair.model, pair.guide, x) == pytest.approx(cross_entropy, rel=1e-12)
    x, pair = data(), linear()
    error = ((x - pair.reconstruct(x)) ** 2).sum().item()
    expected = error / (2 * SIGMA**2) + N * D * math.log(SIGMA * math.sqrt(2 * math.pi))
    for size, weight in ((None, 1), (5 * N, 5)):
        assert elbo().loss(pair.model, pair.guide, x, size) == pytest.approx(weight * expected, rel=1e-12)
    assert elbo_terms(pair, x).objective.item() == pytest.approx(expected / N, rel=1e-12)


@ELBOS
def test_each_of_pyros_elbos_has_the_gradient_of_that_loss(elbo):
    x, pair = binary(6), mlp()
    (-pair.decode(pair.encode(x).mean).log_prob(x).sum()).backward()
    expected = {name: p.grad.clone() for name, p in pair.named_parameters()}
    pair.zero_grad()
    elbo().loss_and_grads(pair.model, pair.guide, x)
    for name, parameter in pair.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-10, atol=1e-12)
        assert parameter.grad.abs().max() > 0


def test_model_and_guide_share_their_sites_and_the_guide_is_a_point():
    x, pair = binary(6), mlp()
    guide = poutine.trace(pair.guide).get_trace(x)
    model = poutine.trace(poutine.replay(pair.model, guide)).get_trace(x)
    assert {name for name, site in guide.nodes.items() if site["type"] == "sample"} == {"data", "z"}
    assert {name for name, site in model.nodes.items() if site["type"] == "sample"} == {"data", "z", "x"}
    assert torch.equal(model.nodes["z"]["value"], pair.encode(x).mean)
    assert model.nodes["z"]["fn"].log_prob(model.nodes["z"]["value"]).tolist() == [0.0] * 6
    q = pair.encode(x)
    assert (q.batch_shape, q.event_shape) == ((6,), (2,))
    assert torch.equal(q.rsample(), q.mean)
    assert torch.equal(q.variance, torch.zeros(6, 2, dtype=torch.float64))


def test_a_linear_autoencoder_trained_is_pca():
    """Nothing is sampled, so the optimum is met to rounding: Adam comes near, L-BFGS goes on until the gradient is
    below 1e-6, and the excess, its square over twice the curvature, is of order 1e-12."""
    x, pair = data(), linear()
    best = linear_autoencoder.optimum(x, L)
    before = elbo_terms(pair, x).objective.item()
    pg.fit(pair, x, steps=500, batch_size=N, lr=3e-2, progress=False)
    excess = elbo_terms(pair, x).objective.item() - best.objective(SIGMA)
    assert 0 <= excess < 0.05 < before - best.objective(SIGMA)

    optimizer = torch.optim.LBFGS(
        pair.parameters(), max_iter=1000, tolerance_grad=1e-7, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = -pair.decode(pair.encode(x).mean).log_prob(x).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert max(p.grad.abs().max() for p in pair.parameters()) < 1e-6
    assert elbo_terms(pair, x).objective.item() == pytest.approx(best.objective(SIGMA), rel=1e-12)
    reconstructed = pair.reconstruct(x).numpy()
    np.testing.assert_allclose(reconstructed, best.reconstruct(x), rtol=0, atol=1e-6)
    pca = PCA(L).fit(x)
    theirs = ((pca.inverse_transform(pca.transform(x)) - x.numpy()) ** 2).sum(1).mean()
    assert ((reconstructed - x.numpy()) ** 2).sum(1).mean() == pytest.approx(theirs, rel=1e-10)
    codes = pair.encode(x).mean.detach().numpy()  # any invertible map of the principal components will do
    left = codes - codes.mean(0)
    onto = (x.numpy() - best.mean) @ best.axes
    np.testing.assert_allclose(onto @ np.linalg.lstsq(onto, left, rcond=None)[0], left, rtol=0, atol=1e-5)


def test_svi_trains_it_as_fit_does():
    x = binary(32)
    for train in (
        lambda pair: [SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": 1e-2}), Trace_ELBO()).step(x) for _ in "1234"],
        lambda pair: pg.fit(pair, x, steps=20, batch_size=16, lr=1e-2, progress=False),
    ):
        pair = mlp()
        start = {name: p.detach().clone() for name, p in pair.named_parameters()}
        before = elbo_terms(pair, x).objective
        train(pair)
        assert elbo_terms(pair, x).objective < before
        assert not any(torch.equal(p, start[name]) for name, p in pair.named_parameters())


def test_training_and_evaluation_report_no_bound():
    x, pair = binary(32), mlp()
    history = pg.fit(pair, x, steps=5, batch_size=16, progress=False).history
    assert "kl" not in history.columns
    assert history["penalty"].tolist() == [0.0] * 5
    assert np.array_equal(history["objective"], history["reconstruction"])
    scores = pg.evaluate(pair, x)
    assert scores.elbo is scores.kl is scores.nll is scores.kl_per_latent is None
    assert scores.objective == scores.reconstruction == pytest.approx(elbo_terms(pair, x).objective.item(), rel=1e-12)


def test_saving_and_loading_keeps_every_bit(tmp_path):
    pair, x = mlp(), binary(6)
    pg.save(pair, tmp_path / "pair")
    loaded = pg.load(tmp_path / "pair")
    assert type(loaded) is pg.models.Autoencoder
    assert torch.equal(loaded.reconstruct(x), pair.reconstruct(x))


def test_samples_are_refused_in_one_sentence_and_chosen_codes_are_decoded():
    pair, x = mlp(), binary(6)
    for draw in (lambda: pair.sample(3), lambda: pair.prior().sample(), lambda: pair.model(x)):
        with pytest.raises(ValueError, match="a flat prior cannot be drawn from: choose the codes") as error:
            draw()
        assert "\n" not in str(error.value)
        assert "pair.decode(torch.randn(n, 2)).mean" in str(error.value)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        pair.sample(0)
    images = pair.decode(torch.randn(5, 2, dtype=torch.float64)).mean
    assert images.shape == (5, 4)
    assert ((images > 0) & (images < 1)).all()


class Normal(pg.nn.Encoder):
    """A user's encoder that does not say beforehand what it returns."""

    def parameters_of(self, x):
        return x[:, :2], x[:, 2:]


class Bare(torch.nn.Module):
    """A user's network that returns a Delta of its own making."""

    shape, latent = (4,), 2

    def forward(self, x):
        return dist.Delta(x[..., :2], event_dim=1)


def test_an_encoder_that_is_no_point_is_refused():
    decoder = pg.nn.MLPDecoder((4,), 2, hidden=(8,))
    message = (
        "the encoder of an autoencoder must return a point, a Delta, got a Normal from {}: make it with "
        "point=True, or train a VAE"
    )
    with pytest.raises(TypeError) as error:
        pg.models.Autoencoder(pg.nn.MLPEncoder((4,), 2), decoder)
    assert str(error.value) == message.format("MLPEncoder")
    pair = pg.models.Autoencoder(Normal((4,), 2), decoder)
    for use in (lambda: pair.encode(torch.zeros(3, 4)), lambda: pg.fit(pair, torch.zeros(64, 4), steps=1)):
        with pytest.raises(TypeError) as error:
            use()
        assert str(error.value) == message.format("Normal")


def test_a_delta_of_a_users_own_is_taken():
    pair = pg.models.Autoencoder(Bare(), pg.nn.MLPDecoder((4,), 2, hidden=(8,)))
    x = binary(6).float()
    assert Trace_ELBO().loss(pair.model, pair.guide, x) > 0
    assert torch.equal(pair.encode(x).mean, x[:, :2])


def test_networks_that_disagree_are_refused():
    encoder = pg.nn.MLPEncoder((4,), 2, point=True)
    with pytest.raises(ValueError, match="must have one latent, got 2 and 3"):
        pg.models.Autoencoder(encoder, pg.nn.MLPDecoder((4,), 3))
    with pytest.raises(TypeError, match="encoder and decoder must both say their latent"):
        pg.models.Autoencoder(encoder, torch.nn.Linear(2, 4))
