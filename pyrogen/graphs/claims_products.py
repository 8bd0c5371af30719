"""Claims on cliques, products and I-maps, judged; see `pyrogen.graphs.claims`."""

from __future__ import annotations

from typing import Any

from pyrogen.graphs import evidence, opinions
from pyrogen.graphs.boundary import Graph, Node
from pyrogen.graphs.claims import Claim, Subject, from_edges, judged
from pyrogen.graphs.cliques import maximal_cliques
from pyrogen.graphs.factorisation import Factorisation, factorisation, parse, sets
from pyrogen.graphs.maps import Independence, disagreement, is_i_map, is_perfect_map
from pyrogen.graphs.numeric import Draws, interaction_bound, interactions, terms
from pyrogen.graphs.separation import d_separated, separated
from pyrogen.graphs.verdicts import Row


def cliques(subject: Subject, claim: Claim) -> Row:
    """The maximal cliques."""
    joined = subject.of_network.joined()
    ways: dict[str, Any] = {
        "pyrogen": set(maximal_cliques(subject.graph)),
        "pgmpy": opinions.pgmpy_cliques(subject.pgmpy),
        "networkx": opinions.networkx_cliques(subject.networkx),
        "numbers": None if joined is None else opinions.networkx_cliques(from_edges(subject.graph, joined)),
    }
    found = ways["pyrogen"]
    stated = claim["stated"]
    lines, reasons = ([], []) if stated is None else compare_cliques(subject, [frozenset(one) for one in stated])
    return Row(
        claim["kind"],
        claim.get("text") or f"maximal cliques{subject.where}",
        "" if stated is None else ", ".join(map(evidence.named, stated)),
        ", ".join(map(evidence.named, sets(subject.graph, maximal_cliques(subject.graph)))),
        None if stated is None else {frozenset(one) for one in stated} == found,
        tuple(lines or ["each of them is complete, and no other node is joined to all of one"]),
        ways,
        "; ".join(reasons),
    )


def compare_cliques(subject: Subject, stated: list[frozenset[Node]]) -> tuple[list[str], list[str]]:
    """Evidence and reasons for what a list of maximal cliques misses, or names wrongly."""
    graph, lines, reasons = subject.graph, [], []
    found = maximal_cliques(graph)
    covered = {frozenset(edge) for edge in graph.edges if any(set(edge) <= one for one in stated)}

    def name(nodes: frozenset[Node]) -> str:
        return evidence.named(subject.order(nodes))

    for one in stated:
        gaps = evidence.missing_edges(graph, subject.order(one))
        if gaps:
            reasons.append(f"{name(one)} is no clique, as {evidence.edge(*gaps[0])} is no edge")
    for clique in found:
        if clique in stated:
            continue
        inside = [name(one) for one in stated if one < clique]
        uncovered = [edge for edge in sets(graph, graph.edges) if set(edge) <= clique and set(edge) not in covered]
        pairs = sets(graph, (edge for edge in graph.edges if set(edge) <= clique))
        lines.append(f"{name(clique)} is a clique: {', '.join(evidence.edge(*edge) for edge in pairs)} are all edges")
        for a, b in uncovered:
            because = f", and {evidence.married(subject.network, a, b)}" if subject.moral else ""
            lines.append(f"no set in the list holds the edge {evidence.edge(a, b)}{because}")
        if inside and uncovered:
            edge = uncovered[0]
            because = f" ({evidence.married(subject.network, *edge)})" if subject.moral else ""
            many = "are not maximal" if len(inside) > 1 else "is not maximal"
            reasons.append(
                f"{evidence.listing(inside)} {many}, since {evidence.edge(*edge)} is an edge{because} "
                f"and {name(clique)} is a clique"
            )
        elif inside:
            reasons.append(f"{evidence.listing(inside)} can grow to the clique {name(clique)}")
        else:
            reasons.append(
                f"the list misses the maximal clique {name(clique)}, whose nodes are all joined to each other"
            )
    asserted = from_edges(graph, covered)
    witness = disagreement(asserted, graph) if covered != {frozenset(edge) for edge in graph.edges} else None
    witness = None if witness is None else disagreement(asserted, subject.network) or witness
    if witness is not None:
        lines.append(
            f"a product over the list alone would make {witness}, which the network does not assert: "
            + _why_not(subject.network, witness)
        )
    return lines, reasons


def product(subject: Subject, claim: Claim) -> Row:
    """The joint distribution as a product: is every distribution of the graph such a product?"""
    own = factorisation(subject.graph)
    lines = [f"computed: {own.text}", f"in LaTeX: {own.latex}"]
    stated = None if claim["stated"] is None else parse(claim["stated"], subject.graph)
    ways = (_directed_ways if subject.directed else _undirected_ways)(subject, stated or own)
    holds = all(way for way in ways.values() if way is not None)
    agrees, reason = None if stated is None else holds, ""
    if stated is not None and not subject.directed:
        more, reasons = compare_cliques(subject, [frozenset(part) for part in stated.parts])
        agrees = holds and not any("is no clique" in reason for reason in reasons)
        lines += more
        if not holds:
            reasons.append("so not every distribution of the graph is such a product")
            lines += _in_numbers(subject, stated)
        reason = "; ".join(reasons)
    elif stated is not None and not holds:
        reason = _wrong_parents(subject, stated)
    elif stated is not None and {(part[0], frozenset(part[1:])) for part in stated.parts} != {
        (part[0], frozenset(part[1:])) for part in own.parts
    }:
        lines.append("the product stated holds as well, though it is not the one that the arrows give")
    return Row(
        claim["kind"],
        claim.get("text") or f"joint distribution{subject.where}",
        "" if stated is None else stated.text,
        own.text,
        agrees,
        tuple(lines),
        ways,
        reason if agrees is False else "",
    )


def i_map(subject: Subject, claim: Claim) -> Row:
    """Whether all that the map asserts holds in the network, and for a perfect map the reverse too."""
    of, map_ = subject.network, claim["map"]
    perfect = claim["kind"] == "perfect_map"
    ways: dict[str, Any] = {
        "pyrogen": (is_perfect_map if perfect else is_i_map)(map_, of),
        **_enumerated(of, map_, subject.of_network, perfect),
    }
    false_in_map = disagreement(map_, of)
    lost_in_map = disagreement(of, map_) if perfect else None
    lines = []
    if false_in_map is not None:
        lines.append(f"the map asserts {false_in_map}; the network does not: {_why_not(of, false_in_map)}")
    if lost_in_map is not None:
        lines.append(f"the network asserts {lost_in_map}; the map does not: {_why_not(map_, lost_in_map)}")
    reason = lines[0] if lines else ("they assert the same independences" if perfect else "all it asserts is so")
    wrong = _wrong_witness(of, map_, claim["witness"]) if claim.get("witness") and not ways["pyrogen"] else ""
    text = f"{claim['map_name']} is a{' perfect' if perfect else 'n'} I-map of the network"
    return judged(claim, text, ways["pyrogen"], lines or [reason], ways, reason, wrong)


def _directed_ways(subject: Subject, stated: Factorisation) -> dict[str, bool | None]:
    """Whether the stated conditionals make a directed I-map, so that every distribution of the network is the product.

    pgmpy and networkx are asked the chain rule's independences: each node of all before it, given its stated parents.
    """
    import networkx as nx

    parents = {part[0]: part[1:] for part in stated.parts}
    dag = nx.DiGraph()
    dag.add_nodes_from(subject.graph)
    dag.add_edges_from((parent, node) for node, own in parents.items() for parent in own)
    order = list(nx.lexicographical_topological_sort(dag, key=subject.order(dag).index))
    asked = [
        ([node], others, list(parents[node]))
        for place, node in enumerate(order)
        if (others := [other for other in order[:place] if other not in parents[node]])
    ]
    return {
        "pyrogen": is_i_map(dag, subject.graph),
        "pgmpy": all(opinions.pgmpy_separated(subject.pgmpy, *sides) for sides in asked),
        "networkx": all(opinions.networkx_separated(subject.networkx, *sides) for sides in asked),
        "numbers": opinions.numeric_product(subject.draws, parents),
    }


def _undirected_ways(subject: Subject, stated: Factorisation) -> dict[str, bool | None]:
    """Whether each maximal clique lies in a stated set; in numbers, whether each interaction does."""
    parts = [frozenset(part) for part in stated.parts]

    def hold(cliques: Any) -> bool | None:
        return None if cliques is None else all(any(clique <= part for part in parts) for clique in cliques)

    found = _interacting(subject.draws)
    return {
        "pyrogen": hold(maximal_cliques(subject.graph)),
        "pgmpy": hold(opinions.pgmpy_cliques(subject.pgmpy)),
        "networkx": hold(opinions.networkx_cliques(subject.networkx)),
        "numbers": hold(found),
    }


def _interacting(draws: Draws) -> list[frozenset[Node]] | None:
    """The sets of nodes with an interaction beyond rounding in some random network; None if the graph is large."""
    if not draws.small:
        return None
    found = set()
    for joint in draws.joints():
        bound = interaction_bound(joint, terms(draws.networks[0]))
        found |= {axes for axes, size in interactions(joint).items() if size > bound}
    return [frozenset(draws.nodes[axis] for axis in axes) for axes in found]


def _in_numbers(subject: Subject, stated: Factorisation) -> list[str]:
    """The size of an interaction in random networks that the stated product has no room for."""
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


def _enumerated(of: Graph, map_: Graph, draws: Draws, perfect: bool) -> dict[str, bool | None]:
    """The verdict from all independences one by one: by pgmpy, by networkx, and from the numbers of random networks.

    Of a larger graph those are asked that imply all others (see `pyrogen.graphs.maps`), and no numbers.
    """
    triples = opinions.statements(of)
    if triples is None:
        asked = [(map_, of), (of, map_)] if perfect else [(map_, of)]
        bases = [(opinions.basis(one), other) for one, other in asked]
        if any(basis is None for basis, _ in bases):
            return dict.fromkeys(("pgmpy", "networkx", "numbers"))
        return {
            "pgmpy": all(
                all(opinions.pgmpy_asserts(opinions.by_pgmpy(other), basis)) for basis, other in bases if basis
            ),
            "networkx": all(
                all(opinions.networkx_asserts(opinions.by_networkx(other), basis)) for basis, other in bases if basis
            ),
            "numbers": None,
        }

    def compare(asserted: Any, true: Any) -> bool:
        return all(b == a if perfect else b or not a for a, b in zip(asserted, true, strict=True))

    pgmpy = [list(opinions.pgmpy_asserts(opinions.by_pgmpy(graph), triples)) for graph in (map_, of)]
    networkx = [list(opinions.networkx_asserts(opinions.by_networkx(graph), triples)) for graph in (map_, of)]
    return {
        "pgmpy": compare(*pgmpy),
        "networkx": compare(*networkx),
        "numbers": compare(networkx[0], list(draws.independent(triples))) if draws.small else None,
    }


def _wrong_witness(of: Graph, map_: Graph, witness: Claim) -> str:
    """What is wrong with the independence that is stated to tell map and network apart; "" if it does."""
    sides = [list(witness[side]) for side in ("x", "y", "given")]
    here, there = ((d_separated if g.is_directed() else separated)(g, *sides) for g in (of, map_))
    if here != there:
        return ""
    return f"{evidence.independence(*sides)} {'holds' if here else 'fails'} in both graphs"


def _wrong_parents(subject: Subject, stated: Factorisation) -> str:
    for node, *parents in stated.parts:
        missing = [other for other in subject.graph.predecessors(node) if other not in parents]
        if missing:
            return f"P({node} …) leaves out {evidence.listing(list(map(str, missing)))}, a parent of {node}"
    return "it is not a product that the network's arrows allow"


def _why_not(graph: Graph, found: Independence) -> str:
    why = evidence.why_directed if graph.is_directed() else evidence.why_undirected
    return why(graph, [found.x], [found.y], found.given)[0]
