"""Elimination, triangulation and junction trees against networkx and their definitions."""

import time
from itertools import combinations, pairwise
from math import prod

import networkx as nx
import pytest
from helpers.graphs_enumerated import random_dag, random_ug, seeded

from pyrogen import graphs

FEW, MANY = 1000, 300


def eliminated(ug, order):
    """The graph with the fill-in of an order, and for each step the graph that was left before it; by definition."""
    left, filled, steps = nx.Graph(ug), nx.Graph(ug), []
    for node in order:
        steps.append(nx.Graph(left))
        pairs = list(combinations(left[node], 2))
        left.add_edges_from(pairs)
        filled.add_edges_from(pairs)
        left.remove_node(node)
    return filled, steps


def costs(left, node, heuristic, sizes):
    """What a heuristic counts, by definition."""
    near = list(left[node])
    fill = sum(not left.has_edge(a, b) for a, b in combinations(near, 2))
    entries = prod(sizes[other] for other in [node, *near])
    return {"min_fill": (fill, entries), "min_neighbors": (len(near),), "min_weight": (entries,)}[heuristic]


@pytest.mark.parametrize("heuristic", ["min_fill", "min_neighbors", "min_weight"])
def test_the_next_node_is_the_cheapest(heuristic):
    for rng in seeded(FEW // 3 + 1, 30):
        ug = random_ug(rng, int(rng.integers(1, 10)))
        given = {node: int(rng.integers(1, 5)) for node in ug}
        sizes = given if heuristic == "min_weight" or rng.random() < 0.5 else None
        order = graphs.elimination_order(ug, heuristic, sizes)
        assert sorted(map(repr, order)) == sorted(map(repr, ug))
        known = dict.fromkeys(ug, 2) if sizes is None else sizes
        for node, left in zip(order, eliminated(ug, order)[1], strict=True):
            ranked = [(costs(left, other, heuristic, known), list(ug).index(other)) for other in left]
            assert (costs(left, node, heuristic, known), list(ug).index(node)) == min(ranked)


def test_triangulation_adds_the_fill_in_and_nothing_to_a_chordal_graph():
    from pgmpy.base import UndirectedGraph

    for rng in seeded(FEW, 31):
        ug = random_ug(rng, int(rng.integers(1, 10)), density=rng.uniform(0.2, 0.9))
        plain = nx.Graph(ug)
        order = [list(ug)[i] for i in rng.permutation(len(ug))] if rng.random() < 0.5 else None
        chordal = graphs.triangulate(ug, order)
        assert type(chordal) is UndirectedGraph
        assert list(chordal) == list(ug)
        assert nx.is_chordal(nx.Graph(chordal))
        expected = eliminated(ug, graphs.elimination_order(ug) if order is None else order)[0]
        assert nx.utils.edges_equal(nx.Graph(chordal.edges).edges, expected.edges)
        assert nx.utils.edges_equal(nx.Graph(ug).edges, plain.edges)  # the argument is left as it was
        if order is None and nx.is_chordal(plain):
            assert chordal.number_of_edges() == ug.number_of_edges()


def check_junction_tree(tree, ug, chordal):
    """Cliques, separators, one tree for each component, and the cliques of each node hanging together."""
    assert len(tree) == len(set(tree))
    assert set(tree) == set(map(frozenset, nx.find_cliques(nx.Graph(chordal))))
    assert nx.is_forest(tree)
    assert nx.number_connected_components(tree) == nx.number_connected_components(nx.Graph(ug))
    for a, b, separator in tree.edges(data="separator"):
        assert separator == a & b
        assert separator
    for node in ug:
        assert nx.is_connected(tree.subgraph([clique for clique in tree if node in clique]))


def test_a_junction_tree_has_the_running_intersection():
    parts = set()
    for rng in seeded(FEW, 32):
        graph = (random_ug if rng.random() < 0.7 else random_dag)(rng, int(rng.integers(1, 10)))
        ug = nx.moral_graph(nx.DiGraph(graph)) if graph.is_directed() else graph
        order = [list(ug)[i] for i in rng.permutation(len(ug))] if rng.random() < 0.5 else None
        check_junction_tree(graphs.junction_tree(graph, order), ug, graphs.triangulate(ug, order))
        parts.add(nx.number_connected_components(nx.Graph(ug)))
    assert {1, 2, 3} <= parts


def test_large_graphs():
    start = time.perf_counter()
    for rng, density in zip(seeded(3, 33), (2 / MANY, 4 / MANY, 0.1), strict=True):
        ug = random_ug(rng, MANY, density=density)
        order = graphs.elimination_order(ug)
        check_junction_tree(graphs.junction_tree(ug, order), ug, graphs.triangulate(ug, order))
    assert time.perf_counter() - start < 100  # about 5 s; what is not polynomial would not end at all


def test_an_order_is_the_same_each_time_and_min_fill_adds_little():
    grid = nx.grid_2d_graph(6, 6)  # of treewidth 6
    order = graphs.elimination_order(grid)
    assert order == graphs.elimination_order(grid)
    widest = max(map(len, graphs.junction_tree(grid, order)))
    assert 7 <= widest <= 8
    ring = graphs.triangulate(nx.cycle_graph(50))
    assert ring.number_of_edges() == 50 + 47  # a triangulated polygon


def test_sizes_decide_between_equal_fill_ins():
    square = nx.Graph(pairwise("ABCDA"))
    assert graphs.elimination_order(square)[0] == "A"
    sizes = {"A": 9, "B": 2, "C": 2, "D": 2}
    assert graphs.elimination_order(square, sizes=sizes)[0] == "C"
    assert set(graphs.triangulate(square, sizes=sizes).edges) - set(square.edges) == {("B", "D")}
    assert graphs.elimination_order(square, sizes={"A": 2, "B": 2, "C": 2, "D": 9})[0] == "B"
