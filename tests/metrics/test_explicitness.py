r"""Explicitness against codes whose score is known."""

import inspect

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pyrogen.metrics import Score, explicitness
from pyrogen.metrics.explicitness import _area


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, v, 900) for v in (2, 3, 6)], axis=1)


def test_the_area_is_that_of_scikit_learn_ties_and_all():
    rng = np.random.default_rng(1)
    score, positive = rng.integers(0, 5, 60) * 1.0, rng.random(60) < 0.3
    assert _area(score, positive) == pytest.approx(roc_auc_score(positive, score))
    assert _area(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True])) == 0.75  # 3 of 4 pairs
    assert _area(score, np.ones(60, dtype=bool)) is None


def test_ideal_codes_score_one(factors):
    score = explicitness(factors * [2.0, -1.0, 0.5], factors)
    assert score == pytest.approx(1.0, abs=1e-9)
    assert score.details["not_converged"] == 0


def test_turned_and_doubled_codes_score_one(factors):
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))[0]
    assert explicitness(factors @ turn, factors) == pytest.approx(1.0, abs=1e-3)
    assert explicitness(np.hstack([factors, factors]) * 1.0, factors) == pytest.approx(1.0, abs=1e-9)


def test_one_vs_rest_cannot_tell_a_middle_value():
    # A linear score of value i of V in order is right of the larger side: max(i, V - 1 - i) / (V - 1) of even values.
    # The rows are even exactly: 100 of each, and 50 of each on average in either part; a share's standard error is
    # below 0.5 / sqrt(150), of a mean of four that are not 1. At i = 2 of 5 either side, or none, may win.
    factors = np.repeat(np.arange(5), 200)[:, None]
    codes = np.hstack([factors, np.zeros((1000, 1))]) * 1.0
    areas = explicitness(codes, factors, preset="one_vs_rest").details["values"]["0"]
    assert areas[0] == areas[4] == 1.0
    assert np.array(areas[1:4:2]) == pytest.approx([0.75, 0.75], abs=5.33 * 0.5 / np.sqrt(150))
    assert areas[2] == pytest.approx(0.5, abs=5.33 * 0.5 / np.sqrt(150))
    assert explicitness(codes, factors) == pytest.approx(1.0, abs=1e-9)


def test_constant_codes_score_a_half(factors):
    assert explicitness(np.full((900, 2), 0.1), factors) == 0.5


def test_random_codes_score_a_half():
    # The rank sum of m of n scores has variance m (n - m)(n + 1) / 12: 5.33 standard errors of each of two areas.
    rng = np.random.default_rng(3)
    factors = rng.integers(0, 2, (3_000, 1))
    areas = explicitness(rng.standard_normal((3_000, 4)), factors).details["values"]["0"]
    assert areas[0] == pytest.approx(areas[1])  # two values, one question
    assert abs(areas[0] - 0.5) < 5.33 * np.sqrt(1_001 / (12 * 450 * 550))


def test_test_rows_are_judged_and_not_training_rows():
    # As many latents as training rows: a line through all of them, which says nothing of others.
    rng = np.random.default_rng(4)
    factors = rng.integers(0, 2, (300, 1))
    score = explicitness(rng.standard_normal((300, 150)), factors, train=100, test=200)
    assert score.details["factors_train"]["0"] == pytest.approx(1.0)
    assert abs(score - 0.5) < 5.33 * np.sqrt(201 / (12 * 80 * 120))


def test_codes_are_standardized(factors):
    codes = factors + np.random.default_rng(5).standard_normal((900, 3))
    assert explicitness(codes * [1e6, 1.0, 1e-6] + 7, factors) == pytest.approx(explicitness(codes, factors), abs=1e-3)


def test_values_that_a_part_of_the_rows_lacks_are_left_out():
    factors = np.repeat(np.arange(3), [200, 199, 1])[:, None]
    score = explicitness(factors * 1.0, factors)
    areas = score.details["values"]["0"]
    assert areas[2] is None
    assert score == pytest.approx(np.mean(areas[:2])) == pytest.approx(1.0)


def test_continuous_factors_are_cut_into_bins():
    rng = np.random.default_rng(6)
    factors = rng.random((1_500, 2))
    score = explicitness(factors, factors, continuous=True, bins=4)
    assert len(score.details["values"]["0"]) == 4
    assert score > 0.9
    assert score.settings["bins"] == 4


def test_every_factor_weighs_the_same(factors):
    score = explicitness(np.stack([factors[:, 2], factors[:, 2] * 0], axis=1) * 1.0, factors[:, [0, 2]])
    parts = list(score.details["factors"].values())
    assert parts[1] == pytest.approx(1.0)
    assert parts[0] < 0.7
    assert score == pytest.approx(np.mean(parts))


def test_the_score_says_what_it_is(factors):
    score = explicitness(
        factors * 1.0, factors, train=100, test=60, leave_out=[2], factor_names=("a", "b", "c"), seed=4
    )
    assert isinstance(score, Score)
    assert (score.metric, score.estimator) == ("explicitness", "multinomial")
    assert score.settings == {"continuous": [], "factors": ["a", "b"], "train": 100, "test": 60, "seed": 4, "n": 900}


@pytest.mark.parametrize("preset", ["multinomial", "one_vs_rest"])
def test_a_factor_whose_test_values_were_never_seen_is_named(factors, preset):
    identity = np.stack([np.arange(900), factors[:, 1]], axis=1)
    with pytest.raises(ValueError, match="a value that training and test rows share, got none for 'row': take more"):
        explicitness(factors * 1.0, identity, preset=preset, factor_names=["row", "kind"], train=60, test=30)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_codes_of_any_size_are_scored(factors, scale):
    codes = factors + np.random.default_rng(5).standard_normal((900, 3))
    assert explicitness(codes * scale, factors) == pytest.approx(explicitness(codes, factors), abs=1e-3)


def test_fits_that_did_not_converge_are_counted_over_all_factors(monkeypatch):
    module, failures = inspect.getmodule(explicitness), iter([2, 0])
    original = module._scores
    monkeypatch.setattr(module, "_scores", lambda *args, **kw: (*original(*args, **kw)[:2], next(failures)))
    factors = np.random.default_rng(0).integers(0, 2, (60, 2))
    assert explicitness(factors * 1.0, factors).details["not_converged"] == 2
