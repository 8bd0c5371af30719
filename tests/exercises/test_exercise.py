"""Exercises in files: what they say is checked, and the three of the repository are judged as they should be."""

import copy
import json
from pathlib import Path

import pytest
from helpers.exercises import COLLIDER

from pyrogen.exercises import check_exercise, read_exercise
from pyrogen.exercises.exercise import KINDS
from pyrogen.exercises.results import Row, _ways, details

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

DATA = Path(__file__).parents[2] / "data"

TRUTH = {  # worked out by hand from the graphs
    "bayesian_network": [True, True, True, True, True, False],
    "markov_blanket_and_moral_graph": [True, True, None, None, True, True, False, False, True, True, False],
    "markov_network": [False, False, True, True, True, True, True],
}


@pytest.fixture(scope="module", params=TRUTH)
def checked(request):
    return request.param, check_exercise(DATA / f"{request.param}.json", draws=3)


def test_every_claim_is_judged_as_it_is(checked):
    name, verdicts = checked
    assert [row.agrees for row in verdicts] == TRUTH[name]


def test_all_ways_agree_and_each_is_asked(checked):
    _, verdicts = checked
    assert verdicts.sound
    for row in verdicts:
        wanted = {"pyrogen", "pgmpy", "written out"} if "written out" in row.ways else {"networkx", "numbers"}
        assert wanted | {"pyrogen", "pgmpy"} <= set(row.ways)
        assert None not in row.ways.values()


def test_every_row_has_evidence_and_every_wrong_one_a_reason(checked):
    _, verdicts = checked
    for row in verdicts:
        assert row.evidence
        assert bool(row.reason) == (row.agrees is False)


def test_the_table_prints_and_converts(checked):
    _, verdicts = checked
    text = str(verdicts)
    for row in verdicts:
        assert row.claim.split(" in the")[0] in " ".join(text.split())
        assert row.agreement in text
    assert max(map(len, text.splitlines())) <= 140
    content = json.loads(json.dumps(verdicts.to_dict()))
    assert [row["agreement"] for row in content["rows"]] == [row.agreement for row in verdicts]
    assert content["sound"] is True
    lines = verdicts.to_markdown().splitlines()
    assert len(lines) == 2 + len(verdicts)
    assert all(line.replace("\\|", "").count("|") == 6 for line in lines)


def test_what_is_wrong_is_said_with_its_reason():
    rows = {name: check_exercise(DATA / f"{name}.json", draws=1).rows for name in TRUTH}
    blocked = rows["bayesian_network"][5]
    assert blocked.evidence[:2] == (
        "M → I → T is blocked at I: a chain whose middle is observed",
        "M → I → D ← T is blocked at I: a chain whose middle is observed",
    )
    moral = rows["markov_blanket_and_moral_graph"]
    assert "A and B are both parents of M" in moral[6].reason
    assert moral[6].computed == "{C}, {O, A, T}, {O, S}, {A, T, B, M}, {S, B}"
    assert any("the cycle O – S – B – T – O has no chord" in line for line in moral[5].evidence)
    assert "O ⊥ A" in moral[4].evidence[0]
    assert any("sums to 0.4, no distribution" in line for line in moral[9].evidence)
    markov = rows["markov_network"]
    assert "{B, C, D}" in markov[0].reason
    assert markov[2].evidence[0] == "the path G – E – B – A is open"
    assert "5 times as much" in markov[6].evidence[0]


def test_the_numbers_do_not_depend_on_the_call():
    path = DATA / "markov_network.json"
    assert check_exercise(path, draws=2, seed=3).to_dict() == check_exercise(path, draws=2, seed=3).to_dict()


GOOD = {
    "title": "rain",
    "network": {
        "kind": "bayesian",
        "nodes": {"rain": ["no", "yes"], "wet": ["no", "yes"]},
        "edges": [["rain", "wet"]],
        "tables": [
            {"node": "rain", "values": [0.8, 0.2]},
            {"node": "wet", "parents": ["rain"], "values": [[0.9, 0.1], [0.1, 0.9]]},
        ],
    },
    "claims": [{"kind": "independence", "x": "rain", "y": "wet", "stated": False}],
}


def written(tmp_path, content):
    path = tmp_path / "exercise.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def changed(**parts):
    content = copy.deepcopy(GOOD)
    for part, value in parts.items():
        content[part] = {**content[part], **value} if part == "network" and isinstance(value, dict) else value
    return content


def claim(kind, **fields):
    return changed(claims=[{"kind": kind, **fields}])


def test_a_teacher_s_own_exercise(tmp_path):
    (row,) = check_exercise(written(tmp_path, GOOD))
    assert (row.claim, row.stated, row.computed, row.agreement) == ("rain ⊥ wet", "false", "false", "yes")
    without = changed(network={"tables": []})
    del without["network"]["tables"]
    without["network"]["nodes"] = ["rain", "wet"]
    without["claims"].append({"kind": "removal", "node": "wet", "stated": "never"})
    first, second = check_exercise(written(tmp_path, without))
    assert (first.agrees, second.agrees, second.computed) == (True, False, "always")


def test_the_network_may_be_a_file_of_its_own(tmp_path):
    bif = """network rain {}
variable rain { type discrete [ 2 ] { no, yes }; }
variable wet { type discrete [ 2 ] { no, yes }; }
probability ( rain ) { table 0.8, 0.2; }
probability ( wet | rain ) { (no) 0.9, 0.1; (yes) 0.1, 0.9; }
"""
    (tmp_path / "rain.bif").write_text(bif)
    exercise = read_exercise(written(tmp_path, changed(network="rain.bif")))
    assert list(exercise.network.edges) == [("rain", "wet")]
    with pytest.raises(FileNotFoundError, match=r"snow\.bif: there is no such file"):
        read_exercise(written(tmp_path, changed(network="snow.bif")))


def test_a_rounded_table_is_no_reason_for_the_ways_to_disagree(tmp_path):
    tables = copy.deepcopy(GOOD["network"]["tables"])
    tables[1]["values"] = [[0.333, 0.333, 0.333], [0.1, 0.1, 0.8]]
    nodes = {"rain": ["no", "yes"], "wet": ["no", "damp", "yes"]}
    content = {**changed(network={"tables": tables, "nodes": nodes}), "claims": [{"kind": "removal", "node": "wet"}]}
    (row,) = check_exercise(written(tmp_path, content))
    assert row.sound
    assert row.computed == "always"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "line 1 column 2"),
        ("[]", "an exercise must be a JSON object, got list"),
        ("{}", 'an exercise needs the field "claims"'),
        (changed(claim=[]), "an exercise has the fields claims, network, note, title, got 'claim'"),
        (changed(claims=[]), '"claims" must be a list of one or more'),
        (changed(claims=["M"]), "claim 1: it must be a JSON object, got str"),
        (changed(claims=[{"x": "rain"}]), 'claim 1: it needs the field "kind"'),
        (changed(claims=[{"kind": "guess"}]), "claim 1: kind must be one of 'independence', .*, got 'guess'"),
        (changed(claims=[{"kind": "independance"}]), "got 'independance': try 'independence'"),
        (changed(network={"edges": [["rain", "wet"], ["wet", "rain"]]}), "must have no cycle, got rain → wet → rain"),
        (changed(network={"edges": [["rain", "snow"]]}), "edges names 'snow', but the nodes are rain, wet"),
        (changed(network={"nodes": {}}), '"nodes" must map each node to its states'),
        (changed(network={"tables": [{"node": "rain", "values": [0.8, 0.3]}]}), "one|sum"),
        (changed(network={"tables": [{"node": "rain", "values": [0.8, 0.1, 0.1]}]}), "a list of 3 for 2"),
        (claim("independence", x="rain"), r'claim 1 \(independence\): it needs the field "y"'),
        (claim("independence", x="rain", y="snow"), "must name nodes of the graph .'rain', 'wet'., got 'snow'"),
        (claim("independence", x="rain", y="rain"), "got 'rain' in x and in y"),
        (claim("independence", x="rain", y=[]), '"y" must name at least one node, got none'),
        (claim("independence", x="rain", y=3), '"y" must be a name or a list of names, got 3'),
        (claim("independence", x="rain", y="wet", stated="no"), "\"stated\" must be true or false, got 'no'"),
        (claim("independence", x="rain", y="wet", given="wet"), "got 'wet' in y and in given"),
        (claim("independence", x="rain", y="wet", also="wet"), "got 'also'"),
        (claim("independence", x="rain", y="wet", graph="moon"), '"graph" must be "network" or "moral", got \'moon\''),
        (
            claim("separation", x="rain", y="wet", graph="network"),
            'about undirected graphs, so "graph" must be "moral"',
        ),
        (claim("markov_blanket", of=["rain", "wet"]), '"of" must be one name, got 2'),
        (claim("markov_blanket", of="rain", stated=["snow"]), '"stated" must name nodes of the graph'),
        (claim("factorization", stated="P(rain) + P(wet)"), "of the form P.A. P.B . A. …, got"),
        (claim("factorization", stated="P(rain) P(wet | snow)"), "graph .*, got 'snow'"),
        (claim("factorization", stated="P(rain) P(wet | rain"), "of the form P"),
        (claim("factorization", stated="P(rain) P(wet |)"), "of the form P"),
        (claim("factorization", stated=""), "of the form P"),
        (claim("factorization", stated=3), "a factorization must be text, got int"),
        (claim("maximal_cliques", stated=["rain"]), "a list of lists"),
        (claim("moral_graph", stated=[["rain"]]), "a list of edges, each a list of two names"),
        (claim("chordal", witness=["rain", "snow"]), '"witness" must name nodes of the graph'),
        (
            claim("i_map", map={"kind": "markov", "nodes": ["rain"]}),
            "over the same nodes, got 'wet' in the second only",
        ),
        (claim("perfect_map", stated=True, witness={"x": "rain", "y": "wet"}), 'cannot go with "stated": true'),
        (claim("chordal", stated=True, witness=["rain", "wet"]), 'cannot go with "stated": true'),
        (claim("perfect_map", witness={"x": "rain"}), 'the witness needs the field "y"'),
        (claim("scaling", nodes=["rain"], by=5), "it needs a Markov network"),
        (claim("removal", node="rain"), "but wet is a child of rain"),
        (claim("removal", node="rain", graph="moral"), "a node without neighbors can drop out, but rain has some"),
        (claim("removal", node="wet", stated="perhaps"), "must be one of 'always'"),
        (claim("removal", node="wet", constant="anew"), '"constant" and "potential" are of undirected graphs'),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_sentence(tmp_path, content, words):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=words) as caught:
        read_exercise(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


MARKOV = {
    "title": "three",
    "network": {
        "kind": "markov",
        "nodes": {"A": [0, 1], "B": [0, 1], "C": [0, 1]},
        "edges": [["A", "B"]],
        "factors": [{"nodes": ["A", "B"], "values": [[1, 2], [3, 4]]}, {"nodes": ["C"], "values": [1, 3]}],
    },
}


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ({"kind": "scaling", "nodes": ["A"], "by": 5}, "no potential over A alone"),
        ({"kind": "scaling", "nodes": ["A", "B"], "by": 0}, '"by" must be a number above 0 of at most 1e[+]300, got 0'),
        ({"kind": "scaling", "nodes": ["A", "B"], "by": True}, '"by" must be a number above 0 .*, got True'),
        ({"kind": "moral_graph"}, "it needs a Bayesian network"),
        ({"kind": "i_map"}, "a Markov network has no moral graph"),
        ({"kind": "chordal", "graph": "moral"}, "\"network\", as the network is undirected, got 'moral'"),
        ({"kind": "factorization", "stated": "1/Z"}, "of the form 1/Z"),
        ({"kind": "removal", "node": "A"}, "A has some"),
        ({"kind": "removal", "node": "C", "constant": "old"}, '"constant" must be one of .kept., .anew., got .old.'),
        ({"kind": "removal", "node": "C", "potential": [1, -1]}, '"potential" must be a number above 0 .*, got -1'),
        ({"kind": "removal", "node": "C", "potential": [1, 2, 3]}, "for each of the 2 states of C, got 3"),
        ({"kind": "removal", "node": "C", "potential": []}, '"potential" must be a list of positive numbers'),
    ],
)
def test_what_is_wrong_with_a_markov_network_s_claims(tmp_path, one, words):
    with pytest.raises(ValueError, match=words):
        read_exercise(written(tmp_path, {**MARKOV, "claims": [one]}))


def test_no_file_and_no_draws(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        check_exercise(tmp_path / "none.json")
    with pytest.raises(ValueError, match="draws must be a whole number from 1 to 1000, got 0"):
        check_exercise(DATA / "markov_network.json", draws=0)


def test_the_numbers_of_a_removal_say_whose_they_are(tmp_path):
    (own,) = check_exercise(written(tmp_path, {**MARKOV, "claims": [{"kind": "removal", "node": "C"}]}))
    assert own.evidence[0] == "in numbers, with the file's other potentials"
    (tables,) = check_exercise(written(tmp_path, claim("removal", node="wet")))
    assert tables.evidence[0] == "in numbers, with the file's tables"
    bare = {"kind": "markov", "nodes": ["A", "B", "C"], "edges": [["A", "B"]]}
    bare = {"title": "t", "network": bare, "claims": [{"kind": "removal", "node": "C", "potential": [1, 2, 3]}]}
    (random,) = check_exercise(written(tmp_path, bare))
    assert "on a random network, seed 0, with two states a node" in random.evidence[0]
    assert "φ = (1, 2, 3), which sums to 6" in random.evidence[2]


def test_what_is_said_once_is_not_said_again(tmp_path):
    network = {"kind": "markov", "nodes": ["a", "b", "c", "d", "alone"]}
    network["edges"] = [["a", "b"], ["b", "c"], ["c", "d"], ["d", "a"]]
    claims = [
        {"kind": "independence", "x": "a", "y": "c", "given": "b", "stated": True},
        {"kind": "independence", "x": "a", "y": "c", "given": ["b", "d"], "stated": False},
        {"kind": "maximal_cliques", "stated": [["a", "b"], ["c", "d"]]},
        {"kind": "chordal", "stated": False, "witness": ["a", "b", "d"]},
    ]
    verdicts = check_exercise(written(tmp_path, {"title": "t", "network": network, "claims": claims}))
    path, cut, cliques, chordal = verdicts
    assert path.reason == "the path a – d – c is open: it meets no observed node"
    assert details(path, 1).count("a – d – c") == 1
    assert cut.reason == "every path is cut at b or d"
    assert cliques.reason == "the list misses the maximal cliques {a, d}, {b, c} and {alone}"
    assert "alone has no neighbor, so it is a maximal clique by itself" in cliques.evidence
    assert "{b, c} is a clique: b – c is an edge" in cliques.evidence
    assert (chordal.claim, chordal.agreement) == ("the network is chordal", "right, wrong reason")
    assert chordal in verdicts.wrong


def test_the_readme_s_example_is_as_it_says(tmp_path):
    text = (DATA / "README.md").read_text(encoding="utf-8")
    (block,) = (part.split("```")[0] for part in text.split("```json")[1:])
    verdicts = check_exercise(written(tmp_path, block))
    assert [row.agrees for row in verdicts] == [True, False, False, None]
    assert "Two of these three stated answers are wrong." in text
    for kind in KINDS:
        assert f"`{kind}`" in text


def test_verdicts_are_a_table_in_a_notebook(tmp_path):
    verdicts = check_exercise(written(tmp_path, GOOD), draws=1)
    html = verdicts._repr_html_()
    assert html.count("<tr>") == 1 + len(verdicts)
    assert "<th>agreement</th>" in html
    assert "<script" not in html


def test_a_file_of_version_0_1_is_read(tmp_path):
    claims = [{"kind": "factorisation", "stated": "P(a) P(b) P(m | a, b) P(d | m)"}]
    exercise = read_exercise(written(tmp_path, {"title": "t", "network": COLLIDER, "claims": claims}))
    assert exercise.claims[0]["kind"] == "factorization"


def test_one_way_alone_is_not_sound_and_ways_that_are_too_large_are_named():
    row = {"kind": "k", "claim": "c", "stated": "", "computed": "c", "agrees": None, "evidence": ()}
    assert not Row(**row, ways={"one": 1, "two": None}).sound
    assert not Row(**row, ways={"one": 1, "two": 2}).sound
    two = Row(**row, ways={"one": 1, "two": 1, "three": None})
    assert two.sound
    assert _ways(two) == "the same by one, two; too large for three"
