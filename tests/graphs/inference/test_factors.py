"""Factors against numpy on plain tables, and what a network's tables must be."""

import numpy as np
import pytest

from pyrogen.graphs.inference.factors import Factor, product, tables
from pyrogen.graphs.inference.memory import check_memory

A = np.array([[0.5, 0.0, 2.0], [1.0, 0.0, 3.0]])
B = np.array([[1.0, 0.0], [0.25, 4.0], [7.0, 1e-5]])
SIZES = {"x": 2, "y": 3, "z": 2}


def log(values):
    with np.errstate(divide="ignore"):
        return np.log(values)


F, G = Factor(("x", "y"), log(A)), Factor(("y", "z"), log(B))


def test_a_product_has_the_axes_asked_for():
    both = product([F, G], ("z", "x", "y"), SIZES)
    np.testing.assert_allclose(np.exp(both.log), np.einsum("xy,yz->zxy", A, B), rtol=1e-14)
    np.testing.assert_array_equal(product([], ("x", "z"), SIZES).log, np.zeros((2, 2)))


def test_sums_over_each_axis():
    for name, kept, expected in (("x", ("y",), A.sum(0)), ("y", ("x",), A.sum(1))):
        summed = F.sum_out(name)
        assert summed.names == kept
        np.testing.assert_allclose(np.exp(summed.log), expected, rtol=1e-15)  # a column of zeros gives zero, not NaN
    huge = Factor(("x",), np.array([1000.0, 1000.0]))
    np.testing.assert_allclose(huge.sum_out("x").log, 1000 + np.log(2), rtol=1e-15)  # what exp cannot hold


def test_a_slice_at_evidence():
    at = F.at({"y": 2, "z": 0})
    assert at.names == ("x",)
    np.testing.assert_allclose(np.exp(at.log), [2.0, 3.0])
    assert F.at({"x": 1, "y": 0}).names == ()


def test_a_table_beyond_the_limit_is_refused_with_what_would_do():
    check_memory("it", 8, 8)
    with pytest.raises(ValueError, match=r"it must take at most memory=8 bytes, got 1,073,741,824 \(1 GiB\)"):
        check_memory("it", 2**30, 8)
    with pytest.raises(ValueError, match="bytes, got 9"):
        check_memory("it", 9, 8)


def network(*cpds, edges=(("a", "b"),), nodes=()):
    from pgmpy.models import DiscreteBayesianNetwork

    made = DiscreteBayesianNetwork(edges)
    made.add_nodes_from(nodes)
    made.add_cpds(*cpds)
    return made


def cpd(*arguments, **states):
    from pgmpy.factors.discrete import TabularCPD

    return TabularCPD(*arguments, **({"state_names": states} if states else {}))


def markov(edges, *factors, nodes=()):
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteMarkovNetwork

    made = DiscreteMarkovNetwork(edges)
    made.add_nodes_from(nodes)
    made.add_factors(*(DiscreteFactor(*factor) for factor in factors))
    return made


def test_a_state_is_known_by_its_name_and_not_by_its_place():
    made = network(
        cpd("b", 2, [[0.1, 0.6], [0.9, 0.4]], ["a"], [2], b=["no", "yes"], a=["off", "on"]),
        cpd("a", 2, [[0.7], [0.3]], a=["on", "off"]),
    )
    known = tables(made)
    assert known.states == {"a": ("on", "off"), "b": ("no", "yes")}
    np.testing.assert_allclose(np.exp(known.factors[1].log), [[0.6, 0.1], [0.4, 0.9]])


def test_tables_leave_the_network_as_it_is():
    made = network(cpd("a", 2, [[0.334], [0.667]]), cpd("b", 2, [[0.1, 0.6], [0.9, 0.4]], ["a"], [2]))
    before = [table.values.copy() for table in made.cpds]
    known = tables(made)
    assert np.exp(known.factors[0].log).sum() == pytest.approx(1, abs=1e-15)  # the copy is divided by its sum
    for table, values in zip(made.cpds, before, strict=True):
        np.testing.assert_array_equal(table.values, values)


def cyclic():
    import networkx as nx

    made = network(cpd("a", 2, [[0.5] * 2] * 2, ["b"], [2]), cpd("b", 2, [[0.5] * 2] * 2, ["a"], [2]))
    nx.DiGraph.add_edge(made, "b", "a")  # past pgmpy's own check
    return made


def spoilt(value):
    made = network(cpd("a", 2, [[0.5], [0.5]]), edges=(), nodes=["a"])
    made.cpds[0].values = np.array(value)
    return made


def unknown_scope():
    made = markov([("a", "b"), ("b", "c")], (["a", "b"], [2, 2], np.ones(4)), (["b", "c"], [2, 2], np.ones(4)))
    made.remove_node("c")
    return made


ONE, TWO = (["a"], [2], [1, 1]), (["a", "b"], [2, 2], [1, 1, 1, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: network(edges=()), "at least one node, got an empty one"),
        (lambda: network(), r"must have conditional tables \(add_cpds\), got none: add one for each of its 2 nodes"),
        (lambda: network(cpd("a", 2, [[0.5], [0.5]])), "every node must have a table, got 'b' without one"),
        (
            lambda: network(cpd("b", 2, [[0.5] * 2] * 2, ["a"], [2])),
            "every node must have a table, got 'a' without one",
        ),
        (cyclic, "must have no cycle, got"),
        (lambda: network(cpd("a", 2, [[0.5], [0.5]]), cpd("b", 2, [[0.5], [0.5]])), r"parents \['a'\], got \[\]"),
        (
            lambda: network(cpd("a", 2, [[0.5], [0.52]]), cpd("b", 2, [[0.5, 0.5], [0.5, 0.5]], ["a"], [2])),
            "the table of 'a' must sum to one for each state of its parents, got a sum of 1.02",
        ),
        (
            lambda: network(cpd("a", 2, [[0.5], [0.5]]), cpd("b", 2, [[0.0, 0.5], [0.0, 0.5]], ["a"], [2])),
            "the table of 'b' must sum to one for each state of its parents, got a sum of 0",
        ),
        (
            lambda: network(cpd("a", 3, [[0.5], [0.25], [0.25]]), cpd("b", 2, [[0.5] * 2] * 2, ["a"], [2])),
            "the tables must agree on the states of 'a'",
        ),
        (lambda: spoilt([-0.5, 1.5]), "finite and not negative, got -0.5 to 1.5"),
        (lambda: spoilt([np.nan, 1.0]), "finite and not negative"),
        (lambda: spoilt([1.0]), r"must have the shape \(2,\) of their states, got \(1,\)"),
        (lambda: markov([("a", "b")]), r"must have factors \(add_factors\), got none: add one for each of its 2 nodes"),
        (lambda: markov([("a", "b")], ONE), "every node must have a table, got 'b' without one"),
        (lambda: markov([("a", "b")], ONE, TWO, nodes=["c"]), "every node must have a table, got 'c' without one"),
        (lambda: markov([], TWO, nodes=["a", "b"]), "got 'a' and 'b', which have no edge"),
        (lambda: markov([("a", "b")], TWO, (["b"], [3], [1, 1, 1])), "must agree on the states of 'b'"),
        (lambda: markov([("a", "b")], (["a", "b"], [2, 2], [1, 1, -1, 1])), "not negative, got -1.0 to 1.0"),
        (lambda: markov([("a", "b")], (["a", "b"], [2, 2], [1, 1, np.inf, 1])), "finite and not negative"),
        (unknown_scope, "must name nodes of the network, got 'c'"),
    ],
)
def test_bad_tables_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        tables(make())


def test_other_things_and_graphs_without_tables_by_their_kind_are_refused():
    import networkx as nx
    from pgmpy.base import DAG

    wanted = "network must be a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy with tables, got "
    for thing in (None, "network", 3, DAG([("a", "b")]), nx.DiGraph([("a", "b")])):
        with pytest.raises(TypeError, match=f"{wanted}{type(thing).__name__}$"):
            tables(thing)
