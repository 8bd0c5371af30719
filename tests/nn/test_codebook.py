"""The codebook and the two distributions over its codes, against brute force, Lloyd's step and log K a token."""

import itertools
import math

import numpy as np
import pytest
import torch
from pyro.distributions import Normal
from scipy.stats import chi2
from sklearn.cluster import KMeans
from torch.distributions import kl_divergence

from pyrogen.distributions import Quantized, UniformCodes
from pyrogen.nn import Codebook
from pyrogen.oracles import vector_quantization as exact

FALSE_ALARM = 1e-6


def book(codes=5, dim=3, **settings):
    return Codebook(codes, dim, **{"revive": 0.0, **settings}).double()


def test_the_nearest_code_is_that_of_brute_force():
    codebook, e = book(7), torch.randn(4, 5, 6, 3, dtype=torch.float64)
    index = codebook.nearest(e)
    assert index.shape == (4, 5, 6)
    assert (index.flatten().numpy() == exact.nearest(e.reshape(-1, 3), codebook.vectors)).all()
    torch.testing.assert_close(codebook.lookup(index)[1, 2, 3], codebook.vectors[index[1, 2, 3]], rtol=0, atol=0)


def test_codes_far_from_zero_are_told_apart_in_single_precision():
    """At 1e4 with a spread of 1 a squared norm is rounded by 6, more than the distances that are compared."""
    codebook = Codebook(16, 2)
    codebook.vectors.copy_(torch.randn(16, 2) + 1e4)
    e = torch.randn(500, 2) + 1e4
    found, best = codebook.nearest(e).numpy(), exact.nearest(e, codebook.vectors)
    points, codes = e.double().numpy(), codebook.vectors.double().numpy()
    distance = ((points - codes[found]) ** 2).sum(1) - ((points - codes[best]) ** 2).sum(1)
    assert distance.max() < 0.02  # two numbers near 1e4 are stored to 1e-3, so a distance of 1 is known to 4e-3


@pytest.mark.parametrize("steps", [1, 4])
def test_the_moving_average_without_memory_is_lloyds_step(steps):
    codebook, e = book(6, decay=0.0), torch.randn(40, 3, dtype=torch.float64)
    codebook.vectors[0] = 100.0  # nothing is near it: it stays
    codes = codebook.vectors.numpy().copy()
    for _ in range(steps):
        codebook.learn(e.reshape(8, 5, 3))
        codes = exact.lloyd_step(e, codes)
    np.testing.assert_allclose(codebook.vectors, codes, rtol=1e-12, atol=0)
    assert codebook.vectors[0].tolist() == [100.0] * 3


def test_the_moving_average_is_that_of_counts_and_sums():
    codebook, gamma = book(4, decay=0.9), 0.9
    codes, counts, sums = codebook.vectors.numpy().copy(), np.zeros(4), np.zeros((4, 3))
    for seed in range(5):
        e = torch.randn(30, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        index, points = exact.nearest(e, codes), e.numpy()
        for k in range(4):
            counts[k] = gamma * counts[k] + (1 - gamma) * (index == k).sum()
            sums[k] = gamma * sums[k] + (1 - gamma) * points[index == k].sum(0)
        codes = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1e-9)[:, None], codes)
        codebook.learn(e)
        np.testing.assert_allclose(codebook.vectors, codes, rtol=1e-12, atol=0)
    np.testing.assert_allclose(codebook.counts, counts, rtol=1e-12)


def test_a_code_that_is_never_used_stays_for_ever():
    codebook = Codebook(2, 1, decay=0.5, revive=0.0)
    codebook.vectors.copy_(torch.tensor([[0.0], [9.0]]))
    codebook.learn(torch.full((4, 1), 8.0))
    for _ in range(400):  # its counts and sums underflow to 0
        codebook.learn(torch.zeros(4, 1))
    assert codebook.vectors.tolist() == [[0.0], [8.0]]
    assert codebook.counts[1] == 0


def test_by_loss_the_vectors_wait_for_the_optimizer():
    codebook = book(update="loss")
    before = codebook.vectors.detach().clone()
    codebook.learn(torch.randn(30, 3, dtype=torch.float64))
    assert torch.equal(codebook.vectors, before)
    assert codebook.counts.sum() == pytest.approx(0.01 * 30)
    assert [name for name, _ in codebook.named_parameters()] == ["vectors"]
    assert not list(book(update="ema").parameters())


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_dead_codes_move_to_where_the_codebook_is_worst(update):
    """40 features lie within 0.01 of their code, 10 about 100 from theirs: one of these is drawn, but with probability
    of at most 40 · 0.01² / (10 · 50²) < 1e-6."""
    codebook = Codebook(3, 1, update=update, decay=0.0, revive=0.1).double()
    codebook.vectors.data.copy_(torch.tensor([[0.0], [5000.0], [-900.0]]))
    far = 5000 + torch.tensor([-1.0, 1.0]).double().repeat(5)[:, None] * (50 + 50 * torch.rand(10, 1).double())
    codebook.learn(torch.cat([0.01 * torch.rand(40, 1).double(), far]))
    assert codebook.counts.tolist() == pytest.approx([40, 10, 3 * 0.1 * 50 / 3])
    assert codebook.vectors[2].item() in far
    if update == "ema":
        assert codebook.sums[2].item() == pytest.approx((codebook.counts[2] * codebook.vectors[2]).item())
        assert codebook.vectors[1].item() == pytest.approx(far.mean().item())
    else:
        assert codebook.vectors[:2].flatten().tolist() == [0.0, 5000.0]  # those alive stay


def test_revived_codes_differ_and_are_features_of_the_batch():
    codebook, e = Codebook(8, 2, decay=0.0, revive=0.1), torch.randn(64, 2)
    codebook.vectors.copy_(torch.cat([torch.zeros(1, 2), torch.full((7, 2), 1e3)]))
    codebook.learn(e)
    revived = codebook.vectors[1:]
    assert len(torch.unique(revived, dim=0)) == 7
    assert all((row == e).all(1).any() for row in revived)
    torch.testing.assert_close(codebook.sums, codebook.counts[:, None] * codebook.vectors)
    codebook.learn(e[:4])  # fewer features than codes


def test_a_frozen_codebook_does_not_move():
    for update in ("ema", "loss"):
        codebook = Codebook(4, 2, update=update, revive=0.5)
        codebook.freeze()
        before = {name: tensor.clone() for name, tensor in codebook.state_dict().items()}
        codebook.learn(torch.randn(20, 2))
        assert all(torch.equal(tensor, before[name]) for name, tensor in codebook.state_dict().items())
        assert not any(p.requires_grad for p in codebook.parameters())


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_it_starts_from_k_means(update):
    """On clusters that are far apart k-means has one solution; here a feature may come many times."""
    centers = 20 * torch.eye(4, dtype=torch.float64)
    points = (centers[:, None] + torch.randn(4, 30, 4, dtype=torch.float64)).reshape(-1, 4)
    e = points[torch.cat([torch.arange(120), torch.zeros(50, dtype=torch.int64)])]
    codebook = Codebook(4, 4, update=update).double()
    codebook.initialize(e)
    np.testing.assert_allclose(exact.lloyd_step(e, codebook.vectors.detach()), codebook.vectors.detach(), rtol=1e-12)
    best = KMeans(4, n_init=3, random_state=0).fit(e.numpy()).inertia_
    assert exact.inertia(e, codebook.vectors.detach()) == pytest.approx(best, rel=1e-9)
    shares = np.sort(codebook.counts.numpy())
    np.testing.assert_allclose(shares, np.array([30, 30, 30, 80]) / 170, rtol=1e-12)


def test_more_codes_than_distinct_features_are_refused():
    with pytest.raises(ValueError, match=r"at least 5 distinct vectors, one a code, got 4 \(12 in all\)"):
        book(5, 2).initialize(torch.eye(4, dtype=torch.float64)[:, :2].repeat(3, 1) + torch.arange(12)[:, None] % 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"codes": 0}, "codes must be a whole number of at least 1, got 0"),
        ({"dim": 0}, "dim must be a whole number of at least 1"),
        ({"update": "sgd"}, "update must be one of 'ema', 'loss', got 'sgd'"),
        ({"decay": 1.0}, r"decay must be a number of at least 0 and below 1, got 1.0"),
        ({"revive": 1.0}, r"revive must be a number of at least 0 and below 1"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Codebook(**({"codes": 4, "dim": 2} | settings))


# --- the uniform prior


def every_grid(codebook, grid):
    """All grids of codes, (K ** T, *grid, D)."""
    tokens = list(itertools.product(range(codebook.codes), repeat=math.prod(grid)))
    return codebook.lookup(torch.tensor(tokens).reshape(-1, *grid))


def test_the_uniform_prior_costs_log_k_a_token():
    codebook = book(5)
    p = UniformCodes(codebook, (2, 4))
    z = p.sample((6, 7))
    assert z.shape == (6, 7, 2, 4, 3)
    assert (p.batch_shape, p.event_shape) == ((), (2, 4, 3))
    torch.testing.assert_close(p.log_prob(z), torch.full((6, 7), -exact.rate(8, 5), dtype=torch.float64))
    grids = every_grid(codebook, (2, 2))
    assert UniformCodes(codebook, (2, 2)).log_prob(grids).exp().sum().item() == pytest.approx(1, rel=1e-12)


def test_what_is_no_code_has_no_probability():
    codebook = book(5)
    p = UniformCodes(codebook, (2, 2))
    z = p.sample((3,))
    z[1, 0, 1, 2] += 1e-6
    p._validate_args = False
    assert torch.isneginf(p.log_prob(z)).tolist() == [False, True, False]
    assert p.support.check(z).tolist() == [True, False, True]
    p._validate_args = True
    with pytest.raises(ValueError, match="within the support"):
        p.log_prob(z)
    single = Codebook(5, 3)
    assert UniformCodes(single, ()).support.check(single.vectors[2] * (1 + 1e-7))  # rounding


def test_samples_take_each_code_equally_often():
    codebook = book(6, 2)
    indices = codebook.nearest(UniformCodes(codebook, (4, 5)).sample((1000,)))
    for counts in (torch.bincount(indices.flatten(), minlength=6), torch.bincount(indices[:, 1, 2], minlength=6)):
        expected = counts.sum().item() / 6
        statistic = ((counts - expected) ** 2 / expected).sum().item()
        assert statistic < chi2.isf(FALSE_ALARM / 2, 5)


def test_it_expands_as_a_plate_asks():
    codebook = book(5)
    p = UniformCodes(codebook, (2, 2)).expand((4,))
    assert (p.batch_shape, p.sample((2,)).shape) == ((4,), (2, 4, 2, 2, 3))
    assert p.log_prob(UniformCodes(codebook, (2, 2)).sample()).shape == (4,)
    assert p.expand((3, 4)).sample().shape == (3, 4, 2, 2, 3)


# --- the point on a grid of codes


def test_a_quantized_point_is_a_code_to_the_last_bit_with_the_gradient_of_the_features():
    codebook = Codebook(5, 3, update="loss")
    e = torch.randn(4, 2, 2, 3, requires_grad=True)
    q = Quantized(e, codebook)
    z = q.rsample()
    assert torch.equal(z, codebook.vectors[codebook.nearest(e)])
    assert torch.equal(q.mean, z)
    assert torch.equal(q.variance, torch.zeros_like(z))
    weight = torch.randn_like(z)
    of_e, of_codes = torch.autograd.grad((weight * z).sum(), (e, codebook.vectors), allow_unused=True)
    assert torch.equal(of_e, weight)
    assert of_codes is None
    of_e, of_codes = torch.autograd.grad((weight * q.codes).sum(), (e, codebook.vectors), allow_unused=True)
    assert of_e is None
    expected = torch.zeros(5, 3).index_add(0, q.indices.flatten(), weight.reshape(-1, 3))
    torch.testing.assert_close(of_codes, expected)


def test_a_quantized_point_has_probability_one():
    q = Quantized(torch.randn(4, 2, 2, 3, dtype=torch.float64), book())
    z = q.rsample()
    assert q.log_prob(z).tolist() == [0.0] * 4
    other = z.clone()
    other[2, 0, 0, 0] += 1e-9
    assert torch.isneginf(q.log_prob(other)).tolist() == [False, False, True, False]


def test_its_kl_is_log_k_a_token_analytic_or_not():
    codebook = book(5)
    q, p = Quantized(torch.randn(4, 2, 3, 3, dtype=torch.float64), codebook), UniformCodes(codebook, (2, 3))
    exactly = torch.full((4,), exact.rate(6, 5), dtype=torch.float64)
    torch.testing.assert_close(kl_divergence(q, p), exactly, rtol=1e-12, atol=0)
    z = q.rsample()
    torch.testing.assert_close(q.log_prob(z) - p.log_prob(z), exactly, rtol=1e-12, atol=0)
    with pytest.raises(NotImplementedError):
        kl_divergence(q, Normal(torch.zeros(2, 3, 3), 1.0).to_event(3))


def test_a_quantized_point_expands():
    q = Quantized(torch.randn(4, 2, 3, dtype=torch.float64), book(), grid_dim=1)
    wide = q.expand((5, 4))
    assert (q.batch_shape, q.event_shape) == ((4,), (2, 3))
    assert (wide.batch_shape, wide.indices.shape) == ((5, 4), (5, 4, 2))
    assert torch.equal(wide.rsample()[3], q.rsample())
    assert q.rsample((6,)).shape == (6, 4, 2, 3)
    assert q.log_prob(q.rsample((6,))).shape == (6, 4)


def test_features_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"features must be \(\*batch, \*grid, 3\) with a grid of 2 dimensions"):
        Quantized(torch.zeros(4, 2, 2, 5), book())
    with pytest.raises(ValueError, match="features must be"):
        Quantized(torch.zeros(2, 3), book())


# --- the oracle itself, by hand


def test_the_oracle_by_hand():
    points, codes = [[0.0, 0.0], [2.0, 0.0], [9.0, 1.0]], [[1.0, 0.0], [9.0, 0.0]]
    assert exact.nearest(points, codes).tolist() == [0, 0, 1]
    assert exact.inertia(points, codes) == 3
    assert exact.lloyd_step(points, codes).tolist() == [[1.0, 0.0], [9.0, 1.0]]
    assert exact.perplexity([1, 1, 1, 1]) == pytest.approx(4)
    assert exact.perplexity([5, 0]) == 1
    for wrong in (lambda: exact.rate(0, 4), lambda: exact.perplexity([0, 0]), lambda: exact.nearest([[1.0]], codes)):
        with pytest.raises(ValueError, match=r"needs|must be|need"):
            wrong()
