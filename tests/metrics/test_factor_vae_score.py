r"""The FactorVAE score against codes whose score is known, enumeration, and the figures of another implementation."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from pyrogen.metrics import Score, factor_vae_score

# A normal bound at a false-alarm rate of 1e-7, both sides.
ERRORS = norm.isf(5e-8)


def full_grid(*sizes):
    return np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, len(sizes))


@pytest.fixture(scope="module")
def grid():
    return full_grid(3, 4, 5)


def exact_votes(codes, factors, batch_size):
    r"""Returns P(latent j votes, factor k is fixed), (L, K), over all batches of rows drawn with replacement."""

    votes = np.zeros((codes.shape[1], factors.shape[1]))
    overall = codes.var(axis=0)
    for k in range(factors.shape[1]):
        for value in np.unique(factors[:, k]):
            rows = codes[factors[:, k] == value]
            batches = np.array(list(itertools.product(rows, repeat=batch_size)))  # (rows ** B, B, L)
            least = np.argmin(batches.var(axis=1) / overall, axis=1)
            share = len(rows) / len(codes) / factors.shape[1]
            votes[:, k] += share * np.bincount(least, minlength=codes.shape[1]) / len(batches)
    return votes


@pytest.mark.parametrize("preset", ["disentanglement_lib", "paper"])
def test_identity_duplicated_permuted_and_scaled_codes_score_one(grid, preset):
    order = np.random.default_rng(0).permutation(3)
    for codes in (grid, np.hstack([grid, grid]), grid[:, order], grid * [1e6, -1.0, 0.1] + 1e4):
        assert factor_vae_score(codes * 1.0, grid, preset=preset, votes=800) == 1.0
    assert factor_vae_score(grid[:, order] * 1.0, grid).details["best_factor"] == [str(k) for k in order]


def test_a_factor_without_a_latent_of_its_own_is_lost(grid):
    # Two of three factors are told; a vote for the third goes to one of these two, whatever it is.
    score = factor_vae_score(grid[:, :2] * 1.0, grid)
    assert score.details["accuracy"] == {"0": 1.0, "1": 1.0, "2": 0.0}
    assert abs(score - 2 / 3) < ERRORS * np.sqrt(2 / 9 / 5_000)


def test_codes_that_know_nothing_score_one_over_the_number_of_factors():
    # Rows are all pairs of a factor row and a code row, so that codes are exactly independent of the factors. Each
    # evaluation vote is then right with probability 1/3, whatever the classifier.
    factors, codes = full_grid(2, 3, 4), np.random.default_rng(1).standard_normal((30, 5))
    pairs = full_grid(len(factors), len(codes))
    score = factor_vae_score(codes[pairs[:, 1]], factors[pairs[:, 0]], votes=100, evaluation=20_000)
    assert abs(score - 1 / 3) < ERRORS * np.sqrt(2 / 9 / 20_000)
    assert score.details["standard_error"] == pytest.approx(np.sqrt(2 / 9 / 20_000), rel=0.05)


def test_codes_rotated_by_45_degrees_score_at_chance():
    # Turning the sign of one code swaps the factors, so that both codes vote alike whichever factor is fixed.
    factors = full_grid(6, 6)
    score = factor_vae_score(factors @ np.array([[1.0, 1.0], [1.0, -1.0]]), factors, evaluation=20_000)
    assert abs(score - 1 / 2) < ERRORS * np.sqrt(1 / 4 / 20_000)


def test_constant_codes_score_zero(grid):
    score = factor_vae_score(np.full((60, 3), 0.1), grid)
    assert score == 0.0
    assert score.details["active_latents"] == []
    assert "standard_error" not in score.details


def test_dead_latents_take_no_part(grid):
    # A constant wins each vote with its variance of 0, or of 0/0; a standard deviation of 0.04 is below the threshold.
    rng = np.random.default_rng(2)
    dead = rng.standard_normal((60, 2)) * [0.04, 0.0]
    dead[:, 0] *= 0.04 / dead[:, 0].std()
    score = factor_vae_score(np.hstack([dead, grid]), grid)
    assert score == 1.0
    assert score.details["active_latents"] == [2, 3, 4]
    assert score.details["best_factor"] == [None, None, "0", "1", "2"]
    assert not np.any(score.details["votes"][:2])
    # The threshold is on the standard deviation: a variance of 0.04 ** 2 is below it, one of 0.06 ** 2 is not.
    assert factor_vae_score(np.hstack([dead * 1.5, grid]), grid).details["active_latents"] == [0, 2, 3, 4]
    assert factor_vae_score(np.hstack([dead, grid]), grid, threshold=0.0).details["active_latents"] == [0, 2, 3, 4]


@pytest.mark.parametrize("case", ["grid", "holes"])
def test_votes_are_those_of_all_batches_by_enumeration(case):
    rng = np.random.default_rng(3)
    factors = full_grid(2, 3, 2)
    if case == "holes":  # values of 3 and 6 rows, combinations missing, and one row twice
        factors = factors[[0, 1, 2, 3, 5, 6, 8, 8, 11]]
    codes = factors @ rng.standard_normal((3, 4)) * [1.0, 10.0, 0.1, 3.0] + rng.standard_normal((len(factors), 4)) * 0.3
    exact = exact_votes(codes, factors, 4)
    score = factor_vae_score(codes, factors, votes=50_000, evaluation=50_000, batch_size=4, threshold=0.0)
    error = np.sqrt(exact * (1 - exact) / 50_000)
    assert (np.abs(np.array(score.details["votes"]) / 50_000 - exact) <= ERRORS * error + 1e-12).all()
    expected = exact[np.arange(4), [int(k) for k in score.details["best_factor"]]].sum()
    assert abs(score - expected) < ERRORS * np.sqrt(expected * (1 - expected) / 50_000)
    assert expected == pytest.approx(exact.max(axis=1).sum(), abs=0.01)  # and that classifier is the best there is


def test_the_papers_preset_judges_the_votes_that_made_the_classifier(grid):
    codes = grid @ np.random.default_rng(4).standard_normal((3, 4))
    score = factor_vae_score(codes, grid, preset="paper")
    votes = np.array(score.details["votes"])
    assert votes.sum() == 800
    assert score == pytest.approx(votes.max(axis=1).sum() / 800)
    assert score.settings["batch_size"] == 100


FIGURES = json.loads(Path(__file__).with_name("disent_factor_vae.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", FIGURES["cases"])
def test_scores_agree_with_those_of_disent(case):
    figures = FIGURES["cases"][case]
    codes = np.array(figures["codes"])
    score = factor_vae_score(codes, full_grid(*FIGURES["sizes"]), preset="disentanglement_lib")
    theirs, runs = np.mean(figures["accuracy"]), len(figures["accuracy"])
    if "wrong" in figures:
        assert score == 1.0  # identity codes and a constant beside them
        assert theirs < 0.4
        return
    error = np.sqrt(theirs * (1 - theirs) / FIGURES["settings"]["num_eval"] * (1 + 1 / runs))
    assert abs(score - theirs) <= ERRORS * error


def test_values_of_too_few_rows_are_left_out(grid):
    factors = np.vstack([grid, [[3, 0, 0], [3, 1, 1]]])
    codes = np.vstack([grid, [[9, 0, 0], [90, 1, 1]]]) * 1.0
    assert factor_vae_score(codes, factors).details["rows_left_out"] == {"0": 0, "1": 0, "2": 0}
    score = factor_vae_score(codes, factors, least_rows=3)
    assert score.details["rows_left_out"] == {"0": 2, "1": 0, "2": 0}
    assert factor_vae_score(codes, factors).details["fewest_rows"] == {"0": 2, "1": 15, "2": 12}
    assert score.details["fewest_rows"] == {"0": 20, "1": 15, "2": 12}
    assert score.settings["least_rows"] == 3


def test_a_continuous_factor_is_cut_into_parts_of_equal_counts():
    rng = np.random.default_rng(5)
    factors = np.stack([np.exp(3 * rng.standard_normal(2000)), rng.integers(0, 4, 2000)], axis=1)
    codes = np.stack([np.log(factors[:, 0]), factors[:, 1]], axis=1)
    score = factor_vae_score(codes, factors, continuous=["size"], factor_names=("size", "shape"), bins=10)
    assert score == 1.0
    assert score.details["best_factor"] == ["size", "shape"]
    assert score.settings["bins"] == 10
    assert score.details["rows_left_out"] == {"size": 0, "shape": 0}


def test_the_seed_alone_decides(grid):
    codes = grid @ np.random.default_rng(6).standard_normal((3, 3))
    first, again, other = (factor_vae_score(codes, grid, votes=500, evaluation=500, seed=s) for s in (0, 0, 1))
    assert first.to_dict() == again.to_dict()
    assert first.details["votes"] != other.details["votes"]


def test_the_score_says_what_it_is(grid):
    score = factor_vae_score(grid * 1.0, grid, votes=100, leave_out=["b"], factor_names=("a", "b", "c"))
    assert isinstance(score, Score)
    assert (score.metric, score.estimator) == ("factor_vae_score", "majority_vote")
    assert score.settings == {
        "preset": "disentanglement_lib",
        "votes": 100,
        "evaluation": 5000,
        "batch_size": 64,
        "threshold": 0.05,
        "least_rows": 2,
        "seed": 0,
        "n": 60,
    }
    assert set(score.details["accuracy"]) == {"a", "c"}
    json.dumps(score.to_dict())


def test_codes_near_the_end_of_float64_are_scored(grid):
    assert factor_vae_score(grid * 1e300, grid) == 1.0


CODES, FACTORS = np.arange(12.0).reshape(6, 2), np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [1, 1]])


@pytest.mark.parametrize(
    ("codes", "factors", "settings", "error", "words"),
    [
        (CODES[:1], FACTORS[:1], {}, ValueError, "at least two rows"),
        (CODES[:5], FACTORS, {}, ValueError, "got 5 and 6 rows"),
        (CODES[:, 0], FACTORS, {}, ValueError, "codes must have two dimensions"),
        (np.where(CODES == 5, np.nan, CODES), FACTORS, {}, ValueError, "codes must be finite, got nan"),
        (CODES, FACTORS * [1, 0], {}, ValueError, "must have two values or more, got one in '1'"),
        (CODES, FACTORS[:, :1], {}, ValueError, "at least two for a score that tells them apart, got '0' alone"),
        (CODES, FACTORS * 1.0, {}, TypeError, "factors must be integers"),
        (CODES, FACTORS * 1.0, {"continuous": [1]}, ValueError, "bins must be given .*, got None for '1': set bins"),
        (CODES, np.arange(12).reshape(6, 2), {}, ValueError, "factor '0' must have a value that 2 rows share"),
        (CODES, FACTORS, {"least_rows": 4}, ValueError, "that 4 rows share, got at most 3 rows"),
        (CODES, FACTORS, {"least_rows": 1}, ValueError, "least_rows must be a whole number of at least 2, got 1"),
        (
            CODES,
            FACTORS,
            {"preset": "kim"},
            ValueError,
            "preset must be one of 'disentanglement_lib', ",
        ),
        (CODES, FACTORS, {"votes": 0}, ValueError, "votes must be a whole number of at least 1, got 0"),
        (CODES, FACTORS, {"evaluation": 2.5}, TypeError, "evaluation must be a whole number of at least 0, got 2.5"),
        (CODES, FACTORS, {"batch_size": 1}, ValueError, "batch_size must be a whole number of at least 2, got 1"),
        (CODES, FACTORS, {"threshold": -1.0}, ValueError, "threshold must be a finite number of at least 0, got -1.0"),
        (CODES, FACTORS, {"threshold": "a"}, TypeError, "threshold must be a finite number"),
        (CODES, FACTORS, {"bins": 1}, ValueError, "bins must be a whole number of at least 2, got 1"),
        (CODES, FACTORS, {"seed": None}, TypeError, "seed must be a whole number from 0 to 4294967295, got None"),
        (CODES, FACTORS, {"preset": ["x"]}, TypeError, "preset must be one of"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_sentence(codes, factors, settings, error, words):
    with pytest.raises(error, match=words) as caught:
        factor_vae_score(codes, factors, **settings)
    assert "\n" not in str(caught.value)
