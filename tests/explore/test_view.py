"""What the explorer computes, against the pair itself and against codes whose answer is known."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pyro import distributions as dist

import pyrogen as pg
from pyrogen.explore import View
from pyrogen.explore.view import _Images


def make(shape=(8, 8), latent=4, likelihood="bernoulli"):
    torch.manual_seed(0)
    networks = pg.nn.MLPEncoder(shape, latent), pg.nn.MLPDecoder(shape, latent, likelihood=likelihood)
    return pg.models.VAE(*networks)


def images(n=60, shape=(8, 8)):
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(n, *shape, generator=generator) < 0.4).float()


class Factors:
    """Six images of three shapes in two places, with an encoder that reads the factors."""

    factor_names, factor_sizes = ("shape", "place"), (3, 2)

    def __len__(self):
        return 6

    def images(self, index):
        return torch.eye(6)[index]

    def factors(self, index):
        return torch.stack((index // 2, index % 2), -1)

    def index(self, factors):
        return factors[:, 0] * 2 + factors[:, 1]


class Reads(pg.nn.Encoder):
    """z0 is the place, z1 the shape."""

    def __init__(self):
        super().__init__((6,), 2)

    def parameters_of(self, x):
        number = x.argmax(-1)
        loc = torch.stack((number % 2 * 2.0 - 1.0, (number // 2) * 1.5 - 1.5), -1)
        return loc, torch.full_like(loc, -2.0)


def test_images_codes_and_reconstructions_are_the_pairs():
    pair, x = make(), images()
    view = View(pair, x)
    np.testing.assert_allclose(view.image(3), x[3])
    np.testing.assert_allclose(view.code(3), pair.encode(x[3:4]).mean[0].detach(), rtol=1e-5)
    np.testing.assert_allclose(view.reconstruct(3), pair.decode(pair.encode(x[3:4]).mean).mean[0].detach(), rtol=1e-5)
    np.testing.assert_allclose(view.decode(np.zeros(4)), pair.decode(torch.zeros(1, 4)).mean[0].detach(), rtol=1e-5)


def test_latents_go_by_falling_kl():
    pair = pg.models.VAE(Reads(), pg.nn.MLPDecoder((6,), 2))
    view = View(pair, Factors())
    q = pair.encode(torch.eye(6))
    kl = torch.distributions.kl_divergence(q.base_dist, dist.Normal(0.0, 1.0)).mean(0)
    np.testing.assert_allclose(view.kl, kl, rtol=1e-5)
    assert view.order.tolist() == [1, 0]


def test_a_true_factor_moves_the_latent_that_reads_it():
    view = View(pg.models.VAE(Reads(), pg.nn.MLPDecoder((6,), 2)), Factors())
    for factor, latent in ((0, 1), (1, 0)):
        shown, codes = view.turn(2, factor)
        assert shown.shape == ((3, 6), (2, 6))[factor]
        assert codes.std(0).argmax() == latent
        assert codes.std(0)[1 - latent] == 0
    table, names = view.information
    assert names == ("shape", "place")
    assert table.argmax(0).tolist() == [1, 0]


def test_a_path_begins_and_ends_at_its_codes():
    view = View(make(), images())
    start, end = view.code(0), view.code(1)
    way = view.path(start, end, 5)
    np.testing.assert_allclose(way[0], view.decode(start), rtol=1e-6)
    np.testing.assert_allclose(way[-1], view.decode(end), rtol=1e-6)
    np.testing.assert_allclose(way[2], view.decode((start + end) / 2), rtol=1e-6)


def test_a_pair_is_left_as_it_was():
    pair = make()
    pair.train()
    before, state = copy.deepcopy(pair.state_dict()), torch.get_rng_state()
    view = View(pair, images())
    view.sample(3)
    view.decode(view.code(0))
    assert pair.training
    assert pair.encoder.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in pair.state_dict().items())


def test_codes_on_a_grid_can_be_swapped():
    torch.manual_seed(0)
    networks = pg.nn.MLPGridEncoder((8, 8), grid=(2, 2), dim=3), pg.nn.MLPGridDecoder((8, 8), grid=(2, 2), dim=3)
    pair = pg.models.VQVAE(*networks, pg.nn.Codebook(codes=5, dim=3))
    view = View(pair, images())
    assert view.tokens == ((2, 2), 5)
    own = view.token_indices(4)
    np.testing.assert_allclose(view.decode_tokens(own), view.reconstruct(4), rtol=1e-5)
    other = own.copy()
    other[0, 0] = (own[0, 0] + 1) % 5
    assert not np.allclose(view.decode_tokens(other), view.decode_tokens(own))


def test_without_data_there_is_the_prior():
    view = View(make())
    assert len(view) == 0
    assert view.sample(4, seed=1).shape == (4, 4)
    assert (view.sample(4, seed=1) == view.sample(4, seed=1)).all()
    assert view.low.tolist() == [-3.0] * 4


def test_other_guides_and_double_precision():
    torch.manual_seed(0)
    points = pg.models.Autoencoder(pg.nn.MLPEncoder((8, 8), 3, point=True), pg.nn.MLPDecoder((8, 8), 3))
    assert View(points, images()).kl.shape == (3,)
    top = pg.nn.MLPEncoder((4,), 4), pg.nn.MLPEncoder((4,), 4)  # as long as the codes below: only the layer differs
    layers = View(pg.models.TwoLayerVAE(pg.nn.MLPEncoder((8, 8), 4), pg.nn.MLPDecoder((8, 8), 4), *top), images())
    assert (layers.unit, layers.sample(2).shape) == ("variance", (2, 4))
    np.testing.assert_allclose(layers.kl, layers.codes.var(0), rtol=1e-5)
    assert View(make().double(), images()).decode(np.ones(4)).shape == (8, 8)
    assert View(make((3, 4, 4), 2, "gaussian"), torch.rand(9, 3, 4, 4)).decode(np.ones(2)).shape == (3, 4, 4)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"data must be images of shape \(8, 8\), got \(4, 4\)"):
        View(make(), images(shape=(4, 4)))
    with pytest.raises(TypeError, match="pair must have encode and decode"):
        View(torch.nn.Linear(2, 2))
    labeled = pg.models.ConditionalVAE(pg.nn.MLPEncoder((66,), 3), pg.nn.MLPDecoder((8, 8), 5), classes=2)
    with pytest.raises(ValueError, match="pair must decode a code alone, got a ConditionalVAE"):
        View(labeled, images())
    with pytest.raises(TypeError, match="samples must be a whole number"):
        View(make(), images(), samples="many")


def test_factors_are_turned_only_where_every_combination_is_an_image():
    data = SimpleNamespace(
        images=lambda rows: torch.zeros(len(rows), 2, 2), index=None, factor_names=("a", "b"), factor_sizes=(2, 2)
    )
    for length, sizes in ((4, (2, 2)), (3, ())):
        kind = type("Data", (SimpleNamespace,), {"__len__": lambda self, n=length: n})
        assert _Images(kind(**vars(data))).factor_sizes == sizes


def test_a_factor_that_does_not_vary_is_left_out():
    view = object.__new__(View)
    factors = np.stack([np.arange(40) % 2, np.zeros(40, dtype=int)], 1)
    view.data = SimpleNamespace(factors=lambda index: factors[index], factor_names=("a", "b"))
    view.index, view.codes = np.arange(40), np.random.default_rng(0).normal(size=(40, 3))
    table, names = view.information
    assert (table.shape, names) == ((3, 1), ("a",))
