"""v-structures, equivalence and essential graphs, on graphs that are known and on random ones."""

import networkx as nx
import numpy as np
import pytest
from helpers.exercises import bare, judge
from helpers.graphs_enumerated import random_dag

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

COLLIDER = bare("bayesian", ["am", "bm", "md"])
MARRIED = bare("bayesian", ["am", "bm", "ab"])
CHAIN = bare("bayesian", ["ab", "bc"])


@pytest.mark.parametrize(
    ("network", "stated", "agrees", "words"),
    [
        (COLLIDER, [["a", "m", "b"]], True, ""),
        (COLLIDER, [["b", "m", "a"]], True, ""),
        (COLLIDER, [], False, "the list misses a → m ← b"),
        (COLLIDER, [["a", "m", "b"], ["a", "d", "b"]], False, "a → d ← b: the graph lacks a → d and b → d"),
        (
            bare("bayesian", ["am", "bm", "ab"]),
            [["a", "m", "b"]],
            False,
            "a → m ← b: a – b is an edge, so the parents are married",
        ),
        (CHAIN, [], True, ""),
    ],
)
def test_v_structures(tmp_path, network, stated, agrees, words):
    row = judge(tmp_path, network, {"kind": "v_structures", "stated": stated})
    assert (row.agrees, row.reason) == (agrees, words)


@pytest.mark.parametrize(
    ("to", "equal", "words"),
    [
        (["cb", "ba"], True, "the same v-structures"),
        (["ba", "bc"], True, "the same v-structures"),
        (["ab", "cb"], False, "the v-structure a → b ← c is in the other graph alone"),
        (["ab"], False, "b – c is an edge of the network alone"),
    ],
)
def test_equivalence(tmp_path, to, equal, words):
    other = bare("bayesian", to, "abc")
    rows = judge(tmp_path, CHAIN, *({"kind": "equivalent", "to": other, "stated": stated} for stated in (True, False)))
    assert [row.agrees for row in rows] == [equal, not equal]
    assert words in rows[0].evidence[0]


@pytest.mark.parametrize(
    ("arrows", "lines", "agrees", "words"),
    [
        ([["a", "m"], ["b", "m"], ["m", "d"]], [], True, ""),
        ([["a", "m"], ["b", "m"]], [["m", "d"]], False, "m → d cannot be turned"),
        ([["a", "m"], ["b", "m"], ["d", "m"]], [], False, "d → m must be m → d"),
        ([["a", "m"], ["b", "m"]], [], False, "m – d is missing"),
    ],
)
def test_the_essential_graph_of_a_collider(tmp_path, arrows, lines, agrees, words):
    claim = {"kind": "essential_graph", "stated": {"arrows": arrows, "lines": lines}}
    row = judge(tmp_path, COLLIDER, claim)
    assert (row.agrees, row.reason) == (agrees, words)
    assert row.computed == "a → m, m → d, b → m"


def test_edges_of_a_chain_can_be_turned(tmp_path):
    rows = judge(
        tmp_path,
        CHAIN,
        {"kind": "essential_graph", "stated": {"lines": [["b", "a"], ["b", "c"]]}},
        {"kind": "essential_graph", "stated": {"arrows": [["a", "b"]], "lines": [["b", "c"]]}},
    )
    assert [row.agrees for row in rows] == [True, False]
    assert rows[1].reason == "a → b can be turned"


def test_the_ways_agree_on_random_graphs(tmp_path):
    rng = np.random.default_rng(3)
    for _ in range(6):
        dag, other = (nx.convert_node_labels_to_integers(random_dag(rng, 5)) for _ in range(2))
        network = {"kind": "bayesian", "nodes": list(map(str, dag)), "edges": [list(map(str, e)) for e in dag.edges]}
        to = {"kind": "bayesian", "nodes": list(map(str, other)), "edges": [list(map(str, e)) for e in other.edges]}
        kinds = [{"kind": "v_structures"}, {"kind": "essential_graph"}, {"kind": "equivalent", "to": to}]
        for row in judge(tmp_path, network, *kinds):
            assert None not in row.ways.values()
        assert nx.is_directed_acyclic_graph(dag)


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"kind": "v_structures", "stated": [["a", "m"]]}, "each a list of three names"),
        ({"kind": "essential_graph", "stated": []}, "must be a JSON object"),
        ({"kind": "essential_graph", "stated": {"arrows": [["a"]]}}, "each a list of two names"),
        ({"kind": "equivalent", "to": {"kind": "markov", "nodes": ["a"]}}, "must be a Bayesian network"),
        ({"kind": "equivalent", "to": {"kind": "bayesian", "nodes": ["a"]}}, "nodes"),
    ],
)
def test_what_is_wrong_with_a_claim_is_said(tmp_path, claim, words):
    with pytest.raises(ValueError, match=words):
        judge(tmp_path, COLLIDER, claim)


def test_undirected_networks_have_no_arrows(tmp_path):
    with pytest.raises(ValueError, match="it needs a Bayesian network, got a Markov network"):
        judge(tmp_path, bare("markov", ["ab"]), {"kind": "v_structures"})
