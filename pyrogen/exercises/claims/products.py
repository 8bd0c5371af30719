"""Claims on cliques and products, judged; see `pyrogen.exercises.claims.independences`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyrogen.exercises import cross_checks, explanations
from pyrogen.exercises.claims.independences import Claim, Subject, answered
from pyrogen.exercises.products import flaw, formed, read
from pyrogen.exercises.random_networks import Draws, interaction_bound, interactions
from pyrogen.exercises.results import OTHER_FORM, Row
from pyrogen.graphs.inference.dependence import terms
from pyrogen.graphs.structure.cliques import maximal_cliques
from pyrogen.graphs.structure.factorization import Factorization, factorization, sets, term
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.maps import disagreement, is_i_map
from pyrogen.graphs.structure.validation import Node


def cliques(subject: Subject, claim: Claim) -> Row:
    """Return the maximal cliques."""
    import networkx as nx

    joined = subject.of_network.joined()
    ways: dict[str, Any] = {
        "pyrogen": set(maximal_cliques(subject.graph)),
        "pgmpy": cross_checks.pgmpy_cliques(subject.pgmpy),
        "networkx": cross_checks.networkx_cliques(subject.networkx),
        "numbers": None if joined is None else cross_checks.networkx_cliques(graph_of(nx.Graph, subject.graph, joined)),
    }
    stated = [frozenset(one) for one in claim["stated"] or ()]
    lines, reasons = ([], []) if claim["stated"] is None else compare_cliques(subject, stated)
    return answered(
        claim,
        f"maximal cliques{subject.where}",
        _sets_named,
        _sets_named(sets(subject.graph, maximal_cliques(subject.graph))),
        set(stated) == ways["pyrogen"],
        lines or ["each of them is complete, and no other node is joined to all of one"],
        ways,
        "; ".join(reasons),
    )


def _sets_named(found: Iterable[Iterable[Node]]) -> str:
    return ", ".join(map(explanations.named, found))


def compare_cliques(subject: Subject, stated: list[frozenset[Node]]) -> tuple[list[str], list[str]]:
    """Evidence and reasons for what a list of maximal cliques misses, or names wrongly."""
    graph, lines, reasons, missed = subject.graph, [], [], []
    covered = {frozenset(edge) for edge in graph.edges if any(set(edge) <= one for one in stated)}
    for one in stated:
        gaps = explanations.missing_edges(graph, subject.order(one))
        if gaps:
            reasons.append(f"{subject.named(one)} is not a clique, as {explanations.edge(*gaps[0])} is not an edge")
    for clique in maximal_cliques(graph):
        if clique in stated:
            continue
        pairs = sets(graph, (edge for edge in graph.edges if set(edge) <= clique))
        uncovered = [edge for edge in pairs if set(edge) not in covered]
        lines += _why_a_clique(subject, clique, pairs, uncovered)
        inside = [subject.named(one) for one in stated if one < clique]
        if inside and uncovered:
            because = f" ({explanations.married(subject.network, *uncovered[0])})" if subject.moral else ""
            many = "are not maximal" if len(inside) > 1 else "is not maximal"
            reasons.append(
                f"{explanations.listing(inside)} {many}, since {explanations.edge(*uncovered[0])} is an edge{because} "
                f"and {subject.named(clique)} is a clique"
            )
        elif inside:
            reasons.append(f"{explanations.listing(inside)} can grow to the clique {subject.named(clique)}")
        else:
            missed.append(subject.named(clique))
    if missed:
        which = "maximal clique" if len(missed) == 1 else "maximal cliques"
        reasons.append(f"the list misses the {which} {explanations.listing(missed)}")
    return lines + _what_a_product_would_assert(subject, covered), reasons


def _why_a_clique(subject: Subject, clique: frozenset[Node], pairs: Any, uncovered: Any) -> list[str]:
    if not pairs:
        return [f"{', '.join(map(str, clique))} has no neighbor, so it is a maximal clique by itself"]
    drawn = ", ".join(explanations.edge(*edge) for edge in pairs)
    lines = [f"{subject.named(clique)} is a clique: {drawn} {'is an edge' if len(pairs) == 1 else 'are all edges'}"]
    for a, b in uncovered:
        because = f", and {explanations.married(subject.network, a, b)}" if subject.moral else ""
        lines.append(f"no set in the list holds the edge {explanations.edge(a, b)}{because}")
    return lines


def _what_a_product_would_assert(subject: Subject, covered: set[frozenset[Node]]) -> list[str]:
    """Return an independence that the covered edges alone assert and the network does not, if there is one."""
    import networkx as nx

    asserted = graph_of(nx.Graph, subject.graph, covered)
    witness = disagreement(asserted, subject.graph)
    if witness is None:
        return []
    witness = disagreement(asserted, subject.network) or witness
    return [
        f"a product over the list alone would make {witness}, which the network does not assert: "
        + explanations.why_not(subject.network, *witness)
    ]


def product(subject: Subject, claim: Claim) -> Row:
    """Return the joint distribution as a product: is every distribution of the graph such a product?"""
    own = factorization(subject.graph)
    lines = [f"computed: {own.text}", f"in LaTeX: {own.latex}"]
    read_as = None if claim["stated"] is None else read(claim["stated"], subject.graph)
    wrong = flaw(read_as, subject.graph) if read_as else ""
    stated = formed(read_as, subject.graph) if read_as and not wrong else None
    ways = (_directed_ways if subject.directed else _undirected_ways)(subject, stated or own)
    holds = all(way for way in ways.values() if way is not None)
    agrees, reason, remark = holds and not wrong, wrong, ""
    if wrong:
        lines.append("all ways agree on the computed product; the stated one is not a product of this graph")
    elif stated is not None and read_as is not None and not subject.directed:
        more, reasons = compare_cliques(subject, [frozenset(part) for part in stated.parts])
        agrees = holds and read_as.constant and not any("is not a clique" in reason for reason in reasons)
        lines += more + _twice(stated)
        if not holds:
            reasons.append("so not every distribution of the graph is such a product")
            lines += _in_numbers(subject, stated)
        elif agrees and _twice(stated):
            remark = "not minimal"
        reason = "; ".join([*reasons, *([] if read_as.constant else ["no 1/Z: the product does not sum to one"])])
    elif stated is not None and not holds:
        reason = _wrong_parents(subject, stated)
    elif stated is not None:
        remark, more = _other_parents(subject, stated)
        lines += more
        if read_as is not None and (joint := [part for part in read_as.parts if len(part.before) > 1]):
            remark = OTHER_FORM
            lines += [f"by the chain rule {part} is {' '.join(map(str, part.chain()))}" for part in joint]
    text = f"joint distribution{subject.where}"
    return answered(
        claim, text, lambda _: read_as.text if read_as else "", own.text, agrees, lines, ways, reason, remark
    )


def _directed_ways(subject: Subject, stated: Factorization) -> dict[str, bool | None]:
    """Return whether the stated conditionals make a directed I-map, so that every distribution of the network is the
    product.

    pgmpy, networkx and the numbers are asked the chain rule's independences: each node of all before it, given its
    stated parents.
    """
    import networkx as nx

    parents = {part[0]: part[1:] for part in stated.parts}
    arrows = ((parent, node) for node, own in parents.items() for parent in own)
    dag = graph_of(nx.DiGraph, subject.graph, arrows)
    order = list(nx.lexicographical_topological_sort(dag, key=list(dag).index))
    asked = [
        ([node], others, list(parents[node]))
        for place, node in enumerate(order)
        if (others := [other for other in order[:place] if other not in parents[node]])
    ]
    return {
        "pyrogen": is_i_map(dag, subject.graph),
        "pgmpy": all(cross_checks.pgmpy_separated(subject.pgmpy, *sides) for sides in asked),
        "networkx": all(cross_checks.networkx_separated(subject.networkx, *sides) for sides in asked),
        "numbers": all(subject.draws.independent(asked)) if subject.draws.small else None,
    }


def _undirected_ways(subject: Subject, stated: Factorization) -> dict[str, bool | None]:
    """Return whether each maximal clique lies in a stated set; in numbers, whether each interaction does."""
    parts = [frozenset(part) for part in stated.parts]

    def hold(cliques: Any) -> bool | None:
        return None if cliques is None else all(any(clique <= part for part in parts) for clique in cliques)

    return {
        "pyrogen": hold(maximal_cliques(subject.graph)),
        "pgmpy": hold(cross_checks.pgmpy_cliques(subject.pgmpy)),
        "networkx": hold(cross_checks.networkx_cliques(subject.networkx)),
        "numbers": hold(_interacting(subject.draws)),
    }


def _interacting(draws: Draws) -> list[frozenset[Node]] | None:
    """Return the sets of nodes with an interaction beyond rounding in some random network; None if the graph is
    large."""
    if not draws.small:
        return None
    found = set()
    for joint in draws.joints():
        bound = interaction_bound(joint, terms(draws.networks[0]))
        found |= {axes for axes, size in interactions(joint).items() if size > bound}
    return [frozenset(draws.nodes[axis] for axis in axes) for axes in found]


def _in_numbers(subject: Subject, stated: Factorization) -> list[str]:
    """Return the size of an interaction in random networks that the stated product has no room for."""
    if not subject.draws.small:
        return []
    parts = [frozenset(part) for part in stated.parts]
    missed = [clique for clique in maximal_cliques(subject.graph) if not any(clique <= part for part in parts)]
    names = subject.order(missed[0])
    axes = tuple(subject.draws.nodes.index(name) for name in names)
    found = [interactions(joint)[axes] for joint in subject.draws.joints()]
    return [
        f"the interaction of {', '.join(map(str, names))} in log p is {min(found):.2g} to {max(found):.2g} nats in "
        f"{len(found)} random networks; in any product over the list it is zero"
    ]


def _wrong_parents(subject: Subject, stated: Factorization) -> str:
    for node, *parents in stated.parts:
        missing = [other for other in subject.graph.predecessors(node) if other not in parents]
        if missing:
            return f"P({node} …) leaves out {explanations.listing(list(map(str, missing)))}, a parent of {node}"
    return "it is not a product that the network's arrows allow"


def _other_parents(subject: Subject, stated: Factorization) -> tuple[str, list[str]]:
    """Return what is to be said of a true product with other parents than the arrows give: in two words, and in
    sentences."""
    lines, other = [], False
    for node, *parents in stated.parts:
        own = list(subject.graph.predecessors(node))
        more = [str(parent) for parent in parents if parent not in own]
        if more:
            no_parent = "is not a parent" if len(more) == 1 else "are not parents"
            lines.append(f"{term('P', [node], parents)}: {explanations.listing(more)} {no_parent} of {node}")
        other = other or not set(own) <= set(parents)
    if not lines and not other:
        return "", []
    how = "with other arrows" if other else "though with more parents than it needs"
    return "other arrows" if other else "not minimal", [f"the product stated holds as well, {how}", *lines]


def _twice(stated: Factorization) -> list[str]:
    """Return which of the stated potentials are on the same nodes, or on some of another's."""
    lines = []
    for place, part in enumerate(stated.parts):
        for number, other in enumerate(stated.parts):
            if set(part) < set(other) or (set(part) == set(other) and number < place):
                one, two = (term("φ", names) for names in (part, other))
                lines.append(f"{one} can be left out, as {two} takes it in")
                break
    return lines
