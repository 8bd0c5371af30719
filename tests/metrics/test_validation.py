r"""The boundary that the scores share: discrete and continuous factors, rows, presets, and bad input."""

import numpy as np
import pytest
import torch

from pyrogen.metrics import dci, explicitness, latent_gap, mig, modularity, sap
from pyrogen.metrics.batches import settled
from pyrogen.metrics.validation import as_mixed_factors, binned, split_rows

RNG = np.random.default_rng(0)
CODES, FACTORS = RNG.standard_normal((60, 3)), RNG.integers(0, 3, (60, 2))
MIXED = np.stack([FACTORS[:, 0], RNG.random(60)], axis=1)
METRICS = [dci, explicitness, modularity, sap]


def test_discrete_columns_are_numbered_and_continuous_ones_kept():
    factors = as_mixed_factors(MIXED * [2, 1] + [7, 0], continuous=1, factor_names=("kind", "size"))
    assert (factors.discrete(0) == FACTORS[:, 0]).all()
    assert (factors.values[:, 1] == MIXED[:, 1]).all()
    assert factors.continuous == (False, True)
    assert (factors.names, factors.real) == (("kind", "size"), ["size"])


@pytest.mark.parametrize("continuous", [[1], ["size"], "size", np.int64(1)])
def test_continuous_columns_go_by_name_or_index(continuous):
    assert as_mixed_factors(MIXED, continuous, ("kind", "size")).continuous == (False, True)


def test_all_or_none_can_be_continuous():
    assert as_mixed_factors(FACTORS, True).continuous == (True, True)
    assert as_mixed_factors(FACTORS, False).continuous == (False, False)
    assert as_mixed_factors(FACTORS).names == ("0", "1")


def test_factors_left_out_are_not_judged():
    factors = np.column_stack([np.zeros(60), MIXED[:, 1], FACTORS[:, 0] + 0.5])
    kept = as_mixed_factors(factors, 1, leave_out=[0, 2])
    assert (kept.names, kept.continuous) == (("1",), (True,))


def test_bins_are_of_equal_width_and_numbered_without_gaps():
    factors = as_mixed_factors([[0.0, 5], [0.1, 5], [0.9, 6], [1.0, 9]], 0)
    assert binned(factors, 4).tolist() == [[0, 0], [0, 0], [1, 1], [1, 2]]


@pytest.mark.parametrize(
    ("rows", "sizes", "expected"),
    [
        (30, {}, (20, 10)),
        (100_000, {}, (10_000, 5_000)),
        (2, {}, (1, 1)),
        (30, {"train": 5}, (5, 25)),
        (30, {"test": 5}, (25, 5)),
        (30, {"train": 5, "test": 6}, (5, 6)),
    ],
)
def test_rows_are_split_without_overlap(rows, sizes, expected):
    train, test = split_rows(rows, **sizes, seed=1)
    assert (len(train), len(test)) == expected
    assert len({*train, *test}) == sum(expected)
    assert {*train, *test} <= set(range(rows))


def test_the_seed_draws_the_rows():
    assert (split_rows(50, seed=1)[0] == split_rows(50, seed=1)[0]).all()
    assert (split_rows(50, seed=1)[0] != split_rows(50, seed=2)[0]).any()


@pytest.mark.parametrize("metric", METRICS)
def test_torch_tensors_are_taken_and_nothing_given_is_changed(metric):
    codes, factors = CODES.copy(), FACTORS.copy()
    expected = metric(codes, factors)
    assert (codes == CODES).all()
    assert (factors == FACTORS).all()
    assert metric(torch.tensor(CODES, requires_grad=True), torch.tensor(FACTORS)) == expected


@pytest.mark.parametrize(
    ("codes", "factors", "settings", "error", "words"),
    [
        (CODES[:1], FACTORS[:1], {}, ValueError, r"at least two rows .* got shape \(1, 3\)"),
        (CODES[:, 0], FACTORS, {}, ValueError, r"codes must have two dimensions \(N, L\)"),
        (CODES, FACTORS[:, 0], {}, ValueError, r"factors must have two dimensions \(N, K\)"),
        (CODES[:5], FACTORS, {}, ValueError, "got 5 and 60 rows"),
        (
            np.where(CODES[3, 1] == CODES, np.nan, CODES),
            FACTORS,
            {},
            ValueError,
            "codes must be finite, got nan in row 3",
        ),
        (CODES, MIXED, {}, TypeError, "factors must be integers.*float64.*continuous="),
        (
            CODES,
            MIXED,
            {"continuous": [0]},
            ValueError,
            "whole numbers, got others in '1': name them in continuous",
        ),
        (CODES, np.where(MIXED[4, 1] == MIXED, np.nan, MIXED), {"continuous": 1}, ValueError, "factors must be finite"),
        (CODES, MIXED, {"continuous": 2}, ValueError, r"continuous must name factors, 0 to 1 or one of .*, got 2"),
        (CODES, MIXED, {"continuous": "size"}, ValueError, "must hold indices without factor_names, got 'size'"),
        (CODES, FACTORS.astype(str), {}, TypeError, "factors must be numbers"),
        (CODES, FACTORS * [1, 0], {}, ValueError, "must have two values or more, got one in '1'"),
        (CODES, MIXED * [1, 0], {"continuous": 1}, ValueError, "must have two values or more"),
        (CODES, FACTORS, {"leave_out": [0, 1]}, ValueError, "must leave a factor to score"),
        (CODES, FACTORS, {"factor_names": ["a"]}, ValueError, "2 different names"),
    ],
)
@pytest.mark.parametrize("metric", METRICS)
def test_what_cannot_be_scored_is_said_in_one_sentence(metric, codes, factors, settings, error, words):
    with pytest.raises(error, match=words) as caught:
        metric(codes, factors, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("metric", [dci, explicitness, sap])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"preset": "best"}, "preset must be one of '.*, got 'best'"),
        ({"preset": "disentanglement_lib"}, "which trains on 10000 and tests on 5000, got 60"),
        ({"train": 0}, "train must be a positive number of rows, got 0"),
        ({"test": 2.5}, "test must be a positive number of rows, got 2.5"),
        ({"train": 60}, "must be disjoint, got 60 rows for train=60"),
        ({"train": 40, "test": 30}, "got 60 rows for train=40, test=30"),
    ],
)
def test_rows_and_presets_that_cannot_be_are_named(metric, settings, words):
    with pytest.raises(ValueError, match=words):
        metric(CODES, FACTORS, **settings)


@pytest.mark.parametrize("metric", [dci, explicitness, sap])
def test_training_rows_of_one_value_are_an_error(metric):
    rare = np.zeros((60, 2), dtype=int)
    rare[split_rows(60)[1][0], 1] = 1  # the one row of value 1 is a test row
    rare[:, 0] = FACTORS[:, 0]
    with pytest.raises(ValueError, match="training rows must differ in each factor, got 40 of one '1'"):
        metric(CODES, rare)


def test_the_rest_of_the_settings_is_checked():
    with pytest.raises(ValueError, match="part must be one of 'disentanglement', 'completeness', 'inf"):
        dci(CODES, FACTORS, "all")
    for metric in (modularity, explicitness):
        with pytest.raises(ValueError, match="bins must be a whole number of at least 2, got 1"):
            metric(CODES, MIXED, continuous=1, bins=1)
    still = MIXED.copy()
    still[split_rows(60)[1], 1] = 0.5
    with pytest.raises(ValueError, match="test rows must differ in each factor, got 20 of one '1'"):
        dci(CODES, still, continuous=1)


@pytest.mark.parametrize("seed", [None, -1, 2**32, 1.0, True, "1"])
@pytest.mark.parametrize("metric", [*METRICS, mig, latent_gap])
def test_a_seed_that_some_generator_cannot_take_is_an_error_in_all(metric, seed):
    with pytest.raises((TypeError, ValueError), match=r"^seed must be a whole number from 0 to 4294967295, got "):
        metric(CODES, FACTORS, seed=seed)


@pytest.mark.parametrize("metric", [*METRICS, mig, latent_gap])
def test_the_greatest_seed_is_taken(metric):
    assert np.isfinite(metric(CODES, FACTORS, seed=2**32 - 1))
    assert metric(CODES, FACTORS, seed=np.int64(3)) == metric(CODES, FACTORS, seed=3)


@pytest.mark.parametrize("count", [np.int64(7), torch.tensor(7)])
def test_a_count_is_handed_on_as_a_plain_number(count):
    assert type(settled({"a": {"points": 1}}, "a", {"points": 1}, points=count)["points"]) is int


@pytest.mark.parametrize("metric", [*METRICS, mig, latent_gap])
def test_tensors_of_half_precision_are_taken(metric):
    codes = torch.tensor(CODES).bfloat16()
    assert metric(codes, FACTORS) == metric(codes.double(), FACTORS)


@pytest.mark.parametrize(
    ("codes", "settings", "error", "words"),
    [
        ([[1.0, 2.0], [3.0]] * 30, {}, ValueError, "codes must be an array, got rows of different lengths"),
        (
            CODES,
            {"continuous": None},
            TypeError,
            "continuous must be an index, a name, or a sequence of them, got None",
        ),
        (CODES, {"leave_out": None}, TypeError, "leave_out must be an index, a name, or a sequence of them, got None"),
        (CODES, {"factor_names": "ab"}, TypeError, "factor_names must be a sequence of names, got 'ab'"),
        (CODES, {"factor_names": 2}, TypeError, "factor_names must be a sequence of names, got 2"),
    ],
)
@pytest.mark.parametrize("metric", [*METRICS, mig, latent_gap])
def test_arguments_of_another_kind_are_named(metric, codes, settings, error, words):
    with pytest.raises(error, match=words):
        metric(codes, FACTORS, **settings)


@pytest.mark.parametrize("metric", [dci, explicitness, sap])
def test_a_preset_is_a_name(metric):
    with pytest.raises(TypeError, match="preset must be one of"):
        metric(CODES, FACTORS, preset=["x"])


@pytest.mark.parametrize("metric", [explicitness, mig, latent_gap, modularity])
def test_bins_without_a_use_are_checked(metric):
    settings = {} if metric is explicitness else {"estimator": "posterior", "scale": np.ones((60, 3)), "samples": 10}
    with pytest.raises(ValueError, match="bins must be a whole number of at least 2, got 0"):
        metric(CODES, FACTORS, bins=0, **settings)


def test_whole_numbers_too_large_for_a_float_are_told_apart():
    assert as_mixed_factors(np.array([[2**60], [2**60 + 1]])).values.tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("metric", [dci, explicitness, sap])
def test_many_values_for_few_rows_raise_no_warning(metric):
    many = np.stack([np.arange(60) % 45, FACTORS[:, 0]], axis=1)  # warnings are errors in these tests
    assert np.isfinite(metric(CODES, many))


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_posterior_scales_of_any_size_are_taken(scale):
    assert np.isfinite(mig(CODES, FACTORS, "posterior", scale=np.full((60, 3), scale), samples=100))
