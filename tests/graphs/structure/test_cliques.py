"""Cliques and chordless cycles against subsets written out and networkx."""

import time
from itertools import combinations

import networkx as nx
import pytest
from helpers.graphs_enumerated import random_ug, seeded, subsets

from pyrogen import graphs

FEW, MANY = 1000, 300


def is_clique(ug, nodes):
    return all(ug.has_edge(a, b) for a, b in combinations(nodes, 2))


def is_chordless(ug, nodes):
    """Whether four or more nodes induce one cycle: two edges each, and all connected."""
    if len(nodes) < 4 or any(sum(ug.has_edge(a, b) for b in nodes) != 2 for a in nodes):
        return False
    return nx.is_connected(nx.Graph(ug.subgraph(nodes)))


def check_cycle(ug, cycle):
    """That a cycle is one of the graph, simple, of four or more nodes, and without a chord."""
    assert len(cycle) == len(set(cycle)) >= 4
    assert all(ug.has_edge(a, b) for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True))
    around = {frozenset(pair) for pair in zip(cycle, cycle[1:] + cycle[:1], strict=True)}
    assert not any(ug.has_edge(a, b) for a, b in combinations(cycle, 2) if frozenset((a, b)) not in around)


def test_maximal_cliques_are_those_of_all_subsets_and_of_networkx():
    for rng in seeded(FEW, 20):
        ug = random_ug(rng, int(rng.integers(1, 8)))
        cliques = [frozenset(nodes) for nodes in subsets(ug) if nodes and is_clique(ug, nodes)]
        maximal = [clique for clique in cliques if not any(clique < other for other in cliques)]
        found = graphs.maximal_cliques(ug)
        assert isinstance(found, tuple)
        assert len(found) == len(maximal)
        assert set(found) == set(maximal) == set(map(frozenset, nx.find_cliques(nx.Graph(ug))))
        place = list(ug).index
        assert list(found) == sorted(found, key=lambda clique: sorted(map(place, clique)))


def test_a_graph_is_chordal_unless_a_chordless_cycle_shows_that_it_is_not():
    chordal = []
    for rng in seeded(FEW, 21):
        ug = random_ug(rng, int(rng.integers(4, 9)), density=rng.uniform(0.2, 0.9))
        truth = not any(is_chordless(ug, nodes) for nodes in subsets(ug))
        assert truth == nx.is_chordal(nx.Graph(ug))
        assert graphs.is_chordal(ug) == truth
        cycle = graphs.chordless_cycle(ug)
        assert (cycle is None) == truth
        if cycle is not None:
            check_cycle(ug, cycle)
            assert graphs.chords(ug, cycle) == ()
            place = list(ug).index
            assert cycle[0] == min(cycle, key=place)
            assert place(cycle[1]) < place(cycle[-1])
        chordal.append(truth)
    assert 0.2 < sum(chordal) / FEW < 0.8


def test_long_chordless_cycles_are_found_among_triangles():
    for rng in seeded(100, 22):
        length = int(rng.integers(4, 40))
        ug = nx.cycle_graph(length)
        for node in range(length, 60):  # a chordal graph hung on to each edge: no other chordless cycle
            ug.add_edges_from((node, old) for old in list(ug.edges)[int(rng.integers(ug.number_of_edges()))])
        names = rng.permutation(60).tolist()
        ug = nx.relabel_nodes(ug, dict(zip(ug, names, strict=True)))
        cycle = graphs.chordless_cycle(ug)
        check_cycle(ug, cycle)
        assert set(cycle) == set(names[:length])


def test_large_graphs():
    start = time.perf_counter()
    for rng in seeded(3, 23):
        sparse = random_ug(rng, MANY, density=4 / MANY)
        check_cycle(sparse, graphs.chordless_cycle(sparse))
        chordal = graphs.triangulate(sparse)
        assert graphs.is_chordal(chordal)
        for ug in (sparse, chordal, random_ug(rng, MANY, density=0.1)):
            found = graphs.maximal_cliques(ug)
            assert len(found) == len(set(found))
            assert set(found) == set(map(frozenset, nx.find_cliques(nx.Graph(ug))))
        dense = random_ug(rng, MANY, density=0.9)
        check_cycle(dense, graphs.chordless_cycle(dense))
    assert time.perf_counter() - start < 60  # about 4 s; a way that is not polynomial would not end at all


def test_the_chords_of_a_cycle():
    ug = nx.Graph([(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2), (4, 1)])
    assert graphs.chords(ug, [0, 1, 2, 3, 4]) == ((0, 2), (1, 4))
    assert graphs.chords(ug, (0, 1, 2)) == ()
    for rng in seeded(100, 24):
        ug = random_ug(rng, 7, density=0.6)
        for cycle in nx.simple_cycles(nx.Graph(ug), length_bound=6):
            around = {frozenset(pair) for pair in zip(cycle, cycle[1:] + cycle[:1], strict=True)}
            chords = {frozenset(p) for p in combinations(cycle, 2) if ug.has_edge(*p)} - around
            assert set(map(frozenset, graphs.chords(ug, cycle))) == chords
            assert len(graphs.chords(ug, cycle)) == len(chords)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_small_graphs_are_chordal(number):
    assert graphs.is_chordal(nx.empty_graph(number))
    assert graphs.is_chordal(nx.complete_graph(number))
    assert graphs.maximal_cliques(nx.empty_graph(number)) == tuple(frozenset({i}) for i in range(number))
    assert graphs.maximal_cliques(nx.complete_graph(number)) == (frozenset(range(number)),)


def test_the_exercises():
    dag = nx.DiGraph([("O", "S"), ("A", "T"), ("O", "T"), ("S", "B"), ("A", "M"), ("B", "M"), ("T", "M")])
    dag.add_node("C")
    moral = graphs.moral_graph(dag)
    assert set(map(frozenset, ["C", "TMAB", "TAO", "SO", "BS"])) == set(graphs.maximal_cliques(moral))
    assert graphs.chords(moral, ["O", "S", "B", "T"]) == ()  # the stated cycle has none
    check_cycle(moral, graphs.chordless_cycle(moral))
    third = nx.compose_all([nx.complete_graph(list(clique)) for clique in ("ABC", "BDE", "CDF", "EG")])
    stated = {frozenset("ABC"), frozenset("BDE"), frozenset("CDF"), frozenset("EG")}
    assert set(graphs.maximal_cliques(third)) - stated == {frozenset("BCD")}
