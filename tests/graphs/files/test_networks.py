"""Networks from files: what is read is what was written, and each thing that can be wrong has its sentence."""

import copy
import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.bif import SMALL
from helpers.joint import loaded

import pyrogen as pg
from pyrogen.graphs.files import content, json_form, rounding
from pyrogen.graphs.files.networks import bundled, bundled_names, network_from_dict, read_network
from pyrogen.graphs.inference.observations import Observations, Places
from pyrogen.graphs.inference.queries import query
from pyrogen.graphs.structure import validation

BAYESIAN = {
    "kind": "bayesian",
    "name": "weather",
    "note": "made up",
    "nodes": {"rain": ["no", "yes"], "wind": [0, 1, 2], "wet": ["no", "yes"]},
    "edges": [["rain", "wet"], ["wind", "wet"]],
    "tables": [
        {"node": "wind", "values": [0.2, 0.3, 0.5]},
        {
            "node": "wet",
            "parents": ["wind", "rain"],
            "values": [[[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.4, 0.6]], [[1, 0], [0.5, 0.5]]],
        },
        {"node": "rain", "values": [0.8, 0.2]},
    ],
}
MARKOV = {
    "kind": "markov",
    "nodes": {"A": ["x", "y"], "B": [1, 2, 3], "C": ["p", "q"]},
    "edges": [["A", "B"], ["C", "B"]],
    "factors": [
        {"nodes": ["B", "A"], "values": [[1, 2], [3, 4], [5, 6]]},
        {"nodes": ["C", "B"], "values": [[1, 0, 2], [7, 1, 1]]},
    ],
}


def changed(content, *path, to):
    """A copy with one place changed, or taken away where `to` is None."""
    content = copy.deepcopy(content)
    place = content
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return content


def test_a_bayesian_network_in_json():
    network = network_from_dict(BAYESIAN)
    assert list(network.nodes) == ["rain", "wind", "wet"]
    assert network.name == "weather"
    assert query(network, "wet", {"wind": 1, "rain": "yes"}).as_dict() == pytest.approx({"no": 0.4, "yes": 0.6})
    assert query(network, "wet", {"wind": 0, "rain": "no"}).as_dict() == pytest.approx({"no": 0.9, "yes": 0.1})


def test_a_markov_network_in_json():
    network = network_from_dict(MARKOV)
    joint = np.einsum("ba,cb->abc", [[1, 2], [3, 4], [5, 6]], [[1, 0, 2], [7, 1, 1]])
    np.testing.assert_allclose(query(network, ["A", "B", "C"]).table, joint / joint.sum(), rtol=1e-14)


def test_a_structure_has_no_numbers():
    from pyrogen.graphs import d_separated, separated

    for nodes in (["rain", "wind", "wet"], BAYESIAN["nodes"]):
        network = network_from_dict({"kind": "bayesian", "nodes": nodes, "edges": BAYESIAN["edges"]})
        assert d_separated(network, "rain", "wind")
        with pytest.raises(ValueError, match="must have conditional tables"):
            query(network, "rain")
    assert separated(network_from_dict({"kind": "markov", "nodes": ["A", "B"]}), "A", "B")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_files_json_and_bif_plain_and_packed(tmp_path, ending):
    pack = gzip.compress if ending else bytes
    (tmp_path / f"a.json{ending}").write_bytes(pack(json.dumps(BAYESIAN).encode()))
    assert read_network(tmp_path / f"a.json{ending}").name == "weather"
    for text in (SMALL, SMALL.replace("\n", "\r\n")):  # no line end after the last block, and Windows' line ends
        (tmp_path / f"a.bif{ending}").write_bytes(pack(text.encode()))
        network = read_network(str(tmp_path / f"a.bif{ending}"))
        assert query(network, "wet", {"rain": "yes"}).as_dict() == pytest.approx({"no": 0.3, "yes": 0.7})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", SMALL, "expected a file that ends in .bif, .json,"),
        ("a.gz", SMALL, "expected a file that ends in .bif, .json,"),
        ("a.bif.gz", SMALL, "cannot be read"),
        ("a.bif", "", "the graph must have at least one node"),
        ("a.bif", "no network at all", "line 1, column 1: expected a network, variable or probability block"),
        ("a.bif", SMALL.replace("( rain )", "( rain | wet )"), "line 10, column 9: expected 4 numbers, got 2"),
        ("a.bif", SMALL.replace("0.8, 0.2", "0.8, 0.3"), "the table of 'rain' must sum to one"),
        ("a.bif", SMALL.replace("0.8, 0.2", "0.8"), "line 10, column 9: expected 2 numbers, got 1"),
        ("a.bif", SMALL.replace("  (yes) 0.3, 0.7;\n", ""), r"the table of 'wet' has no entry for \(yes\)"),
        ("a.bif", SMALL[: SMALL.index("probability ( wet")], "but 'wet' has none"),
        ("a.json", "{", "Expecting property name"),
        ("a.json", "[]", "the JSON must be an object, got list"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name}: .*{message}"):
        read_network(tmp_path / name)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.bif: there is no such file"):
        read_network(tmp_path / "a.bif")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(BAYESIAN, "kind", to="causal"), '"kind" must be "bayesian" or "markov", got \'causal\''),
        (changed(BAYESIAN, "kind", to=None), '"kind" must be .* got None'),
        (changed(BAYESIAN, "kind", to="markov"), "a markov network has the fields .*, got 'tables'"),
        (changed(BAYESIAN, "nodes", to=None), '"nodes" must map each node to its states'),
        (changed(BAYESIAN, "nodes", to=["rain", "wind", "wet"]), 'since there are "tables"'),
        ({"kind": "markov", "nodes": ["A", "A"]}, "must name different nodes"),
        (changed(BAYESIAN, "nodes", "rain", to=[]), r"the states of 'rain' must be .*, got \[\]"),
        (changed(BAYESIAN, "nodes", "rain", to=["no", "no"]), "the states of 'rain' must be a list of different"),
        (changed(BAYESIAN, "nodes", "rain", to="ny"), "the states of 'rain' must be a list"),
        (changed(BAYESIAN, "nodes", "rain", to=[["no"], ["yes"]]), "the states of 'rain' must be a list"),
        (changed(BAYESIAN, "edges", 0, to=["rain", "snow"]), "edges names 'snow', but the nodes are rain, wind, wet"),
        (changed(BAYESIAN, "edges", 0, to=["rain", "rain"]), "two different nodes, got"),
        (changed(BAYESIAN, "edges", 0, to="ab"), "two different nodes, got 'ab'"),
        (changed(BAYESIAN, "edges", to="rain"), '"edges" must be a list'),
        (
            changed(BAYESIAN, "edges", to=[["rain", "wet"], ["wet", "rain"]]),
            "must have no cycle, got rain → wet → rain",
        ),
        (changed(BAYESIAN, "tables", 0, "node", to="snow"), "the table of 'snow' names 'snow'"),
        (changed(BAYESIAN, "tables", 1, "parents", to=["wind", "snow"]), "the table of 'wet' names 'snow'"),
        (changed(BAYESIAN, "tables", 1, "parents", to="wind"), '"parents" must be a list'),
        (changed(BAYESIAN, "tables", 1, "parents", 0, to="wet"), "must name different nodes"),
        (
            changed(BAYESIAN, "tables", 1, "parents", to=["rain", "wind"]),
            "nested as 2 for rain, then 3 for wind, then 2 for wet, got a list of 3 for 2",
        ),
        (changed(BAYESIAN, "tables", 0, "values", to=[0.2, 0.3, 0.4]), "'wind' must sum to one .*, got a sum of 0.9"),
        (
            changed(BAYESIAN, "tables", 0, "values", to=[0.2, 0.3, "much"]),
            "must be lists of numbers nested as 3 for wind",
        ),
        (
            changed(BAYESIAN, "tables", 0, "values", to=[0.2, -0.3, 1.1]),
            "'wind' must hold probabilities, got -0.3 … 1.1",
        ),
        (changed(BAYESIAN, "tables", 0, "value", to=1), "a table has the fields node, parents, values, got"),
        (changed(BAYESIAN, "tables", 0, to={"node": "wind"}), "a table has the fields node, parents, values, got"),
        (changed(BAYESIAN, "tables", 2, to=BAYESIAN["tables"][0]), "'wind' has two tables, expected one"),
        (changed(BAYESIAN, "tables", 2, to=None), "every node must have a table, got 'rain' without one"),
        (changed(BAYESIAN, "tables", to=[]), "must have conditional tables"),
        (changed(BAYESIAN, "edges", 0, to=None), "must be conditional on its parents"),
        (
            changed(MARKOV, "factors", 0, "nodes", to=["A", "B"]),
            "nested as 2 for A, then 3 for B, got a list of 3 for 2",
        ),
        (changed(MARKOV, "factors", 0, "nodes", to=[]), "must name different nodes"),
        (changed(MARKOV, "factors", 0, "values", 0, 0, to=-1), "must hold numbers of at least 0"),
        (changed(MARKOV, "edges", 0, to=None), "no edge"),
    ],
)
def test_each_fault_in_json_has_its_sentence(content, message):
    with pytest.raises(ValueError, match=message):
        network_from_dict(content)


def test_what_pgmpy_brings_can_be_read_without_a_network():
    assert {"alarm", "insurance", "hailfinder", "win95pts", "asia"} <= set(bundled_names())
    network = loaded("alarm")
    assert (len(network), network.number_of_edges()) == (37, 46)
    np.testing.assert_allclose(query(network, "HYPOVOLEMIA").table, [0.2, 0.8])


@pytest.mark.parametrize("name", ["alarms", "../alarm", "", None])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises((TypeError, ValueError), match=r"name must be one of 'alarm', 'andes', 'asia', .*, got"):
        bundled(name)


CANCER = pg.graphs.bundled("cancer")


def test_a_packed_network_does_not_depend_on_the_clock(tmp_path):
    pg.graphs.write_network(CANCER, tmp_path / "a.bif.gz")
    packed = (tmp_path / "a.bif.gz").read_bytes()
    assert packed[4:8] == bytes(4)  # the time in the head
    assert gzip.decompress(packed).startswith(b"network")


def test_a_list_that_is_shown_whole_does_not_say_that_there_is_more():
    eight, nine = ({name: [] for name in "abcdefghi"[:n]} for n in (8, 9))
    with pytest.raises(ValueError, match=r"the nodes are a, b, c, d, e, f, g, h$"):
        json_form._known("x", eight, "edges")
    with pytest.raises(ValueError, match=r"g, h, … \(9 in all\)$"):
        json_form._known("x", nine, "edges")
    places = object.__new__(Places)
    places.nodes = list(range(validation.SHOWN + 1))
    places.known = SimpleNamespace(states=dict.fromkeys(places.nodes, ("a",)))
    assert "in all" not in places.shown(Observations(dict.fromkeys(range(validation.SHOWN), 0)))
    assert "(9 in all)" in places.shown(Observations(dict.fromkeys(range(validation.SHOWN + 1), 0)))


def test_rounding_explains_half_a_unit_of_each_number():
    assert rounding.slack([0.333, 0.333, 0.333]) == pytest.approx(0.0015, rel=1e-5)


def test_a_file_may_be_as_large_as_is_allowed(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert content.read_text(tmp_path / "a", 5) == "12345"
    with pytest.raises(ValueError, match="at most 4 bytes"):
        content.read_text(tmp_path / "a", 4)
