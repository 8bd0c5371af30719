r"""DCI against codes whose score is known, and against the lasso's closed form on orthogonal latents."""

import numpy as np
import pytest
from scipy.stats import binom, t

from pyrogen.metrics import Score, dci
from pyrogen.metrics.dci import specialization
from pyrogen.metrics.importance import fitted

SIZES = (2, 3, 4)
TURN = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, v, 600) for v in SIZES], axis=1)


def parts(score):
    return [score.details[part] for part in ("disentanglement", "completeness", "informativeness")]


@pytest.mark.parametrize(
    ("importance", "expected"),
    [
        (np.eye(3), [1, 1, 1]),
        (np.ones((4, 2)), [0, 0]),
        ([[1, 0], [1, 0], [0, 5], [0, 0]], [1 - np.log(2) / np.log(4), 1]),
        ([[3, 0], [1, 0]], [1 + (0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / np.log(2), 0]),  # none: 0, not NaN
        ([[2, 0]], [1, 0]),  # a single row shares with none
    ],
)
def test_specialization_is_one_less_the_entropy_of_each_column(importance, expected):
    assert specialization(np.array(importance, dtype=float)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("preset", ["forest", "paper_lasso", "paper_forest"])
def test_ideal_codes_score_one(factors, preset):
    score = dci(factors * [2.0, -1.0, 0.5], factors, preset=preset)
    # the lasso on nearly orthogonal latents: coefficient 0.98, so 1 - R² = 0.02² of each, and next to none elsewhere
    assert parts(score) == pytest.approx([1, 1, 1], abs=1e-2 if preset == "paper_lasso" else 1e-9)


def test_boosted_trees_score_ideal_codes_one(factors):
    score = dci(factors[:, :2] * [2.0, -1.0], factors[:, :2], preset="disentanglement_lib", train=60, test=30)
    assert parts(score) == pytest.approx([1, 1, 1], abs=1e-9)
    assert (score.settings["train"], score.settings["test"]) == (60, 30)


@pytest.mark.parametrize("preset", ["forest", "paper_lasso"])
def test_latents_of_no_use_have_no_weight(factors, preset):
    rng = np.random.default_rng(1)
    codes = np.hstack([factors, np.full((600, 2), 3.25), 1e-3 * rng.standard_normal((600, 1))])
    score = dci(codes, factors, preset=preset)
    assert parts(score) == pytest.approx([1, 1, 1], abs=0.06 if preset == "paper_lasso" else 1e-9)
    assert score.details["weights"][3:5] == [0.0, 0.0]
    assert score.details["latents"][3:5] == [0.0, 0.0]


@pytest.mark.parametrize("preset", ["forest", "paper_lasso", "paper_forest"])
def test_constant_codes_score_zero(factors, preset):
    score = dci(np.full((600, 4), 0.1), factors, preset=preset)
    assert parts(score)[:2] == [0.0, 0.0]
    assert np.asarray(score.details["importance"]).max() == 0


def test_a_latent_for_each_of_two_factors_and_one_for_both():
    # By hand: R = [[1, 0], [0, 1/2], [0, 1/2]] of two equal copies, as trees choose between them by a coin.
    # D = 1; C = (1 + (1 - log 2 / log 3)) / 2 for even halves. Of the coin's n flips, each a tree's first cut of all
    # information, the share differs from a half; only the bounds 0 and 1 of its entropy are certain.
    rng = np.random.default_rng(2)
    factors = rng.integers(0, 2, (400, 2))
    codes = factors[:, [0, 1, 1]] * 1.0
    score = dci(codes, factors)
    assert score == pytest.approx(1.0)
    copies = np.asarray(score.details["importance"])[1:, 1]
    assert copies.sum() == pytest.approx(1.0)
    share = copies[0]
    assert 0 < share < 1  # ten trees choose alike with probability 2^-9, and the seed is fixed
    even = -(share * np.log(share) + (1 - share) * np.log(1 - share)) / np.log(3)
    assert score.details["completeness"] == pytest.approx((1 + 1 - even) / 2)
    # the lasso takes one of two equal latents, and sees no duplicate
    assert dci(codes, factors, "completeness", preset="paper_lasso") == pytest.approx(1.0, abs=0.05)


def orthogonal():
    r"""Returns the 5 × 4 grid of two factors, (20, 2), each of mean 0 and variance 1: exactly uncorrelated."""

    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0)), axis=-1).reshape(-1, 2)
    return (grid - grid.mean(axis=0)) / grid.std(axis=0)


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4])
def test_the_lasso_has_its_closed_form_on_orthogonal_latents(angle):
    # Of standardized uncorrelated latents the coefficient is the correlation c, less 0.02 in size (0 if smaller), and
    # the squared error 1 - sum of c² + sum of 0.02² where c is above it.
    factors = orthogonal()
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    codes = 3.0 + 5.0 * factors @ turn
    for k in range(2):
        c = np.abs(turn[k])
        importance, quality = fitted("lasso", (codes, codes), (factors[:, k] * 7, factors[:, k] * 7), False, 0)
        assert importance == pytest.approx(np.maximum(c - 0.02, 0), abs=1e-6)
        error = 1 - (c**2).sum() + 0.02**2 * (c > 0.02).sum()
        assert quality["test"] == pytest.approx(1 - error, abs=1e-6)
        assert quality["nrmse"] ** 2 == pytest.approx(error, abs=1e-6)


def test_codes_turned_by_45_degrees_mix_all():
    codes, factors = orthogonal() @ TURN, orthogonal()
    table = np.stack([fitted("lasso", (codes, codes), (v, v), False, 0)[0] for v in factors.T], axis=1)
    assert table == pytest.approx(np.full((2, 2), np.sqrt(0.5) - 0.02), abs=1e-6)
    assert specialization(table) == pytest.approx(np.zeros(2), abs=1e-6)
    assert specialization(table.T) == pytest.approx(np.zeros(2), abs=1e-6)


def test_the_order_of_latents_is_irrelevant(factors):
    rng = np.random.default_rng(4)
    codes = factors @ rng.standard_normal((3, 5)) + 0.1 * rng.standard_normal((600, 5))
    order = rng.permutation(5)
    score, other = (dci(z, factors, preset="paper_lasso") for z in (codes, codes[:, order]))
    assert 0.01 < score < 0.99
    assert other == pytest.approx(score, abs=1e-4)
    assert np.asarray(other.details["importance"]) == pytest.approx(
        np.asarray(score.details["importance"])[order], abs=1e-4
    )


def test_random_codes_are_as_informative_as_a_guess():
    # Labels are even and independent of codes and so of the guesses: of n test rows Binomial(n, 1/V) are right.
    rng = np.random.default_rng(5)
    factors = np.stack([rng.integers(0, v, 900) for v in SIZES], axis=1)
    score = dci(rng.standard_normal((900, 4)), factors)
    for size, found in zip(SIZES, score.details["predictions"].values(), strict=True):
        low, high = binom(300, 1 / size).ppf([1e-7, 1 - 1e-7]) / 300
        assert low <= found["test"] <= high
        assert found["train"] > high  # deep trees remember training rows


def test_random_codes_have_importances_that_no_latent_or_factor_tells_apart():
    # By symmetry each of 3 latents has a mean importance of 1/3; t statistics over 16 runs, 6 of them, 1e-7 in all.
    runs = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        factors = rng.integers(0, 2, (120, 2))
        runs.append(dci(rng.standard_normal((120, 3)), factors, seed=seed).details["importance"])
    runs = np.asarray(runs)
    statistic = (runs.mean(axis=0) - 1 / 3) / (runs.std(axis=0, ddof=1) / np.sqrt(16))
    assert abs(statistic).max() < t(15).ppf(1 - 1e-7 / 12)


def test_lasso_of_random_codes_uses_none():
    # A coefficient is 0 if the correlation is below 0.02, six standard errors of 90,000 rows: 2e-9 for each of six.
    rng = np.random.default_rng(6)
    factors = rng.integers(0, 3, (90_300, 2))
    score = dci(rng.standard_normal((90_300, 3)), factors, preset="paper_lasso", train=90_000, test=300)
    assert parts(score)[:2] == [0.0, 0.0]


def test_continuous_factors_are_regressed(factors):
    rng = np.random.default_rng(7)
    real = np.hstack([factors[:, :1], rng.random((600, 1))])
    codes = real @ np.diag([1.0, -2.0])
    score = dci(codes, real, continuous=["size"], factor_names=("kind", "size"))
    # Of the last cuts, between two or three rows, some are as good on the other latent. They hold less than a
    # thousandth of the variance (a cut of even values leaves a quarter), of which the entropy is below 0.012.
    assert min(parts(score)[:2]) > 1 - 0.012
    assert set(score.details["predictions"]["kind"]) == {"train", "test"}
    found = score.details["predictions"]["size"]
    assert found["nrmse"] ** 2 == pytest.approx(1 - found["test"])
    assert score.settings["continuous"] == ["size"]


def test_a_missing_combination_is_no_hindrance(factors):
    rows = factors.sum(axis=1) % 2 == 1
    assert parts(dci(factors[rows] * 1.0, factors[rows])) == pytest.approx([1, 1, 1])


def test_the_seed_decides_all_and_touches_no_generator(factors):
    codes = factors + np.random.default_rng(8).standard_normal((600, 3))
    before = repr(np.random.get_state())  # noqa: NPY002
    runs = [dci(codes, factors, seed=seed) for seed in (1, 1, 2)]
    assert repr(np.random.get_state()) == before  # noqa: NPY002
    assert runs[0].to_dict() == runs[1].to_dict()
    assert runs[0] != runs[2]


def test_the_depth_of_the_papers_forest_is_chosen(factors):
    codes = factors + 2.0 * np.random.default_rng(9).standard_normal((600, 3))
    noisy = dci(codes, factors, preset="paper_forest").details["predictions"]
    clean = dci(factors * 1.0, factors, preset="paper_forest").details["predictions"]
    assert all(part["depth"] <= 5 for part in noisy.values())
    assert clean["2"]["depth"] >= 2  # four values need three cuts


def test_each_part_and_factor_can_be_asked_for(factors):
    names = ("shape", "scale", "posX")
    score = dci(factors * 1.0, factors, "completeness", leave_out="scale", factor_names=names, train=300)
    assert isinstance(score, Score)
    assert (score.metric, score.estimator) == ("dci", "forest")
    assert list(score.details["factors"]) == ["shape", "posX"]
    assert score.settings == {
        "part": "completeness",
        "predictor": "forest",
        "continuous": [],
        "factors": ["shape", "posX"],
        "train": 300,
        "test": 300,
        "seed": 0,
        "n": 600,
    }
    assert list(score.details["predictions"]) == ["shape", "posX"]


@pytest.mark.parametrize("preset", ["forest", "paper_forest", "paper_lasso"])
@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e300])
def test_codes_of_any_size_are_scored(factors, preset, scale):
    # A tree asks whether a code exceeds one of its values, and the lasso standardizes: units change nothing.
    codes = factors + 0.3 * np.random.default_rng(9).standard_normal((600, 3))
    assert parts(dci(codes * scale, factors, preset=preset)) == pytest.approx(
        parts(dci(codes, factors, preset=preset)), abs=0.02
    )


def test_trees_share_out_an_importance_for_a_factor_that_no_latent_predicts_and_the_lasso_does_not(factors):
    # What the docstring says. The one latent gets all of the importance for both factors, 1 and 1.
    pair = factors[:, :2]
    trees, lasso = (dci(pair[:, :1] * 1.0, pair, preset=preset) for preset in ("forest", "paper_lasso"))
    assert trees.details["importance"] == [[pytest.approx(1.0), pytest.approx(1.0)]]
    assert trees == pytest.approx(0.0, abs=1e-12)
    assert lasso > 0.5
    assert lasso.details["importance"][0][1] < 0.2
