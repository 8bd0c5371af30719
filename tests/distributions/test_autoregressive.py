"""The learned prior over codes: its log_prob is the network's, it normalizes, and it draws from what it says."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import pyrogen as pg
from pyrogen.distributions import AutoregressivePrior
from pyrogen.nn import Codebook

FALSE_ALARM = 1e-6


def make(grid=(2, 2), codes=3, sharpness=1.0):
    torch.manual_seed(0)
    codebook = Codebook(codes, 2).double()
    prior = AutoregressivePrior(codebook, pg.nn.PixelCNN(grid, codes, channels=8, layers=2)).double()
    with torch.no_grad():  # far from uniform, and with much dependence
        prior.network.head[-1].weight.mul_(sharpness)
        prior.network.embedding.weight.mul_(3.0)
    return prior


def every_index(codes=3, grid=(2, 2)):
    tokens = torch.Size(grid).numel()
    return torch.tensor(list(itertools.product(range(codes), repeat=tokens))).reshape(-1, *grid)


def test_log_prob_is_the_sum_of_the_networks_over_the_indices():
    prior = make((2, 3))
    indices = torch.randint(3, (4, 5, 2, 3))
    z = prior.codebook.lookup(indices)
    logits = prior.network.logits_of(indices.reshape(20, 2, 3)).log_softmax(-1)
    by_hand = logits.gather(-1, indices.reshape(20, 2, 3, 1)).sum((1, 2, 3)).reshape(4, 5)
    torch.testing.assert_close(prior().log_prob(z), by_hand, rtol=1e-12, atol=0)
    torch.testing.assert_close(prior().log_prob_of(indices), by_hand, rtol=1e-12, atol=0)
    prior()._validate_args = False
    p = prior()
    p._validate_args = False
    assert torch.isneginf(p.log_prob(z + 0.01)).all()


def test_the_probabilities_of_all_grids_of_codes_sum_to_one():
    prior = make(sharpness=6.0)
    log_prob = prior().log_prob(prior.codebook.lookup(every_index()))
    assert log_prob.exp().sum().item() == pytest.approx(1, rel=1e-12)
    assert log_prob.exp().max() > 5 / 81  # not nearly uniform, so that the test below says something


@pytest.mark.parametrize("grid", [(2, 2), (4,)])
def test_samples_come_as_often_as_log_prob_says(grid):
    """Pearson's χ² over the 81 grids, those expected less than 10 times taken together."""
    prior, n = make(grid, sharpness=6.0), 6_000
    z = prior().sample((n,))
    assert z.shape == (n, *grid, 2)
    assert not z.requires_grad
    place = (prior.codebook.nearest(z).reshape(n, 4) * torch.tensor([27, 9, 3, 1])).sum(1)
    counts = torch.bincount(place, minlength=81).numpy()
    expected = n * prior().log_prob_of(every_index(grid=grid)).exp().detach().numpy()
    rare = expected < 10
    counts, expected = (np.append(values[~rare], values[rare].sum()) for values in (counts, expected))
    counts, expected = counts[expected > 0], expected[expected > 0]
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert len(counts) > 15
    assert statistic < chi2.isf(FALSE_ALARM, len(counts) - 1)


def test_it_expands_and_trains_by_its_log_prob():
    prior = make()
    p = prior().expand((4,))
    assert p.sample((3,)).shape == (3, 4, 2, 2, 2)
    p.log_prob(p.sample()).sum().backward()
    assert all(q.grad is not None and q.grad.abs().sum() > 0 for q in prior.network.parameters())


def test_a_network_over_other_codes_is_refused():
    with pytest.raises(ValueError, match="network must be one for the 4 codes of the codebook, got one for 3"):
        AutoregressivePrior(Codebook(4, 2), pg.nn.PixelCNN((2, 2), codes=3))
    with pytest.raises(TypeError, match=r"network must be a pg\.nn.Autoregressive"):
        AutoregressivePrior(Codebook(4, 2), torch.nn.Linear(2, 2))
