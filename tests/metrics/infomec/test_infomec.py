r"""InfoMEC against hand-computed values, enumeration of counts, and closed forms."""

import json

import numpy as np
import pytest
from scipy.special import digamma
from scipy.stats import beta, chi2

from pyrogen.metrics import Score, info_compactness, info_explicitness, info_modularity


def full_grid(*sizes):
    return np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, len(sizes))


@pytest.fixture(scope="module")
def grid():
    return np.repeat(full_grid(2, 3, 4), 2, axis=0)


def table_information(a, b):
    r"""I(a; b) and H(b) in nats, by a loop over the values and nothing else."""

    information = entropy = 0.0
    for y in set(b):
        p_y = np.mean(b == y)
        entropy -= p_y * np.log(p_y)
        for x in set(a):
            p = np.mean((a == x) & (b == y))
            information += p * np.log(p / (np.mean(a == x) * p_y)) if p else 0.0
    return information, entropy


def skewed(rows=300):
    r"""Quantized codes (N, 4), the last of them constant, and two factors that they know in part."""

    rng = np.random.default_rng(0)
    factors = np.stack([rng.choice(2, rows, p=[0.8, 0.2]), rng.choice(3, rows, p=[0.5, 0.3, 0.2])], axis=1)
    noise = rng.integers(0, 3, (rows, 3)) * (rng.random((rows, 3)) < 0.4)
    codes = (factors[:, [0, 1, 1]] + noise) % 3 * [1.0, -2.5, 0.5]
    return np.hstack([codes, np.full((rows, 1), 0.1)]), factors


def test_quantized_codes_score_what_their_counts_say():
    codes, factors = skewed()
    table = np.empty((3, 2))
    for j in range(3):
        for k in range(2):
            information, entropy = table_information(codes[:, j], factors[:, k])
            table[j, k] = information / entropy
    modularity, compactness = info_modularity(codes, factors, "discrete"), info_compactness(codes, factors, "discrete")
    assert np.array(modularity.details["information"][:3]) == pytest.approx(table, abs=1e-12)
    assert modularity.details["information"][3] is None
    assert modularity.details["active_latents"] == compactness.details["active_latents"] == [0, 1, 2]
    of_latents = [max(row) / sum(row) for row in table]
    of_factors = [max(column) / sum(column) for column in table.T]
    assert modularity.details["shares"][:3] == pytest.approx(of_latents)
    assert list(compactness.details["shares"].values()) == pytest.approx(of_factors)
    assert modularity == pytest.approx((np.mean(of_latents) - 1 / 2) / (1 - 1 / 2))
    assert compactness == pytest.approx((np.mean(of_factors) - 1 / 3) / (1 - 1 / 3))
    assert 0.1 < modularity < 1
    assert 0.1 < compactness < 1


@pytest.mark.parametrize(("estimator", "settings"), [("discrete", {}), ("histogram", {"bins": 24})])
def test_known_values(grid, estimator, settings):
    def both(codes, factors=grid):
        return [metric(codes, factors, estimator, **settings) for metric in (info_modularity, info_compactness)]

    assert both(grid * [2.0, -1.0, 3.0]) == pytest.approx([1, 1])
    assert both(grid[:, [2, 0, 1]] * 1.0) == pytest.approx([1, 1])
    # Twice the same: each factor shares out evenly over two of six latents, (1/2 - 1/6) / (1 - 1/6).
    assert both(np.hstack([grid, grid]) * 1.0) == pytest.approx([1, 0.4])
    # All in one latent: it knows each factor wholly, and each factor lies in one place.
    assert both(grid @ [[12.0], [4.0], [1.0]]) == pytest.approx([0, 1], abs=1e-9)
    assert both(np.full((48, 3), 0.1)) == [0, 0]
    turned = np.repeat(full_grid(5, 5), 2, axis=0)
    assert both(turned @ np.array([[1.0, 1.0], [1.0, -1.0]]), turned) == pytest.approx([0, 0], abs=1e-9)


def test_a_factor_that_no_latent_knows_is_left_to_explicitness(grid):
    codes = grid[:, :2] * 1.0
    score = info_compactness(codes, grid, "discrete")
    assert score == pytest.approx(1.0)
    assert score.details["shares"] == {"0": 1.0, "1": 1.0, "2": None}
    assert info_explicitness(codes, grid).details["factors"]["2"] == pytest.approx(0.0, abs=1e-6)


def test_what_rounding_leaves_of_no_information_is_not_shared_out():
    factors, codes = full_grid(3, 5), full_grid(3, 7)  # a row for each pair: independent, exactly
    pairs = full_grid(15, 21)
    for estimator in ("discrete", "histogram"):
        score = info_modularity(codes[pairs[:, 1]] * 1.0, factors[pairs[:, 0]], estimator)
        assert score == 0.0
        assert score.details["shares"] == [None, None]


def ross(code, label, neighbors):
    r"""Ross's estimate in nats, by all distances: ψ(N) + ψ(k) - <ψ(N_v)> - <ψ(m)>."""

    distance = np.abs(code[:, None] - code)
    terms = []
    for n in range(len(code)):
        alike = np.flatnonzero(label == label[n])
        radius = np.sort(distance[n, alike])[neighbors]  # the row itself comes first
        terms.append(digamma(len(alike)) + digamma((distance[n] <= radius * (1 + 1e-9)).sum() - 1))
    return max(0.0, digamma(len(code)) + digamma(neighbors) - np.mean(terms))


@pytest.mark.parametrize(("preset", "neighbors"), [("standalone", 10), ("experiments", 3)])
def test_continuous_codes_score_what_their_neighbors_say(preset, neighbors):
    rng = np.random.default_rng(1)
    factors = np.stack([rng.integers(0, 2, 300), rng.choice(3, 300, p=[0.5, 0.3, 0.2])], axis=1)
    codes = factors[:, [0, 1, 1]] * [1.0, 2.0, 0.7] + rng.standard_normal((300, 3)) * [0.5, 1.0, 1.0]
    entropies = [table_information(value, value)[1] for value in factors.T]
    table = [[ross(c, v, neighbors) / h for v, h in zip(factors.T, entropies, strict=True)] for c in codes.T]
    score = info_modularity(codes, factors, preset=preset)
    assert score.estimator == "knn"
    assert np.array(score.details["information"]) == pytest.approx(np.array(table), abs=1e-7)
    assert score == pytest.approx((np.mean([max(row) / sum(row) for row in table]) - 0.5) / 0.5, abs=1e-6)


def test_latents_of_a_small_range_are_not_active(grid):
    small = (grid[:, :2] == grid.max(axis=0)[:2]) * [0.14, 0.36]  # beside a range of 3: 0.047 and 0.12
    codes = np.hstack([small, grid[:, 2:]])
    for metric in (info_modularity, info_compactness):
        assert metric(codes, grid, "histogram").details["active_latents"] == [1, 2]
        assert metric(codes, grid, "histogram", preset="experiments").details["active_latents"] == [2]
        assert metric(codes, grid, "histogram", active=0.0).details["active_latents"] == [0, 1, 2]
        assert metric(codes, grid, "discrete").details["active_latents"] == [0, 1, 2]


def test_a_continuous_factor_is_cut_into_parts_of_equal_counts():
    rng = np.random.default_rng(2)
    factors = np.stack([rng.standard_normal(400), rng.integers(0, 4, 400)], axis=1)
    codes = factors + 0.3 * rng.standard_normal((400, 2))
    score = info_modularity(codes, factors, continuous=["angle"], factor_names=("angle", "shape"))
    assert score.settings["factor_bins"] == 20
    assert 0.5 < score <= 1
    bent = np.stack([np.exp(2 * factors[:, 0]), factors[:, 1]], axis=1)
    assert info_modularity(codes, bent, continuous=[0]) == score  # by ranks alone
    parts = np.stack([np.argsort(np.argsort(factors[:, 0])) // 20, factors[:, 1]], axis=1).astype(int)
    assert info_modularity(codes, parts) == score


def test_explicitness_of_one_quantized_latent_is_that_of_its_counts():
    # A softmax over the indicators of one latent can be any table q(v | z), so that H(v | z) is that of the counts.
    codes, factors = skewed()
    score = info_explicitness(codes[:, 1:2], factors, "one_hot", preset="definition")
    exact = [table_information(codes[:, 1], value) for value in factors.T]
    assert list(score.details["entropy"].values()) == pytest.approx([h for _, h in exact])
    assert list(score.details["factors"].values()) == pytest.approx([i / h for i, h in exact], abs=1e-5)
    assert score == pytest.approx(np.mean([i / h for i, h in exact]), abs=1e-5)
    assert score.details["not_converged"] == []


def test_the_authors_weights_change_the_score_of_uneven_values():
    # Weights 1 / N_v make the fitted table q(v | z) = w_v N_vz / Σ w N; the log loss is then taken without weights.
    codes, factors = skewed()
    expected = []
    for value in factors.T:
        counts = np.array([[np.sum((codes[:, 1] == z) & (value == v)) for v in set(value)] for z in set(codes[:, 1])])
        weighted = counts / counts.sum(axis=0)
        loss = -(counts * np.log(weighted / weighted.sum(axis=1, keepdims=True))).sum() / counts.sum()
        expected.append(1 - loss / np.log(counts.shape[1]))
    score = info_explicitness(codes[:, 1:2], factors, "one_hot")
    assert list(score.details["factors"].values()) == pytest.approx(expected, abs=1e-5)
    plain = info_explicitness(codes[:, 1:2], factors, "one_hot", preset="definition").details["factors"]
    assert list(plain.values()) != pytest.approx(expected, abs=1e-3)
    even = np.repeat(full_grid(2, 3), 5, axis=0)
    noisy = even + np.random.default_rng(0).standard_normal(even.shape)
    assert info_explicitness(noisy, even) == pytest.approx(
        info_explicitness(noisy, even, preset="definition"), abs=1e-6
    )


def test_the_authors_weights_can_score_below_zero():
    # Of the frequent value most codes are 0 and few are 10. The rare value lies at 3. The weighted fit pays for the
    # rare one with the frequent one, whose loss then counts in full. The formula itself cannot fall below 0.
    codes, factors = np.repeat([0, 10, 3, 10], [880, 120, 98, 2]), np.repeat([0, 1], [1000, 100])
    assert info_explicitness(codes[:, None], factors[:, None]) < -0.01
    assert info_explicitness(codes[:, None], factors[:, None], preset="definition") > 0


def test_a_linear_predictor_does_not_see_exclusive_or():
    bits = full_grid(2, 2)
    score = info_explicitness(bits, np.hstack([bits, bits.sum(axis=1, keepdims=True) % 2]))
    assert list(score.details["factors"].values()) == pytest.approx([1, 1, 0], abs=2e-3)
    assert score.details["entropy"] == pytest.approx(dict.fromkeys("012", np.log(2)))


@pytest.mark.parametrize("continuous", [(), [0, 1]])
def test_rotations_and_scales_of_the_codes_change_nothing(continuous):
    rng = np.random.default_rng(3)
    factors = rng.integers(0, 4, (500, 2))
    codes = factors + rng.standard_normal((500, 2))
    turned = codes @ np.array([[0.6, 0.8], [-0.8, 0.6]]) * [1e3, 1e-2] - 50
    scores = [info_explicitness(c, factors, continuous=continuous, preset="definition") for c in (codes, turned)]
    assert 0.2 < scores[0] < 0.8
    assert scores[1] == pytest.approx(scores[0], abs=1e-4)


def test_codes_that_know_nothing_gain_what_a_fit_to_noise_gains():
    # By Wilks, 2N times the gain in nats is near chi-square with (V - 1) D degrees of freedom: 15 for each of 20
    # factors, with an error of the order of 1/N relative. The false-alarm rate is 1e-7.
    rng = np.random.default_rng(4)
    factors, codes = rng.integers(0, 4, (4000, 20)), rng.standard_normal((4000, 5))
    details = info_explicitness(codes, factors, preset="definition").details
    gain = sum(details["entropy"].values()) - sum(details["conditional"].values())
    low, high = chi2(20 * 15).ppf([5e-8, 1 - 5e-8])
    assert low < 2 * 4000 * gain < high


def test_explicitness_of_a_continuous_factor_is_the_coefficient_of_determination():
    rng = np.random.default_rng(5)
    codes = rng.standard_normal((200, 1))
    factors = np.stack([3 * codes[:, 0] + rng.standard_normal(200), 1e6 - codes[:, 0]], axis=1)
    score = info_explicitness(codes, factors, continuous=True)
    expected = [np.corrcoef(codes[:, 0], v)[0, 1] ** 2 for v in factors.T]
    assert list(score.details["factors"].values()) == pytest.approx(expected)
    assert expected[1] == pytest.approx(1.0)
    # Of Gaussian noise, R² is Beta(D/2, (N - D - 1)/2); the false-alarm rate is 1e-7.
    noise = info_explicitness(rng.standard_normal((200, 8)), rng.standard_normal((200, 1)), continuous=True)
    low, high = beta(4, 191 / 2).ppf([5e-8, 1 - 5e-8])
    assert low < noise < high


def test_explicitness_takes_both_kinds_of_factors():
    rng = np.random.default_rng(6)
    factors = np.stack([rng.standard_normal(300), rng.integers(0, 2, 300)], axis=1)
    score = info_explicitness(factors, factors, continuous=["angle"], factor_names=("angle", "shape"))
    assert score.details["factors"] == pytest.approx({"angle": 1.0, "shape": 1.0}, abs=2e-3)
    assert score.details["entropy"]["angle"] is None


def test_a_fit_that_is_stopped_is_named(grid):
    score = info_explicitness(grid @ np.random.default_rng(7).standard_normal((3, 3)), grid, iterations=1)
    assert score.details["not_converged"] == ["0", "1", "2"]
    assert score < 0.9


def test_constant_codes_explain_nothing(grid):
    assert info_explicitness(np.full((48, 2), 0.1), grid) == pytest.approx(0.0, abs=1e-12)
    assert info_explicitness(np.full((48, 2), 0.1), grid, continuous=True) == pytest.approx(0.0, abs=1e-12)


def test_few_rows_are_scored_if_they_can_differ_from_chance():
    many = np.stack([np.arange(30) % 2, np.arange(30)], axis=1)  # scikit-learn warns of as many values as rows
    assert info_explicitness(many * 1.0, many, leave_out=[0]) > 0.1
    assert info_explicitness(np.hstack([CODES] * 4), FACTORS) <= 1  # eight latents, and one direction
    assert info_modularity(CODES, FACTORS, neighbors=5) >= 0


def test_the_seed_alone_decides():
    rng = np.random.default_rng(8)
    codes, factors = rng.standard_normal((100, 2)).round(1), rng.integers(0, 2, (100, 2))
    first, again = (info_modularity(codes, factors, seed=3) for _ in range(2))
    assert first.to_dict() == again.to_dict()


def test_the_scores_say_what_they_are(grid):
    score = info_modularity(grid * 1.0, grid, leave_out=["b"], factor_names=("a", "b", "c"))
    assert isinstance(score, Score)
    assert (score.metric, score.estimator) == ("info_modularity", "knn")
    assert score.settings == {"preset": "standalone", "neighbors": 10, "active": 0.05, "seed": 0, "n": 48}
    score = info_compactness(grid * 1.0, grid, "histogram", bins=9, factor_names=("a", "b", "c"))
    assert (score.metric, score.estimator) == ("info_compactness", "histogram")
    assert score.settings == {"preset": "standalone", "bins": 9, "active": 0.05, "n": 48}
    assert set(score.details["shares"]) == {"a", "b", "c"}
    score = info_explicitness(grid * 1.0, grid)
    assert (score.metric, score.estimator) == ("info_explicitness", "linear")
    assert score.settings == {"preset": "standalone", "balanced": True, "iterations": 100, "n": 48}
    json.dumps(score.to_dict())


CODES, FACTORS = np.arange(12.0).reshape(6, 2), np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [1, 1]])


@pytest.mark.parametrize(
    ("metrics", "codes", "factors", "settings", "error", "words"),
    [
        ("MCE", CODES[:1], FACTORS[:1], {}, ValueError, "at least two rows"),
        ("MCE", CODES[:5], FACTORS, {}, ValueError, "got 5 and 6 rows"),
        ("MCE", np.where(CODES == 5, np.nan, CODES), FACTORS, {}, ValueError, "codes must be finite, got nan"),
        ("MCE", CODES, FACTORS * [1, 0], {}, ValueError, "must have two values or more, got one in '1'"),
        ("MCE", CODES, FACTORS * 1.0, {}, TypeError, "factors must be integers"),
        ("MCE", CODES, FACTORS, {"preset": "hsu"}, ValueError, "preset must be one of 'standalone', "),
        (
            "MC",
            CODES,
            FACTORS,
            {"estimator": "kde"},
            ValueError,
            "estimator must be one of 'knn', 'histogram', 'discrete', got 'kde'",
        ),
        ("E", CODES, FACTORS, {"estimator": "kde"}, ValueError, "estimator must be one of .linear., .one_hot., got"),
        (
            "MC",
            CODES,
            FACTORS,
            {"estimator": "discrete"},
            ValueError,
            "got 6 levels in 6 rows of latent 0: use .knn. or",
        ),
        ("E", CODES, FACTORS, {"estimator": "one_hot"}, ValueError, "got 6 levels in 6 rows of latent 0: use .linear."),
        (
            "M",
            CODES,
            FACTORS[:, :1],
            {},
            ValueError,
            "factors must be at least two for InfoM, got '0' alone",
        ),
        ("MC", CODES, FACTORS, {"neighbors": 0}, ValueError, "neighbors must be a whole number of at least 1, got 0"),
        ("MC", CODES, FACTORS, {"bins": 1}, ValueError, "bins must be a whole number of at least 2, got 1"),
        (
            "MC",
            CODES,
            FACTORS,
            {"factor_bins": 1.5},
            TypeError,
            "factor_bins must be a whole number of at least 2, got 1.5",
        ),
        ("MC", CODES, FACTORS, {"active": -0.1}, ValueError, "active must be a finite number of at least 0, got -0.1"),
        ("MC", CODES, FACTORS, {"active": 1.5}, ValueError, "active must be a share .* at most 1, got 1.5"),
        (
            "MC",
            CODES,
            FACTORS,
            {},
            ValueError,
            "^neighbors must be smaller than the number of rows, got 10 and 6 rows",
        ),
        ("MC", CODES, FACTORS, {"neighbors": 6}, ValueError, "smaller than the number of rows, got 6 and 6 rows"),
        (
            "MC",
            CODES,
            np.stack([FACTORS[:, 0], np.arange(6)], axis=1),
            {"neighbors": 3, "factor_names": ("a", "b")},
            ValueError,
            "^factor 'b' must have values that rows share for estimator=.knn., got each in one row only",
        ),
        ("MC", CODES, FACTORS, {"seed": -1}, ValueError, r"seed must be a whole number from 0 to 4294967295, got -1"),
        ("MC", CODES, FACTORS, {"preset": ["x"]}, TypeError, "preset must be one of 'standalone', "),
        (
            "E",
            np.random.default_rng(0).standard_normal((6, 5)),
            FACTORS,
            {},
            ValueError,
            "^codes must have more rows than a linear predictor of 5 features can fit .*, got 6: give more",
        ),
        ("E", CODES, FACTORS, {"iterations": 0}, ValueError, "iterations must be a whole number of at least 1, got 0"),
        ("E", CODES, FACTORS, {"balanced": 1}, ValueError, "balanced must be True or False, got 1"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_sentence(metrics, codes, factors, settings, error, words):
    for letter in metrics:
        metric = {"M": info_modularity, "C": info_compactness, "E": info_explicitness}[letter]
        with pytest.raises(error, match=words) as caught:
            metric(codes, factors, **settings)
        assert "\n" not in str(caught.value)
