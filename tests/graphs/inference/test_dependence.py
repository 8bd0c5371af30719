"""Independence by numbers, against the joint written out and against networkx's d-separation."""

from itertools import product

import networkx as nx
import numpy as np
import pytest
from helpers.graphs_enumerated import random_dag, random_query, random_ug
from pgmpy.factors.discrete import DiscreteFactor, TabularCPD
from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork

from pyrogen.exercises.cross_checks import (
    by_networkx,
    by_pgmpy,
    decomposes,
    networkx_separated,
    pgmpy_cliques,
    pgmpy_separated,
)
from pyrogen.exercises.random_networks import Draws, interaction_bound, interactions
from pyrogen.graphs import conditional_mutual_information, generic_network
from pyrogen.graphs.inference.dependence import Dependence, dependence, exact_table, terms

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported


def information(table, x, y):
    """I(x; y | the rest) by its definition, entry by entry; x and y are one axis each."""
    total = 0.0
    for index in product(*map(range, table.shape)):

        def marginal(*gone, at=index):
            return table[tuple(slice(None) if axis in gone else i for axis, i in enumerate(at))].sum()

        total += table[index] * np.log(marginal() * marginal(x, y) / (marginal(y) * marginal(x)))
    return total


def test_the_information_is_that_of_its_definition():
    rng = np.random.default_rng(1)
    for shape in ((2, 3), (3, 2, 2), (2, 2, 3, 2)):
        table = rng.uniform(0.05, 1.0, shape)
        table /= table.sum()
        found = dependence(table, [0], [1], 10)
        assert found.nats == pytest.approx(information(table, 0, 1), abs=1e-14)
        assert found
    assert dependence(np.full((2, 2), 0.25), [0], [1], 4).nats == 0.0


def test_two_noisy_copies_have_a_known_information():
    """y is x, turned with probability 0.1: I = log 2 − H(0.1)."""
    table = np.array([[0.45, 0.05], [0.05, 0.45]])
    entropy = -0.1 * np.log(0.1) - 0.9 * np.log(0.9)
    assert dependence(table, [0], [1], 1).nats == pytest.approx(np.log(2) - entropy, rel=1e-12)


@pytest.mark.parametrize("make", [random_dag, random_ug])
def test_random_tables_depend_exactly_where_the_graph_says(make):
    """The bound is one of rounding, not of chance: no false alarms; a miss would take tables of measure zero."""
    found = {True: 0, False: 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        graph = make(rng, int(rng.integers(2, 7)))
        x, y, given = random_query(rng, graph)
        separated = networkx_separated(by_networkx(graph), x, y, given)
        assert pgmpy_separated(by_pgmpy(graph), x, y, given) == separated
        for draw in range(2):
            network = generic_network(graph, np.random.default_rng([seed, draw]))
            assert bool(conditional_mutual_information(network, x, y, given)) != separated
        found[separated] += 1
    assert min(found.values()) > 10


def test_independence_is_far_below_the_bound_and_dependence_far_above():
    chain = nx.DiGraph([("A", "B"), ("B", "C"), ("C", "D"), ("D", "E"), ("E", "F"), ("F", "G")])
    for seed in range(20):
        network = generic_network(chain, np.random.default_rng(seed))
        shut, opened = (conditional_mutual_information(network, "A", "G", given) for given in (["D"], []))
        assert shut.nats < shut.bound / 100
        assert opened.nats > 1e6 * opened.bound


@pytest.mark.parametrize("make", [random_dag, random_ug])
def test_the_pairs_that_depend_given_all_else_are_the_moral_graph(make):
    for seed in range(25):
        rng = np.random.default_rng(seed)
        graph = make(rng, int(rng.integers(2, 7)))
        plain = by_networkx(graph)
        edges = (nx.moral_graph(plain) if graph.is_directed() else plain).edges
        assert Draws(graph, 2, seed).joined() == set(map(frozenset, edges))


def test_exact_tables_are_the_joint_written_out():
    for graph in (nx.DiGraph(["AB", "AC", "BD", "CD"]), nx.Graph(["AB", "BC", "CD", "DA"])):
        network = generic_network(graph, np.random.default_rng(3))
        factors = [table.to_factor() for table in network.cpds] if graph.is_directed() else network.factors
        joint = np.ones((2, 2, 2, 2))
        for index in product(range(2), repeat=4):
            at = dict(zip("ABCD", index, strict=True))
            for factor in factors:
                joint[index] *= factor.values[tuple(at[name] for name in factor.variables)]
        joint /= joint.sum()
        np.testing.assert_allclose(exact_table(network, list("ABCD")), joint, rtol=1e-12)
        np.testing.assert_allclose(exact_table(network, ["D", "A"]), joint.sum((1, 2)).T, rtol=1e-12)


def test_interactions_are_those_of_the_cliques():
    """log p of a product on given sets has no interaction beyond them, and one on each."""
    graph = nx.Graph(["AB", "AC", "BC", "BD", "BE", "DE", "CD", "CF", "DF", "EG"])
    network = generic_network(graph, np.random.default_rng(0))
    joint = exact_table(network, list("ABCDEFG"))
    bound = interaction_bound(joint, terms(network))
    assert bound < 1e-9
    found = {frozenset("ABCDEFG"[axis] for axis in axes): size for axes, size in interactions(joint).items()}
    cliques = list(map(frozenset, nx.find_cliques(graph)))
    for nodes, size in found.items():
        assert (size > bound) == any(nodes <= clique for clique in cliques), nodes


def test_only_chordal_graphs_decompose():
    seen = set()
    for seed in range(40):
        graph = random_ug(np.random.default_rng(seed), 6, kind="networkx")
        chordal = nx.is_chordal(graph)
        assert decomposes(Draws(graph, 2, seed)) == chordal
        seen.add(chordal)
    assert seen == {True, False}


def test_cliques_by_subsets_are_networkx_s():
    for seed in range(20):
        graph = random_ug(np.random.default_rng(seed), 7, kind="pgmpy")
        assert pgmpy_cliques(graph) == set(map(frozenset, nx.find_cliques(graph)))
    assert pgmpy_cliques(nx.path_graph(15)) is None


def test_large_graphs_are_left_to_the_other_ways():
    draws = Draws(nx.path_graph(20, create_using=nx.DiGraph), 1, 0)
    assert draws.joined() is None
    assert draws.dependences(list(range(8)), list(range(8, 16)), [17]) is None
    (far,) = draws.dependences([0], [3], [])
    assert far


def test_too_many_states_are_refused():
    network = generic_network(nx.empty_graph(18, create_using=nx.DiGraph), np.random.default_rng(0))
    with pytest.raises(ValueError, match="x, y and given must have at most 65,536 joint states, got 131,072"):
        conditional_mutual_information(network, 0, 1, given=list(range(2, 17)))
    with pytest.raises(ValueError, match=r"x must name nodes of the graph .*, got 'Z'"):
        conditional_mutual_information(network, "Z", 1)


def sparse_network(seed):
    """A chain with a fork, half of whose table entries are zero, and its joint distribution written out."""
    rng = np.random.default_rng(seed)
    edges = [("A", "B"), ("B", "C"), ("B", "D")]
    tables = {}
    for node, parent in (("A", ()), ("B", ("A",)), ("C", ("B",)), ("D", ("B",))):
        table = rng.uniform(0.1, 1.0, (3, *[3] * len(parent))) * (rng.random((3, *[3] * len(parent))) < 0.5)
        table[rng.integers(3)] += 0.2 * (table.sum(0) == 0)
        tables[node] = table / table.sum(0)
    network = DiscreteBayesianNetwork(edges)
    for node, parent in (("A", []), ("B", ["A"]), ("C", ["B"]), ("D", ["B"])):
        network.add_cpds(TabularCPD(node, 3, tables[node].reshape(3, -1), parent or None, [3] * len(parent) or None))
    return network, np.einsum("a,ba,cb,db->abcd", *(tables[node] for node in "ABCD"))


def test_zeros_count_as_the_definition_says():
    """0 log 0 = 0: against the sum over the states that are possible, for tables half of whose entries are zero."""
    kept = 0
    for seed in range(40):
        network, joint = sparse_network(seed)
        table = joint.sum(2)  # a, b, d
        p_ab, p_bd, p_b = table.sum(2, keepdims=True), table.sum(0, keepdims=True), table.sum((0, 2), keepdims=True)
        assert (table == 0).any()
        assert not conditional_mutual_information(network, "A", "D", "B"), seed  # no false alarm: the bound is exact
        assert not conditional_mutual_information(network, "C", ["A", "D"], "B"), seed
        p_ad = table.sum(1)
        q = p_ad.sum(1, keepdims=True) * p_ad.sum(0, keepdims=True)
        there = p_ad > 0
        wanted = (p_ad[there] * np.log(p_ad[there] / q[there])).sum()
        assert conditional_mutual_information(network, "A", "D").nats == pytest.approx(wanted, abs=1e-14)
        kept += wanted > 1e-3
        there = table > 0
        direct = (table[there] * np.log((table * p_b)[there] / (p_ab * p_bd)[there])).sum()
        assert direct == pytest.approx(0, abs=1e-14)
    assert kept > 10


def test_a_variable_and_its_copy_share_all_they_have():
    network = DiscreteBayesianNetwork([("a", "b")])
    network.add_cpds(TabularCPD("a", 2, [[0.4], [0.6]]), TabularCPD("b", 2, [[1, 0], [0, 1]], ["a"], [2]))
    found = conditional_mutual_information(network, "a", "b")
    assert found.nats == pytest.approx(-0.4 * np.log(0.4) - 0.6 * np.log(0.6), rel=1e-12)
    assert bool(found) is True


def test_no_number_is_not_no_dependence():
    with pytest.raises(ValueError, match="the value must be a number"):
        bool(Dependence(float("nan"), 1e-26))


def test_potentials_may_be_of_any_size_but_must_leave_a_state():
    def chain(scale, a=(1.0, 2.0)):
        network = DiscreteMarkovNetwork([("a", "b"), ("b", "c")])
        network.add_factors(
            DiscreteFactor(["a"], [2], list(a)),
            DiscreteFactor(["a", "b"], [2, 2], scale * np.array([1.0, 0.0, 2.0, 3.0])),
            DiscreteFactor(["b", "c"], [2, 2], scale * np.array([1.0, 0.0, 2.0, 3.0])),
        )
        return network

    wanted = conditional_mutual_information(chain(1.0), "a", "c").nats
    assert wanted > 1e-3
    for scale in (1e-200, 1e200):
        assert conditional_mutual_information(chain(scale), "a", "c").nats == pytest.approx(wanted, rel=1e-12)
        assert not conditional_mutual_information(chain(scale), "a", "c", "b")
    network = DiscreteMarkovNetwork([("a", "b")])
    network.add_factors(DiscreteFactor(["a"], [2], [1, 0]), DiscreteFactor(["a", "b"], [2, 2], [0, 0, 1, 1]))
    with pytest.raises(ValueError, match="must have a positive product somewhere"):
        conditional_mutual_information(network, "a", "b")
    network = DiscreteMarkovNetwork([("a", "b")])
    network.add_factors(
        DiscreteFactor(["a"], [2], [1, 1e-300]), DiscreteFactor(["a", "b"], [2, 2], [1e-300, 1e-300, 1, 1])
    )
    with pytest.raises(ValueError, match="too improbable for float64"):
        conditional_mutual_information(network, "a", "b")
    with pytest.raises(ValueError, match="potential over a must be finite and somewhere positive"):
        conditional_mutual_information(chain(1.0, (0.0, 0.0)), "a", "b")


def test_a_seed_is_no_generator():
    with pytest.raises(TypeError, match=r"rng must be a numpy Generator such as .*, got int"):
        generic_network(nx.DiGraph(["AB"]), 0)
