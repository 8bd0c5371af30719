"""What comes in wrong is refused in one sentence; what comes in right is named by one name or several."""

import networkx as nx
import numpy as np
import pytest

from pyrogen import graphs
from pyrogen.graphs.structure import validation

DAG = nx.DiGraph([("A", "B"), ("B", "C")])
UG = nx.Graph([("A", "B"), ("B", "C"), ("C", "D"), ("D", "A")])
CYCLIC = nx.DiGraph([("A", "B"), ("B", "C"), ("C", "A")])
LOOP = nx.Graph([("A", "B"), ("B", "B")])
ON_DIRECTED = {
    "d_separated": lambda g: graphs.d_separated(g, "A", "C"),
    "active_trail": lambda g: graphs.active_trail(g, "A", "C"),
    "blocked_trails": lambda g: graphs.blocked_trails(g, "A", "C"),
    "minimum_d_separator": lambda g: graphs.minimum_d_separator(g, "A", "C"),
    "moral_graph": graphs.moral_graph,
    "v_structures": graphs.v_structures,
    "markov_equivalent": lambda g: graphs.markov_equivalent(DAG, g),
    "cpdag": graphs.cpdag,
}
ON_UNDIRECTED = {
    "separated": lambda g: graphs.separated(g, "A", "C"),
    "path": lambda g: graphs.path(g, "A", "C"),
    "maximal_cliques": graphs.maximal_cliques,
    "is_chordal": graphs.is_chordal,
    "chordless_cycle": graphs.chordless_cycle,
    "chords": lambda g: graphs.chords(g, ["A", "B", "C", "D"]),
    "elimination_order": graphs.elimination_order,
    "triangulate": graphs.triangulate,
}
ON_EITHER = {
    "markov_blanket": lambda g: graphs.markov_blanket(g, "A"),
    "junction_tree": graphs.junction_tree,
    "is_i_map of": lambda g: graphs.is_i_map(g, of=g),
    "is_i_map map": lambda g: graphs.is_i_map(g, of=DAG),
    "is_perfect_map": lambda g: graphs.is_perfect_map(DAG, g),
    "disagreement": lambda g: graphs.disagreement(g, g),
    "minimal_i_map directed": lambda g: graphs.minimal_i_map(g, directed=True),
    "minimal_i_map undirected": lambda g: graphs.minimal_i_map(g, directed=False),
}


def refused(kind, message, function, *args, **settings):
    """Asserts that the call raises one sentence with this in it."""
    with pytest.raises(kind) as caught:
        function(*args, **settings)
    said = str(caught.value)
    assert message in said
    assert "\n" not in said
    assert len(said) < 200


@pytest.mark.parametrize("function", [*ON_DIRECTED.values(), *ON_EITHER.values()], ids=[*ON_DIRECTED, *ON_EITHER])
def test_a_cycle_is_named_and_an_empty_directed_graph_is_refused(function):
    refused(ValueError, "a directed graph must have no cycle, got A → B → C → A", function, CYCLIC)
    refused(ValueError, "the graph must have at least one node, got an empty one", function, nx.DiGraph())


@pytest.mark.parametrize("function", [*ON_UNDIRECTED.values(), *ON_EITHER.values()], ids=[*ON_UNDIRECTED, *ON_EITHER])
def test_an_edge_from_a_node_to_itself_is_named_and_an_empty_undirected_graph_is_refused(function):
    refused(ValueError, "got one that joins 'B' to itself", function, LOOP)
    refused(ValueError, "the graph must have at least one node, got an empty one", function, nx.Graph())


@pytest.mark.parametrize("function", ON_DIRECTED.values(), ids=ON_DIRECTED)
@pytest.mark.parametrize("graph", [UG, nx.MultiDiGraph(DAG), [("A", "B")], None, nx.complete_graph(3)])
def test_what_is_no_directed_graph_is_refused(function, graph):
    refused(TypeError, "the graph must be directed (a pgmpy DAG or a networkx DiGraph), got ", function, graph)


@pytest.mark.parametrize("function", ON_UNDIRECTED.values(), ids=ON_UNDIRECTED)
@pytest.mark.parametrize("graph", [DAG, nx.MultiGraph(UG), {"A": ["B"]}, None])
def test_what_is_no_undirected_graph_is_refused(function, graph):
    refused(TypeError, "the graph must be undirected (a pgmpy UndirectedGraph or a networkx Graph)", function, graph)


@pytest.mark.parametrize("function", ON_EITHER.values(), ids=ON_EITHER)
def test_what_is_no_graph_is_refused(function):
    refused(TypeError, "the graph must be one of pgmpy or networkx, got dict", function, {"A": ["B"]})
    refused(TypeError, "got networkx's MultiGraph", function, nx.MultiGraph(UG))


QUERIES = [
    (graphs.d_separated, DAG),
    (graphs.active_trail, DAG),
    (graphs.blocked_trails, DAG),
    (graphs.separated, UG),
    (graphs.path, UG),
]


@pytest.mark.parametrize(("function", "graph"), QUERIES)
def test_a_query_names_known_nodes_each_on_one_side(function, graph):
    refused(ValueError, "x must name nodes of the graph ('A', 'B', 'C'", function, graph, "E", "C")
    refused(ValueError, "got 'AC'", function, graph, "B", "AC")
    refused(ValueError, "got 'BC'", function, graph, "A", "C", "BC")
    refused(ValueError, "got ['B']", function, graph, "A", "C", [["B"]])
    refused(ValueError, "got 7", function, graph, "A", "C", 7)
    refused(ValueError, "got 'A' in x and in y", function, graph, "A", ["C", "A"])
    refused(ValueError, "got 'A' in x and in given", function, graph, "A", "C", ["B", "A"])
    refused(ValueError, "got 'C' in y and in given", function, graph, "A", "C", "C")
    refused(ValueError, "x must name each node once, got 'A' twice", function, graph, ["A", "B", "A"], "C")
    refused(ValueError, "x must name at least one node, got none", function, graph, [], "C")
    refused(ValueError, "y must name at least one node, got none", function, graph, "A", None)


def test_other_arguments_that_are_wrong():
    refused(ValueError, "got 'Z'", graphs.markov_blanket, DAG, "Z")
    refused(ValueError, "v must name one node, got 2: 'A', 'B'", graphs.markov_blanket, DAG, ["A", "B"])
    refused(ValueError, "got 'AB'", graphs.minimum_d_separator, DAG, "A", "C", "AB")
    refused(ValueError, "got 'A' in x and in y", graphs.minimum_d_separator, DAG, "A", "A")
    refused(ValueError, "got 'E'", graphs.chords, UG, ["A", "B", "E"])
    refused(ValueError, "got 'ABCD'", graphs.chords, UG, "ABCD")
    refused(ValueError, "trail must name nodes of the graph ('A', 'B', 'C'), got 'ABC'", graphs.draw_trail, DAG, "ABC")
    refused(ValueError, "a cycle must have three or more nodes, got 2", graphs.chords, UG, ["A", "B"])
    refused(ValueError, "got 'A' next to 'C', which no edge joins", graphs.chords, UG, ["A", "C", "B"])
    refused(ValueError, "heuristic must be one of 'min_fill'", graphs.elimination_order, UG, "fastest")
    refused(ValueError, "sizes must be given", graphs.elimination_order, UG, "min_weight")
    refused(
        ValueError,
        "sizes must name all nodes, got none for 'D'",
        graphs.elimination_order,
        UG,
        sizes=dict.fromkeys("ABC", 2),
    )
    refused(ValueError, "least 1, got 0", graphs.elimination_order, UG, sizes={**dict.fromkeys("ACD", 2), "B": 0})
    refused(
        TypeError,
        "sizes['A'] must be a whole number of at least 1, got 2.5",
        graphs.triangulate,
        UG,
        sizes=dict.fromkeys("ABCD", 2.5),
    )
    refused(TypeError, "sizes must map each node", graphs.junction_tree, UG, sizes=[2, 2, 2, 2])
    refused(ValueError, "order must name all 4 nodes, got all but 'D'", graphs.triangulate, UG, ["A", "B", "C"])
    refused(ValueError, "order must name each node once", graphs.junction_tree, UG, ["A", "B", "C", "A"])
    refused(ValueError, "got 'ABCD'", graphs.junction_tree, UG, "ABCD")
    refused(ValueError, "got 'E'", graphs.minimal_i_map, DAG, directed=True, order=["A", "B", "E"])
    refused(ValueError, "order must name all 3 nodes", graphs.minimal_i_map, DAG, directed=True, order=[])
    refused(
        ValueError, "order must be None for an undirected map", graphs.minimal_i_map, DAG, directed=False, order="A"
    )


@pytest.mark.parametrize("function", [graphs.is_i_map, graphs.is_perfect_map, graphs.disagreement])
def test_maps_are_over_the_same_nodes(function):
    refused(ValueError, "the same nodes, got 'D' in the second only", function, DAG, UG)
    refused(ValueError, "the same nodes, got 'D' in the first only", function, UG, DAG)
    refused(ValueError, "got 'C' in the first only", graphs.markov_equivalent, DAG, nx.DiGraph([("A", "B")]))


def test_many_nodes_are_not_all_listed():
    refused(ValueError, "0, 1, 2, 3, 4, 5, 6, 7, … (100 in all)", graphs.separated, nx.path_graph(100), "x", 1)


def test_one_name_or_several_in_the_graphs_own_order():
    graph = nx.DiGraph()
    graph.add_nodes_from(["z", "a", 0, ("a", 0), ("z",), "za", frozenset("z")])
    for value, expected in [
        ("z", ("z",)),
        ("za", ("za",)),
        (0, (0,)),
        (False, (0,)),
        (("a", 0), (("a", 0),)),  # the node, as the graph has it
        (["a", 0], ("a", 0)),
        ((0, "a"), ("a", 0)),  # not a node, so two names
        (("z",), (("z",),)),
        (["z"], ("z",)),
        (frozenset("z"), (frozenset("z"),)),
        ({"a", "z"}, ("z", "a")),
        (np.array(["za", "z"]), ("z", "za")),
        ((name for name in ("a", "z")), ("z", "a")),
        ({"a": 1}, ("a",)),
        (None, ()),
        ((), ()),
    ]:
        assert validation.names(graph, value, "given", empty=True) == expected
    assert validation.names(graph, np.int64(0), "given") == (0,)
    assert type(validation.names(graph, np.int64(0), "given")[0]) is int


@pytest.fixture(scope="module")
def network():
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork([("rain", "wet"), (0, "wet")])
    states = {"rain": ["no", "yes"], 0: [1, 0], "wet": ["a", "b", "c"]}
    network.add_cpds(
        TabularCPD("rain", 2, [[0.5], [0.5]], state_names={"rain": states["rain"]}),
        TabularCPD(0, 2, [[0.5], [0.5]], state_names={0: states[0]}),
        TabularCPD("wet", 3, [[0.25] * 4, [0.25] * 4, [0.5] * 4], ["rain", 0], [2, 2], state_names=states),
    )
    return network


def test_states(network):
    assert validation.states(network) == {"rain": ("no", "yes"), "wet": ("a", "b", "c"), 0: (1, 0)}
    assert list(validation.states(network)) == list(network.nodes)


def test_networks_whose_tables_are_wanting(network):
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork

    refused(ValueError, "at least one node", validation.states, DiscreteBayesianNetwork())
    bare = DiscreteBayesianNetwork([("A", "B")])
    refused(ValueError, "every node must have a table, got 'A' without one", validation.states, bare)
    markov = DiscreteMarkovNetwork([("A", "B"), ("B", "C")])
    markov.add_factors(DiscreteFactor(["A", "B"], [2, 2], [1, 2, 3, 4]))
    refused(ValueError, "got 'C' without one", validation.states, markov)
    names = {"B": ["x", "y"], "C": ["u", "v"]}
    markov.add_factors(DiscreteFactor(["B", "C"], [2, 2], [1, 2, 3, 4], state_names=names))
    refused(ValueError, "must agree on the states of 'B', got (0, 1) and ('x', 'y')", validation.states, markov)
