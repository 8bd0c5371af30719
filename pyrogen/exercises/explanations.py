"""Evidence in words: what a person can follow with a finger on the graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, islice

from pyrogen.graphs.inference.dependence import Dependence
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.maps import Independence
from pyrogen.graphs.structure.separation import active_trail, ancestors, path
from pyrogen.graphs.structure.trails import blocked_trails, draw_trail, joint
from pyrogen.graphs.structure.validation import Graph, Node

TRAILS = 12  # trails or paths listed one by one
LOOKED_AT = 1000  # trails looked at before they are called too many


def named(nodes: Iterable[Node]) -> str:
    """Return a set as ``{A, B}``."""
    return f"{{{', '.join(map(str, nodes))}}}"


def listing(parts: Sequence[str], last: str = "and") -> str:
    """Return words joined as ``a, b and c``."""
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts) or "none"


def difference(missing: Sequence[str], extra: Sequence[str], is_not: str, are_not: str) -> str:
    """Return what a stated set misses, and what of it `is_not` (several of which `are_not`) as it should be."""
    parts = [f"it misses {listing(missing)}"] if missing else []
    parts += [f"{listing(extra)} {is_not if len(extra) == 1 else are_not}"] if extra else []
    return " and ".join(parts)


def independence(x: Sequence[Node], y: Sequence[Node], given: Sequence[Node]) -> str:
    """``A ⊥ B, C | D``."""
    return str(Independence(", ".join(map(str, x)), ", ".join(map(str, y)), tuple(given)))


def why(graph: Graph, x: Sequence[Node], y: Sequence[Node], given: Sequence[Node]) -> list[str]:
    """Return why a graph asserts x ⊥ y | given, or the one reason why it does not."""
    return (_why_directed if graph.is_directed() else _why_undirected)(graph, x, y, given)


def _why_directed(dag: Graph, x: Sequence[Node], y: Sequence[Node], given: Sequence[Node]) -> list[str]:
    """Return the active trail and why it is open, or every trail with the node that blocks it."""
    trail = active_trail(dag, list(x), list(y), list(given))
    if trail is not None:
        return [f"active trail {draw_trail(dag, trail)}{_why_open(dag, trail, given)}"]
    try:
        blocked = blocked_trails(dag, list(x), list(y), list(given), limit=LOOKED_AT)
    except ValueError:
        return ["no trail is active; there are too many to list them one by one"]
    if not blocked:
        return [f"no trail joins {', '.join(map(str, x))} and {', '.join(map(str, y))} at all"]
    more = [f"… and {len(blocked) - TRAILS} more, each of them blocked"] if len(blocked) > TRAILS else []
    return [*map(str, sorted(blocked, key=lambda found: len(found.trail))[:TRAILS]), *more]


def _why_undirected(ug: Graph, x: Sequence[Node], y: Sequence[Node], given: Sequence[Node]) -> list[str]:
    """Return a path that avoids all observed nodes, or the paths with the observed node that each meets."""
    import networkx as nx

    way = path(ug, list(x), list(y), list(given))
    if way is not None:
        avoids = ": it meets no observed node" if given else ""
        return [f"the path {draw_trail(ug, way)} is open{avoids}"]
    plain = graph_of(nx.Graph, ug, ug.edges())
    paths = [
        way
        for a in x
        for b in y
        for way in islice(nx.all_simple_paths(plain, a, b), TRAILS + 1)
        if not set(way[1:-1]) & {*x, *y}
    ]
    if not paths:
        return [f"no path joins {', '.join(map(str, x))} and {', '.join(map(str, y))} at all"]
    more = ["… and more, each of which meets an observed node"] if len(paths) > TRAILS else []
    met = {tuple(way): next(node for node in way if node in given) for way in sorted(paths, key=len)[:TRAILS]}
    return [f"{draw_trail(ug, way)} is cut at {node}" for way, node in met.items()] + more


def why_not(graph: Graph, x: Node, y: Node, given: Iterable[Node]) -> str:
    """Why a graph does not assert x ⊥ y | given, in a clause."""
    return why(graph, [x], [y], list(given))[0]


def in_numbers(found: Sequence[Dependence] | None, what: str) -> str:
    """Return what the random networks say of I(x; y | z)."""
    if found is None:
        return f"I({what}) is not computed: its table would be too large"
    largest = max(dependence.nats for dependence in found)
    bound = found[0].bound
    if not any(found):
        return f"I({what}) is zero in {len(found)} random networks (at most {largest:.0e} nats; rounding {bound:.0e})"
    least = min(dependence.nats for dependence in found)
    return f"I({what}) is {least:.1e} to {largest:.1e} nats in {len(found)} random networks (rounding {bound:.0e})"


def married(dag: Graph, a: Node, b: Node) -> str:
    """Why a and b are joined in the moral graph of `dag`."""
    if dag.has_edge(a, b) or dag.has_edge(b, a):
        return f"{draw_trail(dag, (a, b))} is an arrow"
    children = [str(child) for child in dag.successors(a) if dag.has_edge(b, child)]
    return f"{a} and {b} are both parents of {listing(children)}"


def missing_edges(ug: Graph, nodes: Sequence[Node]) -> list[tuple[Node, Node]]:
    """Return the pairs among these nodes that no edge joins."""
    return [(a, b) for a, b in combinations(nodes, 2) if not ug.has_edge(a, b)]


def edge(a: Node, b: Node) -> str:
    """``A – B``."""
    return f"{a} – {b}"


def _why_open(dag: Graph, trail: Sequence[Node], given: Sequence[Node]) -> str:
    shut = set(given)
    reasons = []
    for a, node, b in zip(trail, trail[1:], trail[2:], strict=False):
        how = joint(dag, a, node, b)
        if how != "collider":
            reasons.append(f"{node} is not observed")
        elif node in shut:
            reasons.append(f"the collider {node} is observed")
        else:
            below = next(other for other in given if node in ancestors(dag, [other]))
            reasons.append(f"{below}, observed, descends from the collider {node}")
    return f": {listing(reasons)}" if reasons else ": they are joined"
