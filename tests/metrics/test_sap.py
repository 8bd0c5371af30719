r"""SAP against codes whose score is known."""

import numpy as np
import pytest
from scipy.stats import binom

from pyrogen.metrics import Score, sap


@pytest.fixture(scope="module")
def binary():
    return np.random.default_rng(0).integers(0, 2, (600, 2))


def test_ideal_codes_of_binary_factors_score_one_less_a_guess(binary):
    # The other latent is independent: on 200 test rows the accuracy of its guess is Binomial(200, 1/2) / 200.
    low, high = binom(200, 0.5).ppf([5e-8, 1 - 5e-8]) / 200
    score = sap(6.0 * binary - 3.0, binary)
    matrix = np.asarray(score.details["predictability"])
    assert np.diag(matrix) == pytest.approx([1.0, 1.0])
    assert low <= matrix[0, 1] <= high
    assert low <= matrix[1, 0] <= high
    assert score == pytest.approx(1 - (matrix[0, 1] + matrix[1, 0]) / 2)
    assert score.details["best_latent"] == {"0": 0, "1": 1}
    assert score.details["not_converged"] == 0


def test_the_gap_is_over_latents_for_each_factor_and_to_the_second_best():
    # Squared correlations by hand, on an exactly uncorrelated grid (train rows are all but one of many copies).
    grid = np.stack(np.meshgrid([-1.0, 1.0], [-1.0, 1.0]), axis=-1).reshape(-1, 2)
    factors = np.tile(grid, (250, 1))
    codes = factors @ np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]])  # R² of v_0: 1, 1/5, 0; of v_1: 0, 4/5, 1
    score = sap(codes, factors, continuous=True, train=999, test=1)
    expected = [[1.0, 0.0], [0.2, 0.8], [0.0, 1.0]]
    assert np.asarray(score.details["predictability"]) == pytest.approx(np.array(expected), abs=4e-3)  # a row in 1,000
    assert score.details["gaps"] == pytest.approx({"0": 0.8, "1": 0.2}, abs=8e-3)
    assert score == pytest.approx(0.5, abs=8e-3)


@pytest.mark.parametrize("continuous", [False, True])
def test_doubled_codes_score_zero(binary, continuous):
    codes = np.hstack([binary, binary]) * 6.0 - 3.0
    assert sap(codes, binary.astype(float if continuous else int), continuous=continuous) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("continuous", [False, True])
def test_constant_codes_score_zero(binary, continuous):
    codes = np.full((600, 3), 0.1)
    assert sap(codes, binary.astype(float if continuous else int), continuous=continuous) == 0.0


def test_codes_turned_by_45_degrees_score_zero_of_continuous_factors():
    # Both correlations are ±√½ up to sampling. The difference of their squares is twice the correlation of the factors,
    # near N(0, 4/n) for n = 6,000 rows. For two factors 5.5 standard errors give false alarms at 1e-7.
    factors = np.random.default_rng(1).uniform(-1, 1, (9_000, 2))
    score = sap(factors @ np.array([[1.0, 1.0], [1.0, -1.0]]), factors, continuous=True)
    assert 0 <= score < 5.5 * 2 / np.sqrt(6_000)


def test_random_codes_differ_by_chance_alone():
    # Each accuracy is Binomial(300, 1/2) / 300 whatever the guess, so all six lie in its range, and so do gaps.
    rng = np.random.default_rng(2)
    factors = rng.integers(0, 2, (900, 2))
    score = sap(rng.standard_normal((900, 3)), factors)
    low, high = binom(300, 0.5).ppf([1e-8, 1 - 1e-8]) / 300
    matrix = np.asarray(score.details["predictability"])
    assert (matrix >= low).all()
    assert (matrix <= high).all()
    assert 0 <= score < high - low


def test_classes_are_weighed_to_be_balanced():
    # Nine in ten have value 0. An unweighted machine on a weak code says 0 always, and is right in nine of ten. A
    # balanced one says 1 above the middle of the two means. It is right of value 0 and of value 1 equally often.
    rng = np.random.default_rng(3)
    factors = (rng.random((3_000, 1)) < 0.1).astype(int)
    codes = np.hstack([factors + rng.standard_normal((3_000, 1)), np.zeros((3_000, 1))])
    best = np.asarray(sap(codes, factors).details["predictability"])[0, 0]
    assert best < 0.8  # Φ(1/2) = 0.69 with a standard error of 0.015


def test_a_line_cannot_cut_a_latent_into_forty(binary):
    # What the docstring says of ideal codes of many values.
    factors = np.random.default_rng(4).integers(0, 40, (3_000, 1))
    codes = np.hstack([(factors - 19.5) / 11.5, np.zeros((3_000, 1))])
    assert sap(codes, factors) < 0.2
    assert sap(codes, factors.astype(float), continuous=True) == pytest.approx(1.0)


def test_the_order_of_latents_and_factors_is_irrelevant(binary):
    rng = np.random.default_rng(5)
    codes = binary @ rng.standard_normal((2, 4)) + 0.5 * rng.standard_normal((600, 4))
    order = rng.permutation(4)
    assert sap(codes[:, order], binary[:, ::-1]) == pytest.approx(sap(codes, binary))


def test_discrete_and_continuous_factors_are_scored_side_by_side(binary):
    rng = np.random.default_rng(6)
    factors = np.hstack([binary[:, :1], rng.random((600, 1))])
    codes = np.hstack([6.0 * factors[:, :1] - 3.0, factors[:, 1:]])
    score = sap(codes, factors, continuous="size", factor_names=["kind", "size"])
    assert score.details["gaps"]["size"] > 0.9
    assert score.details["predictability"][0][0] == 1.0
    assert score.settings["continuous"] == ["size"]


def test_the_score_says_what_it_is(binary):
    score = sap(binary * 1.0, binary, train=100, test=50, seed=3, leave_out=0, factor_names=("a", "b"))
    assert isinstance(score, Score)
    assert (score.metric, score.estimator) == ("sap", "linear_svm")
    assert score.settings == {"continuous": [], "factors": ["b"], "train": 100, "test": 50, "seed": 3, "n": 600}


def test_a_single_latent_has_no_second_best(binary):
    with pytest.raises(ValueError, match="a gap between two latents, got one"):
        sap(binary[:, :1] * 1.0, binary)


@pytest.fixture(scope="module")
def grid():
    r"""Codes near a grid of two factors of four values, and the factors."""

    factors = np.tile(np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2), (40, 1))
    return factors + 0.05 * np.random.default_rng(7).standard_normal(factors.shape), factors


@pytest.mark.parametrize(("scale", "shift"), [(1e-300, 0), (1e-6, 0), (1e5, 0), (1e100, 0), (1e300, 0), (1, 1e3)])
def test_units_and_zero_of_the_codes_change_nothing(grid, scale, shift):
    # A line tells the two outer values of four even ones, and the other latent guesses one in four: a gap near 1/4 or
    # above. A solver that fails has both latents guess.
    codes, factors = grid
    expected = sap(codes, factors)
    assert expected > 0.25
    assert sap(codes * scale + shift, factors) == pytest.approx(expected)
    real = sap(codes * scale + shift, factors, continuous=True)
    assert real == pytest.approx(sap(codes, factors, continuous=True))


def test_the_published_preset_takes_codes_as_they_are_or_refuses_them(grid):
    codes, factors = grid
    raw = [sap(z, factors, preset="disentanglement_lib", train=400, test=200) for z in (codes, codes + 900)]
    assert raw[0] > 0.25
    assert raw[1] < 0.1  # the penalty of an intercept so far off
    for scale in (1e4, 1e100):
        with pytest.raises(
            ValueError, match=r"codes must lie within ±1,000 .*, got .* in magnitude: rescale them, or take"
        ):
            sap(codes * scale, factors, preset="disentanglement_lib", train=400, test=200)


def test_the_seed_decides_all_and_touches_no_generator(grid):
    before = repr(np.random.get_state())  # noqa: NPY002
    assert sap(*grid, seed=3).details == sap(*grid, seed=3).details
    assert repr(np.random.get_state()) == before  # noqa: NPY002
