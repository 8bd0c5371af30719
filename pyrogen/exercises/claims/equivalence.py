"""Claims on what arrows mean: v-structures, equivalent graphs, and the essential graph of a class."""

from __future__ import annotations

from itertools import product
from typing import Any

from pyrogen.exercises import cross_checks, explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, answered, judged
from pyrogen.exercises.results import Row
from pyrogen.graphs.files.networks import network_from_dict
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.equivalence import cpdag, markov_equivalent, v_structures
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.maps import disagreement

EDGES = 12  # of the largest graph whose arrows are all turned, one way and the other


def needs_arrows(claim: dict[str, Any], network: Any) -> None:
    """Refuse an undirected network."""
    if not network.is_directed():
        raise ValueError("it needs a Bayesian network, got a Markov network")


def colliders(subject: Subject, claim: Claim) -> Row:
    """Return which nodes a → m ← b meet without an edge between a and b."""
    found = v_structures(subject.graph)
    ways: dict[str, Any] = {
        "pyrogen": {_triple(one) for one in found},
        "pgmpy": {_triple((a, m, b)) for m, pairs in subject.pgmpy.get_immoralities().items() for a, b in pairs},
        "networkx": _by_networkx(subject.networkx),
    }
    stated = claim["stated"]
    wrong: list[str] = []
    for a, m, b in stated or ():
        if _triple((a, m, b)) in ways["pyrogen"]:
            continue
        missing = [f"{end} → {m}" for end in (a, b) if not subject.graph.has_edge(end, m)]
        if missing:
            wrong.append(f"{_drawn(a, m, b)}: the graph lacks {explanations.listing(missing)}")
        else:
            wrong.append(f"{_drawn(a, m, b)}: {explanations.edge(a, b)} is an edge, so the parents are married")
    named = {_triple(tuple(one)) for one in stated or ()}
    wrong += [f"the list misses {_drawn(*one)}" for one in found if stated is not None and _triple(one) not in named]
    lines = [f"{a} and {b} are parents of {m} without an edge between them" for a, m, b in found]
    return answered(
        claim,
        "v-structures",
        _all_drawn,
        _all_drawn(found),
        not wrong,
        lines or ["no two parents of a node are without an edge between them"],
        ways,
        "; ".join(wrong),
    )


def check_equivalent(claim: dict[str, Any], network: Any) -> None:
    """Put the graph that ``to`` describes in its place."""
    needs_arrows(claim, network)
    other = network_from_dict(claim["to"])
    if not other.is_directed():
        raise ValueError('"to" must be a Bayesian network without tables, got a Markov network')
    validation.same_nodes(other, network)
    claim["to"] = other


def equivalent(subject: Subject, claim: Claim) -> Row:
    """Return whether two directed graphs assert the same independences."""
    own, other = subject.graph, claim["to"]
    one, two = subject.networkx, cross_checks.by_networkx(other)
    statements = cross_checks.statements(own)
    ways: dict[str, Any] = {
        "pyrogen": markov_equivalent(own, other),
        "pgmpy": bool(subject.pgmpy.is_iequivalent(cross_checks.by_pgmpy(other))),
        "networkx": _skeleton(one) == _skeleton(two) and _by_networkx(one) == _by_networkx(two),
        "statements": None
        if statements is None
        else [*cross_checks.networkx_asserts(own, statements)] == [*cross_checks.networkx_asserts(other, statements)],
    }
    if ways["pyrogen"]:
        reason = "both have the same edges, arrows aside, and the same v-structures"
        lines = [reason]
    else:
        reason = _difference(own, other)
        witness = disagreement(own, other)
        lines = [reason, f"{witness} holds in one of them alone"] if witness else [reason]
    return judged(claim, "the network is equivalent to the graph given", ways["pyrogen"], lines, ways, reason)


def check_essential_graph(claim: dict[str, Any], network: Any) -> None:
    """Check arrows and lines stated."""
    needs_arrows(claim, network)
    if claim["stated"] is not None:
        schema.only(claim["stated"], "the essential graph stated", set(), {"arrows", "lines"})
        stated = {}
        for field in ("arrows", "lines"):
            pairs = schema.groups(network, claim["stated"].get(field, []), field, 2, schema.EDGES)
            stated[field] = list(map(tuple, pairs))
        claim["stated"] = stated


def essential_graph(subject: Subject, claim: Claim) -> Row:
    """Return the arrows that all equivalent graphs share, and the edges that can be turned."""
    found = cpdag(subject.graph)
    by_pgmpy = subject.pgmpy.to_pdag()
    ways: dict[str, Any] = {
        "pyrogen": _essential(found.directed_edges, found.undirected_edges),
        "pgmpy": _essential(by_pgmpy.directed_edges, by_pgmpy.undirected_edges),
        "all members": _by_enumeration(subject.networkx),
    }
    arrows = [edge for edge in subject.graph.edges if edge in found.directed_edges]
    lines = [edge for edge in subject.graph.edges if edge not in found.directed_edges]
    compelled = {end for a, m, b in v_structures(subject.graph) for end in ((a, m), (b, m))}
    evidence = [
        f"{a} → {b} is part of a v-structure"
        if (a, b) in compelled
        else f"{a} → {b}: turned, it would make a new v-structure or a cycle"
        for a, b in arrows
    ]
    evidence += [f"{explanations.edge(a, b)} can be turned" for a, b in lines]
    wrong = _wrong_edges(claim["stated"], subject.graph.edges, arrows) if claim["stated"] else []
    return answered(
        claim,
        "essential graph of the equivalence class",
        lambda stated: _listed(stated["arrows"], stated["lines"]),
        _listed(arrows, lines),
        not wrong,
        evidence or ["there are not edges"],
        ways,
        "; ".join(wrong),
    )


def _wrong_edges(stated: dict[str, list[Any]], edges: Any, arrows: list[Any]) -> list[str]:
    """Return what is wrong with the arrows and lines stated, a clause each; all edges but the arrows are lines."""
    wrong, lines = [], [edge for edge in edges if edge not in arrows]
    for a, b in stated["arrows"]:
        if (b, a) in arrows:
            wrong.append(f"{a} → {b} must be {b} → {a}")
        elif (a, b) in lines or (b, a) in lines:
            wrong.append(f"{a} → {b} can be turned")
        elif (a, b) not in arrows:
            wrong.append(f"{a} → {b} is not an edge")
    for a, b in stated["lines"]:
        arrow = next((e for e in ((a, b), (b, a)) if e in arrows), None)
        if arrow:
            wrong.append(f"{arrow[0]} → {arrow[1]} cannot be turned")
        elif (a, b) not in lines and (b, a) not in lines:
            wrong.append(f"{explanations.edge(a, b)} is not an edge")
    named = {frozenset(pair) for pair in [*stated["arrows"], *stated["lines"]]}
    return wrong + [f"{explanations.edge(a, b)} is missing" for a, b in edges if {a, b} not in named]


def _triple(one: Any) -> tuple[frozenset[Any], Any]:
    a, m, b = one
    return frozenset((a, b)), m


def _by_networkx(graph: Any) -> set[Any]:
    import networkx as nx

    return {_triple(one) for one in nx.dag.v_structures(graph)}


def _drawn(a: Any, m: Any, b: Any) -> str:
    return f"{a} → {m} ← {b}"


def _all_drawn(triples: Any) -> str:
    return ", ".join(_drawn(*one) for one in triples) or "none"


def _listed(arrows: Any, lines: Any) -> str:
    return ", ".join([*(f"{a} → {b}" for a, b in arrows), *(explanations.edge(a, b) for a, b in lines)]) or "no edges"


def _skeleton(graph: Any) -> set[frozenset[Any]]:
    return {frozenset(edge) for edge in graph.edges}


def _essential(arrows: Any, lines: Any) -> str:
    """Arrows and lines as text, the same for equal ones."""
    drawn = [f"{a} → {b}" for a, b in arrows] + [explanations.edge(*sorted(pair, key=str)) for pair in lines]
    return ", ".join(sorted(drawn))


def _difference(own: Any, other: Any) -> str:
    here, there = _skeleton(own), _skeleton(other)
    for only, word in ((here - there, "the network"), (there - here, "the other graph")):
        if only:
            pair = min(only, key=lambda one: sorted(map(str, one)))
            return f"{explanations.edge(*sorted(pair, key=str))} is an edge of {word} alone"
    for one, two, word in ((own, other, "the network"), (other, own, "the other graph")):
        known = {_triple(v) for v in v_structures(two)}
        for found in v_structures(one):
            if _triple(found) not in known:
                return f"the v-structure {_drawn(*found)} is in {word} alone"
    return "they differ"


def _by_enumeration(graph: Any) -> str | None:
    """Return the essential graph from all members of the class: all ways to turn arrows that keep the v-structures."""
    import networkx as nx

    edges = list(graph.edges)
    if len(edges) > EDGES:
        return None
    wanted = _by_networkx(graph)
    members = []
    for turned in product((False, True), repeat=len(edges)):
        arrows = ((b, a) if turn else (a, b) for (a, b), turn in zip(edges, turned, strict=True))
        made = graph_of(nx.DiGraph, graph, arrows)
        if nx.is_directed_acyclic_graph(made) and _by_networkx(made) == wanted:
            members.append(set(made.edges))
    shared = set.intersection(*members)
    lines = [edge for edge in edges if edge not in shared]
    return _essential([edge for edge in edges if edge in shared], lines)
