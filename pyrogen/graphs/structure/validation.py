"""The boundary of the graphs: what comes in is checked here, in one sentence each, and trusted afterwards.

Graphs are pgmpy's or networkx's. A name may be any hashable object, as there: the string ``"rain"``, the integer 0 or
the tuple ``("rain", 3)``. Each is one node where the graph has it. A string is never taken apart into letters.
A latent variable of a pgmpy graph passes influence on and is never observed: it may be asked about, may not stand in
``given``, and is in no separator. Maps and equivalence refuse graphs with latent variables, since what holds among the
observed ones need not be what a graph says.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from itertools import pairwise
from typing import Any

from pyrogen import checks

Node = Hashable
Nodes = Hashable | Iterable[Hashable]  # one name, or several
State = Hashable
Graph = Any  # a graph of networkx or pgmpy; both are untyped

SHOWN = 8  # names listed in a message


def directed(graph: Graph) -> Graph:
    """Return the graph itself, if it is directed, has nodes and no cycle.

    Raises:
        TypeError: for anything else than a simple directed graph.
        ValueError: for an empty graph or a cycle, which is named.

    Example:
        >>> import networkx as nx
        >>> directed(nx.DiGraph([("A", "B"), ("B", "A")]))
        Traceback (most recent call last):
        ValueError: a directed graph must have no cycle, got A → B → A
    """
    import networkx as nx

    if not isinstance(graph, nx.DiGraph) or graph.is_multigraph():
        raise TypeError(f"the graph must be directed (a pgmpy DAG or a networkx DiGraph), got {_kind(graph)}")
    _not_empty(graph)
    if not nx.is_directed_acyclic_graph(graph):
        cycle = [edge[0] for edge in nx.find_cycle(graph)]
        raise ValueError(f"a directed graph must have no cycle, got {' → '.join(map(str, [*cycle, cycle[0]]))}")
    return graph


def undirected(graph: Graph) -> Graph:
    """Return the graph itself, if it is undirected, has nodes and joins none to itself.

    Raises:
        TypeError: for anything else than a simple undirected graph.
        ValueError: for an empty graph or an edge from a node to itself.
    """
    import networkx as nx

    if not isinstance(graph, nx.Graph) or graph.is_directed() or graph.is_multigraph():
        raise TypeError(
            f"the graph must be undirected (a pgmpy UndirectedGraph or a networkx Graph), got {_kind(graph)}"
        )
    _not_empty(graph)
    for node in nx.nodes_with_selfloops(graph):
        raise ValueError(f"edges must join two different nodes, got one that joins {node!r} to itself")
    return graph


def either(graph: Graph) -> Graph:
    """Return the graph itself, if it passes as directed or as undirected; raises what `directed` and `undirected`
    raise."""
    import networkx as nx

    if not isinstance(graph, nx.Graph):
        raise TypeError(f"the graph must be one of pgmpy or networkx, got {_kind(graph)}")
    return directed(graph) if graph.is_directed() else undirected(graph)


def names(graph: Graph, value: Nodes | None, what: str, *, empty: bool = False) -> tuple[Node, ...]:
    """Return the nodes that `value` names, in the graph's own order; `value` is one name or an iterable of names.

    What the graph has as a node counts as one name, even if it is a tuple or a string. None names nothing.

    Args:
        graph: has the nodes.
        value: one name, or several, each once.
        what: the argument's name, for the message.
        empty: whether naming nothing is allowed.

    Raises:
        ValueError: for a name that the graph has not, one given twice, or none at all where one is needed.

    Example:
        >>> import networkx as nx
        >>> graph = nx.DiGraph([("rain", "wet"), ("wet", 0)])
        >>> names(graph, "wet", "x"), names(graph, [0, "rain"], "x"), names(graph, 0, "given")
        (('wet',), ('rain', 0), (0,))
    """
    places = {node: (place, node) for place, node in enumerate(graph)}
    asked: list[Any]
    if value is None:
        asked = []
    elif _has(places, value) or not isinstance(value, Iterable):
        asked = [value]
    else:
        asked = members(value, what)
    for name in asked:
        if not _has(places, name):
            raise ValueError(f"{what} must name nodes of the graph ({listed(graph)}), got {name!r}")
    found = sorted((places[name] for name in asked), key=lambda item: item[0])
    for (_, name), (_, following) in pairwise(found):
        if name == following:
            raise ValueError(f"{what} must name each node once, got {name!r} twice")
    if not found and not empty:
        raise ValueError(f"{what} must name at least one node, got none")
    return tuple(node for _, node in found)


def members(value: Any, what: str) -> list[Any]:
    """Return what an iterable holds, a text being one name; a ``TypeError`` for what is not one, such as a number."""
    try:
        return [value] if isinstance(value, str | bytes) else list(value)
    except TypeError:
        raise TypeError(f"{what} must be names of nodes, got {checks.shown(value)}") from None


def name(graph: Graph, value: Nodes, what: str) -> Node:
    """Return the one node that `value` names; raises a ValueError for several, and what `names` raises."""
    found = names(graph, value, what)
    if len(found) != 1:
        raise ValueError(f"{what} must name one node, got {len(found)}: {listed(found)}")
    return found[0]


def ordering(graph: Graph, order: Iterable[Node]) -> tuple[Node, ...]:
    """Return the nodes in the order given, which must name all of them, each once; raises a ValueError otherwise."""
    order = members(order, "order")
    found = names(graph, order, "order", empty=True)
    if len(found) != len(graph):
        missing = [node for node in graph if node not in set(found)]
        raise ValueError(f"order must name all {len(graph)} nodes, got all but {listed(missing)}")
    return tuple(order)


def apart(**sides: Iterable[Node]) -> None:
    """Refuse a node that stands on two sides of a query; the keywords name the sides.

    Example:
        >>> apart(x=("A",), y=("B",), given=("A", "C"))
        Traceback (most recent call last):
        ValueError: a node must be on one side of a query, got 'A' in x and in given
    """
    seen: dict[Node, str] = {}
    for side, nodes in sides.items():
        for node in nodes:
            if node in seen:
                raise ValueError(f"a node must be on one side of a query, got {node!r} in {seen[node]} and in {side}")
            seen[node] = side


def query(graph: Graph, x: Nodes, y: Nodes, given: Nodes | None) -> tuple[tuple[Node, ...], ...]:
    """Return the three sides of "is x independent of y given these?", each in the graph's order, none sharing a
    node."""
    sides = names(graph, x, "x"), names(graph, y, "y"), names(graph, given, "given", empty=True)
    apart(x=sides[0], y=sides[1], given=sides[2])
    for node in sides[2]:
        if node in latents(graph):
            raise ValueError(f"given must name observed nodes, got {node!r}, which is latent in this graph")
    return sides


def latents(graph: Graph) -> set[Node]:
    """Return the nodes that a graph of pgmpy says are latent; none for other graphs."""
    return {node for node in getattr(graph, "latents", None) or () if node in graph}


def without_latents(graph: Graph) -> Graph:
    """Return the graph itself, if none of its nodes is latent; raise a ValueError otherwise."""
    for node in latents(graph):
        raise ValueError(
            f"graphs must have no latent nodes for maps and equivalence, got {node!r}: the independences of the others "
            "alone need not be those of a graph. Clear `latents` to take it for observed"
        )
    return graph


def states(network: Any) -> dict[Node, tuple[State, ...]]:
    """Return the states of every node of a network with tables, in the order of its conditional table (or first
    factor).

    Raises:
        TypeError: if the network has no tables at all by its kind (a bare graph).
        ValueError: for an empty network, a node without a table, or tables that disagree on a node's states.
    """
    tables = getattr(network, "cpds", None) if hasattr(network, "get_cpds") else getattr(network, "factors", None)
    if tables is None or not hasattr(network, "nodes"):
        raise TypeError(f"network must be a discrete Bayesian or Markov network of pgmpy, got {_kind(network)}")
    _not_empty(network)
    found: dict[Node, tuple[State, ...]] = {
        table.variable: tuple(table.state_names[table.variable]) for table in tables if hasattr(table, "variable")
    }
    for table in tables:
        for node in table.variables:
            here = tuple(table.state_names[node])
            if set(found.setdefault(node, here)) != set(here):
                raise ValueError(f"the tables must agree on the states of {node!r}, got {found[node]} and {here}")
    for node in network.nodes:
        if node not in found:
            raise ValueError(f"every node must have a table, got {node!r} without one")
    return {node: found[node] for node in network.nodes}


def same_nodes(a: Graph, b: Graph) -> None:
    """Refuse two graphs that are not over the same nodes, naming one that only one of them has."""
    for one, other, which in ((a, b, "first"), (b, a, "second")):
        for node in one:
            if node not in other:
                raise ValueError(f"two graphs must be over the same nodes, got {node!r} in the {which} only")


def _not_empty(graph: Graph) -> None:
    if len(graph.nodes) == 0:
        raise ValueError("the graph must have at least one node, got an empty one")


def _has(container: Any, value: Any) -> bool:
    try:
        return value in container
    except TypeError:  # not hashable, so no name
        return False


def _kind(value: Any) -> str:
    library = type(value).__module__.split(".")[0]
    return type(value).__name__ if library in ("builtins", "__main__") else f"{library}'s {type(value).__name__}"


def listed(values: Iterable[Any], show: Callable[[Any], str] = repr) -> str:
    """Return values for a message: the first `SHOWN`, and how many there are in all."""
    shown = list(map(show, values))
    rest = [f"… ({len(shown)} in all)"] if len(shown) > SHOWN else []
    return ", ".join(shown[:SHOWN] + rest)
