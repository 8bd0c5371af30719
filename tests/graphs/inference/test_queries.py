"""Exact inference against the joint written out, against pgmpy's variable elimination, and at what it must refuse."""

import math
import re

import numpy as np
import pytest
from helpers.joint import bayesian, given, joint, markov

from pyrogen.graphs.inference.posterior import Posterior
from pyrogen.graphs.inference.queries import (
    evidence_probability,
    log_partition,
    map_assignment,
    marginals,
    most_probable,
    query,
    sample,
)

SEEDS = range(150)
CLOSE = {"rtol": 1e-10, "atol": 1e-13}


def chain(length, table, start=(0.5, 0.5)):
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork([(i, i + 1) for i in range(length - 1)])
    network.add_cpds(TabularCPD(0, 2, [[p] for p in start]))
    network.add_cpds(*(TabularCPD(i, 2, table, [i - 1], [2]) for i in range(1, length)))
    return network


def factors(edges, *tables, nodes=()):
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteMarkovNetwork

    network = DiscreteMarkovNetwork(edges)
    network.add_nodes_from(nodes)
    network.add_factors(*(DiscreteFactor(list(scope), list(np.shape(v)), np.ravel(v)) for scope, v in tables))
    return network


def question(rng, names, states):
    """Random evidence, and random variables among the rest (at least one)."""
    order = [names[place] for place in rng.permutation(len(names))]
    cut = int(rng.integers(0, len(names)))
    evidence = {name: states[name][int(rng.integers(len(states[name])))] for name in order[:cut]}
    rest = order[cut:]
    return rest[: int(rng.integers(1, len(rest) + 1))], evidence


@pytest.mark.parametrize("make", [bayesian, markov])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_is_that_of_the_joint_written_out(make, seed):
    rng = np.random.default_rng(seed)
    network = make(rng)
    names, states, values = joint(network)
    if values.sum() == 0:
        for ask in (marginals, map_assignment, log_partition, lambda network: query(network, names[0])):
            with pytest.raises(ValueError, match="got 0 everywhere"):
                ask(network)
        return
    np.testing.assert_allclose(log_partition(network), 0.0 if make is bayesian else math.log(values.sum()), **CLOSE)
    for _ in range(3):
        asked, evidence = question(rng, names, states)
        table = given(names, states, values, evidence)
        np.testing.assert_allclose(evidence_probability(network, evidence), table.sum() / values.sum(), **CLOSE)
        if table.sum() == 0:
            assert evidence_probability(network, evidence, log=True) == -math.inf
            with pytest.raises(ValueError, match="must have a positive probability"):
                query(network, asked, evidence)
            with pytest.raises(ValueError, match="must have a positive probability"):
                marginals(network, evidence)
            with pytest.raises(ValueError, match="must have a positive probability"):
                map_assignment(network, asked, evidence)
            continue
        table = table / table.sum()
        expected = table.sum(axis=tuple(axis for axis, name in enumerate(names) if name not in asked))
        posterior = query(network, asked, evidence)
        assert posterior.variables == tuple(name for name in names if name in asked)
        assert posterior.states == {name: tuple(states[name]) for name in posterior.variables}
        np.testing.assert_allclose(posterior.table, expected, **CLOSE)
        single = marginals(network, evidence)
        assert list(single) == [name for name in names if name not in evidence]
        for axis, name in enumerate(names):
            if name not in evidence:
                rest = tuple(other for other in range(len(names)) if other != axis)
                np.testing.assert_allclose(single[name].table, table.sum(axis=rest), **CLOSE)
        best = map_assignment(network, asked, evidence)
        index = tuple(states[name].index(best.states[name]) for name in posterior.variables)
        np.testing.assert_allclose(expected[index], expected.max(), **CLOSE)
        np.testing.assert_allclose(math.exp(best.log_probability), expected.max(), **CLOSE)
        np.testing.assert_allclose(
            math.exp(map_assignment(network, None, evidence).log_probability), table.max(), **CLOSE
        )


def test_the_random_networks_hold_what_they_are_to_try():
    seen = {"impossible": 0, "disconnected": 0, "zeros": 0, "reordered": 0, "one node": 0}
    import networkx as nx

    for seed in SEEDS:
        for make in (bayesian, markov):
            rng = np.random.default_rng(seed)
            network = make(rng)
            names, states, values = joint(network)
            _, evidence = question(rng, names, states)
            seen["impossible"] += given(names, states, values, evidence).sum() == 0
            seen["disconnected"] += not nx.is_connected(nx.Graph(network.edges)) if network.edges else len(names) > 1
            seen["zeros"] += (values == 0).any()
            seen["one node"] += len(names) == 1
            held = network.factors if make is markov else network.cpds
            seen["reordered"] += any(t.state_names[n] != states[n] for t in held for n in t.variables)
    assert min(seen.values()) >= 15, seen


@pytest.mark.parametrize("seed", range(25))
def test_pgmpys_variable_elimination_agrees_on_larger_networks(seed):
    from pgmpy.inference import VariableElimination

    rng = np.random.default_rng(1000 + seed)
    network = bayesian(rng, 14, [f"n{i}" for i in rng.permutation(14)])
    names = list(network.nodes)
    sampled = {name: query(network, name).table.argmax() for name in names[:3]}
    evidence = {name: network.get_cpds(name).state_names[name][place] for name, place in sampled.items()}
    if evidence_probability(network, evidence) == 0:
        evidence = {}
    theirs = VariableElimination(network)
    for asked in ([names[5]], [names[4], names[9]], [names[13]]):
        other = theirs.query(asked, evidence=evidence, show_progress=False)
        ours = query(network, asked, evidence)
        axes = [other.variables.index(name) for name in ours.variables]
        np.testing.assert_allclose(ours.table, other.values.transpose(axes), rtol=1e-9, atol=1e-12)


def test_small_numbers_do_not_vanish():
    n = 400  # 1e-4 ** 399 is far below the smallest float
    network = chain(n, [[1e-4, 1e-4], [1 - 1e-4, 1 - 1e-4]])
    evidence = dict.fromkeys(range(1, n), 0)
    assert evidence_probability(network, evidence) == 0.0
    np.testing.assert_allclose(evidence_probability(network, evidence, log=True), (n - 1) * math.log(1e-4), rtol=1e-12)
    np.testing.assert_allclose(query(network, 0, evidence).table, [0.5, 0.5], rtol=1e-9)


def test_a_state_that_almost_all_evidence_speaks_against_is_not_lost():
    # each of 200 witnesses makes state 0 1e-3 times as likely as 1, one more excludes 1: plain float64 keeps neither
    n = 200
    edges = [("c", i) for i in range(n + 1)]
    tables = [(("c", i), [[1e-3, 1.0], [1.0, 1.0]]) for i in range(n)]
    network = factors(edges, *tables, (("c", n), [[1.0, 1.0], [0.0, 1.0]]))
    posterior = query(network, "c", dict.fromkeys(range(n + 1), 0))
    np.testing.assert_array_equal(posterior.table, [1.0, 0.0])


def test_the_partition_function_of_huge_potentials_is_finite():
    network = factors([(i, i + 1) for i in range(99)], *(((i, i + 1), np.full((2, 2), 1e300)) for i in range(99)))
    np.testing.assert_allclose(log_partition(network), 99 * math.log(1e300) + 100 * math.log(2), rtol=1e-13)
    np.testing.assert_allclose(marginals(network)[50].table, [0.5, 0.5])


def test_a_factor_times_five_changes_no_probability():
    one, five = (factors([("E", "G")], (("E", "G"), k * np.array([[1.0, 2.0], [3.0, 5.0]]))) for k in (1, 5))
    np.testing.assert_allclose(log_partition(five) - log_partition(one), math.log(5), rtol=1e-14)
    np.testing.assert_allclose(query(five, ["E", "G"]).table, query(one, ["E", "G"]).table, rtol=1e-15)


def test_rounded_tables_are_divided_by_their_sum_so_that_barren_nodes_do_not_matter():
    network = chain(3, [[0.333, 0.5], [0.666, 0.5]])
    np.testing.assert_allclose(query(network, 0).table, [0.5, 0.5], rtol=1e-15)
    np.testing.assert_allclose(query(network, 1).table[0], 0.5 * 0.333 / 0.999 + 0.25, rtol=1e-14)


def test_barren_nodes_are_left_out():
    # thirty causes of one effect would need a table of 2^31 entries, but the effect bears on no cause
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    pairs = [(f"a{i}", f"b{i}_{j}") for i in range(20) for j in range(i + 1, 20)]
    grid = DiscreteBayesianNetwork([*pairs, *((f"a{j}", f"b{i}_{j}") for i in range(20) for j in range(i + 1, 20))])
    for i in range(20):
        grid.add_cpds(TabularCPD(f"a{i}", 2, [[0.3], [0.7]]))
        for j in range(i + 1, 20):
            grid.add_cpds(TabularCPD(f"b{i}_{j}", 2, [[0.9] * 4, [0.1] * 4], [f"a{i}", f"a{j}"], [2, 2]))
    np.testing.assert_allclose(query(grid, ["a0", "b3_7"], memory=1000).table, np.outer([0.3, 0.7], [0.9, 0.1]))
    single = marginals(grid, memory=1000)  # one tree for all would hold a million entries: node by node it fits
    assert len(single) == len(grid)
    np.testing.assert_allclose(single["b3_7"].table, [0.9, 0.1])
    seen = {node: 0 for node in grid if node.startswith("b")}
    with pytest.raises(ValueError, match=r"the tables of .* cliques must take at most memory=1,000 bytes, got .*"):
        query(grid, "a0", seen, memory=1000)


def test_a_chain_needs_no_table_beyond_two_variables_wherever_one_asks():
    network = chain(40, [[0.9, 0.2], [0.1, 0.8]])
    power = np.linalg.matrix_power(np.array([[0.9, 0.2], [0.1, 0.8]]), 20)
    np.testing.assert_allclose(query(network, 20, memory=10_000).table, power @ [0.5, 0.5], rtol=1e-12)
    ends = query(network, [0, 20], {39: 1}, memory=10_000)
    after = np.linalg.matrix_power(np.array([[0.9, 0.2], [0.1, 0.8]]), 19)[1]
    np.testing.assert_allclose(ends.table, (o := 0.5 * power.T * after) / o.sum(), rtol=1e-12)


def test_what_is_too_large_is_refused_with_its_size_before_it_is_made():
    n = 60  # a complete graph: 2^60 entries
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    network = factors(pairs, *((pair, np.ones((2, 2))) for pair in pairs))
    for ask in (
        lambda: query(network, 0),
        lambda: query(network, list(range(n))),
        lambda: marginals(network),
        lambda: map_assignment(network),
        lambda: map_assignment(network, [0]),
        lambda: most_probable(network, 2),
        lambda: sample(network, 3),
        lambda: log_partition(network),
        lambda: evidence_probability(network, {0: 1}),
    ):
        with pytest.raises(ValueError, match=r"must take at most memory=1,073,741,824 bytes, got .* GiB\)") as error:
            ask()
        needed = int(re.search(r"bytes, got ([\d,]+)", str(error.value))[1].replace(",", ""))
        assert needed >= 2 ** (n - 4)
    observed = dict.fromkeys(range(2, n), 0)
    np.testing.assert_allclose(query(network, [0, 1], observed).table, np.full((2, 2), 0.25))
    np.testing.assert_allclose(marginals(network, observed, memory=100_000)[0].table, [0.5, 0.5])


def test_the_most_probable_assignment_is_not_that_of_the_marginals():
    network = factors([("a", "b")], (("a", "b"), [[0.0, 0.35], [0.33, 0.32]]))
    assert map_assignment(network).states == {"a": 0, "b": 1}
    assert map_assignment(network, "a").states == {"a": 1}
    np.testing.assert_allclose(map_assignment(network).log_probability, math.log(0.35), rtol=1e-14)


def test_all_observed_leaves_nothing_to_say():
    network = chain(2, [[0.9, 0.2], [0.1, 0.8]])
    assert marginals(network, {0: 0, 1: 1}) == {}
    assert map_assignment(network, evidence={0: 0, 1: 1}) == ({}, 0.0)
    np.testing.assert_allclose(evidence_probability(network, {0: 0, 1: 1}), 0.05)
    assert evidence_probability(network, {}) == evidence_probability(network, None) == 1.0


def test_state_zero_counts_as_evidence():
    network = chain(2, [[0.9, 0.2], [0.1, 0.8]])
    np.testing.assert_allclose(query(network, 1, {0: 0}).table, [0.9, 0.1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("X",), "variables must name nodes of the graph \\(0, 1, 2\\), got 'X'"),
        (([],), "variables must name at least one node, got none"),
        (([0, 0],), "variables must name each node once, got 0 twice"),
        ((0, {"X": 1}), "evidence must name nodes of the graph .*, got 'X'"),
        ((0, {1: "yes"}), "evidence must give 1 one of its states .0, 1., got 'yes'"),
        ((0, {0: 1}), "got 0 in variables and in evidence"),
        (([0, 1], {1: 1, 2: 0}), "got 1 in variables and in evidence"),
        ((0, None, {0: 1}), "got 0 in variables and in do"),
        ((0, {1: 1}, {1: 1}), "got 1 in evidence and in do"),
        ((0, None, {1: "yes"}), "do must give 1 one of its states .0, 1., got 'yes'"),
        ((0, {1: [1.0]}), "the likelihoods of 1 must be 2 finite numbers"),
        ((0, {1: [1.0, -1.0]}), "the likelihoods of 1 must be 2 finite numbers"),
        ((0, {1: [1.0, float("nan")]}), "the likelihoods of 1 must be 2 finite numbers"),
        ((0, {1: {0: 1.0}}), "the likelihoods of 1 must name all its states, got none for 1"),
        ((0, {1: {0: 1.0, 5: 1.0}}), "evidence must give 1 one of its states .0, 1., got 5"),
        ((0, {1: [0.0, 0.0]}), "must have a positive probability"),
        ((0, None, None, 0), "memory must be a whole number .*, got 0"),
    ],
)
def test_bad_questions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        query(chain(3, [[0.9, 0.2], [0.1, 0.8]]), *arguments)


def test_evidence_must_be_a_mapping():
    with pytest.raises(TypeError, match="evidence must map names to states"):
        query(chain(3, [[0.9, 0.2], [0.1, 0.8]]), 0, [(1, 1)])


def test_impossible_evidence_is_named():
    network = chain(3, [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"the evidence must have a positive probability, got 0 for \{1: 0, 2: 1\}"):
        query(network, 0, {1: 0, 2: 1})
    network.add_node("apart")  # impossible evidence elsewhere is impossible too
    from pgmpy.factors.discrete import TabularCPD

    network.add_cpds(TabularCPD("apart", 2, [[0.3], [0.7]]))
    with pytest.raises(ValueError, match=r"the evidence must have a positive probability, got 0 for \{1: 0, 2: 1\}"):
        query(network, "apart", {1: 0, 2: 1})


def weather():
    table = np.arange(1.0, 13.0).reshape(2, 3, 2)
    return Posterior({"rain": ("no", "yes"), 0: ("a", "b", "c"), "wet": (0, 1)}, table / table.sum())


def test_a_posterior_gives_marginals_in_the_order_asked_for():
    posterior = weather()
    assert posterior.variables == ("rain", 0, "wet")
    pair = posterior.marginal("wet", "rain")
    assert pair.variables == ("wet", "rain")
    np.testing.assert_allclose(pair.table, posterior.table.sum(axis=1).T, rtol=1e-15)
    np.testing.assert_allclose(posterior.marginal("wet", "rain", 0).table, posterior.table.transpose(2, 0, 1))
    assert posterior.marginal(0).as_dict() == pytest.approx({"a": 18 / 78, "b": 26 / 78, "c": 34 / 78})
    assert pair.as_dict()[1, "no"] == pytest.approx(12 / 78)
    assert posterior[{"wet": 0, 0: "c"}] == pytest.approx(16 / 78)
    assert posterior[{}] == pytest.approx(1.0)


def test_a_posterior_refuses_unknown_names_and_states():
    for ask, message in (
        (lambda: weather().marginal("snow"), "the assignment must name variables of .*, got 'snow'"),
        (lambda: weather().marginal(), "must be one or several different ones"),
        (lambda: weather().marginal(0, 0), "must be one or several different ones"),
        (lambda: weather()[{"snow": 1}], "the assignment must name variables of .*, got 'snow'"),
        (lambda: weather()[{"wet": "yes"}], r"'wet' must be in one of its states, \[0, 1\], got 'yes'"),
    ):
        with pytest.raises(ValueError, match=message):
            ask()
    with pytest.raises(TypeError, match="the assignment must be a mapping from variables to states, got str"):
        weather()["rain"]


def test_a_posterior_prints_as_a_table_and_a_long_one_in_part():
    lines = str(weather()).splitlines()
    assert lines[0].split() == ["rain", "0", "wet", "P(rain,", "0,", "wet)"]
    assert lines[1].split() == ["no", "a", "0", "0.0128"]
    assert len(lines) == 13
    long = str(Posterior({"n": tuple(range(1000))}, np.full(1000, 1e-3))).splitlines()
    assert len(long) == 42
    assert long[-1] == "… (1,000 rows in all)"


def test_an_answer_is_a_table_in_a_notebook():
    html = Posterior({"a<b": ("no", "yes")}, np.array([0.25, 0.75]))._repr_html_()
    assert html == (
        "<table><tr><th>a&lt;b</th><th>P(a&lt;b)</th></tr><tr><td>no</td><td>0.2500</td></tr>"
        "<tr><td>yes</td><td>0.7500</td></tr></table>"
    )
