r"""Mutual information against independent oracles: scikit-learn's on counts, quadrature on densities."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import mutual_info_score

from pyrogen.metrics import entropy, mutual_information

GRID = np.linspace(-60, 60, 240_001)  # step 5e-4, for parts at least 0.3 wide: the trapezoid rule is exact to 1e-12


def quadrature(mean, scale, value):
    r"""I(z; v) in nats of a mixture with one Gaussian part an image."""

    parts = norm.pdf(GRID[:, None], mean, scale)  # (G, N)
    marginal = parts.mean(axis=1)
    information = 0.0
    for v in np.unique(value):
        conditional = parts[:, value == v].mean(axis=1)
        safe = np.where(conditional > 0, np.log(np.where(conditional > 0, conditional, 1) / marginal.clip(1e-300)), 0)
        information += np.mean(value == v) * np.trapezoid(conditional * safe, GRID)
    return information


def test_entropy_is_that_of_the_counts():
    assert entropy([[0, 7, 1], [0, 8, 1], [1, 9, 1], [1, 10, 1]]) == pytest.approx([np.log(2), np.log(4), 0.0])
    skew = np.repeat([0, 1], [1, 3])[:, None]
    assert entropy(skew) == pytest.approx([0.25 * np.log(4) + 0.75 * np.log(4 / 3)])


@pytest.mark.parametrize("bins", [2, 7, 20])
def test_histogram_agrees_with_scikit_learn_on_digitized_codes(bins):
    rng = np.random.default_rng(1)
    factors = np.stack([rng.integers(0, v, 500) for v in (2, 5, 40)], axis=1)
    codes = np.hstack([rng.standard_normal((500, 3)), factors @ rng.standard_normal((3, 2)), np.ones((500, 1))])
    codes = np.hstack([codes, rng.integers(0, 21, (500, 1))])  # on the edges of 20 bins
    expected = np.empty((7, 3))
    for j in range(7):
        edges = np.histogram(codes[:, j], bins)[1][:-1]
        for k in range(3):
            expected[j, k] = mutual_info_score(np.digitize(codes[:, j], edges), factors[:, k])
    assert mutual_information(codes, factors, bins=bins) == pytest.approx(expected, abs=1e-12)


def test_histogram_is_blind_to_the_labels_of_values_and_to_the_scale_of_codes():
    rng = np.random.default_rng(2)
    factors = rng.integers(0, 4, (300, 2))
    codes = factors + rng.standard_normal((300, 2))
    relabeled = np.array([50, -3, 7, 0])[factors]
    expected = mutual_information(codes, factors)
    assert mutual_information(codes * 8 - 16, relabeled) == pytest.approx(expected)


def test_histogram_bias_is_near_the_formula_of_the_docstring():
    # Of independent codes the true value is 0. 2N times the plug-in value is near chi-square with (B-1)(V-1) = 57
    # degrees of freedom for each of 400 latents. So its mean is 57/2N, with the standard error sqrt(2·57/400)/2N.
    # Uniform codes fill the bins evenly; the next term of the bias is O(1/N²), below 1% here. 5.33 errors: 1e-7.
    n, bins, values, latents = 4000, 20, 4, 400
    rng = np.random.default_rng(3)
    codes, factors = rng.random((n, latents)), rng.integers(0, values, (n, 1))
    degrees = (bins - 1) * (values - 1)
    statistic = 2 * n * mutual_information(codes, factors, bins=bins).mean()
    assert abs(statistic - degrees) < 5.33 * np.sqrt(2 * degrees / latents) + 0.01 * degrees


def test_posterior_agrees_with_quadrature_for_a_binary_factor():
    # q(z|v) = N(±a, σ²). The log-ratio of a draw is log 2 - softplus(-2a(a + σε)/σ²). It is Lipschitz in the normal ε,
    # with constant 2a/σ. By Gaussian concentration P(|mean - I| > t) <= 2 exp(-S t² σ² / 8a²), here set to 1e-7.
    a, sigma, samples = 0.6, 1.0, 1_000_000
    bound = (2 * a / sigma) * np.sqrt(2 * np.log(2e7) / samples)
    assert bound < 0.01
    mean, scale, value = np.array([-a, a]), np.full(2, sigma), np.array([0, 1])
    mixture = norm.pdf(GRID[:, None], mean, scale).mean(axis=1)
    entropies = -np.trapezoid(mixture * np.log(mixture.clip(1e-300)), GRID) - 0.5 * np.log(2 * np.pi * np.e * sigma**2)
    assert entropies == pytest.approx(quadrature(mean, scale, value), abs=1e-9)

    estimate = mutual_information(
        mean[:, None], value[:, None], "posterior", scale=scale[:, None], samples=samples, seed=4
    )
    assert estimate.shape == (1, 1)
    assert abs(estimate[0, 0] - entropies) < bound


def test_posterior_agrees_with_quadrature_for_uneven_groups_and_scales():
    # Each value's share of images weighs its entropy: 1, 2 and 4 images. The standard error is that of 40 seeds' mean,
    # so the error over it is Student's t with 39 degrees of freedom: beyond 7 with probability 2.2e-8.
    mean = np.array([-2.0, 0.5, 1.0, 1.2, -0.4, 3.0, 0.0])
    scale = np.array([0.5, 0.3, 1.0, 0.4, 2.0, 0.3, 0.7])
    factors = np.stack([[0, 1, 1, 2, 2, 2, 2], [0, 0, 0, 0, 1, 1, 1]], axis=1)
    expected = [quadrature(mean, scale, value) for value in factors.T]
    runs = np.stack(
        [
            mutual_information(mean[:, None], factors, "posterior", scale=scale[:, None], samples=7_000, seed=s)[0]
            for s in range(40)
        ]
    )
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert (error < 0.002).all()
    assert (abs(runs.mean(axis=0) - expected) < 7 * error).all()


def test_posterior_of_codes_that_identify_their_image_is_the_entropy_of_the_factor():
    # Far narrower than apart: log q(z|v) - log q(z) = log N/N_v exactly, for every draw.
    rng = np.random.default_rng(5)
    factors = rng.integers(0, 3, (40, 2))
    codes = rng.permutation(80).reshape(40, 2).astype(float)
    got = mutual_information(codes, factors, "posterior", scale=np.full((40, 2), 1e-4), samples=80)
    assert got == pytest.approx(np.tile(entropy(factors), (2, 1)), abs=1e-12)


def test_fewer_draws_than_images_take_each_image_once_at_most():
    # Codes identify images, so a draw's log-ratio is log N/N_v; 9 of the 10 images leave out one of the two values.
    factors = np.array([[0]] * 2 + [[1]] * 8)
    got = mutual_information(np.arange(10.0)[:, None], factors, "posterior", scale=np.full((10, 1), 1e-4), samples=9)
    total = 2 * np.log(10 / 2) + 8 * np.log(10 / 8)
    assert np.isclose(9 * got[0, 0], [total - np.log(10 / 2), total - np.log(10 / 8)]).any()


def test_posterior_of_equal_codes_is_zero():
    factors = np.arange(12).reshape(6, 2) % 3
    got = mutual_information(np.ones((6, 4)), factors, "posterior", scale=np.full((6, 4), 0.1), samples=50)
    assert got == pytest.approx(np.zeros((4, 2)), abs=1e-12)


def test_posterior_is_the_same_in_any_chunks(monkeypatch):
    rng = np.random.default_rng(6)
    codes, scale, factors = rng.standard_normal((50, 3)), rng.random((50, 3)) + 0.1, rng.integers(0, 4, (50, 2))
    whole = mutual_information(codes, factors, "posterior", scale=scale, samples=333)
    monkeypatch.setattr("pyrogen.metrics.posterior._CELLS", 170)
    assert mutual_information(codes, factors, "posterior", scale=scale, samples=333) == pytest.approx(whole, rel=1e-12)


def test_posterior_is_repeatable_and_leaves_the_global_generators_alone():
    rng = np.random.default_rng(7)
    codes, factors = rng.standard_normal((30, 2)), rng.integers(0, 3, (30, 2))
    before, torch_before = repr(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    runs = [
        mutual_information(codes, factors, "posterior", scale=np.ones((30, 2)), samples=64, seed=s) for s in (1, 1, 2)
    ]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()
    assert repr(np.random.get_state()) == before  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)


@pytest.mark.parametrize("estimator", ["histogram", "posterior"])
def test_torch_tensors_are_taken_as_arrays(estimator):
    torch.manual_seed(0)
    codes = torch.randn(40, 3, requires_grad=True)
    scale, factors = torch.rand(40, 3) + 0.5, torch.randint(0, 3, (40, 2))
    got = mutual_information(codes, factors, estimator, scale=scale, samples=50)
    expected = mutual_information(codes.detach().numpy(), factors.numpy(), estimator, scale=scale.numpy(), samples=50)
    assert (got == expected).all()


def test_nothing_given_is_changed():
    rng = np.random.default_rng(8)
    arrays = rng.standard_normal((30, 2)), rng.integers(3, 6, (30, 2)), rng.random((30, 2)) + 0.5
    copies = [array.copy() for array in arrays]
    mutual_information(arrays[0], arrays[1], "posterior", scale=arrays[2], samples=40)
    mutual_information(arrays[0], arrays[1])
    assert all((a == b).all() for a, b in zip(arrays, copies, strict=True))
