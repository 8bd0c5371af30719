"""Probabilities stated to some digits, interventions, and the most probable explanation, against sums written out."""

import itertools

import pytest
from helpers.exercises import COLLIDER, bare, judge

from pyrogen.exercises.claims.probabilities import read_number

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

A, B = [0.3, 0.7], [0.6, 0.4]
M = [[[0.9, 0.1], [0.4, 0.6]], [[0.2, 0.8], [0.5, 0.5]]]
D = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]
LEVELS = ["low", "mid", "high"]
JOINT = {
    (a, b, m, LEVELS[d]): A[a] * B[b] * M[a][b][m] * D[m][d]
    for a, b, m, d in itertools.product(range(2), range(2), range(2), range(3))
}


def total(**states):
    """P(states), summed over the joint distribution."""
    names = ("a", "b", "m", "d")
    return sum(p for at, p in JOINT.items() if all(at[names.index(name)] == one for name, one in states.items()))


@pytest.mark.parametrize(
    ("event", "evidence", "exact"),
    [
        ({"d": "high"}, {}, total(d="high")),
        ({"a": 1}, {"d": "high"}, total(a=1, d="high") / total(d="high")),
        ({"a": 1, "b": 0}, {"m": 1}, total(a=1, b=0, m=1) / total(m=1)),
        ({"m": 1, "d": "low"}, {}, total(m=1, d="low")),
    ],
)
def test_a_probability_is_right_to_the_digits_stated(tmp_path, event, evidence, exact):
    for digits in (1, 2, 3, 6):
        for off, right in ((0, True), (1, False), (-1, False)):
            stated = f"{round(exact, digits) + off * 10**-digits:.{digits}f}"
            row = judge(
                tmp_path, COLLIDER, {"kind": "probability", "event": event, "evidence": evidence, "stated": stated}
            )
            assert row.agrees is right
            assert float(row.computed) == pytest.approx(exact, rel=1e-5)
            assert bool(row.reason) is not right


def test_the_digits_of_a_json_number_count_zeros_too(tmp_path):
    exact = total(d="high")
    assert f"{exact:.4f}" == "0.3830"
    for text, right in (("0.383", True), ("0.3830", True), ("0.37", False), ("0.38", True), ("0.3835", False)):
        claim = '{"kind": "probability", "event": {"d": "high"}, "stated": ' + text + "}"
        row = judge(tmp_path, COLLIDER, claim)
        assert (row.stated, row.agrees) == (text, right)


@pytest.mark.parametrize(
    ("stated", "value", "half"),
    [
        (0.25, 0.25, 0.005),
        ("0.250", 0.25, 0.0005),
        ("25 %", 0.25, 0.005),
        ("25.0%", 0.25, 0.0005),
        ("2.5e-1", 0.25, 0.005),
        ("1/4", 0.25, 0.0),
        (1, 1.0, 0.0),
        (".25", 0.25, 0.005),
        ("1.", 1.0, 0.0),
    ],
)
def test_a_probability_may_be_written_in_several_ways(stated, value, half):
    read = read_number(stated)
    assert read.value == pytest.approx(value, abs=1e-15)
    assert read.half == pytest.approx(half, abs=1e-15)


@pytest.mark.parametrize(
    "stated", [True, None, "", "half", 1.5, "-0.1", "1/0", "120 %", [0.5], "9" * 500, 10**400, "1e999", "0e9"]
)
def test_what_is_no_probability_is_refused(stated):
    with pytest.raises(ValueError, match='"stated" must be a probability such as'):
        read_number(stated)


def test_a_number_that_was_cut_off_says_so(tmp_path):
    claim = {"kind": "probability", "event": {"a": 0}, "evidence": {"d": "high"}}
    exact = total(a=0, d="high") / total(d="high")
    assert f"{exact:.4f}" == "0.1958"
    row = judge(tmp_path, COLLIDER, {**claim, "stated": "0.195"})
    assert row.reason == f"it is {exact:.6g}, which rounds to 0.196 and was cut off instead"
    assert f"= {total(a=0, d='high'):.6g} over P(d = high) = {total(d='high'):.6g} is" in row.evidence[0]


def test_an_intervention_cuts_the_arrows_and_observing_does_not(tmp_path):
    claim = {"kind": "probability", "event": {"a": 1}}
    done = judge(tmp_path, COLLIDER, {**claim, "do": {"m": 1}, "stated": "0.7"})
    seen = judge(tmp_path, COLLIDER, {**claim, "evidence": {"m": 1}, "stated": "0.7"})
    assert (done.agrees, seen.agrees) == (True, False)
    assert any(
        "observed instead of set" in line and f"{total(a=1, m=1) / total(m=1):.6g}" in line for line in done.evidence
    )
    below = judge(tmp_path, COLLIDER, {"kind": "probability", "event": {"d": "high"}, "do": {"m": 1}, "stated": "0.6"})
    assert below.agrees


def test_the_most_probable_explanation_is_that_of_the_joint(tmp_path):
    given = {"d": "high"}
    best = max((at for at in JOINT if at[3] == "high"), key=JOINT.get)
    states = dict(zip("abm", best, strict=False))
    claim = {"kind": "most_probable", "evidence": given}
    row = judge(tmp_path, COLLIDER, {**claim, "stated": states})
    assert row.agrees
    other = {**states, "a": 1 - states["a"]}
    wrong = judge(tmp_path, COLLIDER, {**claim, "stated": other})
    assert wrong.agrees is False
    assert "is less than" in wrong.reason
    single = judge(tmp_path, COLLIDER, {"kind": "most_probable", "variables": ["a"], "stated": {"a": 1}})
    assert (single.agrees, single.computed) == (True, "a = 1")


def test_each_of_several_best_explanations_is_right(tmp_path):
    even = {
        "kind": "bayesian",
        "nodes": {"a": ["x", "y"]},
        "edges": [],
        "tables": [{"node": "a", "values": [0.5, 0.5]}],
    }
    rows = judge(tmp_path, even, *({"kind": "most_probable", "stated": {"a": state}} for state in ("x", "y")))
    assert [row.agrees for row in rows] == [True, True]
    assert "2 assignments are equally probable" in rows[0].evidence[1]


@pytest.mark.parametrize(
    ("network", "claim", "words"),
    [
        (COLLIDER, {"kind": "probability", "event": {}}, '"event" must map names to states'),
        (COLLIDER, {"kind": "probability", "event": {"z": 1}}, "\"event\" names 'z', but the nodes are a, b, m, d"),
        (COLLIDER, {"kind": "probability", "event": {"a": 3}}, "says 3 for a, whose states are 0, 1"),
        (COLLIDER, {"kind": "probability", "event": {"a": 1}, "do": {"a": 0}}, "a"),
        (COLLIDER, {"kind": "probability", "event": {"a": 1}, "stated": "much"}, "must be a probability"),
        (bare("bayesian", ["ab"]), {"kind": "probability", "event": {"a": 1}}, "it needs a network with tables"),
        (COLLIDER, {"kind": "most_probable", "stated": {"a": 1}}, "must give a state to each of a, b, m, d"),
        (COLLIDER, {"kind": "most_probable", "variables": "a", "evidence": {"a": 1}}, "a"),
    ],
)
def test_what_is_wrong_with_a_claim_is_said(tmp_path, network, claim, words):
    with pytest.raises(ValueError, match=words) as refused:
        judge(tmp_path, network, claim)
    assert "claim 1" in str(refused.value)


def test_impossible_evidence_is_refused(tmp_path):
    sure = {"kind": "bayesian", "nodes": {"a": [0, 1]}, "edges": [], "tables": [{"node": "a", "values": [1.0, 0.0]}]}
    two = {
        **sure,
        "nodes": {"a": [0, 1], "b": [0, 1]},
        "tables": [*sure["tables"], {"node": "b", "values": [0.5, 0.5]}],
    }
    with pytest.raises(ValueError, match="the evidence a = 1 has probability zero"):
        judge(tmp_path, two, {"kind": "probability", "event": {"b": 1}, "evidence": {"a": 1}})
