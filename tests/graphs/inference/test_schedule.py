"""Junction trees without numbers: what a clique holds, and that the cheapest of several orders is taken."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest

from pyrogen.graphs.inference import heuristics
from pyrogen.graphs.inference.heuristics import RULES, cheapest_order, total_entries
from pyrogen.graphs.inference.schedule import Schedule
from pyrogen.graphs.structure.moral import neighbors


def random_scopes(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 18))
    sizes = rng.integers(1, 5, n).tolist()
    scopes = [[node] for node in range(n)]
    for _ in range(int(rng.integers(0, 2 * n))):
        scopes.append(rng.permutation(n)[: int(rng.integers(1, 4))].tolist())
    joined = rng.permutation(n)[: int(rng.integers(0, 4))].tolist()
    return scopes, sizes, joined


@pytest.mark.parametrize("seed", range(60))
def test_the_tree_holds_each_factor_and_the_cliques_of_a_node_hang_together(seed):
    scopes, sizes, joined = random_scopes(seed)
    schedule = Schedule(scopes, sizes, joined)
    cliques = schedule.cliques
    graph = nx.Graph()
    graph.add_nodes_from(range(len(sizes)))
    for scope in [*scopes, joined]:
        graph.add_edges_from(itertools.combinations(scope, 2))
    assert sum(clique.parent < 0 for clique in cliques) == nx.number_connected_components(graph)
    for number, clique in enumerate(cliques):
        assert clique.parent < number
        assert clique.shape == tuple(sizes[node] for node in clique.axes)
        assert list(clique.axes) == sorted(clique.axes, key=schedule.rank.__getitem__)
        if clique.parent >= 0:
            assert set(clique.separator) == set(clique.axes) & set(cliques[clique.parent].axes)
            assert number in cliques[clique.parent].children
    for number, scope in enumerate(scopes):
        (home,) = [clique for clique in cliques if number in clique.factors]
        assert set(scope) <= set(home.axes)
    for node in range(len(sizes)):  # all but the topmost clique of a node have a parent that holds it too
        assert node in cliques[schedule.home[node]].axes
        tops = [c for c in cliques if node in c.axes and (c.parent < 0 or node not in cliques[c.parent].axes)]
        assert len(tops) == 1
    if joined:
        assert set(joined) <= set(cliques[schedule.holding(joined)].axes)
    assert schedule.entries == sum(math.prod(clique.shape) for clique in cliques)
    assert schedule.entries == total_entries(cheapest_order(scopes, sizes, joined), sizes)


def test_the_cheapest_of_the_orders_is_taken(monkeypatch):
    monkeypatch.setattr(heuristics, "LITTLE", 0)
    monkeypatch.setattr(heuristics, "ENOUGH", 0)
    for seed in range(40):
        scopes, sizes, _ = random_scopes(1000 + seed)
        near = neighbors(scopes)
        costs = [total_entries(heuristics._eliminate(near, sizes, (), RULES[rule]), sizes) for rule in RULES]
        assert total_entries(cheapest_order(scopes, sizes), sizes) == min(costs)


def test_nodes_that_are_kept_come_last_and_enlarge_no_table():
    for seed in range(40):
        scopes, sizes, kept = random_scopes(2000 + seed)
        later = cheapest_order(scopes, sizes, kept)
        assert set(list(later)[len(later) - len(kept) :]) == set(kept)
        near = neighbors(scopes)
        for node in list(later)[: len(later) - len(kept)]:
            assert later[node] == near[node]
            for other in near[node]:
                near[other] = (near[other] | near[node]) - {node, other}


def test_large_states_are_kept_apart():
    # a square of which one diagonal joins two large nodes, and the other two small ones
    order = cheapest_order([(0, 1), (1, 2), (2, 3), (3, 0)], [50, 2, 50, 2])
    assert total_entries(order, [50, 2, 50, 2]) == 2 * 50 * 2 * 2
