"""Claims on the number of free parameters."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

from pyrogen.exercises import explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, answered
from pyrogen.exercises.claims.numbers import has_tables
from pyrogen.exercises.results import Row
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.cliques import maximal_cliques
from pyrogen.graphs.structure.validation import Node

LARGEST = 16  # nodes of the largest clique whose subsets are counted


def check_free_parameters(claim: dict[str, Any], network: Any) -> None:
    """Check the fields: without tables each node has as many states as ``states`` says, two if it does not."""
    if has_tables(network) and "states" in claim:
        raise ValueError('"states" is for a network without tables, and this one has its own')
    if "states" in claim:
        schema.count(claim["states"], "states", 2)
    if not network.is_directed() and max(map(len, maximal_cliques(network))) > LARGEST:
        raise ValueError(f"a clique may have at most {LARGEST} nodes, got more")


def free_parameters(subject: Subject, claim: Claim) -> Row:
    """Return how many numbers a distribution of this graph has that can be chosen freely.

    Of a directed graph Σ_v (r_v − 1) Π r_parents. Of an undirected one Σ_S Π_{v ∈ S} (r_v − 1) over all sets S of nodes
    that are joined to each other: one number for each interaction of log p.
    """
    if has_tables(subject.network):
        sizes = {node: len(own) for node, own in validation.states(subject.network).items()}
    else:
        sizes = {node: int(claim.get("states", 2)) for node in subject.graph}
    count = _of_conditionals if subject.directed else _of_interactions
    terms = count(subject, sizes)
    total = sum(value for _, value in terms)
    ways: dict[str, Any] = {
        "pyrogen": total,
        "pgmpy": _by_tables(subject),
        "networkx": _by_networkx(subject.networkx, sizes),
    }
    lines = [f"{name}: {value}" for name, value in terms[:12]]
    lines += [f"… and {len(terms) - 12} more"] if len(terms) > 12 else []
    stated, full = claim["stated"], math.prod(sizes.values()) - 1
    lines.append(f"the joint distribution alone would have {full}")
    reason = f"the terms add up to {total}"
    if stated == full:
        reason += f"; {stated} is the number for a joint distribution without any independence"
    elif subject.directed and stated == sum(value * sizes[node] // (sizes[node] - 1 or 1) for node, value in terms):
        reason += f"; {stated} counts all entries of the tables, but each column sums to one"
    text = f"number of free parameters{subject.where}"
    return answered(claim, text, str, str(total), stated == total, lines, ways, reason)


def _of_conditionals(subject: Subject, sizes: dict[Node, int]) -> list[tuple[Any, int]]:
    return [
        (node, (sizes[node] - 1) * math.prod(sizes[parent] for parent in subject.graph.predecessors(node)))
        for node in subject.graph
    ]


def _of_interactions(subject: Subject, sizes: dict[Node, int]) -> list[tuple[Any, int]]:
    found = {}
    for clique in maximal_cliques(subject.graph):
        for size in range(1, len(clique) + 1):
            for part in combinations(subject.order(clique), size):
                found[part] = math.prod(sizes[node] - 1 for node in part)
    return [(explanations.named(part), value) for part, value in found.items()]


def _by_tables(subject: Subject) -> int | None:
    """Return the entries of pgmpy's tables less one for each of their columns."""
    if not (subject.directed and has_tables(subject.network)):
        return None
    return sum(int(one.get_values().size - one.get_values().shape[1]) for one in subject.network.cpds)


def _by_networkx(graph: Any, sizes: dict[Node, int]) -> int:
    import networkx as nx

    if graph.is_directed():
        return sum(
            math.prod([sizes[node] - 1, *(sizes[parent] for parent, _ in graph.in_edges(node))]) for node in graph
        )
    return sum(math.prod(sizes[node] - 1 for node in part) for part in nx.enumerate_all_cliques(graph))
