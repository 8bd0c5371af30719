"""Claims of every kind, right and wrong, on graphs small enough to see the answer; and ways that disagree."""

from dataclasses import replace
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from helpers.exercises import COLLIDER, bare, judge
from helpers.graphs_enumerated import random_dag, random_ug

from pyrogen import graphs
from pyrogen.exercises.claims.independences import Subject
from pyrogen.exercises.claims.maps import _enumerated
from pyrogen.exercises.claims.products import _directed_ways, _undirected_ways
from pyrogen.exercises.products import flaw, formed, read
from pyrogen.exercises.random_networks import Draws
from pyrogen.exercises.results import Row, Verdicts
from pyrogen.graphs import factorization
from pyrogen.graphs.structure.factorization import Factorization

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

SQUARE = {
    "kind": "markov",
    "nodes": {"A": [0, 1], "B": [0, 1], "C": [0, 1], "D": [0, 1], "X": ["u", "v", "w"]},
    "edges": [["A", "B"], ["B", "C"], ["C", "D"], ["D", "A"]],
    "factors": [
        {"nodes": ["A", "B"], "values": [[1, 2], [3, 1]]},
        {"nodes": ["C", "B"], "values": [[2, 1], [1, 5]]},
        {"nodes": ["C", "D"], "values": [[1, 4], [2, 1]]},
        {"nodes": ["D", "A"], "values": [[3, 1], [1, 2]]},
        {"nodes": ["X"], "values": [1, 2, 4]},
    ],
}


@pytest.mark.parametrize(
    ("claim", "agrees", "words"),
    [
        ({"kind": "independence", "x": "a", "y": "b", "stated": True}, True, "a collider, and neither it"),
        ({"kind": "independence", "x": "a", "y": "b", "stated": False}, False, "a collider, and neither it"),
        (
            {"kind": "independence", "x": "a", "y": "b", "given": "d", "stated": False},
            True,
            "a → m ← b: d, observed, descends from the collider m",
        ),
        (
            {"kind": "independence", "x": "a", "y": "b", "given": "m", "stated": False},
            True,
            "active trail a → m ← b: the collider m is observed",
        ),
        ({"kind": "independence", "x": ["a", "b"], "y": "d", "given": ["m"], "stated": True}, True, "blocked at m"),
        ({"kind": "independence", "x": "a", "y": "m", "stated": True}, False, "they are joined"),
        ({"kind": "independence", "graph": "moral", "x": "a", "y": "b", "stated": True}, False, "the path a – b"),
        ({"kind": "separation", "x": "a", "y": "d", "given": "m", "stated": True}, True, "a – m – d is cut at m"),
        ({"kind": "markov_blanket", "of": "a", "stated": ["m", "b"]}, True, "other parents of these {b}"),
        ({"kind": "markov_blanket", "of": "a", "stated": ["m", "d"]}, False, "other parents"),
        ({"kind": "markov_blanket", "of": "a", "graph": "moral", "stated": ["b", "m"]}, True, "neighbors of a"),
        (
            {"kind": "moral_graph", "stated": [["a", "m"], ["b", "m"], ["m", "d"], ["b", "a"]]},
            True,
            "both parents of m",
        ),
        ({"kind": "moral_graph", "stated": [["a", "m"], ["b", "m"], ["m", "d"]]}, False, "a – b is new"),
        ({"kind": "chordal", "stated": True}, True, "no node leaves two neighbors to be joined"),
        ({"kind": "i_map", "stated": True}, True, "all it asserts is so"),
        ({"kind": "perfect_map", "stated": False, "witness": {"x": "a", "y": "b"}}, True, "the network asserts a ⊥ b"),
        ({"kind": "perfect_map", "stated": False, "witness": {"x": "a", "y": "d"}}, False, "asserts a ⊥ b"),
        (
            {"kind": "i_map", "stated": True, "map": {"kind": "markov", "nodes": ["a", "b", "m", "d"], "edges": []}},
            False,
            "the network does not",
        ),
        ({"kind": "factorization", "stated": "P(a) P(b) P(m|b,a) P(d|m)"}, True, r"P(m \mid a, b)"),
        ({"kind": "factorization", "stated": "P(a) P(b|a) P(m|b,a) P(d|m)"}, True, "holds as well"),
        ({"kind": "factorization", "stated": "P(a) P(b) P(m|a) P(d|m)"}, False, "computed: P(a)"),
        ({"kind": "factorization", "graph": "moral", "stated": "1/Z phi(a,b,m) phi(m,d)"}, True, "computed: 1/Z"),
        ({"kind": "factorization", "graph": "moral", "stated": "1/Z φ(a,b,m,d)"}, False, "computed: 1/Z"),
        ({"kind": "maximal_cliques", "stated": [["d", "m"], ["b", "a", "m"]]}, True, "each of them is complete"),
        ({"kind": "equal_conditionals", "x": "d", "given": "m", "also": "a", "stated": True}, True, "differ by"),
        ({"kind": "equal_conditionals", "x": "a", "given": "m", "also": "b", "stated": True}, False, "differ by"),
        ({"kind": "removal", "node": "d", "stated": "always"}, True, "P(d | …) sums to 1"),
    ],
)
def test_claims_on_a_collider_and_its_child(tmp_path, claim, agrees, words):
    row = judge(tmp_path, COLLIDER, claim)
    assert row.agrees is agrees
    assert any(words in line for line in row.evidence), row.evidence
    assert bool(row.reason) is not agrees


@pytest.mark.parametrize(
    ("claim", "agrees", "words"),
    [
        ({"kind": "chordal", "stated": False, "witness": ["A", "B", "C", "D"]}, True, "A – C and B – D are not edges"),
        ({"kind": "chordal", "stated": False, "witness": ["A", "B", "D"]}, False, "B – D is not an edge"),
        ({"kind": "chordal", "stated": True}, False, "has no chord"),
        (
            {"kind": "maximal_cliques", "stated": [["A", "B"], ["B", "C"], ["C", "D", "A"], ["X"]]},
            False,
            "A – C is not an edge",
        ),
        ({"kind": "maximal_cliques", "stated": [["A", "B"], ["B", "C"], ["C", "D"], ["X"]]}, False, "{A, D}"),
        ({"kind": "scaling", "nodes": ["B", "A"], "by": 0.5, "stated": True}, True, "0.5 times as much"),
        ({"kind": "scaling", "nodes": ["X"], "by": 3, "z_factor": 3, "stated": True}, True, "3 times as much"),
        ({"kind": "scaling", "nodes": ["X"], "by": 3, "z_factor": 2, "stated": True}, False, "Z grows by 3, not by 2"),
        ({"kind": "scaling", "nodes": ["X"], "by": 3, "stated": False}, False, "cancels"),
        ({"kind": "removal", "node": "X", "stated": "only if its potential sums to one"}, True, "sums to 7"),
        ({"kind": "removal", "node": "X", "stated": "always"}, False, "only cancels if Z is computed anew"),
        ({"kind": "removal", "node": "X", "constant": "anew", "stated": "always"}, True, "sums to one"),
        ({"kind": "removal", "node": "X", "potential": [0.25, 0.25, 0.5], "stated": "always"}, False, "sums to 2"),
        ({"kind": "equal_conditionals", "x": "A", "given": ["B", "D"], "also": "C", "stated": True}, True, "differ by"),
        ({"kind": "independence", "x": "A", "y": "X", "stated": True}, True, "no path joins A and X at all"),
    ],
)
def test_claims_on_a_square(tmp_path, claim, agrees, words):
    row = judge(tmp_path, SQUARE, claim)
    assert row.agrees is agrees
    assert any(words in line for line in (*row.evidence, row.reason)), (row.reason, row.evidence)


def test_the_conditionals_shown_are_the_network_s(tmp_path):
    row = judge(tmp_path, COLLIDER, {"kind": "equal_conditionals", "x": "a", "given": "m", "also": "b"})
    (line,) = (line for line in row.evidence if "file's tables" in line)
    p = np.einsum("a,b,abm->abm", [0.3, 0.7], [0.6, 0.4], COLLIDER["tables"][2]["values"])
    wide, narrow = p.sum(1, keepdims=True) / p.sum((0, 1)), p / p.sum(0)
    a, b, m = np.unravel_index(np.abs(wide - narrow).argmax(), p.shape)
    other = 1 - a  # with two states both differ as much
    assert any(
        f"p(a = {i} | m = {m}) = {wide[i, 0, m]:.6f}, p(a = {i} | m = {m}, b = {b}) = {narrow[i, b, m]:.6f}" in line
        for i in (a, other)
    )
    assert f"by {np.abs(wide - narrow).max():.1e} at most" in line


def test_not_stated_is_not_judged(tmp_path):
    rows = judge(tmp_path, COLLIDER, {"kind": "moral_graph"}, {"kind": "chordal"}, {"kind": "factorization"})
    assert [row.agreement for row in rows] == ["not stated"] * 3
    assert rows[0].computed == "a – b, a – m, b – m, m – d"
    verdicts = Verdicts("t", rows)
    assert verdicts.wrong == ()
    assert "0 of 0 stated answers are right." in str(verdicts)
    assert "Wrong" not in str(verdicts)


def test_random_claims_are_sound(tmp_path):
    """All ways agree on random graphs, whatever is asked; disagreement raises in `judge`."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        directed = seed % 2 == 0
        graph = nx.relabel_nodes((random_dag if directed else random_ug)(rng, 5, kind="networkx"), str)
        graph = nx.relabel_nodes(graph, dict(zip(list(graph), "ABCDE", strict=True)))
        network = {"kind": "bayesian" if directed else "markov", "nodes": list(graph), "edges": list(graph.edges)}
        x, y, *rest = rng.permutation(list(graph)).tolist()
        given = rest[: int(rng.integers(0, 4))]
        claims = [
            {"kind": "independence", "x": x, "y": y, "given": given},
            {"kind": "separation", "x": x, "y": y, "given": given},
            {"kind": "markov_blanket", "of": x},
            {"kind": "chordal"},
            {"kind": "maximal_cliques"},
            {"kind": "factorization"},
        ]
        claims += [{"kind": "moral_graph"}, {"kind": "i_map"}, {"kind": "perfect_map"}] if directed else []
        judge(tmp_path, network, *claims)


def test_ways_of_judging_products_and_maps_agree_on_random_graphs():
    """A product over other parents, over other sets, and another graph as a map: right or wrong by all ways alike."""
    seen = {True: 0, False: 0}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        dag, other = (random_dag(rng, 4, kind="networkx") for _ in range(2))
        dag, other = (
            nx.relabel_nodes(one, dict(zip(sorted(one, key=str), "abcd", strict=True))) for one in (dag, other)
        )
        stated = Factorization(True, tuple((node, *other.predecessors(node)) for node in other))
        answers = set(_directed_ways(Subject(dag, False, 2, seed), stated).values())
        assert len(answers) == 1
        seen[answers.pop()] += 1
        perfect = bool(seed % 2)
        ways = _enumerated(dag, other, Draws(dag, 2, seed), perfect)
        judged = graphs.is_perfect_map(other, dag) if perfect else graphs.is_i_map(other, dag)
        assert set(ways.values()) == {judged}
        ug = nx.Graph(dag.edges())
        ug.add_nodes_from(dag)
        sets = graphs.maximal_cliques(nx.Graph(other.edges()) if other.edges else ug)
        ways = _undirected_ways(Subject(ug, False, 2, seed), Factorization(False, tuple(map(tuple, sets))))
        assert len(set(ways.values())) == 1
    assert min(seen.values()) > 3


def test_larger_graphs_are_judged_by_two_ways_too(tmp_path):
    """18 nodes: too many subsets and independences to go through, and each claim still has a second opinion."""
    nodes = [f"n{i}" for i in range(18)]
    edges = [*map(list, pairwise(nodes)), ["n0", "n2"]]
    network = {"kind": "bayesian", "nodes": nodes, "edges": edges}
    kinds = ["i_map", "perfect_map", "chordal", "maximal_cliques", "factorization", "moral_graph"]
    rows = judge(tmp_path, network, *({"kind": kind} for kind in kinds), {"kind": "markov_blanket", "of": "n5"})
    assert [row.computed for row in rows[:3]] == ["true", "true", "true"]
    assert all(row.ways["numbers"] is None for row in rows)
    edges.remove(["n0", "n2"])
    network["edges"] = [*edges, ["n5", "n17"]]
    rows = judge(tmp_path, network, *({"kind": kind} for kind in kinds))
    assert [row.computed for row in rows[:3]] == ["true", "false", "false"]
    row = judge(tmp_path, network, {"kind": "i_map", "map": {"kind": "markov", "nodes": nodes}})
    assert row.computed == "false"
    with pytest.raises(ValueError, match="at most 65,536 states, got 262,144"):
        judge(tmp_path, network, {"kind": "removal", "node": "n17"})


def test_ways_that_disagree_are_shouted():
    row = Row("chordal", "chordal", "true", "true", True, ("it is",), {"pyrogen": True, "pgmpy": True, "numbers": None})
    assert (row.sound, row.agreement) == (True, "yes")
    odd = replace(row, ways={"pyrogen": True, "pgmpy": False})
    assert (odd.sound, odd.agreement) == (False, "THE WAYS DISAGREE")
    text = str(Verdicts("t", (row, odd)))
    assert "THE WAYS DISAGREE: pyrogen: true; pgmpy: false" in text
    assert "too large for numbers" in text
    alone = replace(row, ways={"pyrogen": True, "pgmpy": None})
    assert (alone.sound, alone.agreement) == (False, "ONE WAY ALONE")
    assert not Verdicts("t", (row, odd)).sound


def test_a_fault_of_one_way_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("pyrogen.exercises.cross_checks.pgmpy_separated", lambda *sides: True)
    with pytest.raises(AssertionError, match="THE WAYS DISAGREE"):
        judge(tmp_path, COLLIDER, {"kind": "independence", "x": "a", "y": "d", "stated": False})


CHAIN, FACTORED = (bare(kind, ["ab", "bc"]) for kind in ("bayesian", "markov"))


@pytest.mark.parametrize(
    ("network", "stated", "agreement", "words"),
    [
        (CHAIN, "P(a) P(b|a)", "NO", "it has no factor for c"),
        (CHAIN, "P(a)", "NO", "it has no factor for b and c"),
        (CHAIN, "P(a|b) P(b|a) P(c|b)", "NO", "the cycle b → a → b, so that it need not sum to one"),
        (CHAIN, "P(a) P(a) P(b|a) P(c|b)", "NO", "P(a) stands there twice, but each node has one factor"),
        (CHAIN, "P(a) P(a|b) P(b|a) P(c|b)", "NO", "P(a) and P(a | b) are all there"),
        (CHAIN, "P(a,b) P(c|b)", "right, in another form", "by the chain rule P(a, b) is P(a) P(b | a)"),
        (CHAIN, "P(a,b,c)", "right, in another form", "by the chain rule P(a, b, c) is P(a) P(b | a) P(c | a, b)"),
        (CHAIN, "P(a,c) P(b|a,c)", "right, in another form", "P(a) P(c | a)"),
        (CHAIN, "P(a) P(c) P(b|a,c)", "NO", "P(c …) leaves out b, a parent of c"),
        (CHAIN, "P(a,b) P(b,c)", "NO", "P(a, b) and P(b, c) are all there"),
        (CHAIN, "P(a,b|c) P(c|a)", "NO", "cycle"),
        (CHAIN, "P(a) \u00d7 P(b \u2223 a) \u22c5 P (c\u2223b)", "yes", "computed"),
        (CHAIN, "1/Z phi(a,b) phi(b,c)", "NO", "φ(a, b) is a potential"),
        (CHAIN, "1/Z P(a) P(b|a) P(c|b)", "NO", "it has 1/Z, but a product of conditionals sums to one without it"),
        (CHAIN, "P(a) P(b|b) P(c|b)", "NO", "P(b | b) names b twice"),
        (
            CHAIN,
            "P(a,b) = P(a) P(b|a) P(c|b)",
            "NO",
            "on the left side is not the joint distribution, as it leaves out c",
        ),
        (CHAIN, "P(a) P(b|a) P(c|a)", "NO", "P(c …) leaves out b, a parent of c"),
        (CHAIN, "P(a,b,c) = P(a) P(b|a) P(c|b)", "yes", "computed: P(a)"),
        (CHAIN, r"$p(a, b, c) = P(a)\,P(b \mid a) \cdot P(c\mid b)$", "yes", "computed: P(a)"),
        (CHAIN, "P(a) P(b|a) P(c|b,a)", "yes, not minimal", "P(c | b, a): a is not a parent of c"),
        (CHAIN, "P(c) P(b|c) P(a|b)", "yes, other arrows", "P(b | c): c is not a parent of b"),
        (FACTORED, "P(a) P(b|a) P(c|b)", "NO", "P(a) is a conditional"),
        (FACTORED, "phi(a,b) phi(b,c)", "NO", "no 1/Z: the product does not sum to one"),
        (FACTORED, "phi(a,b)", "NO", "the list misses the maximal clique {b, c}"),
        (FACTORED, "1/Z phi(a,a) phi(b,c)", "NO", "φ(a, a) names a twice"),
        (FACTORED, "1/Z phi(a,b,c)", "NO", "a – c is not an edge"),
        (
            FACTORED,
            "1/Z phi(a,b) phi(b,a) phi(b,c)",
            "yes, not minimal",
            "φ(b, a) can be left out, as φ(a, b) takes it in",
        ),
        (FACTORED, "1/Z phi(a) phi(a,b) phi(b,c)", "yes, not minimal", "φ(a) can be left out, as φ(a, b) takes it in"),
        (FACTORED, r"P(a,b,c) = \frac{1}{Z}\,\phi(a, b)\,\psi(b, c)", "yes", "computed: 1/Z"),
    ],
)
def test_a_stated_product_is_judged_whatever_its_form(tmp_path, network, stated, agreement, words):
    row = judge(tmp_path, network, {"kind": "factorization", "stated": stated})
    assert row.agreement == agreement
    assert any(words in line for line in (*row.evidence, row.reason)), (row.reason, row.evidence)
    assert bool(row.reason) == (agreement == "NO")
    assert ";" not in row.reason or "misses" in row.reason or "clique" in row.reason


def parse(text, graph):
    stated = read(text, graph)
    assert not flaw(stated, graph)
    return formed(stated, graph)


def test_every_product_in_latex_is_read_back():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for make in (random_dag, random_ug):
            graph = make(rng, 5, kind="networkx")
            names = ["x", "rain_fall", "50%", "a&b", "T"]
            graph = nx.relabel_nodes(graph, dict(zip(sorted(graph, key=str), names, strict=True)))
            found = factorization(graph)
            assert parse(found.latex, graph) == found
            assert parse(f"${found.latex}$", graph) == found
            assert parse(found.text, graph) == found


def test_products_as_text_and_latex():
    dag = nx.DiGraph([("rain", "wet_grass"), ("x", "wet_grass")])
    found = factorization(dag)
    assert found.text == "P(rain) P(wet_grass | rain, x) P(x)"
    assert found.latex == r"P(\mathrm{rain})\,P(\mathrm{wet\_grass} \mid \mathrm{rain}, x)\,P(x)"
    assert parse(found.text, dag) == found
    ug = nx.Graph(["AB", "BC"])
    assert factorization(ug).latex == r"\frac{1}{Z}\,\phi(A, B)\,\phi(B, C)"
    for text in ("1/Z φ(A,B) φ(B,C)", "φ(A, B)·φ(B, C)", "1 / Z psi(A,B) * psi(B,C)", "1/Zφ(A,B)φ(B,C)"):
        assert parse(text, ug) == factorization(ug)
    with pytest.raises(TypeError, match="the graph must be one of pgmpy"):
        factorization("A")
