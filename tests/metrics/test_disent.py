r"""Agreement with disent 0.8.0 where it is right; where it is not, a computation by hand shows who is.

Its numbers are in disent.json. They come from its own functions of arrays: `_compute_mig`, `_compute_sap`,
`_compute_importance_gbt` and what makes its scores of that. These were given the transposes of the rows that
`split_rows` draws here, since disent holds codes as (L, N). The part named "whole" is from its `metric_dci` on a data
set of thirty images. The tests run without disent.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from pyrogen.metrics import dci, mig, sap
from pyrogen.metrics.validation import split_rows

FIGURES = json.loads((Path(__file__).parent / "disent.json").read_text("utf-8"))
SIZES = (2, 3, 4)
TRAIN, TEST = 120, 60
CASES = ("random", "aligned", "turned", "doubled", "missing")
WITH_TREES = ("turned", "doubled")  # 800 trees a case


def case(name):
    r"""Returns codes (N, L) and factors (N, 3) of a seeded case."""

    rng = np.random.default_rng(11)
    factors = np.stack([rng.integers(0, v, 3 * (TRAIN + TEST)) for v in SIZES], axis=1)
    if name == "missing":  # combinations whose values sum to an even number never occur
        factors = factors[factors.sum(axis=1) % 2 == 1]
    factors = factors[: TRAIN + TEST]
    ideal = (factors - np.mean(factors, axis=0)) / np.std(factors, axis=0)
    noise = rng.standard_normal((len(factors), 6))
    mixed = {
        "random": 0.0 * ideal[:, [0, 1, 2, 0]],
        "turned": ideal @ np.array([[0.7, 0.7, 0.1, 0.0], [0.7, -0.7, 0.3, 0.0], [0.0, 0.4, 0.9, 0.0]]),
        "doubled": ideal[:, [0, 1, 2, 0, 1, 2]],
    }.get(name, np.hstack([ideal, np.zeros((len(factors), 1))]))
    return mixed + (1.0 if name == "random" else 0.15) * noise[:, : mixed.shape[1]], factors


@pytest.mark.parametrize("name", CASES)
def test_mig_is_that_of_disent(name):
    codes, factors = case(name)
    assert mig(codes, factors) == pytest.approx(FIGURES["cases"][name]["mig"], abs=1e-9)


@pytest.mark.parametrize("name", WITH_TREES)
def test_dci_is_that_of_disent(name):
    # Latents that split the rows of a node equally well are chosen between at random. For its figures numpy's global
    # generator, which its trees draw from, was set to our seed before each factor. A row beside a cut may fall on its
    # other side where sums are rounded otherwise: one row is 1/60 of a factor's accuracy.
    expected = FIGURES["cases"][name]["dci"]
    score = dci(*case(name), preset="disentanglement_lib", train=TRAIN, test=TEST)
    assert score == pytest.approx(expected["disentanglement"], abs=1e-4)
    assert score.details["completeness"] == pytest.approx(expected["completeness"], abs=1e-4)
    assert score.details["informativeness"] == pytest.approx(expected["informativeness_test"], abs=1.01 / TEST / 3)
    train = np.mean([part["train"] for part in score.details["predictions"].values()])
    assert train == pytest.approx(expected["informativeness_train"], abs=1.01 / TRAIN / 3)


@pytest.mark.parametrize("name", CASES)
def test_sap_is_that_of_disent(name):
    codes, factors = case(name)
    score = sap(codes, factors, preset="disentanglement_lib", train=TRAIN, test=TEST)
    assert score == pytest.approx(FIGURES["cases"][name]["sap"], abs=1.01 / TEST / 3)
    score = sap(codes, factors, train=TRAIN, test=TEST, continuous=True)
    assert score == pytest.approx(FIGURES["cases"][name]["sap_continuous"], abs=1e-9)


def test_squared_correlation_is_blind_to_the_scale_of_codes_and_disent_is_not():
    # R² of a code with itself scaled is 1 and of the constant 0: SAP is 1. disent takes every code of a variance up to
    # 1e-12 for constant, and says 0.
    factors = np.arange(30)[:, None]
    codes = np.hstack([factors * 1e-8, np.zeros((30, 1))])
    assert sap(codes, factors, continuous=True) == pytest.approx(1.0)
    assert FIGURES["scaled"]["sap_continuous"] == 0.0


def test_test_rows_are_no_training_rows_and_those_of_disent_are():
    # Thirty images, each with a code of its own that says nothing of the factors. disent draws 300 training and 150
    # test rows with replacement, so a test row is new with probability (29/30)^300 = 4e-5. So its informativeness on
    # test rows is that on training rows, 1. What new rows can reach is in test_dci.py: the share of right guesses.
    assert FIGURES["whole"]["informativeness_test"] > 0.99
    train, test = split_rows(30)
    assert sorted([*train, *test]) == list(range(30))
    assert (len(train), len(test)) == (20, 10)


def test_a_single_factor_or_latent_has_a_score_here_and_none_there():
    codes, factors = case("aligned")
    one = dci(codes, factors[:, :1], preset="disentanglement_lib", train=TRAIN, test=TEST)
    assert one == pytest.approx(1.0)  # there is no other factor to mix
    assert FIGURES["one_factor"]["disentanglement"] is None  # NaN
    narrow = dci(codes[:, :1], factors, "completeness", preset="paper_lasso", train=TRAIN, test=TEST)
    assert narrow == pytest.approx(
        np.mean([float(sum(row) > 0) for row in zip(*narrow.details["importance"], strict=True)])
    )
    assert FIGURES["one_latent"]["mig"] == "IndexError"
    assert FIGURES["one_latent"]["sap"] == "IndexError"
