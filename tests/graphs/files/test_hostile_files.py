"""Files from strangers: every one is read or refused in a sentence, quickly and in bounded memory."""

import gzip
import json
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyrogen.graphs.files.bif import parse_bif
from pyrogen.graphs.files.json_form import network_from_dict, parse_json
from pyrogen.graphs.files.networks import bundled, read_network, write_network
from pyrogen.graphs.files.other_formats import read_other

SOUND = {
    "kind": "bayesian",
    "nodes": {"a": ["x", "y"], "b": [0, 1]},
    "edges": [["a", "b"]],
    "tables": [{"node": "a", "values": [0.2, 0.8]}, {"node": "b", "parents": ["a"], "values": [[0.5, 0.5], [1, 0]]}],
}
FUZZ = settings(max_examples=80, deadline=2000, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"kind": ["bayesian"]}', '"kind" must be "bayesian" or "markov", got'),
        ("[" * 200_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ('{"kind": "bayesian", "kind": "markov"}', "the name 'kind' stands twice in one object"),
        ("{" + "".join(f'"{i}": 0, ' for i in range(200_000)) + '"9": 1}', "the name '9' stands twice"),
        ('{"kind": ' + 5000 * "9" + "}", "a whole number must have at most 4000 digits, got 5000"),
        ('{"kind": "markov", "nodes": ["' + 10**6 * "x" + '"], "edges": [["a", "b"]]}', "x … x"),
        ('{"kind": "markov", "nodes": {"a": [1, 2]}, "factors": [{"nodes": ["a"], "values": [NaN, 1]}]}', "finite"),
        ('{"kind": "markov", "nodes": {"a": [1, true]}}', "the states of 'a' must be a list of different strings"),
        ('{"kind": "markov", "nodes": {"a": [1]}, "name": ["n"]}', '"name" must be a string'),
        (
            '{"kind": "markov", "nodes": {"a": [1, 2]}, "factors": [{"nodes": ["a"], "values": [1'
            + 400 * "0"
            + ", 1]}]}",
            "of a usual size",
        ),
        (
            '{"kind": "markov", "nodes": {"a": [1, 2]}, "factors": [{"nodes": ["a"], "values": ["1", 1]}]}',
            "got '1' for a number",
        ),
        (
            '{"kind": "markov", "nodes": {"a": [1, 2]}, "factors": [{"nodes": ["a"], "values": [true, 1]}]}',
            "got True for a number",
        ),
        ('{"kind": "markov", "nodes": {"a": [1, 2]}, "factors": [{"nodes": [["a"]], "values": [1, 1]}]}', "names"),
        ('{"kind": "markov", "nodes": {"a": [1]}, "edges": [[["a"], {}]]}', "edges names"),
        ('{"kind": "bayesian", "nodes": {"a": [0, 1]}, "tables": [{"node": {}, "values": [1, 0]}]}', "the table of"),
        (
            '{"kind": "bayesian", "nodes": {"a": [0, 1]}, "tables": [{"node": "a", "values": [0.5, 0.495]}]}',
            "sum to one",
        ),
    ],
)
def test_hostile_json_is_refused_in_a_sentence(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_network(tmp_path / "a.json")
    assert len(str(error.value)) <= 1000 + 2 + len(str(tmp_path / "a.json"))


def test_byte_order_marks_and_latin_1_are_read(tmp_path):
    text = json.dumps(SOUND)
    for encoding in ("utf-8-sig", "utf-16", "utf-8"):
        (tmp_path / "a.json").write_bytes(text.encode(encoding))
        assert set(read_network(tmp_path / "a.json")) == {"a", "b"}
    bif = "variable größe { type discrete [ 2 ] { klein, groß }; }\nprobability ( größe ) { table 0.5, 0.5; }"
    for encoding in ("utf-8", "latin-1", "utf-8-sig", "utf-16"):
        (tmp_path / "a.bif").write_bytes(bif.encode(encoding))
        assert list(read_network(tmp_path / "a.bif")) == ["größe"]


@pytest.mark.parametrize(
    ("ending", "letter"), [("bif", b" "), ("json", b" "), ("bif", b"{"), ("json", b"["), ("uai", b"9")]
)
def test_a_packed_file_of_one_letter_costs_little_memory(tmp_path, ending, letter):
    with gzip.open(tmp_path / f"a.{ending}.gz", "wb", compresslevel=1) as file:
        for _ in range(300):
            file.write(letter * 2**20)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(ValueError, match=r"must hold at most .* bytes"):
        read_network(tmp_path / f"a.{ending}.gz")
    spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**28
    assert spent < 10


def test_paths_that_are_no_paths_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.bif: cannot be read"):
        read_network("/" + "a" * 5000 + "/a.bif")
    with pytest.raises(ValueError, match="path must be a path, got"):
        read_network("a\0.bif")
    (tmp_path / "folder.bif").mkdir()
    with pytest.raises(FileNotFoundError, match=r"folder\.bif: there is no such file"):
        read_network(tmp_path / "folder.bif")
    for wrong in (5, b"a.bif", None, ["a.bif"]):
        with pytest.raises(TypeError, match="path must be a path, got"):
            read_network(wrong)
    for wrong in (tmp_path / "a.txt", tmp_path / "no" / "a.bifx"):
        with pytest.raises(ValueError, match=r"expected a name that ends in \.bif"):
            write_network(bundled("cancer"), wrong)


def test_other_formats_go_through_pgmpy(tmp_path):
    from pgmpy.readwrite import XMLBIFWriter

    from pyrogen.graphs.inference.queries import query

    network = bundled("cancer")
    XMLBIFWriter(network).write(str(tmp_path / "a.xmlbif"))
    back = read_network(tmp_path / "a.xmlbif")
    assert set(back.edges) == set(network.edges)
    assert query(back, "Cancer").table == pytest.approx(query(network, "Cancer").table)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("xmlbif", "<BIF>", "pgmpy cannot read this as .xmlbif"),
        ("xmlbif", "<BIF></BIF>", "pgmpy cannot read this as .xmlbif|expected"),
        ("xmlbif", '<!DOCTYPE a [<!ENTITY b "bbbb">]><BIF>&b;</BIF>', "must declare no entities"),
        ("uai", "MARKOV\n999999999\n2 2", "must not announce more than it holds"),
        ("uai", "x" * 2**17, "must hold at most 65,536 bytes"),
        ("uai", "MARKOV", "pgmpy cannot read this as .uai"),
        ("xdsl", "<smile", "pgmpy cannot read this as .xdsl"),
        ("net", "net {", "the graph must have at least one node"),
    ],
)
def test_what_pgmpy_cannot_read_is_said_in_a_sentence(kind, text, message):
    with pytest.raises(ValueError, match=message):
        read_other(kind, text)


TOKENS = """network variable probability property type discrete table default { } ( ) [ ] ; , | // /* */ " a b rain 2
3 0.5 0.25 1e-3 -1 nan (0,1] <5 é 1e999 0_1 [2] {a,b}; };"""
WORDS = st.sampled_from([*TOKENS.split(), "\n", "\r\n"])


@FUZZ
@given(st.lists(WORDS, max_size=60).map(" ".join))
def test_any_words_of_bif_are_read_or_refused(text):
    _read_or_refused(parse_bif, text)


@FUZZ
@given(st.data())
def test_a_damaged_bif_file_is_read_or_refused(data):
    text = _cancer()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        until = at + data.draw(st.integers(0, 40))
        text = text[:at] + data.draw(st.lists(WORDS, max_size=3).map(" ".join) | st.text(max_size=5)) + text[until:]
    content = _read_or_refused(parse_bif, text)
    if content is not None:  # what is read is sound
        for table in content.tables.values():
            assert table.sum(axis=0) == pytest.approx(1, abs=0.011)
            assert (table >= 0).all()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["a", "b", "x", "kind", "bayesian", "markov"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "node", "values"]), inner),
    max_leaves=8,
)


@FUZZ
@given(st.data())
def test_a_damaged_json_file_is_read_or_refused(data):
    content = json.loads(json.dumps(SOUND))
    place, key = content, data.draw(st.sampled_from([*content]))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from([*place] if isinstance(place, dict) else [*range(len(place))]))
    place[key] = data.draw(JSON)
    _read_or_refused(lambda value: network_from_dict(parse_json(json.dumps(value))), content)


@FUZZ
@given(st.text(max_size=60) | st.text(alphabet='{}[]":,0123eE.-+ ntf', max_size=60))
def test_any_text_as_json_is_read_or_refused(text):
    _read_or_refused(lambda value: network_from_dict(parse_json(value)), text)


def _read_or_refused(read, value):
    """What is read, or None after a refusal that is a sentence."""
    try:
        return read(value)
    except ValueError as error:
        kind, message = type(error), str(error)
    assert kind in (ValueError, json.JSONDecodeError)
    assert 10 < len(message) < 1000
    assert "NoneType" not in message
    return None


def _cancer():
    from pyrogen.graphs.files.bif_writer import bif_text

    return bif_text(bundled("cancer"))


def test_a_variable_of_many_states_is_read_in_linear_time(tmp_path):
    text = f"variable a {{ type discrete [ 60000 ] {{ {', '.join(f's{i}' for i in range(60_000))} }}; }}"
    (tmp_path / "a.bif").write_text(text + "\nprobability ( a ) { table 1; }")
    began = time.process_time()
    with pytest.raises(ValueError, match="expected 60000 numbers, got 1"):
        read_network(tmp_path / "a.bif")
    assert time.process_time() - began < 20
