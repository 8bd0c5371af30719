"""I-maps and equivalence against all independences of small graphs, written out."""

import time
from itertools import combinations, product

import networkx as nx
import numpy as np
import pytest
from helpers.graphs_enumerated import independences, random_dag, random_ug, seeded

from pyrogen import graphs

FEW, MANY = 1000, 300


def same_nodes_twice(rng, number):
    """Two random graphs over the same nodes, each directed or not, often alike so that one is an I-map of the other."""
    one = (random_dag if rng.random() < 0.5 else random_ug)(rng, number)
    kind = rng.integers(4)
    if kind == 0:  # an edge more or less
        other = one.copy()
        a, b = (list(one)[i] for i in rng.permutation(number)[:2]) if number > 1 else (None, None)
        if a is not None and (other.has_edge(a, b) or other.has_edge(b, a)):
            other.remove_edge(*((a, b) if other.has_edge(a, b) else (b, a)))
        elif a is not None:
            other.add_edge(*((b, a) if one.is_directed() and nx.has_path(one, b, a) else (a, b)))
    elif kind == 1:  # without its arrows, or with some
        if one.is_directed():
            other = nx.Graph(one)
        else:
            other = nx.DiGraph([(a, b) if list(one).index(a) < list(one).index(b) else (b, a) for a, b in one.edges])
            other.add_nodes_from(one)
    elif kind == 2 and one.is_directed():
        other = nx.moral_graph(nx.DiGraph(one))
    else:
        other = (random_dag if rng.random() < 0.5 else random_ug)(rng, number)
        other = nx.relabel_nodes(other, dict(zip(other, one, strict=True)))
    return (one, other) if rng.random() < 0.5 else (other, one)


def test_i_maps_perfect_maps_and_what_they_disagree_on():
    answers = {}
    for rng in seeded(FEW, 40):
        a, b = same_nodes_twice(rng, int(rng.integers(1, 6)))
        said, true = independences(a), independences(b)
        assert graphs.is_i_map(a, of=b) == (said <= true)
        assert graphs.is_perfect_map(a, of=b) == (said == true)
        witness = graphs.disagreement(a, b)
        assert (witness is None) == (said <= true)
        if witness is not None:
            pair, given = frozenset((witness.x, witness.y)), frozenset(witness.given)
            assert (pair, given) in said - true
            assert not any((pair, given - {node}) in said - true for node in given)  # none can be left out
            assert list(witness.given) == [node for node in a if node in given]
        kinds = a.is_directed(), b.is_directed()
        answers.setdefault(kinds, []).append((said <= true, said == true))
    for kinds in product([True, False], repeat=2):
        i_map, perfect = np.mean(answers[kinds], axis=0)
        assert 0.1 < i_map < 0.9
        assert 0.02 < perfect < 0.9


def test_no_node_of_a_larger_witness_can_be_left_out():
    found = 0
    for rng in seeded(600, 45):
        ug = random_ug(rng, int(rng.integers(6, 11)), density=rng.uniform(0.1, 0.5))
        dag = nx.DiGraph(random_dag(rng, len(ug)))
        dag = nx.relabel_nodes(dag, dict(zip(dag, ug, strict=True)))
        witness = graphs.disagreement(ug, dag)
        if witness is None:
            continue
        x, y, given = witness
        for fewer in [set(given), *(set(given) - {node} for node in given)]:
            left = nx.Graph(ug)
            left.remove_nodes_from(fewer)
            disagrees = not nx.has_path(left, x, y) and not nx.is_d_separator(dag, {x}, {y}, fewer)
            assert disagrees == (fewer == set(given))
        found += 1
    assert found > 300


@pytest.mark.parametrize("directed", [True, False])
def test_from_a_minimal_i_map_no_edge_can_go(directed):
    from pgmpy.base import DAG, UndirectedGraph

    for rng in seeded(250, 41):
        of = (random_dag if rng.random() < 0.5 else random_ug)(rng, int(rng.integers(1, 6)))
        order = [list(of)[i] for i in rng.permutation(len(of))] if directed and rng.random() < 0.7 else None
        found = graphs.minimal_i_map(of, directed=directed, order=order)
        assert type(found) is (DAG if directed else UndirectedGraph)
        assert list(found) == list(of)
        true = independences(of)
        assert independences(found) <= true
        for edge in list(found.edges):
            less = found.copy()
            less.remove_edge(*edge)
            assert not independences(less) <= true
        if order is not None:
            assert all(order.index(a) < order.index(b) for a, b in found.edges)


def test_without_an_order_a_directed_graph_comes_back_and_a_chordal_one_gets_a_perfect_map():
    chordal = 0
    for rng in seeded(300, 42):
        dag = random_dag(rng, int(rng.integers(1, 9)))
        assert set(graphs.minimal_i_map(dag, directed=True).edges) == set(dag.edges)
        ug = random_ug(rng, int(rng.integers(1, 9)))
        assert nx.utils.edges_equal(nx.Graph(graphs.minimal_i_map(ug, directed=False)).edges, nx.Graph(ug).edges)
        perfect = graphs.is_perfect_map(graphs.minimal_i_map(ug, directed=True), of=ug)
        assert perfect == nx.is_chordal(nx.Graph(ug))
        chordal += perfect
    assert 50 < chordal < 250


def all_dags(number):
    """Every directed graph without cycles over a number of nodes."""
    pairs = list(combinations(range(number), 2))
    for arrows in product((None, False, True), repeat=len(pairs)):
        dag = nx.DiGraph()
        dag.add_nodes_from(range(number))
        dag.add_edges_from(
            p[::-1] if turned else p for p, turned in zip(pairs, arrows, strict=True) if turned is not None
        )
        if nx.is_directed_acyclic_graph(dag):
            yield dag


def test_equivalent_graphs_are_those_that_assert_the_same():
    classes = {}
    for dag in all_dags(4):
        classes.setdefault(frozenset(independences(dag)), []).append(dag)
    assert sum(map(len, classes.values())) == 543
    assert len(classes) == 185  # both numbers are known: Robinson 1973; Gillispie & Perlman 2001
    firsts = [members[0] for members in classes.values()]
    assert not any(graphs.markov_equivalent(a, b) for a, b in combinations(firsts, 2))
    for members in classes.values():
        shared = set.intersection(*(set(dag.edges) for dag in members))
        for dag in members:
            assert graphs.markov_equivalent(members[0], dag)
            found = graphs.cpdag(dag)
            assert set(found.directed_edges) == shared
            lines = {frozenset(edge) for edge in dag.edges} - {frozenset(edge) for edge in shared}
            assert {frozenset(edge) for edge in found.undirected_edges} == lines
            assert set(found.edges) == shared | {way for a, b in lines for way in ((a, b), (b, a))}
            assert list(found) == list(dag)


def test_v_structures_and_cpdags_of_random_graphs():
    for rng in seeded(FEW, 43):
        dag = random_dag(rng, int(rng.integers(1, 8)))
        place = list(dag).index
        expected = {
            (a, m, b)
            for m in dag
            for a in dag
            for b in dag
            if place(a) < place(b) and dag.has_edge(a, m) and dag.has_edge(b, m)
            if not dag.has_edge(a, b) and not dag.has_edge(b, a)
        }
        found = graphs.v_structures(dag)
        assert set(found) == expected
        assert len(found) == len(expected)
        edges = list(dag.edges)
        if len(edges) > 6:
            continue
        members = []
        for turned in product((False, True), repeat=len(edges)):
            other = nx.DiGraph()
            other.add_nodes_from([list(dag)[i] for i in rng.permutation(len(dag))])  # in another order of nodes
            other.add_edges_from(edge[::-1] if turn else edge for edge, turn in zip(edges, turned, strict=True))
            if nx.is_directed_acyclic_graph(other) and graphs.markov_equivalent(dag, other):
                members.append(set(other.edges))
        assert set(graphs.cpdag(dag).directed_edges) == set.intersection(*members)


def test_cpdags_are_those_of_pgmpy():
    from pgmpy.base import DAG

    for rng in seeded(200, 46):
        dag = random_dag(rng, int(rng.integers(5, 13)))
        words = {node: f"n{i:02}" for i, node in enumerate(dag)}  # pgmpy sorts names, so they must be of one kind
        theirs = DAG()
        theirs.add_nodes_from(words.values())
        theirs.add_edges_from((words[a], words[b]) for a, b in dag.edges)
        found = {(words[a], words[b]) for a, b in graphs.cpdag(dag).directed_edges}
        assert set(theirs.to_pdag().directed_edges) == found


def test_large_graphs():
    start = time.perf_counter()
    for rng in seeded(1, 44):
        dag = random_dag(rng, MANY, density=3 / MANY)
        moral = graphs.moral_graph(dag)
        assert graphs.is_i_map(moral, of=dag)
        witness = graphs.disagreement(dag, moral)
        assert graphs.d_separated(dag, *witness)
        assert not graphs.separated(moral, *witness)
        assert graphs.markov_equivalent(dag, dag.copy())
        assert graphs.is_perfect_map(dag, of=dag)
        less = moral.copy()
        less.remove_edge(*next(iter(moral.edges)))
        assert not graphs.is_i_map(less, of=dag)
        backwards = graphs.minimal_i_map(dag, directed=True, order=list(dag)[::-1])
        assert graphs.is_i_map(backwards, of=dag)
        ug = random_ug(rng, MANY, density=3 / MANY)
        assert graphs.is_i_map(graphs.minimal_i_map(ug, directed=True), of=ug)
        assert set(map(frozenset, graphs.cpdag(dag).edges)) == set(map(frozenset, dag.edges))
    assert time.perf_counter() - start < 100  # about 3 s; what is not polynomial would not end at all


def test_the_exercise():
    dag = nx.DiGraph([("O", "S"), ("A", "T"), ("O", "T"), ("S", "B"), ("A", "M"), ("B", "M"), ("T", "M")])
    dag.add_node("C")
    moral = graphs.moral_graph(dag)
    assert graphs.is_i_map(moral, of=dag)
    assert not graphs.is_perfect_map(moral, of=dag)
    assert graphs.disagreement(moral, dag) is None
    assert graphs.d_separated(dag, "O", "A")
    assert not graphs.separated(moral, "O", "A")
    assert str(graphs.disagreement(dag, moral)) == "O ⊥ A"
    assert str(graphs.Independence("O", "A", ("B", "C"))) == "O ⊥ A | B, C"
