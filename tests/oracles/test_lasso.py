"""The lasso's oracle against enumeration of supports, scikit-learn, and its own certificates."""

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import sparse_encode

from pyrogen.oracles import lasso


def problem(n=12, atoms=20, rows=6, seed=0):
    """x (rows, n) and D (n, atoms) with unit columns."""
    rng = np.random.default_rng(seed)
    d = rng.standard_normal((n, atoms))
    return rng.standard_normal((rows, n)), d / np.linalg.norm(d, axis=0)


def by_enumeration(x, d, penalty):
    """The minimum of one row over all 3^atoms patterns of signs: on each, F is a quadratic."""
    best, least = np.zeros(d.shape[1]), 0.5 * x @ x
    for signs in itertools.product((-1, 0, 1), repeat=d.shape[1]):
        sign = np.array(signs)
        on = np.flatnonzero(sign)
        if len(on) == 0:
            continue
        z = np.zeros(d.shape[1])
        z[on] = np.linalg.lstsq(d[:, on].T @ d[:, on], d[:, on].T @ x - penalty * sign[on], rcond=None)[0]
        value = 0.5 * np.sum((x - d @ z) ** 2) + penalty * np.abs(z).sum()
        if value < least:
            best, least = z, value
    return best, least


@pytest.mark.parametrize("penalty", [0.05, 0.4, 1.5])
def test_the_minimum_is_that_of_enumerating_all_patterns_of_signs(penalty):
    x, d = problem(n=4, atoms=5, rows=3)
    z = lasso.minimum(x, d, penalty)
    for i, row in enumerate(x):
        best, least = by_enumeration(row, d, penalty)
        assert lasso.objective(x, d, z, penalty)[i] == pytest.approx(least, abs=1e-12)
        np.testing.assert_allclose(z[i], best, atol=1e-9)


@pytest.mark.parametrize("algorithm", ["lasso_lars", "lasso_cd"])
@pytest.mark.parametrize("penalty", [0.1, 0.5])
def test_the_minimum_is_scikit_learns_whose_alpha_is_lambda(algorithm, penalty):
    x, d = problem()
    theirs = sparse_encode(x, d.T, algorithm=algorithm, alpha=penalty, max_iter=100_000)
    ours = lasso.minimum(x, d, penalty, gap=1e-10)
    np.testing.assert_allclose(lasso.objective(x, d, theirs, penalty), lasso.objective(x, d, ours, penalty), rtol=1e-7)


def test_the_gap_bounds_the_excess_at_any_point_and_closes_at_the_minimum():
    x, d = problem()
    best, rng = lasso.minimum(x, d, 0.3), np.random.default_rng(1)
    least = lasso.objective(x, d, best, 0.3)
    for size in (1e-6, 1e-2, 1.0, 0.0):
        z = best + size * rng.standard_normal(best.shape)
        gap, excess = lasso.duality_gap(x, d, z, 0.3), lasso.objective(x, d, z, 0.3) - least
        assert (gap >= excess - 1e-12).all()
        assert (gap <= 1e-12).all() == (size == 0)


def test_the_optimality_conditions_hold_at_the_minimum_alone():
    x, d = problem()
    z = lasso.minimum(x, d, 0.3, gap=1e-13)
    assert lasso.optimality(x, d, z, 0.3).max() < 1e-6
    assert 0 < (z == 0).mean() < 1
    for at, violation in ((2.0, 0.0), (1.0, 1.0), (0.0, 2.0), (-1.0, 5.0)):  # ½(3 − z)² + |z|: at 0 the slope is −3 ± 1
        assert lasso.optimality([[3.0]], [[1.0]], [[at]], 1.0).item() == violation
    for entry in (np.argmax(z[0] != 0), np.argmax(z[0] == 0)):  # an active and a silent one
        moved = z.copy()
        moved[0, entry] += 0.1
        assert lasso.optimality(x, d, moved, 0.3)[0] > 0.05


def test_from_the_largest_penalty_on_the_code_is_zero():
    x, d = problem()
    for i, most in enumerate(lasso.largest_penalty(x, d)):
        row = x[i : i + 1]
        assert not lasso.minimum(row, d, most * (1 + 1e-12)).any()
        assert lasso.minimum(row, d, most * (1 - 1e-6)).any()


def test_orthonormal_atoms_need_one_soft_threshold():
    x, _ = problem(rows=8)
    d = stats.ortho_group.rvs(12, random_state=0)
    np.testing.assert_allclose(lasso.minimum(x, d, 0.4), lasso.soft_threshold(x @ d, 0.4), atol=1e-12)


def test_planted_codes_are_the_minimum():
    rng = np.random.default_rng(3)
    d = problem(n=15, atoms=10)[1]
    z = rng.standard_normal((4, 10)) * (rng.random((4, 10)) < 0.4)
    x = lasso.planted(d, z, 0.2)
    assert lasso.optimality(x, d, z, 0.2).max() < 1e-12
    np.testing.assert_allclose(lasso.minimum(x, d, 0.2, gap=1e-13), z, atol=1e-5)


def test_the_lasso_is_minus_the_log_joint_density_times_the_noise():
    """−σ² log p(x, z) of Laplace(0, 1/ρ) and N(Dz, σ²I), from scipy's densities, up to a constant."""
    x, d = problem(rows=2)
    rate, sigma = 1.7, 0.6
    z = np.random.default_rng(5).standard_normal((2, 20))
    log_joint = stats.laplace(scale=1 / rate).logpdf(z).sum(1) + stats.norm(z @ d.T, sigma).logpdf(x).sum(1)
    differences = -(sigma**2) * log_joint - lasso.objective(x, d, z, rate * sigma**2)
    assert differences[0] == pytest.approx(differences[1], abs=1e-12)
    assert lasso.objective(x, d, z, 1.0)[0] != pytest.approx(lasso.objective(x, d, z, 1.0)[1])


def test_the_oracle_refuses_in_one_sentence():
    x, d = problem()
    with pytest.raises(ValueError, match="penalty must be positive"):
        lasso.minimum(x, d, 0.0)
    with pytest.raises(ValueError, match=r"x must be of shape \(N, n\), got \(12,\)"):
        lasso.objective(x[0], d, x, 1.0)
    with pytest.raises(ValueError, match=r"duality gap is .* after 3 sweeps"):
        lasso.minimum(x, d, 0.01, sweeps=3)
