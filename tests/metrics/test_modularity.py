r"""Modularity against codes whose score is known."""

import numpy as np
import pytest

from pyrogen.metrics import Score, modularity, mutual_information
from pyrogen.metrics.modularity import modular


@pytest.fixture(scope="module")
def grid():
    return np.stack(np.meshgrid(np.arange(2), np.arange(4), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize(
    ("information", "expected"),
    [
        ([[2.0, 0, 0]], [1.0]),
        ([[2.0, 2, 2]], [0.0]),
        ([[2.0, 1, 0]], [1 - 1 / 8]),  # 1² / (2 · 2²)
        ([[0.0, 3, 1], [3.0, -1, 0]], [1 - 1 / 18, 1.0]),  # a noisy estimate below 0 is 0
        ([[0.0, 0]], [0.0]),
        ([[0.5], [0.0]], [1.0, 0.0]),  # a single factor: nothing else to know
    ],
)
def test_modular_is_one_less_the_squared_rest(information, expected):
    assert modular(np.array(information)) == pytest.approx(expected)


def test_ideal_and_doubled_codes_score_one(grid):
    assert modularity(grid * [2.0, -1.0, 0.1], grid) == pytest.approx(1.0)
    assert modularity(np.hstack([grid, grid[:, :1]]) * 1.0, grid) == pytest.approx(1.0)


def test_codes_turned_by_45_degrees_score_zero():
    factors = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2)
    assert modularity(factors @ np.array([[1.0, 1.0], [1.0, -1.0]]), factors) == pytest.approx(0.0, abs=1e-12)


def test_constant_latents_count_as_zero(grid):
    score = modularity(np.hstack([grid, np.ones((32, 1))]) * 1.0, grid)
    assert score == pytest.approx(3 / 4)
    assert score.details["best_factor"] == ["0", "1", "2", None]
    assert modularity(np.ones((32, 2)), grid) == 0.0


def test_it_is_over_factors_for_each_latent(grid):
    # One latent is the pair of factors 1 and 2, the other is factor 0: (0.5 + 1) / 2, as log 4 = log 4 of two others.
    codes = np.stack([grid[:, 1] * 4.0 + grid[:, 2], grid[:, 0]], axis=1)
    assert modularity(codes, grid) == pytest.approx(0.75)


def test_it_is_that_of_the_information(grid):
    rng = np.random.default_rng(0)
    codes = grid @ rng.standard_normal((3, 4)) + rng.standard_normal((32, 4))
    for settings in ({"bins": 7}, {"estimator": "posterior", "scale": np.full((32, 4), 0.5), "samples": 200}):
        information = mutual_information(codes, grid, **settings)
        score = modularity(codes, grid, **settings)
        assert np.asarray(score.details["information"]) == pytest.approx(information)
        squares = np.maximum(information, 0) ** 2
        expected = 1 - (squares.sum(axis=1) / squares.max(axis=1) - 1) / 2
        assert score == pytest.approx(expected.mean())


def test_unused_latents_look_modular_when_factors_differ_in_their_values():
    # What the docstring says of dSprites: each information is near chi-square over 2N with (B - 1)(V - 1) degrees of
    # freedom, so that the expected modularity does not depend on N. 60 latents; the standard error is theirs.
    sizes, n = (3, 6, 40, 32, 32), 20_000
    rng = np.random.default_rng(1)
    factors = np.stack([rng.integers(0, v, n) for v in sizes], axis=1)
    latents = np.array(modularity(rng.random((n, 60)), factors).details["latents"])
    freedom = 19.0 * (np.array(sizes) - 1)
    draws = np.maximum(rng.chisquare(freedom, (200_000, 5)), 0)  # the same by simulation of its law
    expected = modular(draws)
    assert expected.mean() == pytest.approx(1 - (2**2 + 5**2 + 2 * 31**2) / (4 * 39**2), abs=0.03)
    assert abs(latents.mean() - expected.mean()) < 5.33 * expected.std() / np.sqrt(60)


def test_continuous_factors_are_cut_into_bins():
    rng = np.random.default_rng(2)
    factors = rng.random((2_000, 2))
    score = modularity(factors, factors, continuous=True, bins=10)
    cut = np.floor((factors - factors.min(axis=0)) / np.ptp(factors, axis=0) * 10).clip(max=9).astype(int)
    assert score == pytest.approx(modularity(factors, cut, bins=10))
    assert score.settings["bins"] == 10


def test_the_order_of_latents_and_factors_is_irrelevant(grid):
    rng = np.random.default_rng(3)
    codes = grid @ rng.standard_normal((3, 4))
    assert modularity(codes[:, ::-1], grid[:, [2, 0, 1]]) == pytest.approx(modularity(codes, grid))


def test_the_score_says_what_it_is(grid):
    score = modularity(grid * 1.0, grid, leave_out="b", factor_names=("a", "b", "c"))
    assert isinstance(score, Score)
    assert (score.metric, score.estimator) == ("modularity", "histogram")
    assert score.settings == {"bins": 20, "continuous": [], "factors": ["a", "c"], "n": 32}
    assert score.details["best_factor"][0] == "a"
