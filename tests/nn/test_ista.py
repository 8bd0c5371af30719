"""ISTA, FISTA and LISTA reach the lasso's minimum, at the rates of their theorems, and refuse what has no code."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.decomposition import sparse_encode

import pyrogen as pg
from pyrogen.nn.dictionary import largest_eigenvalue
from pyrogen.nn.ista import soft_threshold
from pyrogen.oracles import lasso

BOUNDS = {pg.nn.ISTA: lasso.ista_bound, pg.nn.FISTA: lasso.fista_bound}
PENALTY = 0.3


def dictionary_of(d, bias=False):
    dictionary = pg.nn.Dictionary(*d.shape, bias=bias).double()
    dictionary.set_atoms(torch.from_numpy(d))
    return dictionary


def in_double(coder):
    """In double precision, a LISTA at ISTA's weights."""
    coder = coder.double()
    if isinstance(coder, pg.nn.LISTA):
        coder.reset()
    return coder


def problem(seed, n=20, atoms=30, rows=5):
    """x (rows, n), D (n, atoms) with unit columns, and the minimum z* (rows, atoms) at PENALTY."""
    rng = np.random.default_rng(seed)
    d = rng.standard_normal((n, atoms))
    d /= np.linalg.norm(d, axis=0)
    x = rng.standard_normal((rows, n))
    return x, d, lasso.minimum(x, d, PENALTY)


def code(kind, d, x, steps, penalty=PENALTY):
    with torch.no_grad():
        return in_double(kind(dictionary_of(d), steps)).code(torch.from_numpy(x), penalty).numpy()


def excess(kind, d, x, best, steps, penalty=PENALTY):
    """F(zₖ) − F*, (rows,)."""
    return lasso.objective(x, d, code(kind, d, x, steps, penalty), penalty) - lasso.objective(x, d, best, penalty)


@pytest.mark.parametrize("kind", BOUNDS)
def test_the_objective_of_scikit_learn_is_reached(kind):
    x, d, _ = problem(0)
    z = code(kind, d, x, 1500)
    theirs = sparse_encode(x, d.T, algorithm="lasso_lars", alpha=PENALTY)
    np.testing.assert_allclose(lasso.objective(x, d, z, PENALTY), lasso.objective(x, d, theirs, PENALTY), rtol=1e-10)
    np.testing.assert_array_equal(z != 0, theirs != 0)
    assert lasso.optimality(x, d, z, PENALTY).max() < 1e-6


@pytest.mark.parametrize("kind", BOUNDS)
@pytest.mark.parametrize("seed", range(5))
def test_each_step_is_within_the_bound_of_the_theorem(kind, seed):
    x, d, best = problem(seed)
    largest, distance = np.linalg.norm(d, 2) ** 2, np.linalg.norm(best, axis=1)
    for steps in (1, 2, 3, 5, 8, 13, 30, 100):
        assert (excess(kind, d, x, best, steps) <= BOUNDS[kind](largest, distance, steps) + 1e-12).all()


def ill_conditioned(n=60, penalty=1e-3):
    """Return a dictionary whose eigenvalues fall evenly on a log scale over seven decades, and a planted minimum.

    The minimum is ±1 along each eigenvector. The excess of gradient descent, ½ Σ λᵢ(1 − λᵢ/L)²ᵏ, then falls as 1/k and
    no faster.
    """
    eigenvalues = np.geomspace(1, 1e-7, n)
    gram = stats.random_correlation.rvs(eigenvalues * n / eigenvalues.sum(), random_state=0)
    d = np.linalg.cholesky(gram).T
    best = (np.linalg.eigh(gram)[1] @ np.random.default_rng(0).choice([-1, 1], n))[None]
    return lasso.planted(d, best, penalty), d, best, penalty


@pytest.mark.parametrize(("kind", "power"), [(pg.nn.ISTA, 1), (pg.nn.FISTA, 2)])
def test_the_rates_are_one_over_k_and_one_over_k_squared(kind, power):
    x, d, best, penalty = ill_conditioned()
    assert lasso.optimality(x, d, best, penalty).max() < 1e-12
    steps = np.unique(np.geomspace(5, 1500, 10).astype(int))
    left = np.array([excess(kind, d, x, best, int(k), penalty)[0] for k in steps])
    bound = BOUNDS[kind](np.linalg.norm(d, 2) ** 2, np.linalg.norm(best), steps)
    slope = np.polyfit(np.log(steps), np.log(left), 1)[0]
    print(f"{kind.__name__}: slope {slope:.2f}, at most {(left / bound).max():.2f} of the bound")
    assert (left <= bound).all()
    assert abs(slope + power) < 0.3


def by_hand(kind, d, x, steps):
    """The recurrences as they are written, from z₀ = 0, in numpy."""
    largest = np.linalg.norm(d, 2) ** 2
    z = y = np.zeros((len(x), d.shape[1]))
    t = 1.0
    for _ in range(steps):
        before, z = z, lasso.soft_threshold(y + (x - y @ d.T) @ d / largest, PENALTY / largest)
        following = (1 + math.sqrt(1 + 4 * t**2)) / 2
        y = z + (t - 1) / following * (z - before) if kind is pg.nn.FISTA else z
        t = following
    return z


@pytest.mark.parametrize("kind", BOUNDS)
def test_a_code_has_as_many_steps_as_it_says(kind):
    x, d, _ = problem(7)
    for steps in (1, 2, 3, 10):
        np.testing.assert_allclose(code(kind, d, x, steps), by_hand(kind, d, x, steps), atol=1e-12)


def test_the_objective_of_ista_never_rises():
    x, d, best = problem(1)
    values = np.array([excess(pg.nn.ISTA, d, x, best, k) for k in range(1, 40)])
    assert (np.diff(values, axis=0) <= 1e-13).all()


@pytest.mark.parametrize("kind", [pg.nn.ISTA, pg.nn.FISTA, pg.nn.LISTA])
def test_orthonormal_atoms_need_one_step(kind):
    d = stats.ortho_group.rvs(12, random_state=0)
    x = np.random.default_rng(0).standard_normal((7, 12))
    for steps in (1, 4):
        np.testing.assert_allclose(code(kind, d, x, steps), lasso.soft_threshold(x @ d, PENALTY), atol=1e-12)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_lista_starts_as_ista_whatever_the_penalty(tied, steps):
    x, d, _ = problem(2)
    learned = in_double(pg.nn.LISTA(dictionary_of(d), steps, tied))
    for penalty in (0.01, 0.3, 1.0):
        ours = learned.code(torch.from_numpy(x), penalty).detach().numpy()
        np.testing.assert_allclose(ours, code(pg.nn.ISTA, d, x, steps, penalty), rtol=0, atol=1e-12)


@pytest.mark.parametrize("tied", [True, False])
def test_lista_has_the_weights_it_says_and_all_are_trained(tied):
    x, d, best = problem(3)
    learned = in_double(pg.nn.LISTA(dictionary_of(d), steps=4, tied=tied))
    shapes = {name: tuple(p.shape) for name, p in learned.named_parameters() if not name.startswith("dictionary")}
    assert shapes == {"w": (30, 20), "r": (30, 30), "log_gain": (1 if tied else 4, 30)}
    before = excess(pg.nn.ISTA, d, x, best, 4).mean()
    optimizer = torch.optim.Adam([learned.w, learned.r, learned.log_gain], lr=5e-3)
    target = torch.from_numpy(x)
    for _ in range(60):
        z = learned.code(target, PENALTY)
        loss = (0.5 * (target - learned.dictionary(z)).square().sum(1) + PENALTY * z.abs().sum(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad.abs().max() > 0 for p in (learned.w, learned.r, learned.log_gain))
        optimizer.step()
    after = loss.item() - lasso.objective(x, d, best, PENALTY).mean()
    assert 0 < after < 0.5 * before  # on what it is trained on, at equal steps


@pytest.mark.parametrize("kind", [pg.nn.ISTA, pg.nn.FISTA, pg.nn.LISTA])
def test_the_penalty_above_which_nothing_is_active_is_the_oracles(kind):
    x, d, _ = problem(4, rows=1)
    most = lasso.largest_penalty(x, d).item()
    assert not code(kind, d, x, 20, most * (1 + 1e-9)).any()
    assert code(kind, d, x, 20, most * (1 - 1e-3)).any()


@pytest.mark.parametrize("shape", [(5, 5), (4, 9), (9, 4), (3, 1)])
def test_the_largest_eigenvalue_is_numpys(shape):
    d = np.random.default_rng(0).standard_normal(shape)
    for matrix in (d, d[:, [0] * shape[1]], np.eye(*shape)):  # also of rank 1, and with all eigenvalues alike
        exact = np.linalg.norm(matrix, 2) ** 2
        assert largest_eigenvalue(torch.from_numpy(matrix)).item() == pytest.approx(exact, rel=1e-12)
        assert largest_eigenvalue(torch.from_numpy(matrix).float()).item() == pytest.approx(exact, rel=2e-6)


def test_the_largest_eigenvalue_has_its_gradient():
    d = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(largest_eigenvalue, d)


@pytest.mark.parametrize("kind", [pg.nn.ISTA, pg.nn.FISTA, pg.nn.LISTA])
def test_the_gradient_of_a_code_is_that_of_finite_differences(kind):
    """In the dictionary too, whose largest eigenvalue sets the step of an unrolled code that has not converged."""
    x, d, _ = problem(8, n=4, atoms=6, rows=2)
    dictionary = dictionary_of(d)
    coder, x = in_double(kind(dictionary, 3)), torch.from_numpy(x)

    def value(weight, penalty):
        return torch.func.functional_call(coder, {"dictionary.weight": weight}, (x, penalty)).mean

    weight = dictionary.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(value, (weight, torch.tensor(0.3, dtype=torch.float64, requires_grad=True)))


def test_soft_threshold_is_the_oracles_and_exactly_zero_within():
    v = torch.linspace(-2, 2, 81, dtype=torch.float64, requires_grad=True)
    out = soft_threshold(v, torch.tensor(0.5, dtype=torch.float64))
    np.testing.assert_allclose(out.detach().numpy(), lasso.soft_threshold(v.detach().numpy(), 0.5), atol=1e-15)
    out.sum().backward()
    assert torch.equal(v.grad, (v.abs() > 0.5).double())


@pytest.mark.parametrize("kind", [pg.nn.ISTA, pg.nn.FISTA, pg.nn.LISTA])
def test_a_code_is_a_point_and_takes_any_batch_and_any_type(kind):
    dictionary = pg.nn.Dictionary(4, atoms=6)
    coder = kind(dictionary, steps=3)
    q = coder(torch.randn(2, 3, 4), 0.1)
    assert (q.batch_shape, q.event_shape) == ((2, 3), (6,))
    x = torch.randn(2, 3, 4)
    assert torch.allclose(coder.code(x, 0.1)[1, 2], coder.code(x[1, 2], torch.tensor(0.1)), atol=1e-6)
    assert coder.double().code(x.double(), 0.1).dtype == torch.float64


def test_the_code_explains_what_the_bias_leaves():
    x, d, _ = problem(5)
    dictionary = dictionary_of(d, bias=True)
    dictionary.bias.data.normal_()
    b = dictionary.bias.detach().numpy()
    with torch.no_grad():
        for kind in (pg.nn.ISTA, pg.nn.FISTA, pg.nn.LISTA):
            ours = in_double(kind(dictionary, 9)).code(torch.from_numpy(x + b), PENALTY).numpy()
            np.testing.assert_allclose(ours, code(kind, d, x, 9), atol=1e-12)
        z = torch.from_numpy(code(pg.nn.ISTA, d, x, 9))
        np.testing.assert_allclose(dictionary(z).numpy(), z.numpy() @ d.T + b, atol=1e-12)


def test_atoms_have_unit_norm_however_the_weight_is_scaled():
    x, d, _ = problem(6)
    dictionary = dictionary_of(d)
    first = pg.nn.ISTA(dictionary, 5).code(torch.from_numpy(x), PENALTY)
    with torch.no_grad():
        dictionary.weight.mul_(torch.linspace(0.1, 9, 30, dtype=torch.float64))
    assert torch.allclose(dictionary.atoms.norm(dim=0), torch.ones(30).double(), atol=1e-14)
    assert torch.allclose(pg.nn.ISTA(dictionary, 5).code(torch.from_numpy(x), PENALTY), first, atol=1e-12)


def test_a_dictionary_starts_from_data_once():
    torch.manual_seed(0)
    rows = torch.randn(9, 4)
    x = 3 + rows[torch.randint(9, (500,))] * torch.rand(500, 1).add(0.5)  # nine directions, some far more often
    dictionary = pg.nn.Dictionary(4, atoms=6)
    dictionary.initialize(x)
    assert torch.allclose(dictionary.bias, x.mean(0))
    directions = torch.nn.functional.normalize(x - x.mean(0), dim=1)
    likeness = (directions @ dictionary.atoms).max(0).values
    assert (likeness > 0.999).all()
    often = pg.nn.Dictionary(4, atoms=6, bias=False)
    often.initialize(torch.cat((rows[:1].expand(500, 4), rows)))  # one row nearly always
    assert (often.atoms.T @ often.atoms - torch.eye(6)).abs().max() < 0.999
    kept = dictionary.weight.clone()
    dictionary.initialize(torch.randn(50, 4))
    assert torch.equal(dictionary.weight, kept)
    given = pg.nn.Dictionary(4, atoms=4)
    given.set_atoms(torch.eye(4))
    given.initialize(x)
    assert torch.equal(given.atoms, torch.eye(4))


def test_what_has_no_code_is_refused_in_one_sentence():
    dictionary = pg.nn.Dictionary(4, atoms=6)
    coder = pg.nn.ISTA(dictionary, steps=3)
    zero = torch.eye(4, 6)
    for wrong, message in (
        (lambda: dictionary.set_atoms(zero), "got zero for atom 4"),
        (lambda: dictionary.set_atoms(torch.full((4, 6), math.nan)), "must be finite"),
        (lambda: dictionary.set_atoms(torch.eye(4)), "must be the columns"),
        (lambda: pg.nn.Dictionary(4, atoms=0), "atoms must be a whole number of at least 1"),
        (lambda: pg.nn.Dictionary(-2, atoms=3), "size must be a whole number of at least 1"),
        (lambda: pg.nn.LISTA(dictionary, steps=0), "steps must be a whole number of at least 1"),
        (lambda: coder.code(torch.zeros(3, 5), 0.1), r"x must have shape \(\*batch, 4\)"),
        (lambda: coder(torch.zeros(3, 4), -0.1), "at least 0"),
        (lambda: coder(torch.zeros(3, 4), math.inf), "finite"),
        (lambda: coder(torch.zeros(3, 4), torch.ones(2)), r"one number, got shape \(2,\)"),
        (lambda: coder(torch.zeros(3, 4), torch.ones(3, 1)), r"one number, got shape \(3, 1\)"),
    ):
        with pytest.raises(ValueError, match=message) as refused:
            wrong()
        assert "\n" not in str(refused.value)
    with pytest.raises(TypeError, match=r"must be a pg\.nn\.Dictionary"):
        pg.nn.FISTA(torch.eye(4), steps=3)
    with torch.no_grad():
        dictionary.weight[:, 2] = 0
    with pytest.raises(ValueError, match="got zero for atom 2"):
        dictionary.check()
    with pytest.raises(ValueError, match="got zero for atom 2"):
        pg.nn.LISTA(dictionary, steps=3)
    for wrong in ("a", None, [0.1], True):
        with pytest.raises(TypeError, match="penalty must be a finite number of at least 0, got"):
            coder(torch.zeros(3, 4), wrong)


@pytest.mark.parametrize("kind", [pg.nn.ISTA, pg.nn.FISTA, pg.nn.LISTA])
def test_a_negative_penalty_in_a_tensor_counts_as_none(kind):
    """Its value is not looked at, as that would wait for the device."""
    coder, x = kind(pg.nn.Dictionary(4, atoms=6), steps=5), torch.randn(3, 4)
    assert torch.equal(coder.code(x, torch.tensor(-1.0)), coder.code(x, 0.0))
