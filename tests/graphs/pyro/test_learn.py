"""Tables learned from data, against exact posteriors, EM, and the evidence summed over all completions."""

import itertools
import math
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pyro
import pytest
import torch
from pyro.infer import TraceEnum_ELBO
from scipy.special import gammaln

import pyrogen as pg
from pyrogen.graphs import Learned, learn, to_pyro
from pyrogen.graphs.pyro import learn as learning
from pyrogen.graphs.pyro.dirichlet import expected_log, kl, natural_gradient
from pyrogen.graphs.pyro.observed import states_of

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

STATES = {"A": ("no", "yes"), "B": (0, 1, 2), ("C", 1): ("u", "v"), "D": (False, True)}
EDGES = [("A", "B"), ("A", ("C", 1)), ("B", "D"), (("C", 1), "D")]


def structure():
    graph = nx.DiGraph()
    graph.add_nodes_from(STATES)
    graph.add_edges_from(EDGES)
    return graph


def parents(node):
    return list(structure().predecessors(node))


def shape(node):
    return [len(STATES[v]) for v in (node, *parents(node))]


def true_tables(seed):
    random = np.random.default_rng(seed)
    return {v: np.moveaxis(random.dirichlet(np.full(shape(v)[0], 2.0), size=shape(v)[1:]), -1, 0) for v in STATES}


def draw(tables, rows, missing, seed):
    """Places of states, (rows, nodes) in the order of STATES, −1 where an entry was forgotten at random."""
    random = np.random.default_rng(seed)
    table = np.zeros((rows, len(STATES)), dtype=int)
    nodes = list(STATES)
    for r, node in itertools.product(range(rows), nx.topological_sort(structure())):
        given = tuple(table[r, nodes.index(p)] for p in parents(node))
        table[r, nodes.index(node)] = random.choice(len(STATES[node]), p=tables[node][(slice(None), *given)])
    return np.where(random.random(table.shape) < missing, -1, table)


def frame(table):
    columns = {
        node: pd.Series([STATES[node][k] if k >= 0 else None for k in column], dtype=object)
        for node, column in zip(STATES, table.T, strict=True)
    }
    return pd.DataFrame(dict(enumerate(columns.values()))).set_axis(
        pd.Index(list(columns), tupleize_cols=False), axis=1
    )


def completions(row):
    return itertools.product(*(range(len(STATES[v])) if k < 0 else [k] for v, k in zip(STATES, row, strict=True)))


def index(node, row):
    return tuple(row[list(STATES).index(v)] for v in (node, *parents(node)))


def counts(table):
    n = {node: np.zeros(shape(node)) for node in STATES}
    for row, node in itertools.product(table, STATES):
        n[node][index(node, row)] += 1
    return n


def em(table, prior, iterations=200):
    """Tables proportional to prior + expected counts, iterated: the posterior mode under Dirichlet(prior + 1)."""
    cells = np.array(list(itertools.product(*(range(len(STATES[v])) for v in STATES))))
    kinds, often = np.unique(table, axis=0, return_counts=True)
    agrees = ((kinds[:, None] == cells) | (kinds[:, None] < 0)).all(axis=2)
    theta = {node: np.full(shape(node), 1 / shape(node)[0]) for node in STATES}
    for _ in range(iterations):
        weights = agrees * np.prod([[theta[v][index(v, x)] for x in cells] for v in STATES], axis=0)
        expected = often @ (weights / weights.sum(axis=1, keepdims=True))
        n = {node: np.full(shape(node), prior) for node in STATES}
        for x, w in zip(cells, expected, strict=True):
            for node in STATES:
                n[node][index(node, x)] += w
        theta = {node: n[node] / n[node].sum(axis=0) for node in STATES}
    return theta


def log_evidence(table, prior):
    """log p(complete data) with the tables integrated out, each row of a table a Dirichlet–multinomial."""
    total = 0.0
    for n in counts(table).values():
        total += (gammaln(prior + n) - gammaln(prior)).sum()
        total += (gammaln(prior * len(n)) - gammaln(prior * len(n) + n.sum(axis=0))).sum()
    return total


def quietly(*args, **settings):
    return learn(*args, progress=False, **settings)


def test_with_nothing_missing_the_posterior_is_prior_plus_counts_and_the_elbo_the_evidence():
    table = draw(true_tables(0), 50, 0.0, seed=1)
    for prior in (0.3, 1.0, 7.0):
        fit = quietly(structure(), frame(table), prior, states=STATES)
        assert isinstance(fit, Learned)
        for node, n in counts(table).items():
            np.testing.assert_allclose(fit.posterior[node], prior + n, rtol=1e-14)
            mean = (prior + n) / (prior + n).sum(axis=0)
            np.testing.assert_allclose(fit.network.get_cpds(node).values, mean, rtol=1e-12)
        assert len(fit.history) == 1
        assert fit.history[0] == pytest.approx(log_evidence(table, prior), abs=1e-8)
    assert fit.network.check_model()
    assert fit.states == STATES


def test_a_prior_may_be_given_entry_by_entry():
    table = draw(true_tables(0), 30, 0.0, seed=1)
    random = np.random.default_rng(0)
    prior = {node: random.gamma(2.0, size=shape(node)) for node in STATES} | {"A": 2.0}
    fit = quietly(structure(), frame(table), prior, states=STATES)
    for node, n in counts(table).items():
        np.testing.assert_allclose(fit.posterior[node], prior[node] + n, rtol=1e-14)


def test_the_means_are_those_of_em_where_entries_are_missing():
    table = draw(true_tables(3), 1500, 0.25, seed=4)
    fit = quietly(structure(), frame(table), 1.0, states=STATES, steps=100)
    mode = em(table, 1.0)
    for node, alpha in fit.posterior.items():
        mean = alpha / alpha.sum(axis=0)
        deviation = np.sqrt(mean * (1 - mean) / (alpha.sum(axis=0) + 1))
        # A mean and a mode differ by order 1/N, a deviation is of order 1/√N; measured: 0.014 deviations.
        assert (np.abs(mean - mode[node]) / deviation).max() < 0.05
        complete = counts(table[(table >= 0).all(axis=1)])[node] + 1
        everything = counts(np.maximum(table, 0))[node].sum() + complete.size
        assert complete.sum() < alpha.sum() < everything  # incomplete rows tell something, and less than complete ones


def exact_posterior(table, prior):
    """log p(data) and the posterior mean of each table: a mixture over every way of filling the gaps."""
    weights, means = [], []
    for full in itertools.product(*(list(completions(row)) for row in table)):
        weights.append(log_evidence(full, prior))
        means.append({v: (prior + n) / (prior + n).sum(axis=0) for v, n in counts(full).items()})
    weights = np.array(weights)
    total = weights.max() + math.log(np.exp(weights - weights.max()).sum())
    shares = np.exp(weights - total)
    return total, {v: sum(s * m[v] for s, m in zip(shares, means, strict=True)) for v in STATES}


def small():
    table = draw(true_tables(5), 14, 0.0, seed=6)
    for r, c in ((0, 0), (1, 1), (2, 2), (3, 3), (4, 0), (4, 1)):
        table[r, c] = -1
    return table


def test_on_little_data_the_elbo_is_just_below_the_exact_evidence():
    table = small()
    evidence, means = exact_posterior(table, 1.0)
    fit = quietly(structure(), frame(table), 1.0, states=STATES, steps=100)
    late = fit.history[50:]
    error = late.std(ddof=1) / math.sqrt(len(late))
    assert evidence - 0.05 - 5 * error < late.mean()  # measured: 0.025 below, with an error of 0.003
    assert late.mean() < evidence + 5 * error  # a bound: beyond it by 5 standard errors once in 3 million
    for node, alpha in fit.posterior.items():
        np.testing.assert_allclose(alpha / alpha.sum(axis=0), means[node], atol=0.01)


def test_pyros_own_elbo_of_the_pair_is_the_one_that_was_maximized():
    data = frame(small())
    fit = quietly(structure(), data, 1.0, states=STATES, steps=40)
    elbo = TraceEnum_ELBO(max_plate_nesting=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        draws = np.array([-elbo.loss(fit.model, fit.guide, data) for _ in range(150)])
    late = fit.history[20:]
    error = math.hypot(draws.std(ddof=1) / math.sqrt(len(draws)), late.std(ddof=1) / math.sqrt(len(late)))
    assert abs(draws.mean() - late.mean()) < 5 * error + 1e-9
    assert error < 0.1


def test_no_other_concentrations_are_better():
    """The ELBO's gradient at what was found, by the score function and with the tables' likelihood written out."""
    table = small()
    fit = quietly(structure(), frame(table), 1.0, states=STATES, steps=160, particles=64)
    random = np.random.default_rng(0)
    draws = 4000
    logs = {}
    for node, alpha in fit.posterior.items():
        gammas = random.gamma(np.broadcast_to(alpha, (draws, *alpha.shape)))
        logs[node] = np.log(gammas / gammas.sum(axis=1, keepdims=True))
    likelihood = np.zeros(draws)
    for row in table:
        likelihood += np.log(
            sum(np.exp(sum(logs[v][(slice(None), *index(v, x))] for v in STATES)) for x in completions(row))
        )
    log_ratio = likelihood + sum(((1.0 - fit.posterior[v]) * logs[v]).reshape(draws, -1).sum(axis=1) for v in STATES)
    log_ratio -= log_ratio.mean()  # a baseline: the score's mean is zero
    for node, alpha in fit.posterior.items():
        expected = np.moveaxis(expected_log(torch.tensor(np.moveaxis(alpha, 0, -1))).numpy(), -1, 0)
        terms = (logs[node] - expected) * log_ratio.reshape(-1, *[1] * alpha.ndim)
        error = terms.std(axis=0, ddof=1) / math.sqrt(draws)
        # 22 z-tests at 6 standard errors: a false alarm once in 2e7 runs. Its own noise is some thirty times less.
        assert (np.abs(terms.mean(axis=0)) < 6 * error).all()
        assert (error < 0.1).all()


def test_a_row_in_which_nothing_is_seen_leaves_the_posterior_as_it_was():
    table = draw(true_tables(0), 40, 0.0, seed=2)
    empty = np.full((25, len(STATES)), -1)
    with_empty = quietly(structure(), frame(np.vstack([table, empty])), states=STATES, steps=60)
    for node, n in counts(table).items():
        np.testing.assert_allclose(with_empty.posterior[node], 1 + n, rtol=1e-6)


def test_a_hidden_variable_is_learned_up_to_the_names_of_its_states():
    random = np.random.default_rng(0)
    hidden = random.random(600) < 0.5
    children = {f"X{k}": np.where(random.random(600) < 0.9, hidden, ~hidden).tolist() for k in range(3)}
    graph = nx.DiGraph([("H", child) for child in children])
    fit = quietly(graph, {"H": [None] * 600, **children}, states={"H": ("a", "b")}, steps=200)
    for child in children:
        found = sorted(fit.network.get_cpds(child).values[1])
        # The exact maximum-likelihood estimate has a standard error of about 0.02 here; this is 6 of them.
        np.testing.assert_allclose(found, [0.1, 0.9], atol=0.12)


def test_the_seed_decides_and_the_callers_random_numbers_are_left_alone():
    data = frame(small())
    before = torch.get_rng_state()
    first = quietly(structure(), data, states=STATES, steps=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(pyro.get_param_store()) == 0
    torch.rand(3)
    again, other = (quietly(structure(), data, states=STATES, steps=4, seed=seed) for seed in (0, 1))
    for node in STATES:
        assert np.array_equal(first.posterior[node], again.posterior[node])
    assert not np.array_equal(first.history, other.history)


@pytest.mark.parametrize("particles", [1, 2])
def test_few_particles_and_a_single_gap_work(particles):
    table = draw(true_tables(0), 20, 0.0, seed=2)
    table[0, 0] = -1
    fit = quietly(structure(), frame(table), states=STATES, steps=80, particles=particles)
    _, means = exact_posterior(table, 1.0)
    for node, alpha in fit.posterior.items():
        np.testing.assert_allclose(alpha / alpha.sum(axis=0), means[node], atol=0.02)
    assert np.isfinite(fit.history).all()


def test_what_was_learned_goes_on_to_pyro_and_tables_tell_the_states():
    table = draw(true_tables(0), 20, 0.0, seed=2)
    fit = quietly(structure(), frame(table), states=STATES)
    assert to_pyro(fit.network).states == STATES
    more = quietly(fit.network, frame(table[:3]))
    assert more.states == STATES
    inferred = quietly(structure(), frame(draw(true_tables(0), 300, 0.1, seed=2)), steps=2)
    assert inferred.states == STATES


def test_gaps_may_be_none_nan_or_na_and_columns_of_any_dtype():
    graph = nx.DiGraph([("A", "B")])
    expected = quietly(graph, {"A": ["x", None, "y", "x"], "B": [1, 0, None, 1]}, steps=3)
    frames = [
        pd.DataFrame({"A": ["x", np.nan, "y", "x"], "B": [1.0, 0.0, np.nan, 1.0]}),
        pd.DataFrame({"A": pd.Categorical(["x", None, "y", "x"]), "B": pd.array([1, 0, None, 1], dtype="Int64")}),
        pd.DataFrame({"B": [1, 0, pd.NA, 1], "A": pd.array(["x", pd.NA, "y", "x"], dtype="string")}),
    ]
    for data in frames:
        fit = quietly(graph, data, steps=3)
        assert fit.states == expected.states == {"A": ("x", "y"), "B": (0, 1)}
        for node in "AB":
            assert np.array_equal(fit.posterior[node], expected.posterior[node])


def test_a_warning_says_that_more_steps_are_needed():
    from pyrogen.graphs.pyro.learn import _warn_if_moving

    with pytest.warns(UserWarning, match="more steps"):
        _warn_if_moving(np.linspace(0, 10, 40).tolist())
    _warn_if_moving(np.random.default_rng(0).normal(size=40).tolist())


def test_the_natural_gradient_of_a_linear_function_of_log_theta_is_its_slope():
    random = np.random.default_rng(0)
    alpha = torch.tensor(random.gamma(1.0, size=(50, 4)) * np.logspace(-1, 4, 50)[:, None]).requires_grad_()
    slope = torch.tensor(random.normal(size=(50, 4)))
    (gradient,) = torch.autograd.grad((slope * expected_log(alpha)).sum(), alpha)
    torch.testing.assert_close(natural_gradient(alpha.detach(), gradient), slope, rtol=1e-7, atol=1e-7)
    prior = torch.full((50, 4), 2.0, dtype=torch.float64)
    (of_kl,) = torch.autograd.grad(kl(alpha, prior), alpha)  # whose natural gradient is α − prior
    scale = alpha.detach()
    torch.testing.assert_close(natural_gradient(scale, of_kl) / scale, (scale - prior) / scale, rtol=1e-6, atol=1e-6)


def _edges(*edges):
    return nx.DiGraph(edges)


GOOD = {"A": ["x", "y"], "B": ["u", "v"]}
BAD = [
    ((_edges(("A", "B"), ("B", "A")), GOOD), {}, ValueError, "must have no cycle"),
    ((nx.DiGraph(), GOOD), {}, ValueError, "at least one node"),
    ((nx.Graph([("A", "B")]), GOOD), {}, TypeError, "the graph must be directed"),
    ((_edges(("A", "B")), {"A": ["x", "y"]}), {}, ValueError, "got none for 'B'"),
    ((_edges(("A", "B")), {"A": 1}), {}, TypeError, r"data\['A'\] must be a column of entries, got 1"),
    ((_edges(("A", "B")), GOOD), {"states": {"A": 1}}, TypeError, r"states\['A'\] must list its states, got 1"),
    ((_edges(("A", "B")), {"A": [], "B": []}), {}, ValueError, "at least one row"),
    ((_edges(("A", "B")), {"A": ["x"], "B": []}), {}, ValueError, "columns of one length"),
    ((_edges(("A", "B")), 3), {}, TypeError, "data must be a pandas DataFrame"),
    (
        (_edges(("A", "B")), GOOD),
        {"states": {"A": ["x", "z"]}},
        ValueError,
        "data must give 'A' one of its states .'x', 'z'., got 'y'",
    ),
    (
        (_edges(("A", "B")), GOOD),
        {"states": {"Z": ["x", "z"]}},
        ValueError,
        "states must name nodes of the structure, got 'Z'",
    ),
    ((_edges(("A", "B")), GOOD), {"states": {"A": ["x", "y", "x"]}}, ValueError, "each named once"),
    ((_edges(("A", "B")), GOOD | {"A": [None, None]}), {}, ValueError, "'A' must have two states or more"),
    ((_edges(("A", "B")), GOOD | {"A": ["x", "x"]}), {}, ValueError, "'A' must have two states or more"),
    ((_edges(("A", "B")), GOOD, 0.0), {}, ValueError, "prior of 'A' must be one positive number"),
    (
        (_edges(("A", "B")), GOOD, "BDeu"),
        {},
        ValueError,
        r"^the prior of 'A' must be one positive number or an array \(2,\) .*, got 'BDeu'$",
    ),
    ((_edges(("A", "B")), GOOD, {"A": 1.0, "B": [1.0, 1.0]}), {}, ValueError, r"prior of 'B' .* array \(2, 2\)"),
    (
        (_edges(("A", "B")), GOOD, {"A": 1.0, "B": 1.0, "Z": 1.0}),
        {},
        ValueError,
        "prior must name nodes of the structure, got 'Z'",
    ),
    ((_edges(("A", "B")), GOOD, {"A": 1.0}), {}, ValueError, "prior .* 'B'"),
    ((_edges(("A", "B")), GOOD), {"steps": 0}, ValueError, "at least 1"),
    ((_edges(("A", "B")), GOOD), {"particles": 0}, ValueError, "at least 1"),
]


@pytest.mark.parametrize(("args", "settings", "error", "message"), BAD)
def test_bad_input_is_told_in_a_sentence(args, settings, error, message):
    with pytest.raises(error, match=message):
        quietly(*args, **settings)


def test_what_was_learned_prints_in_a_line():
    fit = learn(nx.DiGraph(["ab"]), {"a": [0, 1], "b": [1, 0]}, progress=False)
    assert repr(fit) == str(fit)
    assert str(fit).startswith("Learned(2 nodes; concentrations a: 2, b: 4; ELBO -")
    assert "\n" not in str(fit)
    assert repr(to_pyro(fit.network)) == "PyroNetwork(Bayesian, 2 nodes: a, b)"


CANCER = pg.graphs.bundled("cancer")


RAIN = nx.DiGraph([("rain", "wet")])


def test_the_second_half_of_learning_is_averaged_and_watched(monkeypatch):
    watched = []
    monkeypatch.setattr(learning, "_warn_if_moving", watched.append)
    data = {"rain": ["yes", "no", "no", None], "wet": ["yes", "no", "yes", "no"]}
    fit = pg.graphs.learn(RAIN, data, steps=10, progress=False)
    assert watched == [fit.history[5:].tolist()]


def test_states_that_are_given_come_before_those_of_a_table():
    import pandas as pd

    found = {node: pd.Series(["True"], dtype=object) for node in CANCER.nodes}
    known = states_of(CANCER, found, {"Smoker": ("False", "True"), "Cancer": ("True", "False")})
    assert (known["Smoker"], known["Cancer"]) == (("False", "True"), ("True", "False"))
