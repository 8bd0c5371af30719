"""When does a graph say that x and y are independent given z? Where it does not, a trail shows the way of influence.

**Undirected.** Influence runs along edges and stops at observed nodes: x and y are separated given z when every path
between them meets z.

**Directed.** Three nodes in a row on a trail meet in one of three ways, and the middle one lets influence through or
not:

=========  =============  ============================================
chain      a → m → b      open, unless m is observed
fork       a ← m → b      open, unless m is observed
collider   a → m ← b      shut, unless m or a descendant of m is observed
=========  =============  ============================================

A trail is *active* when every middle node on it is open, and x and y are d-separated given z when no trail is. There
may be exponentially many trails, so `d_separated` does not list them. It throws a ball, as Shachter's Bayes-ball does.
What the ball may do next depends only on its node and on whether it came along an arrow or against one. So each node is
visited at most twice, and each edge a constant number of times.

Sources: Shachter, Bayes-Ball, UAI 1998, https://arxiv.org/abs/1301.7412; Koller & Friedman, Probabilistic Graphical
Models, 2009, section 3.3 and algorithm 3.1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Graph, Node, Nodes

Trail = tuple[Node, ...]
Visit = tuple[Node, bool]  # a node, and whether the ball came to it along an arrow (from a parent)
V = TypeVar("V")


def d_separated(dag: Graph, x: Nodes, y: Nodes, given: Nodes | None = ()) -> bool:
    """Return whether x ⊥ y | given in a directed graph: no trail between them is active. Time O(nodes + edges).

    Args:
        dag: a pgmpy DAG or Bayesian network, or a networkx DiGraph. Influence passes latent nodes.
        x, y: one name or several each; for several, every node of x is separated from every node of y.
        given: the observed nodes, one name or several, none of them latent; () for none.

    Raises:
        TypeError: if `dag` is not a directed graph.
        ValueError: for a cycle, an empty graph, an unknown name, or a node on two sides.

    Example:
        >>> import networkx as nx
        >>> dag = nx.DiGraph([("rain", "wet"), ("sprinkler", "wet"), ("wet", "slippery")])
        >>> d_separated(dag, "rain", "sprinkler"), d_separated(dag, "rain", "sprinkler", "slippery")
        (True, False)
    """
    return active_trail(dag, x, y, given) is None


def active_trail(dag: Graph, x: Nodes, y: Nodes, given: Nodes | None = ()) -> Trail | None:
    """Return a shortest active trail from x to y given the observed nodes, or None when they are d-separated.

    The trail visits no node twice. Arguments and errors are those of `d_separated`.

    Example:
        >>> import networkx as nx
        >>> dag = nx.DiGraph([("rain", "wet"), ("sprinkler", "wet"), ("wet", "slippery")])
        >>> active_trail(dag, "rain", "sprinkler", given="slippery")
        ('rain', 'wet', 'sprinkler')
    """
    sources, targets, observed = validation.query(validation.directed(dag), x, y, given)
    came_from, goals = throw(dag, sources, observed), set(targets)
    # No node is on the way twice: a walk that comes back to a node can be cut short there. If that makes the node a
    # collider, the loop cut out led down from it to an observed node, which keeps it open.
    return _way_back(came_from, (visit for visit in came_from if visit[0] in goals), key=lambda visit: visit[0])


def separated(ug: Graph, x: Nodes, y: Nodes, given: Nodes | None = ()) -> bool:
    """Return whether x ⊥ y | given in an undirected graph: every path between them meets an observed node.

    Args:
        ug: a pgmpy UndirectedGraph or Markov network, or a networkx Graph.
        x, y, given: as for `d_separated`.

    Raises:
        TypeError, ValueError: as for `d_separated`.

    Example:
        >>> import networkx as nx
        >>> ug = nx.Graph([("A", "B"), ("B", "C")])
        >>> separated(ug, "A", "C"), separated(ug, "A", "C", given="B")
        (False, True)
    """
    return path(ug, x, y, given) is None


def path(ug: Graph, x: Nodes, y: Nodes, given: Nodes | None = ()) -> Trail | None:
    """Return a shortest path from x to y that avoids the observed nodes, or None when they are separated.

    Arguments and errors are those of `separated`.

    Example:
        >>> import networkx as nx
        >>> path(nx.Graph([("A", "B"), ("B", "C"), ("A", "D"), ("D", "C")]), "A", "C", given="B")
        ('A', 'D', 'C')
    """
    sources, targets, observed = validation.query(validation.undirected(ug), x, y, given)
    came_from, goals = spread(ug, sources, observed), set(targets)
    return _way_back(came_from, (node for node in came_from if node in goals), key=lambda node: node)


def asserts(graph: Graph, x: Nodes, y: Nodes, given: Nodes | None = ()) -> bool:
    """Return whether a graph, directed or not, says that x ⊥ y | given; as `d_separated` or as `separated`."""
    return (d_separated if graph.is_directed() else separated)(graph, x, y, given)


def throw(dag: Graph, sources: Iterable[Node], observed: Iterable[Node]) -> dict[Visit, Visit | None]:
    """Throw the ball from each of `sources`: every visit it makes, in order of distance, with the visit before.

    It visits observed nodes too (where it stops or bounces back); the others that it visits are those that depend on a
    source given the observed ones. Nothing is checked here.
    """
    shut = set(observed)
    opens = ancestors(dag, shut)  # a collider is open if it, or a descendant of it, is observed
    came_from: dict[Visit, Visit | None] = {(source, False): None for source in sources}  # may leave either way
    waiting = deque(came_from)
    while waiting:
        visit = waiting.popleft()
        node, along = visit
        steps: list[Visit] = []
        if node not in shut:  # on to the children: through a chain if the ball came along, through a fork if against
            steps += [(child, True) for child in dag.successors(node)]
        if node in opens if along else node not in shut:  # on to the parents: through a collider, or through a chain
            steps += [(parent, False) for parent in dag.predecessors(node)]
        for step in steps:
            if step not in came_from:
                came_from[step] = visit
                waiting.append(step)
    return came_from


def spread(ug: Graph, sources: Iterable[Node], observed: Iterable[Node]) -> dict[Node, Node | None]:
    """Return every node that influence from `sources` comes to, in order of distance, with the node before; unchecked.

    Observed nodes are come to and not passed.
    """
    shut = set(observed)
    came_from: dict[Node, Node | None] = dict.fromkeys(sources)
    waiting = deque(came_from)
    while waiting:
        node = waiting.popleft()
        for neighbor in () if node in shut else ug.neighbors(node):
            if neighbor not in came_from:
                came_from[neighbor] = node
                waiting.append(neighbor)
    return came_from


def ancestors(dag: Graph, nodes: Iterable[Node]) -> set[Node]:
    """Return the nodes themselves and all from which an arrow path leads to one of them; unchecked."""
    found = set(nodes)
    waiting = list(found)
    while waiting:
        for parent in dag.predecessors(waiting.pop()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _way_back(came_from: dict[V, V | None], ends: Iterator[V], key: Callable[[V], Node]) -> Trail | None:
    """Return the nodes from a source to the first of `ends`, which are visits in order of distance, or None."""
    visit = next(ends, None)
    if visit is None:
        return None
    way: list[Node] = []
    while visit is not None:
        way.append(key(visit))
        visit = came_from[visit]
    return tuple(reversed(way))
