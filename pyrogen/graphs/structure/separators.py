"""The fewest nodes to observe so that x and y become independent.

Whether x ⊥ y | z in a directed graph can be read off the moral graph of x, y, z and their ancestors. A smallest z lies
among the ancestors of x and y. So z is a smallest cut of nodes between x and y in the moral graph of those ancestors.
By Menger's theorem it is as large as the number of disjoint paths between them there.

Sources: Tian, Paz & Pearl, Finding minimal d-separators, UCLA R-254, 1998,
https://ftp.cs.ucla.edu/pub/stat_ser/r254.pdf; Acid & de Campos, UAI 1996, https://arxiv.org/abs/1302.3549.
"""

from __future__ import annotations

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.moral import marry
from pyrogen.graphs.structure.separation import ancestors
from pyrogen.graphs.structure.validation import Graph, Node, Nodes


def minimum_d_separator(dag: Graph, x: Nodes, y: Nodes, among: Nodes | None = None) -> frozenset[Node] | None:
    """Return a smallest set z with x ⊥ y | z in a directed graph, or None if no set separates them (as when they are
    joined).

    Of several smallest sets it is the one nearest to y. The time is O(|z| · edges of the moral graph).

    Args:
        dag: a pgmpy DAG or Bayesian network, or a networkx DiGraph.
        x, y: one name or several each.
        among: the nodes that z may hold; None for all but x and y and latent nodes.

    Raises:
        TypeError, ValueError: as for `d_separated`.

    Example:
        >>> import networkx as nx
        >>> dag = nx.DiGraph([("A", "B"), ("A", "C"), ("B", "D"), ("C", "D"), ("D", "E")])
        >>> minimum_d_separator(dag, "A", "E"), minimum_d_separator(dag, "A", "E", among=["B", "C"]) == {"B", "C"}
        (frozenset({'D'}), True)
    """
    import networkx as nx

    sources, targets, _ = validation.query(validation.directed(dag), x, y, ())
    ends = {*sources, *targets}
    allowed = set(dag) if among is None else set(validation.names(dag, among, "among", empty=True))
    allowed -= validation.latents(dag)
    relevant = ancestors(dag, ends)
    moral = marry(dag, [node for node in dag if node in relevant])

    # Each node is a pipe from (node, 0) to (node, 1): of capacity one if it may be cut, and else without a limit.
    flow = nx.DiGraph()
    flow.add_nodes_from(["x", "y"])
    flow.add_edges_from(("x", (node, 1)) for node in sources)
    flow.add_edges_from(((node, 0), "y") for node in targets)
    for node in moral:
        if node not in ends:
            flow.add_edge((node, 0), (node, 1), **({"capacity": 1} if node in allowed else {}))
        flow.add_edges_from(((node, 1), (other, 0)) for other in moral[node])
    try:
        _, (before, _) = nx.minimum_cut(flow, "x", "y")
    except nx.NetworkXUnbounded:  # a path with no node that may be cut
        return None
    return frozenset(node for node in moral if (node, 0) in before and (node, 1) not in before)
