"""Expectation maximization against EM by enumeration, the means of `learn`, and the likelihood of each row."""

import itertools
import math
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import pyrogen as pg
from pyrogen.graphs import evidence_probability, expectation_maximization, learn

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

STATES = {"a": ("no", "yes"), "b": (0, 1, 2), "c": ("u", "v")}
EDGES = [("b", "c"), ("a", "c"), ("a", "b")]


def graph():
    found = nx.DiGraph()
    found.add_nodes_from(STATES)
    found.add_edges_from(EDGES)
    return found


def data(rows, missing, seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, rows)
    b = (a + rng.choice(3, rows, p=[0.5, 0.3, 0.2])) % 3
    c = (rng.random(rows) < 0.3 + 0.4 * a - 0.1 * b).astype(int)
    table = np.where(rng.random((rows, 3)) < missing, -1, np.stack([a, b, c], axis=1))
    return pd.DataFrame(
        {
            node: pd.Series([states[k] if k >= 0 else None for k in column], dtype=object)
            for (node, states), column in zip(STATES.items(), table.T, strict=True)
        }
    ), table


def by_enumeration(theta, table, parents, steps):
    """EM step by step, each row's completions written out."""
    nodes = list(STATES)
    for _ in range(steps):
        counts = {node: np.zeros_like(theta[node]) for node in nodes}
        for row in table:
            full = list(
                itertools.product(*([k] if k >= 0 else range(len(STATES[n])) for n, k in zip(nodes, row, strict=True)))
            )
            index = [{n: tuple(f[nodes.index(v)] for v in (n, *parents[n])) for n in nodes} for f in full]
            weights = np.array([math.prod(theta[n][place[n]] for n in nodes) for place in index])
            for place, weight in zip(index, weights / weights.sum(), strict=True):
                for n in nodes:
                    counts[n][place[n]] += weight
        theta = {n: counts[n] / counts[n].sum(axis=0) for n in nodes}
    return theta


def tables(fit):
    return {node: fit.network.get_cpds(node).values for node in STATES}


def test_with_nothing_missing_it_is_the_mean_of_the_posterior():
    frame, _ = data(200, 0, 0)
    mean = learn(graph(), frame, 1.5, progress=False)
    best = expectation_maximization(graph(), frame, 2.5)
    assert best.converged
    for node, values in tables(best).items():
        np.testing.assert_allclose(values, mean.network.get_cpds(node).values, rtol=1e-12)


def test_it_ends_where_em_by_enumeration_does_and_the_likelihood_never_falls():
    frame, table = data(120, 0.3, 1)
    fit = expectation_maximization(graph(), frame, tolerance=0, steps=2000)
    assert (np.diff(fit.history) > -1e-9).all()
    parents = {node: tuple(graph().predecessors(node)) for node in STATES}
    moved = by_enumeration(tables(fit), table, parents, 3)
    for node, values in tables(fit).items():
        np.testing.assert_allclose(values, moved[node], atol=1e-6)
    likelihood = sum(
        evidence_probability(
            fit.network, {n: STATES[n][k] for n, k in zip(STATES, row, strict=True) if k >= 0}, log=True
        )
        for row in table
    )
    np.testing.assert_allclose(fit.history[-1], likelihood, atol=1e-6)


def test_one_step_is_that_of_em_by_enumeration():
    frame, table = data(60, 0.4, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one, two = (expectation_maximization(graph(), frame, steps=steps, tolerance=0) for steps in (1, 2))
    parents = {node: tuple(graph().predecessors(node)) for node in STATES}
    moved = by_enumeration(tables(one), table, parents, 1)
    for node, values in tables(two).items():
        np.testing.assert_allclose(values, moved[node], rtol=1e-9)
        assert one.counts[node].sum() == pytest.approx(len(table))


def test_stochastic_variational_inference_comes_to_nearly_the_same():
    """With 3,000 rows the posterior is narrow: its mean and the most probable tables differ by a few in a thousand."""
    frame, _ = data(3000, 0.2, 3)
    mean = learn(graph(), frame, 1.0, progress=False)
    best = expectation_maximization(graph(), frame, 2.0)
    for node, values in tables(best).items():
        np.testing.assert_allclose(values, mean.network.get_cpds(node).values, atol=0.01)


def test_a_hidden_variable_is_told_apart_by_the_seed_alone():
    rng = np.random.default_rng(0)
    hidden = rng.integers(0, 2, 400)
    frame = pd.DataFrame({f"x{i}": np.where(rng.random(400) < 0.9, hidden, 1 - hidden) for i in range(4)})
    frame["h"] = None
    structure = nx.DiGraph([("h", f"x{i}") for i in range(4)])
    fit = expectation_maximization(structure, frame, states={"h": (0, 1)})
    assert fit.network.get_cpds("h").values.max() < 0.6
    for i in range(4):
        assert sorted(fit.network.get_cpds(f"x{i}").values[1].round(1)) == pytest.approx([0.1, 0.9], abs=0.11)


def test_declared_categories_are_states_and_other_columns_are_left_out_with_a_warning():
    frame = pd.DataFrame({"a": pd.Categorical(["x", "y", "x"], categories=["z", "y", "x"]), "more": [1, 2, 3]})
    structure = nx.DiGraph()
    structure.add_node("a")
    with pytest.warns(UserWarning, match="beside the nodes of the structure, which are left out: 'more'"):
        fit = learn(structure, frame, progress=False)
    assert fit.states == {"a": ("z", "y", "x")}
    np.testing.assert_allclose(fit.posterior["a"], [1, 2, 3])
    with pytest.warns(UserWarning, match="left out: 'more'"):
        assert expectation_maximization(structure, frame).states == {"a": ("z", "y", "x")}
    columns = {"a": pd.Categorical(["x"], categories=["w", "x"])}
    assert learn(structure, columns, progress=False).states == {"a": ("w", "x")}


def test_pseudo_counts_are_those_of_pgmpy():
    from pgmpy.estimators import BayesianEstimator
    from pgmpy.models import DiscreteBayesianNetwork

    frame, _ = data(50, 0, 4)
    rng = np.random.default_rng(5)
    pseudo = {"a": rng.random((2, 1)) + 0.5, "b": rng.random((3, 2)) + 0.5, "c": rng.random((2, 6)) + 0.5}
    fit = learn(graph(), frame, pseudo, states=STATES, progress=False)
    structure = DiscreteBayesianNetwork(EDGES)
    theirs = BayesianEstimator(structure, frame, state_names={n: list(s) for n, s in STATES.items()})
    for node in STATES:
        other = theirs.estimate_cpd(node, prior_type="dirichlet", pseudo_counts=pseudo[node])
        ours = fit.network.get_cpds(node)
        np.testing.assert_allclose(
            ours.values, other.values.transpose([other.variables.index(v) for v in ours.variables]), rtol=1e-12
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prior": 0.5}, "the prior of 'a' must be at least 1 here, got 0.5"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"tolerance": -1.0}, "tolerance must be"),
        ({"prior": {"a": np.ones((2, 2)), "b": 1.0, "c": 1.0}}, "the prior of 'a' must be one positive number"),
    ],
)
def test_bad_input_is_told_in_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        expectation_maximization(graph(), data(10, 0.1, 0)[0], states=STATES, **arguments)


def test_an_em_that_is_cut_short_says_so():
    with pytest.warns(UserWarning, match="give expectation_maximization more steps"):
        assert not expectation_maximization(graph(), data(60, 0.5, 0)[0], steps=2).converged


RAIN = nx.DiGraph([("rain", "wet")])


def test_em_ends_by_its_gain_for_each_row():
    data = {"rain": ["yes", "no", "no", None], "wet": ["yes", "no", "yes", "no"]}
    many = {name: 500 * column for name, column in data.items()}
    settings = {"prior": {"rain": 1.0, "wet": 1.0}, "tolerance": 1e-6}
    few, large = (pg.graphs.expectation_maximization(RAIN, table, **settings) for table in (data, many))
    assert len(few.history) == len(large.history)
