"""Trails of a directed graph, read aloud: how each looks, and which node blocks it and why.

This lists trails one by one, of which there may be exponentially many; to decide whether two nodes are d-separated,
`pyrogen.graphs.structure.separation` needs no list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

from pyrogen import checks
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.separation import Trail, ancestors, spread
from pyrogen.graphs.structure.validation import Graph, Node, Nodes

Joint = Literal["chain", "fork", "collider"]

REASONS = {
    "chain": "a chain whose middle is observed",
    "fork": "a fork whose middle is observed",
    "collider": "a collider, and neither it nor a descendant of it is observed",
}


@dataclass(frozen=True)
class BlockedTrail:
    """A trail that lets no influence through, and the first node on it that stops it.

    Attributes:
        trail: its nodes, from x to y.
        node: the first node that blocks it.
        joint: how the trail runs through that node: ``"chain"``, ``"fork"`` or ``"collider"``.
        drawn: the trail with its arrows, such as ``"A → B ← C"``.
    """

    trail: Trail
    node: Node
    joint: Joint
    drawn: str

    def __str__(self) -> str:
        return f"{self.drawn} is blocked at {self.node}: {REASONS[self.joint]}"


def blocked_trails(
    dag: Graph, x: Nodes, y: Nodes, given: Nodes | None = (), limit: int = 10_000
) -> tuple[BlockedTrail, ...]:
    """Return every blocked trail from x to y, with the node that blocks it and why; the evidence for a d-separation.

    If x and y are d-separated given the observed nodes, these are all trails between them. If not, the active ones are
    left out (see `active_trail`). A trail visits no node twice and meets x and y at its ends alone. Shorter trails do
    not necessarily come first: the order is that of a depth-first search along the graph's own order.

    Args:
        dag, x, y, given: as for `d_separated`.
        limit: the largest number of trails, blocked or not, to be looked at. The time is O(limit · nodes · edges).

    Raises:
        TypeError, ValueError: as for `d_separated`; ValueError if there are more trails than `limit`.

    Example:
        >>> import networkx as nx
        >>> dag = nx.DiGraph([("cloudy", "rain"), ("cloudy", "sprinkler"), ("rain", "wet"), ("sprinkler", "wet")])
        >>> for blocked in blocked_trails(dag, "rain", "sprinkler", given="cloudy"):
        ...     print(blocked)
        rain ← cloudy → sprinkler is blocked at cloudy: a fork whose middle is observed
        rain → wet ← sprinkler is blocked at wet: a collider, and neither it nor a descendant of it is observed
    """
    sources, targets, observed = validation.query(validation.directed(dag), x, y, given)
    limit = checks.whole("limit", limit, least=1, most=checks.LARGEST_COUNT)
    trails = tuple(islice(_trails(dag, sources, targets), limit + 1))
    if len(trails) > limit:
        raise ValueError(
            f"limit must be at least the number of trails between x and y, got {limit}: raise it, or ask d_separated, "
            "which lists none"
        )
    shut = set(observed)
    opens = ancestors(dag, shut)
    blocked = []
    for trail in trails:
        if stop := _stop(dag, trail, shut, opens):
            blocked.append(BlockedTrail(trail, *stop, draw_trail(dag, trail)))
    return tuple(blocked)


def blocker(graph: Graph, trail: Trail, given: Nodes | None = ()) -> Node | None:
    """Return the first node that blocks a trail, or in an undirected graph cuts a path; None where nothing does.

    Raises:
        TypeError, ValueError: for another kind of value, unknown names, or nodes in a row that are not joined.

    Example:
        >>> import networkx as nx
        >>> dag = nx.DiGraph([("A", "B"), ("C", "B")])
        >>> blocker(dag, ("A", "B", "C")), blocker(dag, ("A", "B", "C"), given="B")
        ('B', None)
    """
    shut = set(validation.names(validation.either(graph), given, "given", empty=True))
    draw_trail(graph, trail)
    if graph.is_directed():
        stop = _stop(graph, trail, shut, ancestors(graph, shut))
        return stop[0] if stop else None
    return next((node for node in trail[1:-1] if node in shut), None)


def _stop(dag: Graph, trail: Trail, shut: set[Node], opens: set[Node]) -> tuple[Node, Joint] | None:
    for a, node, b in zip(trail, trail[1:], trail[2:], strict=False):
        how = joint(dag, a, node, b)
        if node not in opens if how == "collider" else node in shut:
            return node, how
    return None


def joint(dag: Graph, a: Node, node: Node, b: Node) -> Joint:
    """Return how a trail runs through `node` from its neighbor `a` to its neighbor `b`; nothing is checked.

    Example:
        >>> import networkx as nx
        >>> joint(nx.DiGraph([("A", "B"), ("C", "B")]), "A", "B", "C")
        'collider'
    """
    into = dag.has_edge(a, node), dag.has_edge(b, node)
    return "collider" if all(into) else "chain" if any(into) else "fork"


def draw_trail(graph: Graph, trail: Trail) -> str:
    """Return a trail or path as text, with the arrows as they stand in the graph.

    Args:
        graph: a directed or undirected graph.
        trail: its nodes in order.

    Raises:
        ValueError: if two nodes in a row are not joined.

    Example:
        >>> import networkx as nx
        >>> draw_trail(nx.DiGraph([("A", "B"), ("C", "B")]), ("A", "B", "C"))
        'A → B ← C'
        >>> draw_trail(nx.Graph([("A", "B")]), ("A", "B"))
        'A – B'
    """
    validation.either(graph)
    trail = tuple(validation.name(graph, [node], "trail") for node in validation.members(trail, "trail"))
    closed = len(trail) > 3 and trail[0] == trail[-1]
    validation.names(graph, trail[closed:], "trail", empty=True)
    text = str(trail[0]) if trail else ""
    for a, b in pairwise(trail):
        if not (graph.has_edge(a, b) or graph.has_edge(b, a)):
            raise ValueError(f"a trail must follow edges of the graph, got {a!r} next to {b!r}, which no edge joins")
        text += f" {'–' if not graph.is_directed() else '→' if graph.has_edge(a, b) else '←'} {b}"
    return text


def _trails(dag: Graph, sources: Trail, targets: Trail) -> Iterator[Trail]:
    """Yield every simple trail, by depth-first search that takes no step from which y can no longer be reached.

    So each trail costs at most one search of the graph for each edge at each of its nodes. The search enters no dead
    end, of which there may be exponentially many.
    """
    import networkx as nx

    place, goals = {node: number for number, node in enumerate(dag)}, set(targets)
    ug = graph_of(nx.Graph, dag, dag.edges)
    near = {node: sorted(ug[node], key=place.__getitem__) for node in dag}

    def open_steps(node: Node, taken: set[Node]) -> Iterator[Node]:
        hopeful = spread(ug, targets, taken).keys() - taken
        return (step for step in near[node] if step in hopeful)

    for source in sources:
        trail, taken = [source], set(sources)
        waiting = [open_steps(source, taken)]
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                left = trail.pop()
                if left != source:
                    taken.discard(left)
            elif step in goals:
                yield (*trail, step)
            else:
                trail.append(step)
                taken.add(step)
                waiting.append(open_steps(step, taken))
