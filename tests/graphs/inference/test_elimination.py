"""Elimination orders around kept nodes, and the junction tree that they come from."""

import itertools

import networkx as nx
import numpy as np
import pytest
from helpers.joint import bayesian, loaded

from pyrogen.graphs.inference.elimination import elimination_sequence, interaction_graph, rooted_cliques
from pyrogen.graphs.inference.factors import tables
from pyrogen.graphs.inference.queries import map_assignment, marginals, query


@pytest.mark.parametrize("seed", range(60))
def test_cliques_come_before_their_parents_and_those_of_a_node_hang_together(seed):
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(int(rng.integers(1, 25)), float(rng.uniform(0, 0.4)), seed=seed)
    sizes = {node: int(rng.integers(2, 5)) for node in graph}
    root = frozenset(max(nx.find_cliques(graph), key=lambda clique: (len(clique), clique)))
    rooted = rooted_cliques(graph, sizes, root)
    assert sum(parent is None for _, parent in rooted) == nx.number_connected_components(graph)
    assert all(parent is None or parent > place for place, (_, parent) in enumerate(rooted))
    assert any(parent is None and root <= clique for clique, parent in rooted)
    assert all(any({a, b} <= clique for clique, _ in rooted) for a, b in graph.edges)
    for node in graph:  # all but the topmost clique of a node have a parent that holds it too
        tops = [p for clique, p in rooted if node in clique and (p is None or node not in rooted[p][0])]
        assert len(tops) == 1


@pytest.mark.parametrize("seed", range(60))
def test_elimination_around_kept_nodes_makes_no_larger_tables_than_their_junction_tree(seed):
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(int(rng.integers(2, 25)), float(rng.uniform(0, 0.3)), seed=seed)
    sizes = dict.fromkeys(graph, 2)
    keep = set(rng.permutation(len(graph))[: int(rng.integers(0, 4))].tolist())
    order = elimination_sequence(graph, keep, sizes)
    assert sorted(order) == sorted(set(graph) - keep)
    joined = graph.copy()
    joined.add_edges_from(itertools.combinations(keep, 2))
    largest = max(len(clique) for clique, _ in rooted_cliques(joined, sizes))
    near = {node: set(joined[node]) for node in joined}
    for node in order:
        assert len(near[node]) <= largest  # one variable to spare: min-fill goes through the parts in another order
        for other in near[node]:
            near[other] = (near[other] | near[node]) - {node, other}


def test_nothing_left_has_no_cliques():
    assert rooted_cliques(nx.Graph(), {}) == []
    assert elimination_sequence(nx.Graph([(0, 1)]), [0, 1], {0: 2, 1: 2}) == []


def test_the_interaction_graph_joins_what_shares_a_factor():
    known = tables(bayesian(np.random.default_rng(3), 6))
    expected = {frozenset(pair) for factor in known.factors for pair in itertools.combinations(factor.names, 2)}
    graph = interaction_graph(known.factors, known.states)
    assert {frozenset(edge) for edge in graph.edges} == expected
    assert list(graph) == list(known.states)


@pytest.mark.parametrize("name", ["alarm", "insurance", "hailfinder", "win95pts"])
def test_joint_and_single_answers_agree_on_the_bundled_networks(name):
    network = loaded(name)
    rng = np.random.default_rng(0)
    nodes = list(network)
    leaves = [node for node in nodes if network.out_degree(node) == 0]
    best = map_assignment(network).states
    for evidence in ({}, {leaf: best[leaf] for leaf in leaves}):
        single = marginals(network, evidence)
        for node in single:
            np.testing.assert_allclose(single[node].table, query(network, node, evidence).table, rtol=0, atol=1e-10)
        free = [node for node in nodes if node not in evidence]
        for _ in range(3):
            asked = [free[place] for place in rng.permutation(len(free))[:3]]
            one = query(network, asked, evidence)
            np.testing.assert_allclose(one.marginal(asked[0]).table, single[asked[0]].table, rtol=0, atol=1e-10)
