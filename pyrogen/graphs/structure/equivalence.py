"""Which directed graphs assert the same independences?

Exactly those with the same edges, arrows aside, and the same v-structures: colliders a → m ← b whose ends are not
joined. An arrow that all of them share is compelled, and the others can be turned.

Sources: Verma & Pearl, Equivalence and synthesis of causal models, UAI 1990, https://arxiv.org/abs/1304.1108; Meek,
Causal inference and causal explanation with background knowledge, UAI 1995, https://arxiv.org/abs/1302.4972.
"""

from __future__ import annotations

from itertools import combinations

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.validation import Graph, Node

Arrow = tuple[Node, Node]


def v_structures(dag: Graph) -> tuple[tuple[Node, Node, Node], ...]:
    """Return all (a, m, b) with a → m ← b where a and b are not joined, a before b, in the graph's own order of m, a
    and b.

    Args:
        dag: a pgmpy DAG or Bayesian network, or a networkx DiGraph. Latent variables are nodes like all others.

    Raises:
        TypeError, ValueError: for another kind of graph or value, a cycle, or an empty graph.

    Example:
        >>> import networkx as nx
        >>> v_structures(nx.DiGraph([("A", "C"), ("B", "C"), ("C", "D")]))
        (('A', 'C', 'B'),)
    """
    place = {node: number for number, node in enumerate(validation.directed(dag))}
    return tuple(
        (a, m, b)
        for m in dag
        for a, b in combinations(sorted(dag.predecessors(m), key=place.__getitem__), 2)
        if not _joined(dag, a, b)
    )


def markov_equivalent(a: Graph, b: Graph) -> bool:
    """Return whether two directed graphs over the same nodes assert the same independences.

    Args:
        a, b: as for `v_structures`.

    Raises:
        TypeError, ValueError: as for `v_structures`, and for nodes that differ.

    Example:
        >>> import networkx as nx
        >>> chain, fork = nx.DiGraph([("A", "B"), ("B", "C")]), nx.DiGraph([("B", "A"), ("B", "C")])
        >>> markov_equivalent(chain, fork), markov_equivalent(chain, nx.DiGraph([("A", "B"), ("C", "B")]))
        (True, False)
    """
    for dag in (a, b):
        validation.without_latents(validation.directed(dag))
    one, other = ({(frozenset((x, y)), m) for x, m, y in v_structures(dag)} for dag in (a, b))
    validation.same_nodes(a, b)
    return one == other and {frozenset(edge) for edge in a.edges} == {frozenset(edge) for edge in b.edges}


def cpdag(dag: Graph) -> Graph:
    """Return the equivalence class of a directed graph as a pgmpy PDAG: an arrow where all its members have it, else a
    line.

    A line a – b stands in the PDAG as both arrows, as pgmpy has it; see its ``directed_edges`` and
    ``undirected_edges``.

    Args:
        dag: as for `v_structures`.

    Raises:
        TypeError, ValueError: as for `v_structures`.

    Example:
        >>> import networkx as nx
        >>> found = cpdag(nx.DiGraph([("A", "C"), ("B", "C"), ("C", "D"), ("E", "A")]))
        >>> sorted(found.directed_edges), sorted(found.undirected_edges)
        ([('A', 'C'), ('B', 'C'), ('C', 'D')], [('E', 'A')])
    """
    from pgmpy.base import PDAG

    validation.without_latents(validation.directed(dag))
    arrows = {(end, m) for a, m, b in v_structures(dag) for end in (a, b)}
    lines = set(dag.edges) - arrows
    while compelled := {(a, b) for a, b in lines if _compelled(dag, a, b, arrows, lines)}:
        arrows |= compelled
        lines -= compelled
    found = graph_of(PDAG, dag, [*dag.edges, *((b, a) for a, b in dag.edges if (a, b) in lines)])
    found.directed_edges, found.undirected_edges = arrows, lines
    return found


def _compelled(dag: Graph, a: Node, b: Node, arrows: set[Arrow], lines: set[Arrow]) -> bool:
    """Return whether a – b must be a → b. Only the way the arrow has in `dag` can be compelled, as `dag` is in the
    class. These are Meek's rules."""
    if any((c, a) in arrows and not _joined(dag, c, b) for c in dag.predecessors(a)):
        return True  # c → a – b: b → a would be a new v-structure
    if any((a, c) in arrows and (c, b) in arrows for c in dag.successors(a)):
        return True  # a → c → b: b → a would close a cycle
    between = [c for c in dag.predecessors(b) if (c, b) in arrows and {(a, c), (c, a)} & lines]
    return any(not _joined(dag, c, d) for c, d in combinations(between, 2))  # a – c → b and a – d → b: one or the other


def _joined(dag: Graph, a: Node, b: Node) -> bool:
    return bool(dag.has_edge(a, b) or dag.has_edge(b, a))
