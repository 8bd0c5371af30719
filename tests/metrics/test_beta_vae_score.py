r"""The β-VAE score against codes whose score is known, by reasoning or by enumeration."""

import itertools
import json

import numpy as np
import pytest
from scipy.stats import norm

from pyrogen.metrics import Score, beta_vae_score

# A normal bound at a false-alarm rate of 1e-7, both sides.
ERRORS = norm.isf(5e-8)


def full_grid(*sizes):
    return np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, len(sizes))


@pytest.fixture(scope="module")
def grid():
    return full_grid(3, 4, 5)


@pytest.mark.parametrize("preset", ["disentanglement_lib", "paper"])
def test_identity_duplicated_and_permuted_codes_score_one(grid, preset):
    for codes in (grid, np.hstack([grid, grid]), grid[:, [2, 0, 1]]):
        assert beta_vae_score(codes * 1.0, grid, preset=preset, points=1_000, evaluation=500) == 1.0


def test_the_last_factor_is_told_by_elimination(grid):
    # Kim & Mnih's objection: two of three factors are in the codes, and the third is what is left.
    assert beta_vae_score(grid[:, :2] * 1.0, grid, preset="paper") == 1.0


def test_rotated_codes_can_score_one():
    # Turned by 30 degrees, |d| of one code has mean cos 30° or sin 30° of the factor that varies.
    factors = full_grid(6, 6)
    turned = factors @ np.array([[np.sqrt(3), 1.0], [-1.0, np.sqrt(3)]]) / 2
    assert beta_vae_score(turned, factors, preset="paper", points=1_000) > 0.99


@pytest.mark.parametrize("preset", ["disentanglement_lib", "paper"])
def test_codes_that_know_nothing_score_one_over_the_number_of_factors(preset):
    # Rows are all pairs of a factor row and a code row, so that codes are exactly independent of the factors. Each
    # point is then named rightly with probability 1/3, whatever the classifier.
    factors, codes = full_grid(2, 3, 4), np.random.default_rng(1).standard_normal((30, 5))
    pairs = full_grid(len(factors), len(codes))
    score = beta_vae_score(
        codes[pairs[:, 1]], factors[pairs[:, 0]], preset=preset, points=1_000, evaluation=10_000, batch_size=8
    )
    assert abs(score - 1 / 3) < ERRORS * np.sqrt(2 / 9 / 10_000)
    assert score.details["standard_error"] == pytest.approx(np.sqrt(2 / 9 / 10_000), rel=0.05)


def test_constant_codes_score_at_chance(grid):
    score = beta_vae_score(np.ones((60, 2)), grid, batch_size=2)
    assert sorted(score.details["accuracy"].values()) == [0.0, 0.0, 1.0]
    assert abs(score - 1 / 3) < ERRORS * np.sqrt(2 / 9 / 5_000)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_one_binary_latent_is_right_as_often_as_its_pairs_differ(batch_size):
    # z = v_0. If v_0 is shared all distances are 0; if v_1 is, each of B pairs differs with probability 1/2. The
    # classifier names v_1 where anything differs: right 1 - 2 ** -B / 2 of the time.
    factors = full_grid(2, 3)
    score = beta_vae_score(factors[:, :1] * 1.0, factors, batch_size=batch_size, evaluation=20_000)
    exact = 1 - 0.5 ** (batch_size + 1)
    assert abs(score - exact) < ERRORS * np.sqrt(exact * (1 - exact) / 20_000)
    assert score.details["accuracy"]["0"] == 1.0


def test_with_holes_pairs_are_those_of_the_rows_there_are():
    # B = 1 and one latent: the distance takes few values. The best threshold is right as often as enumeration says, and
    # a linear classifier of one number is a threshold. Rows of shared v_0: values 0 (3 rows) and 1 (2 rows).
    factors = np.array([[0, 0], [0, 1], [0, 1], [1, 0], [1, 1]])
    codes = np.array([[0.0], [1.0], [1.0], [5.0], [6.0]])
    seen = {0: {}, 1: {}}
    for k, (first, second) in itertools.product((0, 1), itertools.product(range(5), repeat=2)):
        if factors[first, k] == factors[second, k]:
            distance = float(abs(codes[first, 0] - codes[second, 0]))
            alike = (factors[:, k] == factors[first, k]).sum()
            seen[k][distance] = seen[k].get(distance, 0) + 1 / (5 * alike)
    right = [
        sum(p for d, p in seen[0].items() if d < t) + sum(p for d, p in seen[1].items() if d >= t) for t in (0.5, 2)
    ]
    exact = max(right) / 2
    score = beta_vae_score(codes, factors, batch_size=1, evaluation=20_000)
    assert abs(score - exact) < ERRORS * np.sqrt(exact * (1 - exact) / 20_000)


def test_each_pair_has_a_value_of_its_own():
    # z = 1 where v_0 = 1 and v_1 is one of the last three of four values. The codes of a pair differ with probability
    # 3/16 if v_0 is shared (3/8 where it is 1) and 3/8 if v_1 is (1/2 for the last three). Two pairs that both agree
    # say v_0. Had both pairs the same value, these would be right 0.695 and 0.5625 of the time.
    factors = full_grid(2, 4)
    codes = ((factors[:, :1] == 1) & (factors[:, 1:] > 0)) * 1.0
    share = beta_vae_score(codes, factors, batch_size=2, evaluation=40_000).details["accuracy"]
    for name, exact in (("0", (13 / 16) ** 2), ("1", 1 - (5 / 8) ** 2)):
        assert abs(share[name] - exact) < ERRORS * np.sqrt(exact * (1 - exact) / 19_000)  # half of them, near enough


def test_a_penalty_weighs_more_on_codes_of_small_scale(grid):
    codes = grid @ np.random.default_rng(3).standard_normal((3, 3))
    settings = {"points": 1_000, "evaluation": 1_000, "batch_size": 16}
    small, large = (beta_vae_score(codes * s, grid, **settings) for s in (1e-3, 1.0))
    assert small < large - 0.2
    assert beta_vae_score(codes * 0.1, grid, **settings, penalty=0.01) == pytest.approx(large, abs=0.005)


def test_few_points_can_all_have_one_factor(grid):
    score = beta_vae_score(grid * 1.0, grid, points=2, evaluation=300, seed=1)
    assert sorted(score.details["accuracy"].values())[:2] != [1.0, 1.0]
    assert 0 <= score < 1


def test_the_seed_alone_decides(grid):
    codes = grid @ np.random.default_rng(6).standard_normal((3, 2))
    settings = {"points": 300, "evaluation": 300, "batch_size": 2}
    first, again, other = (beta_vae_score(codes, grid, seed=s, **settings) for s in (0, 0, 1))
    assert first.to_dict() == again.to_dict()
    assert first.details != other.details


def test_a_continuous_factor_is_cut_into_parts_of_equal_counts():
    rng = np.random.default_rng(5)
    factors = np.stack([np.exp(3 * rng.standard_normal(2000)), rng.integers(0, 4, 2000)], axis=1)
    codes = np.stack([np.log(factors[:, 0]), factors[:, 1]], axis=1)
    score = beta_vae_score(codes, factors, continuous=[0], bins=10, points=1_000, evaluation=500)
    assert score == 1.0
    assert score.settings["bins"] == 10


def test_the_score_says_what_it_is(grid):
    score = beta_vae_score(grid * 1.0, grid, points=100, evaluation=50, leave_out=["b"], factor_names=("a", "b", "c"))
    assert isinstance(score, Score)
    assert (score.metric, score.estimator) == ("beta_vae_score", "logistic_regression")
    assert score.settings == {
        "preset": "disentanglement_lib",
        "points": 100,
        "evaluation": 50,
        "batch_size": 64,
        "penalty": 1.0,
        "least_rows": 2,
        "seed": 0,
        "n": 60,
    }
    assert set(score.details["accuracy"]) == {"a", "c"}
    assert score.details["fewest_rows"] == {"a": 20, "c": 12}
    json.dumps(score.to_dict())


@pytest.mark.parametrize("unit", [1e300, 1e-300])
def test_codes_near_the_end_of_float64_are_scored(grid, unit):
    assert beta_vae_score(grid * unit, grid, preset="paper") == 1.0  # without a penalty no unit matters


def test_the_penalty_is_that_of_the_codes_as_they_are(grid):
    # Weights w of codes times u are weights w u of the codes, whose penalty is u² as great.
    sizes = {"points": 200, "evaluation": 2_000, "batch_size": 1}
    wide = beta_vae_score(grid * 2.0**9, grid, penalty=1e3 * 2.0**18, **sizes)
    plain = beta_vae_score(grid * 1.0, grid, penalty=1e3, **sizes)
    assert wide == plain != beta_vae_score(grid * 1.0, grid, penalty=0, **sizes)
    assert beta_vae_score(grid * 1e300, grid) == 1.0  # far too wide for any penalty
    assert beta_vae_score(grid * 1e-300, grid) < 0.5  # far too narrow for any weight


CODES, FACTORS = np.arange(12.0).reshape(6, 2), np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [1, 1]])


@pytest.mark.parametrize(
    ("codes", "factors", "settings", "error", "words"),
    [
        (CODES[:1], FACTORS[:1], {}, ValueError, "at least two rows"),
        (CODES[:5], FACTORS, {}, ValueError, "got 5 and 6 rows"),
        (np.where(CODES == 5, np.nan, CODES), FACTORS, {}, ValueError, "codes must be finite, got nan"),
        (CODES, FACTORS * [1, 0], {}, ValueError, "must have two values or more, got one in '1'"),
        (CODES, FACTORS[:, :1], {}, ValueError, "at least two for a score that tells them apart, got '0' alone"),
        (CODES, FACTORS * 1.0, {}, TypeError, "factors must be integers"),
        (CODES, FACTORS * 1.0, {"continuous": True}, ValueError, "got None for '0', '1': set bins"),
        (CODES, FACTORS, {"preset": "higgins"}, ValueError, "preset must be one of .*, got 'higgins'"),
        (CODES, FACTORS, {"points": 1}, ValueError, "points must be a whole number of at least 2, got 1"),
        (CODES, FACTORS, {"evaluation": 0}, ValueError, "evaluation must be a whole number of at least 1, got 0"),
        (CODES, FACTORS, {"batch_size": True}, TypeError, "batch_size must be a whole number of at least 1, got True"),
        (CODES, FACTORS, {"penalty": np.inf}, ValueError, "penalty must be a finite number of at least 0, got inf"),
        (CODES, FACTORS, {"seed": None}, TypeError, "seed must be a whole number from 0 to 4294967295, got None"),
        (CODES, FACTORS, {"preset": ["x"]}, TypeError, "preset must be one of"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_sentence(codes, factors, settings, error, words):
    with pytest.raises(error, match=words) as caught:
        beta_vae_score(codes, factors, **settings)
    assert "\n" not in str(caught.value)
