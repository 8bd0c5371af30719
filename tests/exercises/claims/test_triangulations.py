"""Fill-in and treewidth, against graphs whose answer is known."""

import networkx as nx
import pytest
from helpers.exercises import bare, judge

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

RING = bare("markov", ["ab", "bc", "cd", "de", "ea"])


def graph(drawn):
    """A Markov network without numbers from a graph of networkx."""
    return {"kind": "markov", "nodes": list(map(str, drawn)), "edges": [[str(a), str(b)] for a, b in drawn.edges]}


@pytest.mark.parametrize(
    ("order", "stated", "agrees", "words"),
    [
        ("abcde", [["b", "e"], ["c", "e"]], True, ""),
        ("abcde", 2, True, ""),
        ("abcde", 3, False, "2 edges are added: b – e, c – e"),
        ("abcde", [["b", "e"]], False, "it misses c – e"),
        ("abcde", [["b", "e"], ["c", "e"], ["b", "d"]], False, "b – d is not added"),
        ("bdace", [["a", "c"], ["c", "e"]], True, ""),
    ],
)
def test_the_fill_in_of_an_order(tmp_path, order, stated, agrees, words):
    row = judge(tmp_path, RING, {"kind": "fill_in", "order": list(order), "stated": stated})
    assert row.agrees is agrees
    assert words in row.reason
    if stated == 2:
        assert row.evidence[0] == "a: its neighbors b – e are joined"


@pytest.mark.parametrize(
    ("drawn", "width"),
    [
        (nx.path_graph(6), 1),
        (nx.cycle_graph(7), 2),
        (nx.complete_graph(5), 4),
        (nx.grid_2d_graph(3, 3), 3),
        (nx.empty_graph(3), 0),
        (nx.petersen_graph(), 4),
        (nx.complete_bipartite_graph(3, 4), 3),
    ],
)
def test_known_treewidths(tmp_path, drawn, width):
    rows = judge(tmp_path, graph(drawn), *({"kind": "treewidth", "stated": width + off} for off in (0, 1)))
    assert [row.agrees for row in rows] == [True, False]
    assert "the treewidth is one less" in rows[1].reason


def test_bad_claims_are_refused(tmp_path):
    with pytest.raises(ValueError, match='"order" must name each node once'):
        judge(tmp_path, RING, {"kind": "fill_in", "order": ["a", "b"]})
    with pytest.raises(ValueError, match='"stated" must be a whole number of at least 0'):
        judge(tmp_path, RING, {"kind": "treewidth", "stated": 1.5})
    with pytest.raises(ValueError, match="computed for at most 14 nodes, got 20"):
        judge(tmp_path, graph(nx.path_graph(20)), {"kind": "treewidth"})
