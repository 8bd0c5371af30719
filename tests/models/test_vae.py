"""The VAE's own: β, priors of each kind, names, files of pairs with foreign parts, and errors."""

import copy
import math
import pickle

import pyro
import pytest
import torch
from cases import LearnedMixture
from pyro import distributions as dist
from pyro.infer import SVI, Trace_ELBO, TraceMeanField_ELBO
from torch import nn

import pyrogen as pg
from pyrogen.training import elbo_terms

BOTH = pytest.mark.parametrize("elbo", [Trace_ELBO, TraceMeanField_ELBO])


def networks(latent=2, **arguments):
    return pg.nn.MLPEncoder((4,), latent, hidden=(8,)), pg.nn.MLPDecoder((4,), latent, hidden=(8,), **arguments)


def binary(n, *shape):
    return torch.bernoulli(torch.full((n, *(shape or (4,))), 0.3))


class OwnEncoder(pg.nn.Encoder):
    """A user's encoder: one number to one code, with a width that it was told."""

    def __init__(self, shape, latent, width=3):
        super().__init__(shape, latent)
        self.layers = nn.Sequential(nn.Linear(*shape, width), nn.Tanh(), nn.Linear(width, 2 * latent))

    def parameters_of(self, x):
        return self.layers(x).chunk(2, -1)


class Echo(pg.Described, nn.Module):
    """A mixture of the encoder's own posteriors at inputs that are learned."""

    def __init__(self, encoder, inputs):
        super().__init__()
        self.encoder, self.inputs = encoder, nn.Parameter(inputs)

    def forward(self):
        return dist.MixtureSameFamily(dist.Categorical(torch.ones(len(self.inputs))), self.encoder(self.inputs))


class Foreign(nn.Module):
    """A decoder that pyrogen has no description of."""

    shape, latent = (4,), 2

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 4)

    def forward(self, z):
        return dist.Bernoulli(logits=self.layer(z)).to_event(1)


def loss(pair, x, elbo=Trace_ELBO, seed=0):
    torch.manual_seed(seed)
    return elbo().loss(pair.model, pair.guide, x)


@BOTH
@pytest.mark.parametrize("prior", [None, "mixture"])
def test_the_loss_is_linear_in_beta(elbo, prior):
    encoder, decoder = networks()
    prior = LearnedMixture(2) if prior else None
    x = binary(6).double()
    at = {beta: loss(pg.models.VAE(encoder, decoder, beta, prior).double(), x, elbo) for beta in (0.0, 0.5, 1.0, 8.0)}
    kl = at[1.0] - at[0.0]
    assert abs(kl) > 1e-3
    assert at[0.5] == pytest.approx(at[0.0] + 0.5 * kl, rel=1e-12)
    assert at[8.0] == pytest.approx(at[0.0] + 8.0 * kl, rel=1e-12)


@BOTH
def test_without_kl_only_the_reconstruction_trains(elbo):
    encoder, decoder = networks()
    pair, x = pg.models.VAE(encoder, decoder, 0.0, LearnedMixture(2)), binary(16)
    centers = pair._prior.centers.detach().clone()
    before = loss(pair, x)
    svi = SVI(pair.model, pair.guide, pyro.optim.Adam({"lr": 0.05}), elbo())
    for _ in range(50):
        svi.step(x)
    assert loss(pair, x) < before
    assert torch.equal(pair._prior.centers, centers)


@BOTH
def test_beta_can_be_loaded_into_a_pair_that_had_none(elbo, tmp_path):
    pair = pg.models.VAE(*networks(), beta=4.0)
    pg.save(pair, tmp_path / "pair")
    into = pg.models.VAE(*networks(), beta=0.0)
    pg.load(tmp_path / "pair", into=into)
    x = binary(6)
    assert into.beta == 4.0
    assert loss(into, x, elbo) == loss(pair, x, elbo)


def test_beta_as_a_tensor_survives_a_file(tmp_path):
    pair = pg.models.VAE(*networks(), beta=torch.tensor(4.0))
    pg.save(pair, tmp_path / "pair")
    x = binary(6)
    assert loss(pg.load(tmp_path / "pair"), x) == loss(pair, x)


def test_beta_is_saved_and_is_no_parameter():
    pair = pg.models.VAE(*networks(), beta=4.0)
    assert "beta" in pair.state_dict()
    assert "beta" not in dict(pair.named_parameters())


def normal_prior():
    return dist.Normal(torch.zeros(2), 2 * torch.ones(2)).to_event(1)


@pytest.mark.parametrize("prior", [normal_prior, normal_prior()], ids=["callable", "distribution"])
def test_a_prior_is_a_distribution_or_a_callable_that_returns_one(prior):
    pair = pg.models.VAE(*networks(), prior=prior)
    assert torch.equal(pair.prior().base_dist.scale, torch.full((2,), 2.0))
    torch.manual_seed(0)
    kl = elbo_terms(pair, x := binary(6)).kl["z"]
    q = pair.encode(x)
    expected = torch.log(2 / q.stddev) + (q.variance + q.mean**2) / 8 - 0.5
    torch.testing.assert_close(kl, expected.mean(0))


@pytest.mark.parametrize(
    "wrong",
    [
        dist.Normal(torch.zeros(2), torch.ones(2)),  # .to_event(1) forgotten
        dist.Normal(torch.zeros(3), torch.ones(3)).to_event(1),
        dist.Normal(torch.zeros(5, 2), torch.ones(5, 2)).to_event(1),
        dist.Normal(torch.zeros(1, 2), torch.ones(1, 2)).to_event(1),
        dist.Normal(torch.zeros(1, 2), torch.ones(1, 2)).to_event(2),
    ],
)
def test_a_prior_over_anything_but_codes_is_refused(wrong):
    for prior in (wrong, lambda: wrong):
        with pytest.raises(ValueError, match=r"prior must be one distribution over vectors of 2 \(event shape"):
            pg.models.VAE(*networks(), prior=prior)


def test_samples_come_from_the_pairs_own_prior():
    decoder = pg.nn.LinearDecoder((2,), 2)
    decoder.loc.weight.data, decoder.loc.bias.data = torch.eye(2), torch.zeros(2)
    mean = torch.tensor([50.0, -50.0])
    pair = pg.models.VAE(pg.nn.LinearEncoder((2,), 2), decoder, prior=dist.Normal(mean, 0.1).to_event(1))
    assert (pair.sample(100) - mean).abs().max() < 1.0  # ten standard deviations: a false alarm below 1e-20


@pytest.mark.parametrize("beta", [-1e-9, -1.0, math.nan, math.inf, -math.inf])
def test_a_weight_that_is_none_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be a finite number of at least 0, got"):
        pg.models.VAE(*networks(), beta=beta)


def test_networks_that_disagree_are_refused():
    encoder, decoder = networks()
    with pytest.raises(ValueError, match="must have one latent, got 3 and 2"):
        pg.models.VAE(pg.nn.MLPEncoder((4,), 3), decoder)
    with pytest.raises(ValueError, match=r"must have one shape, got \(4,\) and \(2, 2\)"):
        pg.models.VAE(encoder, pg.nn.MLPDecoder((2, 2), 2))
    with pytest.raises(TypeError, match=r"must both say their latent, got .*: subclass pg\.nn\.Encoder"):
        pg.models.VAE(nn.Linear(4, 2), decoder)
    with pytest.raises(TypeError, match=r"must both say their latent, got .*: subclass pg\.nn\.Encoder"):
        pg.models.VAE(encoder, nn.Linear(2, 4))


@pytest.mark.parametrize("n", [0, -1])
def test_a_number_of_samples_must_be_positive(n):
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got"):
        pg.models.VAE(*networks()).sample(n)


def test_data_outside_the_support_are_refused():
    pair = pg.models.VAE(*networks())
    with pytest.raises(ValueError, match="continuous_bernoulli"):
        pair.check(torch.full((3, 4), 0.5))


def test_what_is_no_tensor_is_refused():
    for call in (pg.models.VAE(*networks()).encode, pg.models.VAE(*networks()).reconstruct):
        with pytest.raises(TypeError, match=r"x must be a torch\.Tensor, got a list"):
            call([[0.0, 1.0, 0.0, 1.0]])


def test_names_are_unique_whatever_the_way_a_pair_came():
    pair = pg.models.VAE(*networks())
    pairs = [pair, copy.deepcopy(pair), copy.copy(pair), pickle.loads(pickle.dumps(pair)), pg.models.VAE(*networks())]
    assert len({p.name for p in pairs}) == len(pairs)


def test_an_encoder_of_ones_own_comes_back_from_a_file(tmp_path):
    pair = pg.models.VAE(OwnEncoder((4,), 2, width=5), networks()[1], beta=2.0).double()
    pg.save(pair, tmp_path / "pair")
    loaded = pg.load(tmp_path / "pair")
    assert type(loaded.encoder) is OwnEncoder
    assert loaded.encoder.layers[0].out_features == 5
    x = binary(6)
    assert loss(loaded, x) == loss(pair, x)


def test_a_foreign_network_trains_but_its_file_needs_a_pair_to_go_into(tmp_path):
    pair, x = pg.models.VAE(networks()[0], Foreign()), binary(16)
    pg.fit(pair, x, steps=3, batch_size=8, progress=False)
    pg.save(pair, tmp_path / "pair")
    with pytest.raises(pg.CheckpointError, match=r"cannot rebuild \(.*Foreign\): .* load\(path, into=pair\)"):
        pg.load(tmp_path / "pair")
    into = pg.models.VAE(networks()[0], Foreign())
    assert loss(into, x) != loss(pair, x)
    assert pg.load(tmp_path / "pair", into=into) is into
    assert loss(into, x) == loss(pair, x)


@pytest.mark.parametrize("prior", [normal_prior, normal_prior()], ids=["callable", "distribution"])
def test_a_prior_without_a_description_is_named(prior, tmp_path):
    pg.save(pg.models.VAE(*networks(), prior=prior), tmp_path / "pair")
    with pytest.raises(pg.CheckpointError, match=r"cannot rebuild \((builtins\.function|pyro\..*Independent)\)"):
        pg.load(tmp_path / "pair")


def test_a_prior_made_of_the_encoder_shares_it_again_after_a_file(tmp_path):
    encoder, decoder = networks()
    pair = pg.models.VAE(encoder, decoder, prior=Echo(encoder, torch.rand(3, 4)))
    pg.save(pair, tmp_path / "pair")
    loaded = pg.load(tmp_path / "pair")
    assert loaded._prior.encoder is loaded.encoder
    assert torch.equal(loaded._prior.inputs, pair._prior.inputs)
    x = binary(6)
    assert loss(loaded, x) == loss(pair, x)
    copied = copy.deepcopy(pair)
    assert copied._prior.encoder is copied.encoder is not encoder


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        (3, TypeError, "prior must be a distribution, a callable that returns one, or None, got 3"),
        (lambda: torch.zeros(2), TypeError, "the prior must return a distribution .* got a Tensor"),
        (
            pg.distributions.VampPrior(pg.nn.MLPEncoder((4, 4), 2), 3),
            ValueError,
            "prior must be made with the encoder passed here",
        ),
    ],
)
def test_a_prior_that_is_none_or_anothers_is_refused(prior, error, message):
    networks = pg.nn.MLPEncoder((4, 4), 2), pg.nn.MLPDecoder((4, 4), 2)
    with pytest.raises(error, match=message):
        pg.models.VAE(*networks, prior=prior)
