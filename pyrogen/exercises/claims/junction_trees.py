"""Claims on junction trees: any tree of cliques that has the properties of one is right."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from pyrogen.exercises import explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, answered
from pyrogen.exercises.results import Row
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.triangulation import junction_tree
from pyrogen.graphs.structure.validation import Node


def check_junction_tree(claim: dict[str, Any], network: Any) -> None:
    """Check cliques and edges stated, each edge a pair of cliques."""
    if claim["stated"] is None:
        return
    schema.only(claim["stated"], "the junction tree stated", {"cliques"}, {"edges"})
    cliques = [schema.names(network, one, "cliques") for one in schema.lists(claim["stated"]["cliques"], "cliques")]
    if len({frozenset(one) for one in cliques}) != len(cliques) or not cliques:
        raise ValueError('"cliques" must be different sets of names, one at least')
    edges = []
    for pair in schema.lists(claim["stated"].get("edges", []), "edges"):
        ends = [frozenset(schema.names(network, one, "edges")) for one in schema.lists(pair, "edges")]
        if len(ends) != 2 or not all(any(end == frozenset(one) for one in cliques) for end in ends):
            raise ValueError('"edges" must be a list of pairs of the cliques, such as [[["A", "B"], ["B", "C"]]]')
        edges.append(tuple(ends))
    claim["stated"] = {"cliques": cliques, "edges": edges}


def tree(subject: Subject, claim: Claim) -> Row:
    """Return a tree of cliques that hold all edges, in which each node's cliques hang together; any such tree is
    right."""
    own = junction_tree(subject.graph)
    shown = ", ".join(map(subject.named, own.nodes))
    stated = claim["stated"]
    cliques = [frozenset(one) for one in (stated["cliques"] if stated else own.nodes)]
    edges = [tuple(map(frozenset, pair)) for pair in (stated["edges"] if stated else own.edges)]
    wrong = _tree_flaws(subject, cliques, edges)
    ways: dict[str, Any] = {"definition": not wrong, "separators": _by_separators(subject, cliques, edges)}
    lines = [f"{subject.named(a)} – {subject.named(b)} share {subject.named(a & b)}" for a, b in edges]
    given = ", ".join(map(explanations.named, stated["cliques"])) if stated else ""
    return answered(
        claim,
        f"junction tree{subject.where}",
        lambda _: given,
        shown if wrong or not stated else given,
        not wrong,
        lines or ["there is one clique"],
        ways,
        "; ".join(wrong[:3]),
    )


def _tree_flaws(
    subject: Subject, cliques: list[frozenset[Node]], edges: list[tuple[frozenset[Node], ...]]
) -> list[str]:
    import networkx as nx

    made = graph_of(nx.Graph, cliques, edges)
    wrong = [] if nx.is_forest(made) else ["the cliques make a circle, so this is not a tree"]
    for a, b in subject.graph.edges:
        if not any({a, b} <= clique for clique in cliques):
            wrong.append(f"no clique holds the edge {explanations.edge(a, b)}")
    alone = [node for node in subject.graph if not any(node in clique for clique in cliques)]
    wrong += [f"no clique holds {node}" for node in alone]
    wrong += [f"{subject.named(a)} lies in {subject.named(b)}" for a in cliques for b in cliques if a < b]
    for node in subject.graph:
        own = [clique for clique in cliques if node in clique]
        if own and not nx.is_connected(made.subgraph(own)):
            parts = [subject.named(next(iter(part))) for part in nx.connected_components(made.subgraph(own))]
            wrong.append(f"{node} is in {explanations.listing(parts[:2])}, but not in the cliques between them")
    return wrong


def _by_separators(subject: Subject, cliques: list[frozenset[Node]], edges: list[tuple[frozenset[Node], ...]]) -> bool:
    """Return whether these are the cliques of a chordal graph that holds ours, and Σ|C| − Σ|S| is its number of
    nodes."""
    import networkx as nx

    filled = graph_of(nx.Graph, subject.graph, (pair for clique in cliques for pair in combinations(clique, 2)))
    held = {node for clique in cliques for node in clique}
    covers = all(filled.has_edge(*edge) for edge in subject.graph.edges) and held == set(subject.graph)
    made = graph_of(nx.Graph, cliques, edges)
    counted = sum(map(len, cliques)) - sum(len(a & b) for a, b in made.edges)
    maximal = {frozenset(one) for one in nx.find_cliques(filled)} == set(cliques)
    return bool(covers and maximal and nx.is_forest(made) and counted == len(subject.graph))
