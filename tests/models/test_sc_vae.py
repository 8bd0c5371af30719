"""The sparse-coding pair: its code is the lasso's, its zeros are those asked for, and it learns dictionaries."""

import functools
import math
import warnings

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import SVI, Trace_ELBO

import pyrogen as pg
from pyrogen.models.sc_vae import GAIN
from pyrogen.oracles import lasso
from pyrogen.training import elbo_terms

N, ATOMS, ACTIVE = 16, 16, 3


def linear(shape=(4, 4), atoms=24, steps=400, sigma=0.5, bias=True, coder=pg.nn.FISTA, **settings):
    """A pair on the pixels, in double precision."""
    dictionary = pg.nn.Dictionary(math.prod(shape), atoms, bias)
    encoder = pg.nn.SparseLinearEncoder(shape, coder(dictionary, steps))
    decoder = pg.nn.SparseLinearDecoder(shape, dictionary, pg.nn.Gaussian(sigma))
    return pg.models.SCVAE(encoder, decoder, **settings).double()


def convolutional(sparsity=None, coder=pg.nn.LISTA, **settings):
    dictionary = pg.nn.Dictionary(6, atoms=10)
    encoder = pg.nn.SparseConvEncoder((1, 8, 8), coder(dictionary, 4), channels=(8,), **settings)
    decoder = pg.nn.SparseConvDecoder((1, 8, 8), dictionary, channels=(8,))
    return pg.models.SCVAE(encoder, decoder, sparsity=sparsity).double()


@functools.cache
def planted(n=1500, seed=0):
    """x (n, 16) = D*z + noise of 0.02 with three of sixteen entries active, and D*."""
    rng = np.random.default_rng(seed)
    d = rng.standard_normal((N, ATOMS))
    d /= np.linalg.norm(d, axis=0)
    z = np.zeros((n, ATOMS))
    for row in z:
        row[rng.choice(ATOMS, ACTIVE, replace=False)] = rng.choice([-1, 1], ACTIVE) * rng.uniform(0.5, 1.5, ACTIVE)
    return torch.from_numpy(z @ d.T + 0.02 * rng.standard_normal((n, N))), d


def share(pair, x):
    """The share of exact zeros of each code, (N,)."""
    with torch.no_grad():
        return (pair.encode(x).mean == 0).double().flatten(1).mean(1)


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_the_guide_is_at_the_most_probable_code(beta):
    pair, x = linear(rate=0.9, sigma=0.6, beta=beta, steps=1500), torch.randn(8, 4, 4).double()
    pair.dictionary.bias.data.normal_()
    penalty = beta * 0.9 * 0.6**2
    assert pair.penalty().item() == pytest.approx(penalty, rel=1e-6)
    d, b = (t.detach().numpy() for t in (pair.dictionary.atoms, pair.dictionary.bias))
    residual, z = x.flatten(1).numpy() - b, pair.encode(x).mean.detach().numpy()
    penalty = pair.penalty().item()
    best = lasso.minimum(residual, d, penalty)
    np.testing.assert_allclose(
        lasso.objective(residual, d, z, penalty), lasso.objective(residual, d, best, penalty), rtol=1e-9
    )
    assert 0 < (z == 0).mean() < 1


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_the_objective_is_the_lasso_over_the_noise_and_a_constant(beta):
    pair, x = linear(bias=False, sigma=0.6, rate=0.9, beta=beta, steps=5), torch.randn(8, 4, 4).double()
    d, z = pair.dictionary.atoms.detach().numpy(), pair.encode(x).mean.detach().numpy()
    variance, rate = (value.item() for value in ((2 * pair.decoder.likelihood.log_scale).exp(), pair.log_rate.exp()))
    constant = 8 * math.log(2 * math.pi * variance) - beta * 24 * math.log(rate / 2)
    nats = lasso.objective(x.flatten(1).numpy(), d, z, beta * rate * variance) / variance + constant
    assert elbo_terms(pair, x).objective.item() == pytest.approx(nats.mean(), rel=1e-12)


def test_at_the_most_probable_code_the_dictionary_gets_the_gradient_at_a_fixed_code():
    """dF(z(D), D)/dD = ∂F/∂D where ∂F/∂z = 0 in the active entries: unrolled and exact gradient agree."""
    pair, x = linear(steps=1500, rate=4.0), torch.randn(8, 4, 4).double()
    elbo_terms(pair, x).objective.backward()
    unrolled = pair.dictionary.weight.grad.clone()
    z = pair.encode(x).mean.detach()
    pair.zero_grad()
    (-pair.decode(z).log_prob(x).mean()).backward()
    torch.testing.assert_close(unrolled, pair.dictionary.weight.grad, rtol=1e-6, atol=1e-8)
    assert unrolled.abs().max() > 0.01


@pytest.mark.parametrize("make", [functools.partial(linear, steps=30), convolutional])
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9, 0.99])
def test_the_sparsity_that_is_set_is_had_to_one_entry(make, sparsity):
    pair = make()
    x = torch.randn(40, *pair.shape).double() if len(pair.shape) == 2 else (torch.rand(40, 1, 8, 8) < 0.4).double()
    x = x + 0.1 * x.mean() if len(pair.shape) == 2 else x
    reached = pair.set_sparsity(x, sparsity)
    zeros = share(pair, x)
    assert zeros.mean().item() == pytest.approx(reached, abs=1e-12)
    assert abs(reached - sparsity) < 3 / (40 * pair.latent)  # a step of the path may move a few entries at once


def test_the_sparsity_set_on_some_images_holds_on_others_within_its_standard_error():
    """Two-sided at 5.5 standard errors of the difference of two means: a false alarm below 1e-7."""
    x, d = planted()
    pair = linear((N,), ATOMS, steps=60, bias=False)
    pair.dictionary.set_atoms(torch.from_numpy(d))
    pair.set_sparsity(x[:600], 0.7)
    here, there = share(pair, x[:600]), share(pair, x[600:])
    error = math.sqrt(here.var() / len(here) + there.var() / len(there))
    assert here.mean().item() == pytest.approx(0.7, abs=1e-3)
    assert error < 0.01
    assert abs(here.mean() - there.mean()) < 5.5 * error


@pytest.mark.parametrize(("start", "target"), [(0.05, 0.8), (60.0, 0.5)])
def test_training_brings_the_sparsity_that_is_asked_for(start, target):
    """The rate integrates what is lacking: Δ log ρ is gain × Σ (active / active asked − 1), each at most 1, exactly.

    With the atoms held, what is left at the end is the noise of a batch, of which a step passes on `GAIN` times, and
    that of the held-out mean: 6 of their joint standard errors bound it with a false alarm below 1e-8.
    """
    x, d = planted()
    pair = linear((N,), ATOMS, steps=10, rate=start, sparsity=target, coder=pg.nn.ISTA)
    pair.dictionary.set_atoms(torch.from_numpy(d))
    pair.dictionary.weight.requires_grad_(False)
    pair.initialize = lambda x: None  # so that the start is far off
    history = pg.fit(pair, x[:1000], steps=150, batch_size=50, lr=1e-4, progress=False).history
    assert abs(history["zeros"][0] - target) > 0.2
    lacked = GAIN * ((1 - history["zeros"][:-1]) / (1 - target) - 1).clip(max=1).sum()
    assert math.log(history["rate"][-1] / history["rate"][0]) == pytest.approx(lacked, abs=1e-6)
    zeros = share(pair.eval(), x[1000:])
    batch, mean = zeros.std() / math.sqrt(50), zeros.std() / math.sqrt(len(zeros))
    bound = 6 * math.hypot(batch, mean)
    print(f"held-out zeros {zeros.mean():.4f}, asked {target}, bound {bound:.4f}")
    assert bound < abs(history["zeros"][0] - target) / 2
    assert abs(zeros.mean() - target) < bound


def test_plain_svi_moves_the_rate_too_and_evaluation_does_not():
    pair, x = linear(steps=20, sparsity=0.9, rate=0.01), torch.randn(30, 4, 4).double()
    svi = SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": 1e-3}), Trace_ELBO())
    for _ in range(5):
        svi.step(x)
    assert pair.log_rate.item() == pytest.approx(math.log(0.01) + 4 * GAIN)  # far too many: the most a step allows
    kept = {name: tensor.clone() for name, tensor in pair.state_dict().items()}
    pg.evaluate(pair, x)
    pair.eval().guide(x)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in pair.state_dict().items())


def test_a_rate_that_is_given_stays():
    pair, x = linear(steps=5, rate=0.7), torch.randn(30, 4, 4).double()
    history = pg.fit(pair, x, steps=10, batch_size=10, progress=False).history
    np.testing.assert_allclose(history["rate"], 0.7, rtol=1e-6)


@pytest.mark.parametrize("make", [functools.partial(linear, steps=20, rate=3.0), convolutional])
def test_the_history_counts_zeros_and_active_atoms(make):
    pair = make()
    x = torch.rand(12, *pair.shape).double().round()
    q = pair.encode(x)
    z = q.mean.detach()
    codes = z.reshape(-1, z.shape[-1]).numpy()
    numbers = {name: value.item() for name, value in pair.monitored(q, z, 12).items()}
    assert numbers["zeros"] == pytest.approx((codes == 0).mean(), abs=1e-12)
    assert numbers["active_atoms"] == sum((codes[:, a] != 0).any() for a in range(codes.shape[1]))
    assert numbers["rate"] == pytest.approx(pair.log_rate.exp().item())


def test_planted_atoms_are_recovered_and_the_objective_is_scikit_learns():
    """Both minimize the same function of D at equal atoms, from different starts: here within 0.5 % of theirs."""
    from sklearn.decomposition import DictionaryLearning

    x, d = planted()
    x, penalty = x[:600], 0.1
    torch.manual_seed(0)
    pair = linear((N,), ATOMS, steps=12, sigma=1.0, rate=penalty, bias=False).float()
    for lr, steps in ((3e-2, 200), (3e-3, 150)):
        pg.fit(pair, x.float(), steps=steps, batch_size=100, lr=lr, progress=False)
    learned = pair.dictionary.atoms.detach().double().numpy()
    likeness = np.abs(d.T @ learned)
    print("cosines of planted and nearest learned atoms", np.sort(likeness.max(1)).round(4))
    assert (likeness.max(1) > 0.99).all()
    assert len(set(likeness.argmax(1))) == ATOMS  # each another one

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, that it stops at max_iter
        theirs = DictionaryLearning(ATOMS, alpha=penalty, max_iter=20, fit_algorithm="cd", random_state=0).fit(x)
    values = []
    for atoms in (theirs.components_.T / np.linalg.norm(theirs.components_, axis=1), learned, np.eye(N)):
        z = lasso.minimum(x.numpy(), atoms, penalty, gap=1e-4)
        values.append(lasso.objective(x, atoms, z, penalty).mean())
    print("mean lasso objective: scikit-learn {:.4f}, here {:.4f}, of single pixels {:.4f}".format(*values))
    assert values[1] < 1.005 * values[0] < 0.9 * values[2]


@pytest.mark.parametrize("coder", [pg.nn.ISTA, pg.nn.LISTA])
def test_a_fresh_fit_starts_from_data_and_the_next_goes_on(coder):
    pair, x = convolutional(0.8, coder), (torch.rand(64, 1, 8, 8) < 0.3).double()
    start = pair.dictionary.weight.clone()
    pair.initialize(x)
    assert not torch.equal(pair.dictionary.weight, start)
    assert share(pair, x).mean().item() == pytest.approx(0.8, abs=0.01)
    if coder is pg.nn.LISTA:
        plain = pg.nn.ISTA(pair.dictionary, 4)
        features = pair.encoder.features(x)
        torch.testing.assert_close(pair.encoder.coder.code(features, 0.1), plain.code(features, 0.1))
    kept = {name: p.clone() for name, p in pair.named_parameters()}
    pair.initialize(x)
    assert all(torch.equal(p, kept[name]) for name, p in pair.named_parameters())
    trained = convolutional(0.8, coder)
    pyro.infer.SVI(trained.model, trained.guide, pyro.optim.Adam({"lr": 1e-3}), Trace_ELBO()).step(x)
    kept = {name: p.clone() for name, p in trained.named_parameters()}
    trained.initialize(x)
    assert all(torch.equal(p, kept[name]) for name, p in trained.named_parameters())


def test_both_networks_use_one_dictionary_also_when_copied_and_loaded(tmp_path):
    import copy

    pair = convolutional(0.8)
    pair.zeros.fill_(0.3)
    pair.log_rate.fill_(1.5)
    pg.save(pair, tmp_path / "pair")
    for other in (copy.deepcopy(pair), pg.load(tmp_path / "pair")):
        assert other.encoder.dictionary is other.decoder.dictionary is other.encoder.coder.dictionary
        assert other.sparsity == 0.8
        assert (other.zeros.item(), other.log_rate.item()) == pytest.approx((0.3, 1.5))
    assert sum(name.endswith("dictionary.weight") for name, _ in pair.named_parameters()) == 1


def test_features_have_mean_0_and_variance_1_and_weigh_by_their_noise():
    x = (torch.rand(6, 1, 8, 8) < 0.4).double()
    one, half = convolutional(), convolutional(scale=0.5)
    half.load_state_dict(one.state_dict())
    f = one.encoder.features(x).flatten(1)
    torch.testing.assert_close(f.mean(1), torch.zeros(6).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(f.var(1, unbiased=False), torch.ones(6).double(), atol=1e-6, rtol=0)
    with torch.no_grad():  # and no way to be small
        one.encoder.network[-1].weight.mul_(1e-3)
        one.encoder.network[-1].bias.mul_(1e-3)
    torch.testing.assert_close(one.encoder.features(x).flatten(1), f, atol=1e-2, rtol=0)
    assert half.penalty().item() == pytest.approx(one.penalty().item() / 4)


def test_what_does_not_fit_is_refused_in_one_sentence():
    make = pg.nn.Dictionary
    dictionary, image = make(16, atoms=24), (1, 4, 4)
    encoder = pg.nn.SparseLinearEncoder(image, pg.nn.ISTA(dictionary, 3))
    decoder = pg.nn.SparseLinearDecoder(image, dictionary)
    x = torch.rand(5, *image)
    for wrong, message in (
        (lambda: pg.models.SCVAE(encoder, decoder, sparsity=1), "below 1"),
        (lambda: pg.models.SCVAE(encoder, decoder, sparsity=1.0), "below 1"),
        (lambda: pg.models.SCVAE(encoder, decoder, sparsity=-0.1), "of at least 0 and below 1"),
        (lambda: pg.models.SCVAE(encoder, decoder, sparsity=math.nan), "nan"),
        (lambda: pg.models.SCVAE(encoder, decoder, sparsity=0.5, beta=0.0), "beta=0"),
        (lambda: pg.models.SCVAE(encoder, decoder, rate=0.0), "rate must be a finite number above 0"),
        (lambda: pg.models.SCVAE(encoder, decoder, rate=math.inf), "rate must be a finite number above 0"),
        (lambda: pg.models.SCVAE(encoder, pg.nn.SparseLinearDecoder(image, make(16, 24))), "two dictionaries"),
        (lambda: pg.models.SCVAE(encoder, pg.nn.SparseLinearDecoder(image, make(16, 20))), "one latent, got 24"),
        (lambda: pg.models.SCVAE(encoder, pg.nn.SparseLinearDecoder(image, dictionary, "bernoulli")), "Gaussian"),
        (lambda: pg.nn.SparseLinearEncoder((1, 5, 5), pg.nn.ISTA(dictionary, 3)), "must be 25 long"),
        (lambda: pg.nn.SparseLinearDecoder((1, 5, 5), dictionary), "must be 25 long"),
        (lambda: pg.nn.SparseConvEncoder((1, 6, 6), pg.nn.ISTA(dictionary, 3), channels=(8, 8)), "divisible by 4"),
        (
            lambda: pg.nn.SparseConvEncoder(image, pg.nn.ISTA(dictionary, 3), channels=(8,), scale=0),
            "scale must be a finite number above 0",
        ),
        (lambda: pg.nn.SparseConvDecoder(image, dictionary, channels=()), "channels must be the widths"),
        (lambda: decoder(torch.zeros(5, 23)), r"z must have shape \(\*batch, 24\)"),
        (lambda: pg.models.SCVAE(encoder, decoder).set_sparsity(x, 1.0), "below 1"),
        (lambda: pg.models.SCVAE(encoder, decoder).set_sparsity(x * math.nan, 0.5), "NaN"),
        (lambda: pg.models.SCVAE(encoder, decoder).set_sparsity(x * 0, 0.5), "zero whatever the rate"),
        (lambda: pg.models.SCVAE(encoder, decoder).set_sparsity(x[:0], 0.5), "x must have at least one image"),
        (lambda: pg.models.SCVAE(encoder, decoder, beta=0.0).set_sparsity(x, 0.5), "beta=0"),
    ):
        with pytest.raises(ValueError, match=message) as refused:
            wrong()
        assert "\n" not in str(refused.value)
    for wrong, message in (
        (lambda: pg.models.SCVAE(pg.nn.LinearEncoder(image, 24), decoder), "must be a pg.nn.SparseEncoder"),
        (lambda: pg.models.SCVAE(encoder, pg.nn.LinearDecoder(image, 24)), "must be a pg.nn.SparseDecoder"),
        (
            lambda: pg.models.SCVAE(encoder, decoder, sparsity="a"),
            "sparsity must be a number of at least 0",
        ),
        (lambda: pg.models.SCVAE(encoder, decoder, sparsity=[0.5]), "sparsity must be a number"),
        (lambda: pg.models.SCVAE(encoder, decoder, rate=None), "rate must be a finite number above 0, got None"),
        (lambda: pg.models.SCVAE(encoder, decoder, rate=torch.ones(2)), "rate must be a finite number above 0"),
        (lambda: pg.models.SCVAE(encoder, decoder, beta="a"), "beta must be a finite number"),
        (lambda: pg.models.SCVAE(encoder, decoder).set_sparsity(x, "a"), "sparsity must be a number"),
        (
            lambda: pg.nn.SparseConvEncoder(image, encoder.coder, channels=(8,), scale="a"),
            "scale must be a finite number",
        ),
        (lambda: pg.nn.SparseLinearEncoder(image, dictionary), "coder must be"),
        (lambda: pg.nn.SparseLinearDecoder(image, torch.eye(16)), "must be a pg.nn.Dictionary"),
    ):
        with pytest.raises(TypeError, match=message):
            wrong()


class Features(pg.nn.SparseEncoder):
    """Returns `output`, for a grid of two places and vectors of four features."""

    def __init__(self, output):
        super().__init__((8,), pg.nn.ISTA(pg.nn.Dictionary(4, atoms=4), steps=2), grid=(2,))
        self.output = output

    def features_of(self, x):
        return self.output


class Images(pg.nn.SparseDecoder):
    """Returns `output`."""

    def __init__(self, output):
        super().__init__((2, 4), pg.nn.Dictionary(4, atoms=4), "bernoulli", grid=(2,))
        self.output = output

    def output_of(self, z):
        return self.output


@pytest.mark.parametrize("batch", [(6,), (2, 3)])
def test_a_network_of_ones_own_that_gives_another_shape_is_refused(batch):
    """A reshape would hide it where the number of values agrees."""
    for shape in ((6, 4, 2), (6, 8), (6, 3, 4), (1, 2, 4)):
        with pytest.raises(ValueError, match=r"what features_of returns must have shape \(6, 2, 4\), got \(\d, "):
            Features(torch.zeros(shape)).features(torch.zeros(*batch, 8))
        with pytest.raises(ValueError, match=r"what output_of returns must have shape \(6, 2, 4\), got \(\d, "):
            Images(torch.zeros(shape))(torch.zeros(*batch, 2, 4))
    assert Features(torch.zeros(6, 2, 4)).features(torch.zeros(*batch, 8)).shape == (*batch, 2, 4)
    assert Images(torch.zeros(6, 2, 4))(torch.zeros(*batch, 2, 4)).mean.shape == (*batch, 2, 4)


def test_a_share_of_zeros_below_what_is_always_zero_is_refused_and_the_rate_stays():
    pair = linear(bias=False, steps=5, rate=0.7)
    x = torch.randn(10, 4, 4).double()
    x[:5] = 0  # half of the codes are zero whatever the rate
    with pytest.raises(ValueError, match=r"50\.0% of the codes' entries are zero at every rate"):
        pair.set_sparsity(x, 0.2)
    assert pair.log_rate.exp().item() == pytest.approx(0.7)
    assert pair.set_sparsity(x, 0.8) == pytest.approx(0.8, abs=0.02)


def test_a_zero_atom_is_refused_before_training():
    pair = linear(steps=3)
    with torch.no_grad():
        pair.dictionary.weight[:, 3] = 0
        pair.dictionary.placed.fill_(1)
    with pytest.raises(ValueError, match="got zero for atom 3"):
        pg.fit(pair, torch.randn(20, 4, 4), steps=2, batch_size=10, progress=False)


def test_draws_from_the_prior_have_no_zero_though_codes_do():
    """So `sample` does not look like the data: the prior's own draws are dense."""
    pair = linear(steps=50, rate=3.0)
    assert (pair.prior().sample((100,)) != 0).all()
    assert share(pair, torch.randn(20, 4, 4).double()).mean() > 0.2
