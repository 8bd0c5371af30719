"""The VQ-VAE against k-means, log K a token and gradients written by hand."""

import copy
import itertools
import math
from functools import partial

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import SVI, Trace_ELBO
from sklearn.cluster import KMeans

import pyrogen as pg
from pyrogen.distributions import UniformCodes
from pyrogen.oracles import vector_quantization as exact
from pyrogen.training import elbo_terms
from pyrogen.training.data.sources import Order

Codebook = pg.nn.Codebook


class Same(pg.nn.GridEncoder):
    """The features are the data: a grid () has one token, so (1,)."""

    def __init__(self, dim):
        super().__init__((dim,), (1,), dim)

    def features_of(self, x):
        return x[:, None]


class SameBack(pg.nn.GridDecoder):
    """The mean is the code."""

    def __init__(self, dim, scale, learned=False):
        super().__init__((dim,), (1,), dim, pg.nn.Gaussian(scale, learned))

    def output_of(self, z):
        return z[:, 0]


def clusters(n=120, dim=3):
    generator = torch.Generator().manual_seed(3)
    centers = 3 * torch.randn(6, dim, generator=generator, dtype=torch.float64)
    return centers[torch.arange(n) % 6] + torch.randn(n, dim, generator=generator, dtype=torch.float64)


def small(update="ema", prior=False, codes=6, seed=0, **settings):
    """Binary 4 × 4 images, a 2 × 2 grid, float64."""
    torch.manual_seed(seed)
    book = Codebook(codes, 3, update=update, **{"revive": 0.0, "decay": 0.9} | settings)
    network = pg.nn.PixelCNN((2, 2), codes, channels=8, layers=2) if prior else None
    return pg.models.VQVAE(
        pg.nn.ConvGridEncoder((1, 4, 4), dim=3, channels=(8,)),
        pg.nn.ConvGridDecoder((1, 4, 4), dim=3, channels=(8,)),
        book,
        prior=pg.distributions.AutoregressivePrior(book, network) if network else None,
    ).double()


def images(n=64):
    """Bars: the rows of an image are alike, so its codes depend on each other."""
    rows = torch.bernoulli(
        torch.full((n, 1, 1, 4), 0.5, dtype=torch.float64), generator=torch.Generator().manual_seed(0)
    )
    return rows.expand(n, 1, 4, 4).contiguous()


# --- identity networks are k-means


def test_with_identity_networks_each_pass_is_lloyds_step_and_the_end_is_k_means():
    x = clusters()
    pair = pg.models.VQVAE(Same(3), SameBack(3, 0.5), Codebook(6, 3, decay=0.0, revive=0.0)).double()
    start = codes = x[:6].numpy().copy()
    pair.codebook.vectors.copy_(x[:6])
    for _ in range(40):
        pair.guide(x)
        codes = exact.lloyd_step(x, codes)
        np.testing.assert_allclose(pair.codebook.vectors, codes, rtol=1e-11, atol=0)
    kmeans = KMeans(6, init=start, n_init=1, tol=0, algorithm="lloyd").fit(x.numpy())
    inertia = exact.inertia(x, pair.codebook.vectors)
    assert inertia == pytest.approx(kmeans.inertia_, rel=1e-9)
    assert ((pair.reconstruct(x) - x) ** 2).sum().item() == pytest.approx(inertia, rel=1e-9)

    scores = pg.evaluate(pair, x)
    sigma = pair.decoder.likelihood.log_scale.exp().item()  # as it is stored
    constant = 3 * math.log(sigma * math.sqrt(2 * math.pi))
    assert scores.reconstruction == pytest.approx(inertia / (2 * sigma**2 * len(x)) + constant, rel=1e-9)
    assert scores.kl == pytest.approx(exact.rate(1, 6), rel=1e-12)
    assert scores.elbo == pytest.approx(-scores.reconstruction - scores.kl, rel=1e-12)
    assert scores.nll == pytest.approx(-scores.elbo, rel=1e-9)  # q has one value, so that more draws add nothing


def test_by_loss_gradient_descent_ends_where_lloyds_step_stays():
    x = clusters()
    pair = pg.models.VQVAE(Same(3), SameBack(3, 0.5), Codebook(6, 3, update="loss", revive=0.0)).double()
    fit = pg.fit(
        pair, x, steps=120, batch_size=120, optimizer=lambda p: torch.optim.SGD(p, lr=1.0), progress=False
    )  # each step halves the way or more: 2 lr n_k / N is about 1/3
    codes = pair.codebook.vectors.detach()
    np.testing.assert_allclose(exact.lloyd_step(x, codes), codes, rtol=1e-8)
    distortion = exact.inertia(x, codes) / len(x)
    assert fit.history["codebook"][-1] == pytest.approx(distortion, rel=1e-5)
    assert fit.history["commitment"][-1] == pytest.approx(distortion, rel=1e-5)


def test_a_fresh_run_starts_from_the_k_means_of_the_features():
    x = clusters()
    decoder = SameBack(3, 0.5, learned=True)  # something to train
    pair = pg.models.VQVAE(Same(3), decoder, Codebook(6, 3, decay=0.99, revive=0.0)).double()
    first = pg.fit(pair, x, steps=1, batch_size=120, progress=False).history["commitment"][0] * len(x)
    best = KMeans(6, n_init=5, random_state=0).fit(x.numpy()).inertia_
    assert first < 1.3 * best  # one start of k-means, not the best of five
    assert best < 0.5 * exact.inertia(x, torch.randn(6, 3)) / 1.3  # which a start at random does not reach


# --- the terms and their gradients


def test_the_gradients_are_those_written_by_hand():
    """Reconstruction and commitment train the encoder, the former as if z were e; the third term the codes."""
    pair, x = small("loss"), images(5)
    pair.initialize(x)
    pair.codebook.vectors.data.add_(1e-3 * torch.randn(6, 3))  # at the means themselves nothing would pull the codes
    pair.commitment = 0.7
    (elbo_terms(pair, x).objective * len(x)).backward()
    ours = {name: p.grad.clone() for name, p in pair.named_parameters()}

    pair.zero_grad()
    e = pair.encoder.network(x).movedim(1, -1)
    c = pair.codebook.vectors
    chosen = exact.nearest(e.detach().reshape(-1, 3), c.detach())
    assert len(set(chosen)) > 1
    z = c.detach()[chosen].reshape(e.shape).requires_grad_()
    logits = pair.decoder.network(z.movedim(-1, 1))
    cross_entropy = (logits.exp().log1p() - x * logits).sum()
    cross_entropy.backward()
    e.backward(z.grad + 2 * 0.7 * (e - z).detach())
    for name, parameter in pair.named_parameters():
        if name != "codebook.vectors":
            torch.testing.assert_close(ours[name], parameter.grad, rtol=1e-10, atol=1e-12)
    pull = torch.zeros_like(c).index_add(0, torch.from_numpy(chosen), 2 * (c[chosen] - e.reshape(-1, 3)))
    torch.testing.assert_close(ours["codebook.vectors"], pull.detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_the_history_has_the_terms_the_perplexity_and_the_usage(update, monkeypatch):
    pair, x = small(update), images()
    history = pg.fit(pair, x, steps=3, batch_size=64, progress=False).history
    charged = ["commitment", *(["codebook"] if update == "loss" else [])]
    assert list(history.columns[4:]) == ["objective", "reconstruction", "kl", *charged, "perplexity", "usage"]
    weights = {"reconstruction": 1, "kl": 1, "commitment": 0.25, "codebook": 1}
    total = sum(weight * history[name] for name, weight in weights.items() if name in history.columns)
    np.testing.assert_allclose(history["objective"], total, rtol=1e-6)
    np.testing.assert_allclose(history["kl"], exact.rate(4, 6), rtol=1e-6)
    pair.eval()
    scores = pg.evaluate(pair, x, batch_size=64)
    counts = np.bincount(exact.nearest(features(pair, x), pair.codebook.vectors.detach()), minlength=6)
    assert scores.extra["perplexity"] == pytest.approx(exact.perplexity(counts), rel=1e-9)
    assert scores.extra["usage"] == pytest.approx((counts > 0).mean(), rel=1e-9)
    monkeypatch.setattr("pyrogen.training.validation.BATCH", 7)
    held_out = pg.fit(
        pair, x, steps=1, lr=1e-30, batch_size=64, validation=x, validate_every=1, progress=False
    ).history.validation
    counts = np.bincount(exact.nearest(features(pair, x), pair.codebook.vectors.detach()), minlength=6)
    assert held_out["perplexity"][-1] == pytest.approx(exact.perplexity(counts), rel=1e-6)  # of all, not of batches
    assert pair.rate == pytest.approx(exact.rate(4, 6))


def features(pair, x):
    with torch.no_grad():
        return pair.encoder(x).mean.reshape(-1, 3)


def test_in_training_the_code_is_the_nearest_after_the_codebook_has_moved():
    pair, x = small(decay=0.0), images()
    z = pair.guide(x)
    codes = pair.codebook.vectors
    assert torch.equal(z.reshape(-1, 3), codes[torch.from_numpy(exact.nearest(features(pair, x), codes))])


def test_outside_of_training_nothing_moves():
    pair, x = small(revive=0.5), images()
    pair.eval()
    before = {name: tensor.clone() for name, tensor in pair.state_dict().items()}
    pair.guide(x)
    assert all(torch.equal(tensor, before[name]) for name, tensor in pair.state_dict().items())
    pair.train()
    pair.guide(x)
    moved = {name for name, tensor in pair.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"codebook.vectors", "codebook.counts", "codebook.sums", "codebook.placed"}


# --- training


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_fit_is_the_loop_over_the_guide(update):
    """The recording repeats what moves the codebook in place, the draws of revived codes included."""
    x, pair = images(), small(update, revive=0.6, decay=0.5)
    mine = copy.deepcopy(pair)
    revived = []
    learn = mine.codebook._revive
    mine.codebook._revive = lambda e, codes: (
        revived.append(bool((mine.codebook.counts < 0.6 * mine.codebook.counts.mean()).any())),
        learn(e, codes),
    )
    sgd = partial(torch.optim.SGD, lr=0.02)  # Adam would blow up the rounding of gradients that are 0
    pg.fit(pair, x, steps=12, batch_size=16, optimizer=sgd, seed=7, progress=False)

    order, optimizer = Order(64, 16, 7), sgd(mine.parameters())
    torch.manual_seed(7)
    mine.initialize(x[torch.cat([order(step) for step in range(4)])])
    for step in range(12):
        optimizer.zero_grad()
        elbo_terms(mine, x[order(step)], 64).objective.backward()
        optimizer.step()
    assert any(revived)
    for name, tensor in pair.state_dict().items():
        torch.testing.assert_close(tensor, mine.state_dict()[name], rtol=1e-9, atol=1e-11, msg=name)


@pytest.mark.parametrize(("update", "break_at"), [("ema", 1), ("loss", 23)])
def test_resume_is_bit_exact(tmp_path, update, break_at):
    settings = {"batch_size": 16, "lr": 1e-2, "progress": False}
    whole, parts, fresh = (small(update, revive=0.3, seed=seed) for seed in (0, 0, 99))
    one = pg.fit(whole, images(), steps=40, **settings)
    pg.fit(parts, images(), steps=break_at, checkpoint=tmp_path, **settings)
    torch.rand(5)
    two = pg.fit(fresh, images(), steps=40, checkpoint=tmp_path, resume=True, **settings)
    for other in (fresh, pg.load(tmp_path)):
        for name, tensor in whole.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name]), name
    for column in ("objective", "perplexity", "usage", "commitment"):
        assert (one.history[column] == two.history[column]).all()


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_a_second_run_goes_on_from_the_codebook_of_the_first(update, tmp_path):
    pair = small(update, codes=4)
    pg.fit(pair, images(), steps=10, progress=False)
    pg.save(pair, tmp_path / "pair")
    for again in (pair, copy.deepcopy(pair), pg.load(tmp_path / "pair")):
        before = again.codebook.vectors.detach().clone()
        pg.fit(again, images(), steps=1, lr=1e-12, progress=False)
        torch.testing.assert_close(again.codebook.vectors.detach(), before, rtol=0, atol=0.1 * before.abs().max())


def test_one_bad_image_does_not_spoil_the_codes():
    pair, x = small(revive=0.5), images()
    x[3] = float("nan")
    pair.codebook.learn(pair.encoder.features_of(x))
    assert torch.isfinite(pair.codebook.vectors).all()
    counted = small(revive=0.0)
    counted.codebook.learn(counted.encoder.features_of(x))
    assert counted.codebook.counts.sum() == pytest.approx((1 - 0.9) * 4 * 63)
    with pytest.raises(ValueError, match="finite vectors"):
        pair.codebook.initialize(pair.encoder.features_of(x))
    with pytest.raises(ValueError, match=r"\(\*shape, 3\), got \(5, 4\)"):
        pair.codebook.initialize(torch.zeros(5, 4))


def test_it_learns_bars_and_pyros_loop_does_too():
    """A code for each quarter is enough to reconstruct bars, so the loss falls far below log 2 a pixel."""
    x = images()
    pair = small(codes=8, revive=0.05)
    fit = pg.fit(pair, x, steps=250, batch_size=32, lr=1e-2, progress=False)
    assert fit.history["reconstruction"][-10:].mean() < 0.3 * 16 * math.log(2)
    assert fit.history["perplexity"][-1] > 2
    other = small(codes=8, revive=0.05)
    other.initialize(x)
    svi = SVI(other.model, other.guide, pyro.optim.Adam({"lr": 1e-2}), Trace_ELBO())
    losses = [svi.step(x) for _ in range(40)]
    assert losses[-1] < losses[0] - 0.2 * len(x) * 16 * math.log(2)


# --- a learned prior


def test_a_learned_prior_lowers_the_rate_and_moves_nothing_else():
    """Train until the codes of the 16 images are known.

    Each then costs at most log 16 nats, as all are equally likely. The uniform prior asks 4 log 8. No prior can ask
    less than the entropy of the grids.
    """
    rows = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    x = rows[:, None, None].expand(16, 1, 4, 4).contiguous()
    plain = small(codes=8)
    pg.fit(plain, x, steps=100, batch_size=16, lr=1e-2, progress=False)
    network = pg.nn.PixelCNN((2, 2), 8, channels=16, layers=2)
    prior = pg.distributions.AutoregressivePrior(plain.codebook, network)
    pair = pg.models.VQVAE(plain.encoder, plain.decoder, plain.codebook, prior=prior).double()
    pair.freeze()
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    pg.fit(pair, x, steps=200, batch_size=16, lr=1e-2, progress=False)
    assert all(torch.equal(tensor, before[name]) for name, tensor in plain.state_dict().items())

    uniform, learned = pg.evaluate(plain, x), pg.evaluate(pair, x)
    grids, times = torch.unique(pair.encode(x).indices.flatten(1), dim=0, return_counts=True)
    entropy = -(times / 16 * (times / 16).log()).sum().item()
    assert uniform.kl == pytest.approx(exact.rate(4, 8))
    assert entropy <= learned.kl < entropy + 0.1
    assert learned.reconstruction == pytest.approx(uniform.reconstruction)
    assert learned.elbo > uniform.elbo + 4
    drawn = pair.codebook.nearest(pair.prior().sample((200,))).flatten(1)  # and its draws are those grids
    known = (drawn[:, None] == grids[None]).all(-1).any(-1).double().mean().item()
    assert known > 0.8
    assert pair.sample(3).shape == (3, 1, 4, 4)


def test_a_joint_training_gives_the_codes_no_gradient_from_the_prior():
    pair, x = small("loss", prior=True), images(4)
    terms = elbo_terms(pair, x)
    terms.kl["z"].sum().backward()
    reached = {name.split(".")[0] for name, p in pair.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {"_prior"}


# --- refusals


def test_a_codebook_larger_than_the_data_can_initialize_is_refused_before_training():
    pair, x = small(codes=300), images(16)
    with pytest.raises(ValueError, match=r"at least 300 distinct vectors, one a code, got \d+ \(64 in all\)"):
        pg.fit(pair, x, steps=5, batch_size=8, progress=False)


def parts(**changed):
    book = changed.pop("codebook", None) or Codebook(6, 3)
    encoder = pg.nn.ConvGridEncoder((1, 4, 4), dim=3, channels=(8,))
    decoder = pg.nn.ConvGridDecoder((1, 4, 4), dim=3, channels=(8,))
    return {"encoder": encoder, "decoder": decoder, "codebook": book} | changed


BOOK = Codebook(6, 3)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"commitment": -1.0}, ValueError, "commitment must be a finite number of at least 0, got -1.0"),
        ({"codebook": Codebook(6, 4)}, ValueError, "the networks' dim=3, got dim=4"),
        (
            {"decoder": pg.nn.MLPGridDecoder((1, 4, 4), (4,), 3)},
            ValueError,
            r"must have one grid, got \(2, 2\) and \(4,\)",
        ),
        ({"encoder": pg.nn.MLPEncoder((1, 4, 4), latent=12)}, TypeError, "must both say their grid"),
        ({"prior": UniformCodes(Codebook(6, 3), (2, 2))}, ValueError, "prior must be over the codebook"),
        (
            {"prior": torch.distributions.Normal(torch.zeros(3), 1.0)},
            TypeError,
            "the prior must be a probability of grids of codes .* got a Normal: a density gives no bound",
        ),
        (
            {"codebook": BOOK, "prior": UniformCodes(BOOK, (4,))},
            ValueError,
            r"event shape \(2, 2, 3\)\), got event shape",
        ),
        ({"prior": lambda: UniformCodes(Codebook(6, 3), (2, 2))}, ValueError, "prior must be over the codebook"),
        ({"codebook": 8}, TypeError, "codebook must be a pg.nn.Codebook, got a int"),
        ({"commitment": "a"}, TypeError, "commitment must be a finite number"),
        (
            {"prior": pg.distributions.AutoregressivePrior(Codebook(6, 3), pg.nn.PixelCNN((2, 2), 6))},
            ValueError,
            "another codebook",
        ),
        ({"beta": -1.0}, ValueError, "beta must be"),
    ],
)
def test_what_does_not_fit_together_is_refused(changed, error, message):
    with pytest.raises(error, match=message):
        pg.models.VQVAE(**parts(**changed))
