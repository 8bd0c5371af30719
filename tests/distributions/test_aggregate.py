"""Estimates of the aggregated posterior against enumeration of all batches, and against Gaussian closed forms."""

import itertools
import math

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from scipy.special import logsumexp
from scipy.stats import norm

from pyrogen.distributions import decompose, decompose_all, log_aggregate, log_weights, pairwise_log_prob
from pyrogen.oracles import total_correlation

N, L = 6, 2
GENERATOR = torch.Generator().manual_seed(2)
LOCS = torch.randn(N, L, generator=GENERATOR, dtype=torch.float64)
SCALES = 0.3 + torch.rand(N, L, generator=GENERATOR, dtype=torch.float64)
Z = LOCS + SCALES * torch.randn(N, L, generator=GENERATOR, dtype=torch.float64)
DENSITIES = norm(LOCS.numpy(), SCALES.numpy()).pdf(Z.numpy()[:, None])  # (N, N, L): q(z_il | x_j)
PRIOR = dist.Normal(torch.zeros(L, dtype=torch.float64), 1.0).to_event(1)


def posterior(index):
    return dist.Normal(LOCS[index], SCALES[index]).to_event(1)


def over_all_batches(batch, weights):
    """Mean and variance, over all batches of that size that hold image i, of the estimates of q(z_i) and q(z_il).

    The batch is in falling order, so that an image's own column is not the one of its index.
    """
    estimates = [[] for _ in range(N)]
    for chosen in itertools.combinations(reversed(range(N)), batch):
        index = list(chosen)
        log_q = pairwise_log_prob(posterior(index), Z[index])
        joint, product = log_aggregate(log_q, weights)
        each = one_by_one(log_q, weights)
        torch.testing.assert_close(product, each.sum(-1), rtol=1e-12, atol=1e-12)
        for i, row in zip(index, torch.cat([joint[:, None], each], -1).exp(), strict=True):
            estimates[i].append(row)
    stacked = [torch.stack(rows) for rows in estimates]
    return np.array([rows.mean(0).numpy() for rows in stacked]), np.array(
        [rows.var(0, correction=0).numpy() for rows in stacked]
    )


def exact():
    """q(z_i) and q(z_il) of the mixture of all N posteriors, (N, 1 + L)."""
    return np.concatenate([DENSITIES.prod(-1).mean(1, keepdims=True), DENSITIES.mean(1)], axis=1)


def paper(batch, size):
    """The weights of Chen et al. as they write them: the own image, one that stands for what is left, the others."""
    w = np.full((batch, batch), 1 / (batch - 1))
    for i in range(batch):
        w[i, i] = 1 / size
        w[i, (i + 1) % batch] = (size - batch + 1) / (size * (batch - 1))
    return torch.tensor(w).log()


@pytest.mark.parametrize("batch", [2, 3, 4, 5, 6])
def test_the_stratified_estimate_averages_to_the_mixture_over_all_batches(batch):
    weights = log_weights(batch, N)
    np.testing.assert_allclose(weights.exp().sum(1), 1, rtol=1e-14)
    mean, variance = over_all_batches(batch, weights)
    np.testing.assert_allclose(mean, exact(), rtol=1e-12)
    theirs, their_variance = over_all_batches(batch, paper(batch, N))
    if batch in (2, 6):  # each image is then equally often next to the own one
        return
    assert variance.mean() < their_variance.mean()
    assert theirs.shape == mean.shape


@pytest.mark.parametrize(("batch", "size"), [(2, 6), (3, 6), (5, 6), (6, 6), (128, 700_000)])
def test_the_weights_are_the_mean_of_those_of_the_paper_over_its_stratum(batch, size):
    w = paper(batch, size).exp()
    others = torch.tensor([[w[i, j] for j in range(batch) if j != i] for i in range(batch)])
    expected = others.mean(1, keepdim=True).expand(batch, batch).clone().fill_diagonal_(1 / size)
    np.testing.assert_allclose(w.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(log_weights(batch, size).exp(), expected, rtol=1e-12)


def test_the_whole_data_set_gives_the_exact_mixture():
    parts = decompose(posterior(range(N)), PRIOR, Z)
    log_q = np.log(DENSITIES)
    joint = logsumexp(log_q.sum(-1), axis=1) - math.log(N)
    product = (logsumexp(log_q, axis=1) - math.log(N)).sum(-1)
    own = np.array([log_q[i, i].sum() for i in range(N)])
    np.testing.assert_allclose(parts.mutual_information, own - joint, rtol=1e-12)
    np.testing.assert_allclose(parts.total_correlation, joint - product, rtol=1e-12)
    np.testing.assert_allclose(parts.dimension_wise_kl, product - norm.logpdf(Z.numpy()).sum(1), rtol=1e-12)


@pytest.mark.parametrize("batch", [2, 3, 6])
def test_the_weighted_estimate_has_the_bias_it_is_known_for(batch):
    """Its mean is 1/(N B) of the own posterior and (B − 1)/(N − 1) of each other: q(z)/N for B = N."""
    joint = np.concatenate([DENSITIES.prod(-1)[..., None], DENSITIES], axis=-1)  # (N, N, 1 + L)
    own = np.array([joint[i, i] for i in range(N)])
    others = joint.sum(1) - own
    expected = (own + (batch - 1) / (N - 1) * others) / (N * batch)
    mean, _ = over_all_batches(batch, log_weights(batch, N, "weighted"))
    np.testing.assert_allclose(mean, expected, rtol=1e-12)
    assert (mean < exact()).all()
    if batch == N:
        np.testing.assert_allclose(mean, exact() / N, rtol=1e-12)


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_the_parts_sum_to_the_log_ratio_of_posterior_and_prior(estimator):
    q = posterior([4, 0, 1])
    z = q.sample((5,))  # (5, 3, L)
    parts = decompose(q, PRIOR, z, size=50, estimator=estimator)
    total = parts.mutual_information + parts.total_correlation + parts.dimension_wise_kl
    torch.testing.assert_close(total, q.log_prob(z) - PRIOR.log_prob(z), rtol=1e-12, atol=1e-12)
    for i, draw in enumerate(z):  # more draws at once are the draws one by one
        one = decompose(q, PRIOR, draw, size=50, estimator=estimator)
        torch.testing.assert_close(parts.total_correlation[i], one.total_correlation, rtol=1e-12, atol=1e-12)


def test_draws_of_the_first_images_alone_have_the_rest_to_estimate_with():
    q = posterior([4, 0, 1, 5])
    whole, some = decompose(q, PRIOR, Z[[4, 0, 1, 5]], 50), decompose(q, PRIOR, Z[[4, 0]], 50)
    for name in ("mutual_information", "total_correlation", "dimension_wise_kl"):
        torch.testing.assert_close(getattr(some, name), getattr(whole, name)[:2], rtol=1e-12, atol=1e-12)


def test_posteriors_far_apart_are_identified_and_equal_ones_say_nothing():
    """MI is log N at most, and is that where nothing overlaps; where all posteriors are one, all but KL(q ‖ p) is 0."""
    apart = dist.Normal(100.0 * torch.arange(8.0).double()[:, None].expand(8, 3), 1.0).to_event(1)
    parts = decompose(apart, dist.Normal(torch.zeros(3).double(), 1.0).to_event(1), apart.mean)
    np.testing.assert_allclose(parts.mutual_information, math.log(8), rtol=1e-12)
    np.testing.assert_allclose(parts.total_correlation, 2 * math.log(8), rtol=1e-12)  # z_1 tells the other two
    same = dist.Normal(torch.zeros(8, L, dtype=torch.float64), 0.5).to_event(1)
    z = same.sample()
    for size in (8, 1000):
        parts = decompose(same, PRIOR, z, size)
        np.testing.assert_allclose(parts.mutual_information, 0, atol=1e-12)
        np.testing.assert_allclose(parts.total_correlation, 0, atol=1e-12)
        torch.testing.assert_close(parts.dimension_wise_kl, same.log_prob(z) - PRIOR.log_prob(z), rtol=1e-10, atol=0)


MATRIX, SCALE = np.array([[0.4, 0.1], [0.25, -0.2], [0.3, 0.15]]), np.array([1.0, 0.8, 1.2])
SPLIT = total_correlation.linear(MATRIX, [0.5, 0.0, -0.2], SCALE, [0.0, 0.0], np.eye(2))


def relative(batch, size, replicates):
    """log q̂ / q of the whole and of each latent, where q(z) is a Gaussian: (replicates, B, 1 + L)."""
    generator = torch.Generator().manual_seed(0)
    matrix, scale = torch.tensor(MATRIX), torch.tensor(SCALE)
    loc, covariance = torch.tensor(SPLIT.loc), torch.tensor(SPLIT.covariance)
    whole = dist.MultivariateNormal(loc, covariance)
    each = dist.Normal(loc, covariance.diagonal().sqrt())
    weights, parts = log_weights(batch, size), []
    for _ in range(replicates // 100):
        x, noise = (torch.randn(100, batch, n, generator=generator, dtype=torch.float64) for n in (2, 3))
        means = x @ matrix.T + loc
        z = means + scale * noise
        log_q = dist.Normal(means[:, None], scale).log_prob(z[:, :, None])  # (100, B, B, 3)
        known = torch.cat([whole.log_prob(z)[..., None], each.log_prob(z)], -1)
        parts.append(torch.cat([log_aggregate(log_q, weights)[0][..., None], one_by_one(log_q, weights)], -1) - known)
    return torch.cat(parts).numpy()


def one_by_one(log_q, weights):
    """The estimates of log q(z_l) for each l, (…, B, L): those of a code of one latent."""
    return log_aggregate(log_q.movedim(-1, 0)[..., None], weights)[1].movedim(0, -1)


@pytest.mark.parametrize("size", [50, 1_000_000], ids=["B = N", "B < N"])
def test_the_estimates_tend_to_the_gaussian_closed_forms_as_fast_as_they_should(size):
    """q̂ / q − 1 is (exp 2I − 1)/N on average, and its logarithm lower by half its variance and what is of order 1/B².

    That rest is measured at 3 % for B = 50, and 10 % are allowed. Six standard errors of 1,200 replicates are a
    false-alarm rate below 4e-8 for the sixteen comparisons.
    """
    batch, replicates = 50, 1200
    ratios = relative(batch, size, replicates)
    excess = np.expm1(2 * np.array([SPLIT.mutual_information, *SPLIT.each]))
    means = np.expm1(ratios).mean(1)  # a replicate's images share their batch
    error = means.std(0, ddof=1) / math.sqrt(replicates)
    assert (np.abs(means.mean(0) - excess / size) < 6 * error).all()
    # the logarithm less its argument is known from far fewer draws than the logarithm
    lower = (ratios - np.expm1(ratios)).mean(1)
    error = lower.std(0, ddof=1) / math.sqrt(replicates)
    biases = SPLIT.biases(batch, size)
    joint = lower[:, 0].mean() + excess[0] / size
    product = lower[:, 1:].sum(1).mean() + excess[1:].sum() / size
    half = excess * (1 - 1 / size) ** 2 / (2 * (batch - 1))
    assert (error < half / 20).all()  # so that the comparison says something
    assert (np.abs(lower.mean(0) + half) < 0.1 * half + 6 * error).all()
    slack = 0.1 * half.sum() + 6 * error.sum()
    assert abs(-joint - biases["mutual_information"]) < slack
    assert abs(product - biases["dimension_wise_kl"]) < slack


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1, 10), "a batch must have at least two images to estimate"),
        ((5, 4), "of the data, 4, got 5"),
        ((0, 4), "of the data, 4, got 0"),
        ((4, 4, "mss"), "estimator must be one of 'stratified', 'weighted', got 'mss'"),
    ],
)
def test_weights_that_cannot_be_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        log_weights(*arguments)


def test_one_image_that_is_all_there_is_has_no_information_and_no_correlation():
    parts = decompose(posterior([0]), PRIOR, Z[:1])
    assert parts.mutual_information.item() == parts.total_correlation.item() == 0


def test_posteriors_that_are_no_product_are_refused():
    full = dist.MultivariateNormal(torch.zeros(4, 2), torch.eye(2))
    for wrong in (full, dist.Normal(torch.zeros(4, 2), 1.0), dist.Normal(torch.zeros(4, 2), 1.0).to_event(2)):
        with pytest.raises(TypeError, match=r"must be a product over the latents, such as Normal\(loc, scale\)"):
            pairwise_log_prob(wrong, torch.zeros(4, 2))
    q = posterior([0, 1, 2])
    for z in (Z[:4], Z[:3, :1], Z[0]):
        with pytest.raises(ValueError, match=r"q must have batch shape \(B,\) and z the shape \(…, M, L\)"):
            pairwise_log_prob(q, z)


def test_draws_out_of_the_support_are_named():
    q, p = dist.Normal(torch.zeros(3, 2), 1.0).to_event(1), dist.Normal(torch.zeros(2), 1.0).to_event(1)
    z = torch.full((2, 2), math.nan)
    with pytest.raises(ValueError, match="z must be finite and within the support"), pyro.validation_enabled():
        decompose_all([q], p, z)
