"""A noise for each entry, fixed, learned, or a function of z."""

import math

import pytest
import torch

import pyrogen as pg


@pytest.mark.parametrize("scale", [[0.5, 2.0], torch.tensor([0.5, 2.0]), (0.5, 2.0)])
@pytest.mark.parametrize("learned", [False, True])
def test_each_entry_has_its_noise_and_a_saved_pair_has_it_too(scale, learned, tmp_path):
    noise = pg.nn.Gaussian(scale, learned=learned)
    output, x = torch.zeros(3, 2), torch.ones(3, 2)
    expected = sum(-0.5 / s**2 - math.log(s) - 0.5 * math.log(2 * math.pi) for s in (0.5, 2.0))
    torch.testing.assert_close(noise(output, 1).log_prob(x), torch.full((3,), expected))
    assert len(list(noise.parameters())) == learned
    pair = pg.models.VAE(pg.nn.MLPEncoder((2,), 1), pg.nn.MLPDecoder((2,), 1, likelihood=noise))
    pg.save(pair, tmp_path / "pair")
    again = pg.load(tmp_path / "pair").decoder.likelihood
    assert torch.equal(again.log_scale, noise.log_scale)


def test_a_learned_noise_moves_entry_by_entry():
    torch.manual_seed(0)
    x = torch.randn(500, 2) * torch.tensor([0.1, 3.0])
    noise = pg.nn.Gaussian([1.0, 1.0], learned=True)
    decoder = pg.nn.LinearDecoder((2,), 1, likelihood=noise)
    pair = pg.models.VAE(pg.nn.LinearEncoder((2,), 1), decoder)
    pg.fit(pair, x, steps=600, batch_size=100, lr=2e-2, progress=False)
    low, high = noise.log_scale.exp().tolist()
    assert low < 0.2
    assert high < 3.5
    assert high > 5 * low


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), [1.0, 0.0], [1.0, float("inf")], []])
def test_a_noise_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match="scale must be"):
        pg.nn.Gaussian(scale)


def test_a_noise_that_is_not_a_number_or_does_not_fit_is_refused():
    with pytest.raises(TypeError, match="scale must be a finite number"):
        pg.nn.Gaussian("x")
    with pytest.raises(ValueError, match="must have a shape that fits x"):
        pg.nn.Gaussian([[1.0, 1.0]])(torch.zeros(5, 2), 1)


def test_two_heads_give_mean_and_noise():
    torch.manual_seed(0)
    mean, spread = (pg.nn.MLPDecoder((2, 3), 2, "gaussian", hidden=(4,)) for _ in range(2))
    heads, z = pg.nn.TwoHeads(mean, spread, least=0.1), torch.randn(4, 5, 2)
    x = torch.randn(4, 5, 2, 3)
    loc = mean(z).mean
    scale = 0.1 + torch.nn.functional.softplus(spread(z).mean)
    expected = torch.distributions.Normal(loc, scale).log_prob(x).sum((-1, -2))
    torch.testing.assert_close(heads(z).log_prob(x), expected)
    with pytest.raises(ValueError, match="spread must have the shape"):
        pg.nn.TwoHeads(mean, pg.nn.MLPDecoder((2, 3), 3, "gaussian"))
