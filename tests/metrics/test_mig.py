r"""MIG against codes whose score is known."""

import numpy as np
import pytest
from scipy.stats import chi2

from pyrogen.metrics import Score, latent_gap, mig, mutual_information

SIZES = (3, 6, 40, 32)


@pytest.fixture(scope="module")
def grid():
    r"""Every combination of four factors once, (23040, 4): they are independent, exactly."""

    return np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))


@pytest.fixture(scope="module")
def small():
    return np.stack(np.meshgrid(np.arange(2), np.arange(4), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 3)


def binned_entropy(values, bins):
    counts = np.histogram(np.arange(values), bins)[0]
    p = counts[counts > 0] / values
    return -(p * np.log(p)).sum()


def test_ideal_linear_codes_reach_what_the_bins_can_hold(grid):
    # 40 values in 20 bins keep log 20 of log 40 nats, 32 values 2.946 of 3.466: the histogram's ceiling below 1.
    score = mig(grid * [1.0, -2.0, 0.1, 3.0], grid)
    gaps = [binned_entropy(v, 20) / np.log(v) for v in SIZES]
    assert gaps == pytest.approx([1, 1, np.log(20) / np.log(40), 0.85], abs=1e-4)
    assert score == pytest.approx(np.mean(gaps), abs=1e-9)
    assert list(score.details["gaps"].values()) == pytest.approx(gaps, abs=1e-9)
    dsprites = np.mean([*gaps, gaps[3]])  # posY has as many values as posX
    assert dsprites == pytest.approx(0.90, abs=0.005)


def test_enough_bins_reach_one(grid):
    assert mig(grid.astype(float), grid, bins=200) == pytest.approx(1.0, abs=1e-9)


def test_two_latents_that_know_the_same_score_zero(small):
    assert mig(np.hstack([small, small]) * 1.0, small) == 0.0
    assert latent_gap(np.hstack([small, small]) * 1.0, small) == pytest.approx(1.0)


def test_one_of_three_duplicated_scores_two_thirds(small):
    score = mig(np.hstack([small, small[:, :1]]) * 1.0, small)
    assert score == pytest.approx(2 / 3)
    assert score.details["gaps"] == pytest.approx({"0": 0.0, "1": 1.0, "2": 1.0})


def test_codes_rotated_by_45_degrees_score_zero():
    factors = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2)
    turned = factors @ np.array([[1.0, 1.0], [1.0, -1.0]])
    assert mig(factors * 1.0, factors) == pytest.approx(1.0)
    assert mig(turned, factors) == pytest.approx(0.0, abs=1e-12)


def test_constant_codes_score_zero(small):
    constant = np.full((len(small), 5), 3.25)
    assert mig(constant, small) == 0.0
    assert latent_gap(constant, small) == 0.0
    assert mig(constant, small, "posterior", scale=np.ones_like(constant), samples=99) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("estimator", ["histogram", "posterior"])
def test_a_constant_latent_beside_the_others_changes_nothing_in_mig(small, estimator):
    codes = small * 1.0
    more = np.hstack([codes, np.ones((len(small), 2))])
    settings = {"samples": 64, "scale": np.full((len(small), 3), 0.01)}
    wider = settings | {"scale": np.full((len(small), 5), 0.01)}
    assert mig(more, small, estimator, **wider) == pytest.approx(mig(codes, small, estimator, **settings), abs=1e-9)
    assert mig(more, small, estimator, **wider) == pytest.approx(1.0, abs=1e-9)


def test_the_order_of_latents_and_of_factors_is_irrelevant():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 5, (400, 3))
    codes = factors @ rng.standard_normal((3, 6)) + rng.standard_normal((400, 6))
    latents, columns = rng.permutation(6), np.array([2, 0, 1])
    score = mig(codes, factors)
    assert 0 < score < 1
    assert mig(codes[:, latents], factors) == pytest.approx(score)
    assert mig(codes, factors[:, columns]) == pytest.approx(score)
    gaps, turned = score.details["gaps"], mig(codes, factors[:, columns]).details["gaps"]
    assert [turned[str(i)] for i in range(3)] == pytest.approx([gaps[str(k)] for k in columns])


def test_the_gap_is_over_latents_for_each_factor_and_not_the_transpose():
    # Two latents and two factors, so that shapes cannot tell: z_0 is v_0 (log 2 of its log 2 nats), z_1 is v_0 too, and
    # neither knows v_1. By latents each factor's gap is 0; by factors each latent's gap is all of H(v_0).
    factors = np.stack(np.meshgrid(np.arange(2), np.arange(3)), axis=-1).reshape(-1, 2)
    codes = factors[:, [0, 0]] * 1.0
    assert mig(codes, factors) == 0.0
    assert latent_gap(codes, factors) == pytest.approx(1.0)
    # z_0 is the pair (v_0, v_1), z_1 is v_0: MIG = (0 + 1)/2; by latents (log 3 - log 2)/log 3 and 1.
    codes = np.stack([factors @ [3.0, 1.0], factors[:, 0]], axis=1)
    assert mig(codes, factors) == pytest.approx(0.5)
    assert latent_gap(codes, factors) == pytest.approx(((np.log(3) - np.log(2)) / np.log(3) + 1) / 2)


def test_more_latents_than_factors_and_fewer(small):
    wide = mig(np.hstack([small, np.zeros((32, 4))]) * 1.0, small)
    assert list(wide.details["gaps"]) == ["0", "1", "2"]
    narrow = mig(small[:, 1:] * 1.0, small)
    assert narrow == pytest.approx(2 / 3)
    assert len(latent_gap(small[:, 1:] * 1.0, small).details["gaps"]) == 2


def test_a_single_latent_or_factor_has_zero_as_second_best(small):
    assert mig(small[:, 1:2] * 1.0, small) == pytest.approx(1 / 3)
    assert latent_gap(small * 1.0, small[:, 1:2]) == pytest.approx(1 / 3)


def test_each_gap_is_over_the_factors_own_entropy():
    # v_0 copied and v_1 known by half its entropy: a pair of values to a code.
    factors = np.stack(np.meshgrid(np.arange(2), np.arange(16)), axis=-1).reshape(-1, 2)
    codes = np.stack([factors[:, 0], factors[:, 1] // 4], axis=1) * 1.0
    assert mig(codes, factors) == pytest.approx((1 + 0.5) / 2)


def test_factors_are_left_out_by_name_or_index(small):
    codes = np.hstack([small, small[:, :1]]) * 1.0  # factor 0 has a gap of 0
    names = ("shape", "scale", "posX")
    by_name = mig(codes, small, leave_out=["shape"], factor_names=names)
    assert by_name == mig(codes, small, leave_out=0) == mig(codes, small, leave_out="shape", factor_names=names)
    assert by_name == pytest.approx(1.0)
    assert by_name.details["gaps"] == pytest.approx({"scale": 1.0, "posX": 1.0})
    assert by_name.settings["left_out"] == ["shape"]
    best = latent_gap(codes, small, leave_out=["shape"], factor_names=names).details["best_factor"]
    assert best[1:3] == ["scale", "posX"]


def test_a_factor_of_one_value_can_be_left_out(small):
    factors = np.hstack([np.full((32, 1), 7), small])
    assert mig(small * 1.0, factors, leave_out=[0]) == pytest.approx(1.0)


def test_a_continuous_factor_is_scored_as_its_bin():
    # v_1 takes 40 even values, ten in each bin of equal width, and z_1 is v_1: with four bins of both it knows
    # the bin. z_0 is v_0, and the grid holds all pairs, so that every gap is 1.
    factors = np.stack(np.meshgrid(np.arange(3), np.arange(40) / 40), axis=-1).reshape(-1, 2)
    score = mig(factors, factors, bins=4, continuous=["size"], factor_names=["kind", "size"])
    assert score.details["gaps"] == pytest.approx({"kind": 1.0, "size": 1.0})
    assert score.details["entropy"] == pytest.approx({"kind": np.log(3), "size": np.log(4)})
    assert score.settings == {"bins": 4, "continuous": ["size"], "left_out": [], "n": 120}
    by_latents = latent_gap(factors, factors, bins=4, continuous=1)
    assert by_latents == pytest.approx(1.0)
    assert by_latents.details["best_factor"] == ["0", "1"]


@pytest.mark.parametrize("metric", [mig, latent_gap])
@pytest.mark.parametrize("estimator", ["histogram", "posterior"])
def test_a_continuous_factor_scores_what_its_bins_given_as_values_score(metric, estimator):
    rng = np.random.default_rng(12)
    factors = np.stack([rng.integers(0, 3, 300), rng.random(300)], axis=1)
    factors[:2, 1] = 0.0, 1.0  # so that the bins are [0, 1/5), [1/5, 2/5), ...
    codes = factors @ rng.standard_normal((2, 3)) + 0.2 * rng.standard_normal((300, 3))
    settings = {"scale": np.full((300, 3), 0.1), "bins": 5, "samples": 500}
    score = metric(codes, factors, estimator, continuous=1, **settings)
    values = np.stack([factors[:, 0], np.minimum(np.floor(5 * factors[:, 1]), 4)], axis=1).astype(int)
    assert score == pytest.approx(metric(codes, values, estimator, **settings), abs=1e-12)
    assert score.settings["bins"] == 5


def test_the_score_says_what_it_is(small):
    score = mig(small * 1.0, small, bins=8)
    assert isinstance(score, Score)
    assert (score.metric, score.estimator) == ("mig", "histogram")
    assert score.settings == {"bins": 8, "continuous": [], "left_out": [], "n": 32}
    score = latent_gap(small * 1.0, small, "posterior", scale=np.ones((32, 3)), samples=10, seed=3)
    assert (score.metric, score.estimator) == ("latent_gap", "posterior")
    assert score.settings == {"samples": 10, "seed": 3, "continuous": [], "left_out": [], "n": 32}


def test_the_posterior_score_is_the_gap_of_the_posterior_information():
    rng = np.random.default_rng(1)
    factors = rng.integers(0, 3, (60, 2))
    codes, scale = factors @ rng.standard_normal((2, 4)), rng.random((60, 4)) + 0.3
    score = mig(codes, factors, "posterior", scale=scale, samples=500)
    information = np.sort(mutual_information(codes, factors, "posterior", scale=scale, samples=500), axis=0)
    expected = (information[-1] - information[-2]) / list(score.details["entropy"].values())
    assert score == pytest.approx(expected.mean())


def test_the_standard_error_is_that_of_repeated_draws():
    # Two images, mirrored, so that the draws alone make noise. The variance over 200 seeds, relative to the one
    # reported, is chi-square with 199 degrees of freedom over 199; the false-alarm rate is 1e-7.
    codes, scale, factors = np.array([[-0.5], [0.5]]), np.ones((2, 1)), np.array([[0], [1]])
    runs = [mig(codes, factors, "posterior", scale=scale, samples=2000, seed=s) for s in range(200)]
    ratio = np.var(runs, ddof=1) / np.mean([run.details["standard_error"] ** 2 for run in runs])
    low, high = chi2(199).ppf([5e-8, 1 - 5e-8]) / 199
    assert low < ratio < high


CODES, FACTORS = np.arange(12.0).reshape(6, 2), np.arange(12).reshape(6, 2) % 3


@pytest.mark.parametrize(
    ("codes", "factors", "settings", "error", "words"),
    [
        (CODES[:5], FACTORS, {}, ValueError, "got 5 and 6 rows"),
        (CODES[:, 0], FACTORS, {}, ValueError, r"codes must have two dimensions \(N, L\).*got shape \(6,\)"),
        (CODES, FACTORS[:, 0], {}, ValueError, r"factors must have two dimensions \(N, K\).*got shape \(6,\)"),
        (CODES[:1], FACTORS[:1], {}, ValueError, r"at least two rows .* got shape \(1, 2\)"),
        (CODES[:, :0], FACTORS, {}, ValueError, r"one column, got shape \(6, 0\)"),
        (CODES, FACTORS[:, :0], {}, ValueError, r"one column, got shape \(6, 0\)"),
        (CODES, FACTORS * 1.0, {}, TypeError, "factors must be integers.*float64"),
        (CODES * 1j, FACTORS, {}, TypeError, "codes must be real numbers.*complex128"),
        (CODES.astype(str), FACTORS, {}, TypeError, "codes must be real numbers"),
        (
            np.where(CODES == 5, np.nan, CODES),
            FACTORS,
            {},
            ValueError,
            "codes must be finite, got nan in row 2, column 1",
        ),
        (
            np.where(CODES == 4, np.inf, CODES),
            FACTORS,
            {},
            ValueError,
            "codes must be finite, got inf in row 2, column 0",
        ),
        ((CODES - 5.5) * 3e307, FACTORS, {}, ValueError, "span no more than float64 can hold"),
        (CODES, FACTORS * [1, 0], {}, ValueError, "must have two values or more, got one in '1'"),
        (
            CODES,
            FACTORS * [1, 0],
            {"factor_names": ["a", "b"]},
            ValueError,
            "must have two values or more, got one in 'b'",
        ),
        (
            CODES,
            FACTORS,
            {"estimator": "kde"},
            ValueError,
            "estimator must be one of 'histogram', 'posterior', got 'kde'",
        ),
        (CODES, FACTORS, {"estimator": "posterior"}, ValueError, "scale must be the standard deviations"),
        (
            CODES,
            FACTORS,
            {"estimator": "posterior", "scale": CODES[:, :1] + 1},
            ValueError,
            "expected .6, 2., got .6, 1.",
        ),
        (
            CODES,
            FACTORS,
            {"estimator": "posterior", "scale": CODES},
            ValueError,
            "positive, got 0.0 in row 0, column 0",
        ),
        (
            CODES,
            FACTORS,
            {"estimator": "posterior", "scale": CODES + np.nan},
            ValueError,
            "scale must be finite, got nan",
        ),
        (CODES, FACTORS, {"bins": 1}, ValueError, "bins must be a whole number of at least 2, got 1"),
        (CODES, FACTORS, {"bins": 2.5}, TypeError, "bins must be a whole number of at least 2, got 2.5"),
        (CODES, FACTORS, {"estimator": "posterior", "scale": CODES + 1, "samples": 0}, ValueError, "samples .* got 0"),
        (CODES, FACTORS, {"leave_out": [0, 1]}, ValueError, "must leave a factor to score, got all 2"),
        (CODES, FACTORS, {"leave_out": [2]}, ValueError, r"leave_out must name factors, 0 to 1 or one of .*, got 2"),
        (CODES, FACTORS, {"leave_out": -1}, ValueError, "leave_out must name factors, .*, got -1"),
        (CODES, FACTORS, {"leave_out": ["a"]}, ValueError, "must hold indices without factor_names, got 'a'"),
        (
            CODES,
            FACTORS,
            {"leave_out": "c", "factor_names": ("a", "b")},
            ValueError,
            "must name factors, .*'a', 'b'., got 'c'",
        ),
        (CODES, FACTORS, {"factor_names": ["a"]}, ValueError, "2 different names"),
        (CODES, FACTORS, {"factor_names": ["a", "a"]}, ValueError, "2 different names"),
    ],
)
@pytest.mark.parametrize("metric", [mig, latent_gap])
def test_what_cannot_be_scored_is_said_in_one_sentence(metric, codes, factors, settings, error, words):
    with pytest.raises(error, match=words) as caught:
        metric(codes, factors, **settings)
    assert "\n" not in str(caught.value)
