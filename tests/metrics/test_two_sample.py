"""Energy distance and MMD: brute force, closed forms of Gaussians, and p-values that are uniform under the null."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch
from scipy import stats

from pyrogen.metrics import TwoSampleScore, energy_distance, squared_mmd
from pyrogen.oracles import two_sample as exact

BOTH = pytest.mark.parametrize("distance", [energy_distance, squared_mmd])
RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((7, 3)), RNG.standard_normal((5, 3)) * 1.5 + 0.5


def norm(a, b):
    return -np.sqrt(((a - b) ** 2).sum())


def gaussian(a, b, h=1.3):
    return np.exp(-((a - b) ** 2).sum() / (2 * h**2))


def by_hand(kernel, x, y, unbiased):
    """mean k(x, x') + mean k(y, y') − 2 mean k(x, y), sum by sum."""

    def within(z):
        pairs = [kernel(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j or not unbiased]
        return np.mean(pairs)

    return within(x) + within(y) - 2 * np.mean([kernel(a, b) for a in x for b in y])


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_the_distances_are_their_sums_by_hand(estimator):
    unbiased = estimator == "unbiased"
    assert energy_distance(X, Y, estimator) == pytest.approx(by_hand(norm, X, Y, unbiased), rel=1e-12)
    assert squared_mmd(X, Y, estimator, bandwidth=1.3) == pytest.approx(by_hand(gaussian, X, Y, unbiased), rel=1e-12)
    several = [by_hand(lambda a, b, h=h: gaussian(a, b, h), X, Y, unbiased) for h in (0.5, 1.0, 4.0)]
    assert squared_mmd(X, Y, estimator, bandwidth=[0.5, 1, 4]) == pytest.approx(np.mean(several), rel=1e-12)


def test_the_biased_energy_distance_is_the_square_of_scipys():
    x, y = X[:, 0], Y[:, 0]
    assert energy_distance(x, y, "biased") == pytest.approx(stats.energy_distance(x, y) ** 2, rel=1e-12)


def test_the_median_heuristic_is_the_median_distance_of_the_pooled_draws():
    pooled = np.concatenate([X, Y])
    median = np.median([-norm(a, b) for i, a in enumerate(pooled) for b in pooled[:i]])
    score = squared_mmd(X, Y)
    assert score.settings["bandwidth"] == [pytest.approx(median, rel=1e-12)]
    assert score == squared_mmd(X, Y, bandwidth=score.settings["bandwidth"][0])


def mean_is(values, expected):
    """A z-test of the mean of many estimates: 5.5 standard errors are passed by chance at a rate below 1e-7."""
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - expected) < 5.5 * error
    assert error < 0.1 * abs(expected)  # so that the test says something


def test_the_unbiased_energy_distance_of_gaussians_has_the_closed_form_as_its_mean():
    rng = np.random.default_rng(1)
    expected = exact.energy_distance(0.0, 1.0, 0.7, 1.6)
    values = [
        energy_distance(rng.standard_normal(20), 0.7 + 1.6 * rng.standard_normal(30), permutations=0)
        for _ in range(1000)
    ]
    mean_is(values, expected)


def test_the_unbiased_mmd_of_gaussians_has_the_closed_form_as_its_mean():
    rng = np.random.default_rng(2)
    root, shift = np.array([[1.0, 0.5], [0.0, 0.8]]), np.array([0.6, -0.4])
    expected = exact.squared_mmd([0, 0], np.eye(2), shift, root @ root.T, bandwidth=2.5)
    values = [
        squared_mmd(
            rng.standard_normal((20, 2)),
            rng.standard_normal((30, 2)) @ root.T + shift,
            bandwidth=2.5,
            permutations=0,
        )
        for _ in range(1000)
    ]
    mean_is(values, expected)


@BOTH
@pytest.mark.parametrize("sizes", [(12, 12), (8, 20)])
def test_p_values_are_uniform_under_the_null(distance, sizes):
    """With 39 permutations p is one of 1/40 … 40/40, each equally likely: each count is binomial. Of the 3 bounds on
    each of 4 settings none is left by chance at a rate above 1e-6 in all."""
    rng, tests = np.random.default_rng(3), 400
    p = np.array(
        [
            distance(*np.split(rng.exponential(size=(sum(sizes), 2)), sizes[:1]), permutations=39, seed=seed).p_value
            for seed in range(tests)
        ]
    )
    assert set(np.round(40 * p).astype(int)) <= set(range(1, 41))
    for level in (0.1, 0.5, 0.9):
        low, high = stats.binom.ppf([1e-6 / 24, 1 - 1e-6 / 24], tests, level)
        assert low <= (p <= level + 1e-9).sum() <= high


@BOTH
def test_samples_that_differ_are_told_apart(distance):
    """No permutation of 200 draws a unit apart comes near: p is the least that it can be."""
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((2, 200, 3))
    assert distance(x, y + 1, permutations=99).p_value == 0.01
    assert distance(x, 1.5 * y, permutations=99).p_value == 0.01


@BOTH
def test_equal_draws_are_ties_and_no_evidence(distance):
    x = np.array([[0.0], [1.0], [1.0]])
    assert distance(x, x, permutations=199).p_value == 1.0
    far = distance([0.0, 0.0], [1.0, 1.0], permutations=999, **({"bandwidth": 1.0} if distance is squared_mmd else {}))
    # Two of the six groupings are the observed one or its mirror: p is 1/3, ± 5.5 standard errors of 999 permutations.
    assert abs(far.p_value - 1 / 3) < 5.5 * np.sqrt(2 / 9 / 999)


@BOTH
@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_the_distance_is_symmetric_and_blind_to_order_and_container(distance, estimator):
    score = distance(X, Y, estimator)
    assert distance(Y, X, estimator) == pytest.approx(score, rel=1e-12)
    assert distance(X[::-1], Y, estimator) == pytest.approx(score, rel=1e-12)
    images = torch.tensor(X, requires_grad=True).reshape(7, 1, 3, 1)
    assert distance(images, torch.tensor(Y), estimator) == score
    assert distance(X, Y, "biased") >= 0
    half = torch.tensor(X).bfloat16()  # which numpy has not
    assert distance(half, Y, estimator) == distance(half.double(), Y, estimator)


@BOTH
def test_the_score_names_what_it_depends_on(distance):
    score = distance(X, Y, permutations=99, seed=3)
    assert isinstance(score, TwoSampleScore)
    assert score.settings | {"sizes": [7, 5], "permutations": 99, "seed": 3} == score.settings
    assert (score.metric, score.estimator) == (distance.__name__, "unbiased")
    assert score.p_value == distance(X, Y, permutations=99, seed=3).p_value
    assert {distance(X, Y, permutations=99, seed=seed).p_value for seed in range(5)} != {score.p_value}
    null = score.details
    assert null["permuted_std"] > 0
    assert abs(null["permuted_mean"]) < 5.5 * null["permuted_std"] / np.sqrt(99)  # unbiased: its mean is 0
    assert json.loads(json.dumps(score.to_dict()))["details"]["p_value"] == score.p_value
    for other in (copy.deepcopy(score), pickle.loads(pickle.dumps(score))):
        assert (other, other.p_value, other.settings) == (score, score.p_value, score.settings)
    assert repr(score) == (
        f"TwoSampleScore({float(score)!r}, metric={distance.__name__!r}, estimator='unbiased', p_value={score.p_value})"
    )
    assert distance(X, Y, permutations=0).p_value is None


@BOTH
def test_the_permutations_do_not_depend_on_how_many_are_done_at_once(distance, monkeypatch):
    p = distance(X, Y, permutations=50).p_value
    monkeypatch.setattr("pyrogen.metrics.two_sample._AT_ONCE", 7)
    assert distance(X, Y, permutations=50).p_value == p


@BOTH
@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"x": X[:1]}, ValueError, "x must be a sample (n, ...) of at least two draws, got shape (1, 3)"),
        ({"x": [[1.0], [2.0, 3.0]]}, ValueError, "x must be an array, got rows of different lengths."),
        ({"y": 3.0}, ValueError, "y must be a sample (n, ...) of at least two draws, got shape ()"),
        ({"y": Y[:, :2]}, ValueError, "x and y must have draws of one size, got 3 and 2 values each"),
        ({"x": X * np.nan}, ValueError, "x must be finite, got nan in row 0, column 0"),
        ({"y": Y.astype(str)}, TypeError, "y must be real numbers, got an array of dtype "),
        ({"estimator": "u"}, ValueError, "estimator must be one of 'unbiased', 'biased', got 'u'"),
        ({"permutations": -1}, ValueError, "permutations must be a whole number of at least 0, got -1"),
        ({"permutations": 9.5}, TypeError, "permutations must be a whole number of at least 0, got 9.5"),
        ({"permutations": True}, TypeError, "permutations must be a whole number of at least 0, got True"),
        ({"seed": None}, TypeError, "seed must be a whole number from 0 to 4294967295, got None"),
        ({"x": np.ones((3, 0))}, ValueError, "x must have draws of at least one value each, got shape (3, 0)"),
        (
            {"x": np.full((2, 3), 1e308), "y": np.full((2, 3), -1e308)},
            ValueError,
            "x and y must have distances whose sum is finite, got inf: divide both by one number",
        ),
        (
            {"x": X * 1e306},
            ValueError,
            "x and y must have distances whose sum is finite, got inf: divide both by one number",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(distance, arguments, kind, message):
    with pytest.raises(kind) as error:
        distance(**({"x": X, "y": Y} | arguments))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("bandwidth", [0, -1.0, [], [1.0, np.inf], float("nan"), "a", True, [[1.0]], [1, [2]], 1j])
def test_a_bandwidth_that_is_none_is_refused(bandwidth):
    with pytest.raises(ValueError, match="bandwidth must be one positive number or several, got"):
        squared_mmd(X, Y, bandwidth=bandwidth)


@BOTH
@pytest.mark.parametrize("unit", [2.0**660, 2.0**-660])
def test_the_unit_of_the_draws_is_no_matter(distance, unit):
    """The squares of these draws overflow or vanish, those of their ratios do not."""
    beside = np.array([1e308 if unit < 1 else 3.0])  # a value that all draws share
    x, y = (np.hstack([draws * unit, np.tile(beside, (len(draws), 1))]) for draws in (X, Y))
    score, expected = distance(x, y), distance(X, Y)
    assert score / (unit if distance is energy_distance else 1) == pytest.approx(expected, rel=1e-12)
    assert score.p_value == expected.p_value
    spread = expected.details["permuted_std"] * (unit if distance is energy_distance else 1)
    assert score.details["permuted_std"] == pytest.approx(spread, rel=1e-9)


def test_bandwidths_far_from_all_distances_have_the_limits_of_the_kernel():
    assert squared_mmd(X, Y, "biased", bandwidth=1e-300) == pytest.approx(1 / 7 + 1 / 5, rel=1e-12)  # k(x, x) alone
    assert squared_mmd(X, Y, bandwidth=1e-300).p_value == 1
    assert squared_mmd(X, Y, bandwidth=1e300) == pytest.approx(0, abs=1e-12)


def test_a_median_distance_of_zero_is_refused():
    with pytest.raises(ValueError, match="median distance of the draws is 0"):
        squared_mmd(np.zeros(5), np.zeros(5))


def test_the_oracles_agree_with_quadrature():
    z, w = np.polynomial.hermite_e.hermegauss(60)  # E f(Z) = Σ w f(z) / √2π
    w = w / np.sqrt(2 * np.pi)

    def mean(kernel, a, b):
        return (w[:, None] * w * kernel(a[:, None] - b)).sum()

    def total(kernel, a, b):
        return mean(kernel, a, a) + mean(kernel, b, b) - 2 * mean(kernel, a, b)

    x, y = 0.2 + 0.7 * z, -0.5 + 1.1 * z
    smooth = total(lambda d: np.exp(-0.5 * d**2 / 1.3**2), x, y)
    assert exact.squared_mmd([0.2], [[0.49]], [-0.5], [[1.21]], 1.3) == pytest.approx(smooth, abs=1e-12)
    grid = np.linspace(-12, 12, 200_001)  # D² = 2 ∫ (F − G)²
    gap = stats.norm.cdf(grid, 0.2, 0.7) - stats.norm.cdf(grid, -0.5, 1.1)
    area = 2 * (gap**2).sum() * (grid[1] - grid[0])
    assert exact.energy_distance(0.2, 0.7, -0.5, 1.1) == pytest.approx(area, rel=1e-9)
