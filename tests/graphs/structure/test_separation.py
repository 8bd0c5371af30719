"""Separation, trails and separators against the definition, networkx and pgmpy."""

import time

import networkx as nx
import pytest
from helpers.graphs_enumerated import (
    blocks,
    independences,
    is_active,
    random_dag,
    random_query,
    random_ug,
    seeded,
    subsets,
    trails,
)

from pyrogen import graphs

FEW, MANY = 1000, 300  # graphs, nodes


def test_d_separation_is_what_the_trails_networkx_and_pgmpy_say():
    answers = []
    for rng in seeded(FEW, 1):
        dag = random_dag(rng, int(rng.integers(2, 8)))
        x, y, given = random_query(rng, dag)
        truth = not any(is_active(dag, trail, given) for trail in trails(dag, x, y))
        assert truth == nx.is_d_separator(nx.DiGraph(dag), set(x), set(y), set(given))
        assert graphs.d_separated(dag, x, y, given) == truth
        assert graphs.d_separated(dag, y, x, given) == truth
        if hasattr(dag, "is_dconnected"):
            pairs = [dag.is_dconnected(a, b, observed=given, include_latents=True) for a in x for b in y]
            assert truth == (not any(pairs))
        answers.append(truth)
    assert 0.2 < sum(answers) / FEW < 0.8  # both answers are tried often


def test_an_active_trail_is_active_and_as_short_as_any():
    longest = 0
    for rng in seeded(FEW, 2):
        dag = random_dag(rng, int(rng.integers(2, 8)))
        x, y, given = random_query(rng, dag)
        active = [trail for trail in trails(dag, x, y) if is_active(dag, trail, given)]
        trail = graphs.active_trail(dag, x, y, given)
        assert (trail is None) == (not active)
        if trail is not None:
            assert trail in active
            assert len(trail) == min(map(len, active))
            longest = max(longest, len(trail))
    assert longest >= 5


def test_separation_in_an_undirected_graph_is_what_removing_the_observed_leaves():
    for rng in seeded(FEW, 3):
        ug = random_ug(rng, int(rng.integers(2, 9)), density=rng.uniform(0.1, 0.5))
        x, y, given = random_query(rng, ug)
        left = nx.Graph(ug)
        left.remove_nodes_from(given)
        lengths = [nx.shortest_path_length(left, a, b) for a in x for b in y if nx.has_path(left, a, b)]
        assert graphs.separated(ug, x, y, given) == (not lengths)
        way = graphs.path(ug, x, y, given)
        assert (way is None) == (not lengths)
        if way is not None:
            assert is_active(ug, way, given)
            assert (way[0] in x, way[-1] in y, len(way)) == (True, True, min(lengths) + 1)


def test_a_chain_a_fork_and_a_collider():
    chain, fork = nx.DiGraph([("a", "m"), ("m", "b")]), nx.DiGraph([("m", "a"), ("m", "b")])
    collider = nx.DiGraph([("a", "m"), ("b", "m"), ("m", "d"), ("d", "e")])
    for dag in (chain, fork):
        assert graphs.active_trail(dag, "a", "b") == ("a", "m", "b")
        assert graphs.d_separated(dag, "a", "b", "m")
    assert graphs.d_separated(collider, "a", "b")
    for observed in ("m", "d", "e", ["d", "e"]):
        assert graphs.active_trail(collider, "a", "b", observed) == ("a", "m", "b")
    assert not graphs.d_separated(chain, "a", "m", "b")  # nothing separates neighbors


def test_observing_the_node_0_counts():
    dag = nx.DiGraph([(1, 0), (0, 2)])
    assert not graphs.d_separated(dag, 1, 2)
    assert graphs.d_separated(dag, 1, 2, given=0)
    assert graphs.d_separated(dag, 1, 2, given=[0])
    assert graphs.separated(nx.Graph(dag), 1, 2, given=0)
    assert not graphs.d_separated(nx.DiGraph([(1, 0), (2, 0)]), 1, 2, given=0)


def test_strings_are_names_and_not_letters():
    dag = nx.DiGraph([("a", "ab"), ("ab", "b")])
    assert graphs.d_separated(dag, "a", "b", given="ab")
    with pytest.raises(ValueError, match=r"x must name nodes of the graph .*, got 'ba'"):
        graphs.d_separated(dag, "ba", "ab")


def test_influence_passes_latent_nodes_which_are_never_observed():
    from pgmpy.base import DAG

    edges = [("U", "A"), ("U", "B"), ("A", "C"), ("B", "C")]
    hidden, plain = DAG(edges, latents={"U"}), DAG(edges)
    for x, y, given in [("U", "A", ()), ("A", "B", ()), ("U", "C", ["A", "B"]), ("A", "U", "B")]:
        assert graphs.active_trail(hidden, x, y, given) == graphs.active_trail(plain, x, y, given)
    assert not graphs.d_separated(hidden, "A", "U")  # pgmpy's is_dconnected says they are, unless include_latents=True
    assert graphs.d_separated(plain, "A", "B", "U")
    for ask in (graphs.d_separated, graphs.active_trail, graphs.blocked_trails):
        with pytest.raises(ValueError, match="given must name observed nodes, got 'U', which is latent in this graph"):
            ask(hidden, "A", "B", ["U"])
    assert graphs.minimum_d_separator(plain, "A", "B") == {"U"}
    assert graphs.minimum_d_separator(hidden, "A", "B") is None
    assert graphs.minimum_d_separator(hidden, "A", "B", among=["A", "B", "C", "U"]) is None
    for ask in (graphs.is_i_map, graphs.is_perfect_map, graphs.disagreement, graphs.markov_equivalent):
        for one, other in ((hidden, plain), (plain, hidden)):
            with pytest.raises(ValueError, match="must have no latent nodes for maps and equivalence, got 'U'"):
                ask(one, other)
    for ask in (graphs.cpdag, lambda of: graphs.minimal_i_map(of, directed=True)):
        with pytest.raises(ValueError, match="must have no latent nodes for maps and equivalence, got 'U'"):
            ask(hidden)


def test_separation_does_not_list_the_trails():
    ladder = nx.DiGraph()  # a thousand diamonds in a row: 2 to the 1000 trails from end to end
    for i in range(1000):
        ladder.add_edges_from([(i, (i, "up")), (i, (i, "down")), ((i, "up"), i + 1), ((i, "down"), i + 1)])
    trail = graphs.active_trail(ladder, 0, 1000)
    assert len(trail) == 2001
    assert graphs.d_separated(ladder, 0, 1000, given=[(500, "up"), (500, "down")])
    assert graphs.minimum_d_separator(ladder, 0, (7, "up")) in ({i} for i in range(1, 8))
    assert graphs.separated(ladder.to_undirected(), 0, 1000, given=500)


def test_large_graphs_agree_with_networkx():
    spent = 0.0
    for rng in seeded(5, 4):
        dag = random_dag(rng, MANY, density=3 / MANY)
        for _ in range(20):
            x, y, given = random_query(rng, dag)
            given = given[: int(rng.integers(0, 30))]
            start = time.perf_counter()
            trail = graphs.active_trail(dag, x, y, given)
            smallest = graphs.minimum_d_separator(dag, x, y)
            spent += time.perf_counter() - start
            assert (trail is None) == nx.is_d_separator(nx.DiGraph(dag), set(x), set(y), set(given))
            assert trail is None or is_active(dag, trail, given)
            if smallest is not None:
                assert nx.is_d_separator(nx.DiGraph(dag), set(x), set(y), smallest)
                assert len(smallest) <= len(nx.find_minimal_d_separator(nx.DiGraph(dag), set(x), set(y)))
    assert spent < 60  # about 2 s; what is not polynomial would not end at all


def test_blocked_trails_are_all_that_are_blocked_and_their_blockers_block():
    kinds = []
    for rng in seeded(FEW, 5):
        dag = random_dag(rng, int(rng.integers(2, 7)))
        x, y, given = random_query(rng, dag)
        found = graphs.blocked_trails(dag, x, y, given)
        expected = [trail for trail in trails(dag, x, y) if not is_active(dag, trail, given)]
        assert sorted(map(repr, (blocked.trail for blocked in found))) == sorted(map(repr, expected))
        for blocked in found:
            i = blocked.trail.index(blocked.node)
            assert blocks(dag, blocked.trail, i, given)
            assert not any(blocks(dag, blocked.trail, j, given) for j in range(1, i))  # it is the first that does
            a, b = blocked.trail[i - 1], blocked.trail[i + 1]
            into = dag.has_edge(a, blocked.node) + dag.has_edge(b, blocked.node)
            assert blocked.joint == ("fork", "chain", "collider")[into]
            assert blocked.drawn == graphs.draw_trail(dag, blocked.trail)
            kinds.append(blocked.joint)
    assert all(kinds.count(kind) > 50 for kind in ("fork", "chain", "collider"))


def test_a_blocked_trail_reads_as_a_sentence():
    dag = nx.DiGraph([("S", "I"), ("I", "D"), ("M", "I")])
    (chain,) = graphs.blocked_trails(dag, "S", "D", given="I")
    assert str(chain) == "S → I → D is blocked at I: a chain whose middle is observed"
    (collider,) = graphs.blocked_trails(dag, "S", "M")
    assert str(collider).endswith("at I: a collider, and neither it nor a descendant of it is observed")
    assert graphs.draw_trail(dag, ("D", "I", "M")) == "D ← I ← M"
    with pytest.raises(ValueError, match="'S' next to 'M', which no edge joins"):
        graphs.draw_trail(dag, ("S", "M"))


def test_trails_are_listed_without_a_walk_through_the_dead_ends():
    dag = nx.DiGraph([("x", "y"), ("x", 0)])
    dag.add_edges_from((i, j) for i in range(40) for j in range(i + 1, 40))  # 39! ways to go nowhere
    dag.add_edge("x", "z")
    assert [blocked.trail for blocked in graphs.blocked_trails(dag, "y", "z", given="x")] == [("y", "x", "z")]


def test_more_trails_than_the_limit_are_refused():
    dag = nx.DiGraph([("x", i) for i in range(5)] + [(i, "y") for i in range(5)])
    assert len(graphs.blocked_trails(dag, "x", "y", given=range(5), limit=5)) == 5
    with pytest.raises(ValueError, match="limit must be at least the number of trails between x and y, got 4"):
        graphs.blocked_trails(dag, "x", "y", given=range(5), limit=4)
    with pytest.raises(ValueError, match="limit must be a whole number of at least 1, got 0"):
        graphs.blocked_trails(dag, "x", "y", limit=0)


@pytest.mark.parametrize("restricted", [False, True])
def test_the_minimum_d_separator_is_a_smallest_set_that_separates(restricted):
    sizes = []
    for rng in seeded(FEW, 6 + restricted):
        dag = random_dag(rng, int(rng.integers(2, 8)), density=rng.uniform(0.2, 0.6))
        x, y, _ = random_query(rng, dag)
        among = [node for node in dag if rng.random() < 0.7] if restricted else None
        plain = nx.DiGraph(dag)
        candidates = [node for node in dag if node not in (*x, *y) and (among is None or node in among)]
        best = next((z for z in map(set, subsets(candidates)) if nx.is_d_separator(plain, set(x), set(y), z)), None)
        found = graphs.minimum_d_separator(dag, x, y, among=among)
        assert (found is None) == (best is None)
        if found is not None:
            assert len(found) == len(best)
            assert found <= set(candidates)
            assert nx.is_d_separator(plain, set(x), set(y), found)
            sizes.append(len(found))
    assert {0, 1, 2} <= set(sizes)


def test_the_enumeration_itself_on_graphs_worked_out_by_hand():
    collider = nx.DiGraph([("A", "B"), ("C", "B")])
    assert independences(collider) == {(frozenset("AC"), frozenset())}
    assert independences(nx.Graph(collider)) == {(frozenset("AC"), frozenset("B"))}


def test_the_exercises_claims():
    first = nx.DiGraph([("M", "I"), ("S", "I"), ("I", "T"), ("F", "T"), ("I", "D"), ("T", "D")])
    assert graphs.active_trail(first, "F", "D") == ("F", "T", "D")
    assert graphs.d_separated(first, "S", "D", "I")
    assert graphs.d_separated(first, "M", "F")
    assert graphs.active_trail(first, "M", "F", "T") == ("M", "I", "T", "F")
    third = nx.compose_all([nx.complete_graph(list(clique)) for clique in ("ABC", "BDE", "CDF", "EG")])
    assert not graphs.separated(third, "G", "A")
    assert graphs.separated(third, "F", "A", ["D", "C"])
    assert graphs.separated(third, "G", "C", "E")
    assert graphs.separated(third, "A", "E", ["B", "C"])
