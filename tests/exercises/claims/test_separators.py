"""Minimal separators: any that is one is right, and what is wrong with others is said."""

import pytest
from helpers.exercises import bare, judge

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

TWO_WAYS = bare("bayesian", ["ab", "bd", "ac", "cd"])
LONG = bare("markov", ["ab", "bc", "cd"])


@pytest.mark.parametrize(
    ("network", "stated", "smallest", "agrees", "words"),
    [
        (TWO_WAYS, ["b", "c"], False, True, ""),
        (TWO_WAYS, ["b"], False, False, "active trail"),
        (LONG, ["b"], False, True, ""),
        (LONG, ["c"], True, True, ""),
        (LONG, ["b", "c"], False, False, "{b}, a part of it, separates them already"),
        (LONG, [], False, False, "the path a – b – c – d is open"),
        (bare("markov", ["ab", "bc", "cd", "be", "ec"], "abcde"), ["b"], True, True, ""),
        (bare("markov", ["ax", "ay", "xz", "yz", "zd"], "axyzd"), ["x", "y"], False, True, ""),
        (bare("markov", ["ax", "ay", "xz", "yz", "zd"], "axyzd"), ["x", "y"], True, False, "{z} has fewer nodes"),
    ],
)
def test_a_separator_is_judged_by_what_it_does(tmp_path, network, stated, smallest, agrees, words):
    claim = {"kind": "minimal_separator", "x": "a", "y": "d", "stated": stated, "smallest": smallest}
    row = judge(tmp_path, network, claim)
    assert row.agrees is agrees
    assert words in row.reason
    assert bool(row.reason) is not agrees


def test_nothing_separates_neighbors(tmp_path):
    row = judge(tmp_path, LONG, {"kind": "minimal_separator", "x": "a", "y": "b", "stated": ["c"]})
    assert (row.agrees, row.computed) == (False, "none")
    assert "are joined" in row.reason


def test_without_an_answer_the_smallest_is_shown(tmp_path):
    row = judge(tmp_path, TWO_WAYS, {"kind": "minimal_separator", "x": "a", "y": "d"})
    assert (row.agrees, row.computed) == (None, "{b, c}")


def test_x_and_y_are_single_and_not_in_the_answer(tmp_path):
    with pytest.raises(ValueError, match='"x" and "y" must be one name each'):
        judge(tmp_path, LONG, {"kind": "minimal_separator", "x": ["a", "b"], "y": "d"})
    with pytest.raises(ValueError, match='"stated" must not hold x or y'):
        judge(tmp_path, LONG, {"kind": "minimal_separator", "x": "a", "y": "d", "stated": ["a"]})
    with pytest.raises(ValueError, match='"smallest" must be true or false, got 1'):
        judge(tmp_path, LONG, {"kind": "minimal_separator", "x": "a", "y": "d", "smallest": 1})
