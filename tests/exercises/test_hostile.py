"""Exercise files of strangers: each refusal is one sentence of bounded length, in bounded memory."""

import json
import tracemalloc

import pytest
from helpers.exercises import COLLIDER

from pyrogen.exercises import check_exercise

GOOD = {"title": "t", "network": COLLIDER, "claims": [{"kind": "v_structures"}]}


def claim(**fields):
    return {**GOOD, "claims": [fields]}


@pytest.mark.parametrize(
    "content",
    [
        "[" * 200_000,
        '{"title": "t", "claims": ' + "9" * 5000 + "}",
        {**GOOD, "title": ["x"]},
        {**GOOD, "note": 5},
        {**GOOD, "network": {"kind": ["bayesian"]}},
        {**GOOD, "network": "../exercise.json"},
        {**GOOD, "network": "/etc/passwd"},
        {**GOOD, "network": "a" * 5000 + ".json"},
        {**GOOD, "network": "exercise.json"},
        {**GOOD, "claims": {"kind": "v_structures"}},
        claim(kind=["independence"]),
        claim(kind={"a": 1}),
        claim(kind="v_structures", text={"a": 1}),
        claim(kind="v_structures", stated="a m b"),
        claim(kind="factorization", stated="P(" * 100_000),
        claim(kind="factorization", stated=5),
        claim(kind="independence", x={"a": 1}, y="b"),
        claim(kind="probability", event={"a": [1]}),
        claim(kind="probability", event={"a": 1}, stated="9" * 400),
        claim(kind="probability", event={"a": 1}, stated=10**400),
        claim(kind="free_parameters", stated=10**400),
        claim(kind="fill_in", order={"a": 1}),
        claim(kind="junction_tree", stated={"cliques": [["a"]], "edges": [["a", "b"]]}),
        claim(kind="equivalent", to=5),
        claim(kind="i_map", map=[1]),
        claim(kind="essential_graph", stated={"arrows": 5}),
        claim(kind="minimal_separator", x="a", y="b", smallest="no"),
    ],
    ids=lambda content: str(content)[-60:],
)
def test_a_hostile_file_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "exercise.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=r"exercise\.json") as refused:
        check_exercise(path, draws=1)
    assert len(str(refused.value)) < 1200
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("draws", ["5", True, 2.5, 0, 10**9, None])
def test_draws_are_a_whole_number(tmp_path, draws):
    with pytest.raises((TypeError, ValueError), match="draws must be a whole number from 1 to 1000, got"):
        check_exercise(tmp_path / "none.json", draws=draws)


@pytest.mark.parametrize("path", [5, "a" * 5000, b"x", None])
def test_paths_that_are_none(path):
    with pytest.raises((TypeError, ValueError, FileNotFoundError)) as refused:
        check_exercise(path)
    assert len(str(refused.value)) < 400


def test_a_file_of_blanks_takes_no_more_than_its_limit(tmp_path):
    path = tmp_path / "exercise.json"
    with path.open("wb") as file:
        file.truncate(2**31)
    tracemalloc.start()
    with pytest.raises(ValueError, match="at most"):
        check_exercise(path)
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()


def test_claims_that_would_take_ages_or_all_memory_are_refused(tmp_path):
    nodes = [f"v{i}" for i in range(60)]
    edges = [[a, b] for i, a in enumerate(nodes) for j, b in enumerate(nodes[:i]) if i // 3 != j // 3]
    for kind, message in (("markov", "at most 100,000 maximal cliques"), ("bayesian", "over at most 20 nodes, got")):
        content = {"title": "t", "claims": [{"kind": "chordal"}]}
        content["network"] = {"kind": kind, "nodes": nodes, "edges": [edge[::-1] for edge in edges]}
        (tmp_path / "e.json").write_text(json.dumps(content))
        with pytest.raises(ValueError, match=rf"e\.json: .*{message}"):
            check_exercise(tmp_path / "e.json")
