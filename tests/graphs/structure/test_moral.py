"""Moral graphs and Markov blankets against networkx, pgmpy and what they are for."""

import networkx as nx
from helpers.graphs_enumerated import independences, random_dag, random_ug, seeded, subsets

from pyrogen import graphs

FEW, MANY = 1000, 300


def same_edges(a, b):
    return set(map(frozenset, a.edges)) == set(map(frozenset, b.edges))


def test_the_moral_graph_is_that_of_networkx_and_pgmpy():
    from pgmpy.base import UndirectedGraph

    for rng in seeded(FEW, 10):
        dag = random_dag(rng, int(rng.integers(1, 10)))
        moral = graphs.moral_graph(dag)
        assert type(moral) is UndirectedGraph
        assert list(moral) == list(dag)
        assert same_edges(moral, nx.moral_graph(nx.DiGraph(dag)))
        if hasattr(dag, "moralize"):
            assert same_edges(moral, dag.moralize())


def test_the_markov_blanket_is_the_smallest_set_that_shields_a_node():
    for rng in seeded(FEW, 11):
        graph = (random_dag if rng.random() < 0.7 else random_ug)(rng, int(rng.integers(1, 6)))
        said = independences(graph)
        v = list(graph)[int(rng.integers(len(graph)))]
        others = set(graph) - {v}
        shields = [
            set(given)
            for given in subsets(others)
            if all((frozenset((v, node)), frozenset(given)) in said for node in others - set(given))
        ]
        found = graphs.markov_blanket(graph, v)
        assert found == shields[0]  # the smallest comes first
        assert all(found <= shield for shield in shields)
        if hasattr(graph, "get_markov_blanket"):
            assert found == set(graph.get_markov_blanket(v))


def test_large_graphs():
    for rng in seeded(3, 12):
        dag = random_dag(rng, MANY, density=4 / MANY)
        moral = graphs.moral_graph(dag)
        assert same_edges(moral, nx.moral_graph(nx.DiGraph(dag)))
        for v in range(0, MANY, 10):
            assert graphs.markov_blanket(dag, v) == set(moral.neighbors(v)) == graphs.markov_blanket(moral, v)


def test_latent_parents_are_married_and_a_bayesian_network_will_do():
    from pgmpy.base import DAG
    from pgmpy.models import DiscreteBayesianNetwork

    edges = [("U", "B"), ("A", "B")]
    for graph in (DAG(edges, latents={"U"}), DiscreteBayesianNetwork(edges)):
        assert graphs.moral_graph(graph).has_edge("U", "A")
        assert graphs.markov_blanket(graph, "A") == {"U", "B"}


def test_the_exercise():
    dag = nx.DiGraph([("O", "S"), ("A", "T"), ("O", "T"), ("S", "B"), ("A", "M"), ("B", "M"), ("T", "M")])
    dag.add_node("C")
    assert graphs.markov_blanket(dag, "T") == set("OAMB")
    assert graphs.markov_blanket(dag, "C") == frozenset()
    married = {frozenset("OA"), frozenset("AB"), frozenset("TB")}
    assert {frozenset(edge) for edge in graphs.moral_graph(dag).edges} == married | {frozenset(e) for e in dag.edges}
