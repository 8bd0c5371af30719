"""Junction trees: any valid one is right, and each property that fails is named."""

import networkx as nx
import numpy as np
import pytest
from helpers.exercises import bare, judge
from helpers.graphs_enumerated import random_ug

from pyrogen.graphs import junction_tree

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

SQUARE = bare("markov", ["ab", "bc", "cd", "da"])
STAR = bare("markov", ["ab", "ac", "ad"])


@pytest.mark.parametrize(
    ("network", "cliques", "edges", "words"),
    [
        (SQUARE, ["abc", "acd"], [("abc", "acd")], ""),
        (SQUARE, ["abd", "bcd"], [("abd", "bcd")], ""),
        (SQUARE, ["abcd"], [], ""),
        (SQUARE, ["abc", "acd"], [], "but not in the cliques between them"),
        (SQUARE, ["ab", "bc", "cd"], [("ab", "bc"), ("bc", "cd")], "no clique holds the edge a – d"),
        (STAR, ["ab", "ac", "ad"], [("ab", "ac"), ("ac", "ad")], ""),
        (STAR, ["ab", "ac", "ad"], [("ab", "ad"), ("ad", "ac")], ""),
        (STAR, ["ab", "ac", "ad"], [("ab", "ac"), ("ac", "ad"), ("ad", "ab")], "make a circle"),
        (STAR, ["ab", "ac", "ad", "a"], [("ab", "ac"), ("ac", "ad"), ("ad", "a")], "{a} lies in {a, b}"),
        (STAR, ["ab", "ac"], [("ab", "ac")], "no clique holds"),
    ],
)
def test_a_tree_is_judged_by_its_properties(tmp_path, network, cliques, edges, words):
    stated = {"cliques": [list(one) for one in cliques], "edges": [[list(a), list(b)] for a, b in edges]}
    row = judge(tmp_path, network, {"kind": "junction_tree", "stated": stated})
    assert row.agrees is (words == "")
    assert words in row.reason


def test_our_own_tree_of_random_graphs_is_one(tmp_path):
    rng = np.random.default_rng(5)
    for _ in range(8):
        drawn = nx.relabel_nodes(random_ug(rng, 6), str)
        own = junction_tree(drawn)
        stated = {
            "cliques": [sorted(one) for one in own.nodes],
            "edges": [[sorted(a), sorted(b)] for a, b in own.edges],
        }
        network = {"kind": "markov", "nodes": list(drawn), "edges": [list(edge) for edge in drawn.edges]}
        assert judge(tmp_path, network, {"kind": "junction_tree", "stated": stated}).agrees


def test_bad_claims_are_refused(tmp_path):
    for stated, words in (
        ({"edges": []}, 'needs the field "cliques"'),
        ({"cliques": []}, "must be different sets of names"),
        ({"cliques": [["a", "b"], ["b", "a"]]}, "must be different sets of names"),
        ({"cliques": [["a", "b"]], "edges": [[["a", "b"], ["c"]]]}, "pairs of the cliques"),
    ):
        with pytest.raises(ValueError, match=words):
            judge(tmp_path, STAR, {"kind": "junction_tree", "stated": stated})
