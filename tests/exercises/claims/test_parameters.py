"""Free parameters: counted by hand, and as the rank of what the parameters do to the joint distribution."""

import networkx as nx
import numpy as np
import pytest
from helpers.exercises import COLLIDER, bare, judge

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported


@pytest.mark.parametrize(
    ("network", "claim", "count"),
    [
        (COLLIDER, {}, 1 + 1 + 4 + 2 * 2),
        (bare("bayesian", ["ab", "bc"]), {}, 1 + 2 + 2),
        (bare("bayesian", ["ab", "cb"]), {"states": 3}, 2 + 2 + 9 * 2),
        (bare("markov", ["ab", "bc"]), {}, 5),
        (bare("markov", ["ab", "bc", "ca"]), {}, 7),
        (bare("markov", ["ab", "bc"]), {"states": 3}, 6 + 8),
        (COLLIDER, {"graph": "moral"}, 1 + 1 + 1 + 2 + 1 + 1 + 1 + 1 + 2),
    ],
)
def test_the_count_is_the_one_by_hand(tmp_path, network, claim, count):
    rows = judge(tmp_path, network, *({"kind": "free_parameters", **claim, "stated": count + off} for off in (0, 1)))
    assert [row.agrees for row in rows] == [True, False]
    assert rows[0].computed == str(count)
    assert f"add up to {count}" in rows[1].reason


def test_usual_mistakes_are_named(tmp_path):
    rows = judge(tmp_path, COLLIDER, *({"kind": "free_parameters", "stated": count} for count in (23, 18)))
    assert "without any independence" in rows[0].reason
    assert "counts all entries of the tables" in rows[1].reason


def test_the_count_of_interactions_is_the_rank_of_a_log_linear_model(tmp_path):
    edges = ["ab", "bc", "cd", "da", "ac"]
    row = judge(tmp_path, bare("markov", edges), {"kind": "free_parameters"})
    states = np.indices((2,) * 4).reshape(4, -1)
    columns = [np.ones(16)]
    for part in nx.enumerate_all_cliques(nx.Graph([tuple(edge) for edge in edges])):
        columns.append(np.prod([states["abcd".index(node)] for node in part], axis=0))
    assert int(row.computed) == np.linalg.matrix_rank(np.stack(columns, 1)) - 1


def test_states_are_for_networks_without_tables(tmp_path):
    with pytest.raises(ValueError, match='"states" is for a network without tables'):
        judge(tmp_path, COLLIDER, {"kind": "free_parameters", "states": 2})
    with pytest.raises(ValueError, match='"states" must be a whole number of at least 2, got 1'):
        judge(tmp_path, bare("markov", ["ab"]), {"kind": "free_parameters", "states": 1})
