"""Claims on I-maps, judged; see `pyrogen.exercises.claims.independences`."""

from __future__ import annotations

from typing import Any

from pyrogen.exercises import cross_checks, explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, judged
from pyrogen.exercises.cross_checks import networkx_asserts, pgmpy_asserts
from pyrogen.exercises.random_networks import Draws
from pyrogen.exercises.results import Row
from pyrogen.graphs.files.networks import network_from_dict
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.maps import disagreement, is_i_map, is_perfect_map
from pyrogen.graphs.structure.moral import moral_graph
from pyrogen.graphs.structure.separation import asserts
from pyrogen.graphs.structure.validation import Graph


def i_map(subject: Subject, claim: Claim) -> Row:
    """Return whether all that the map asserts holds in the network, and for a perfect map the reverse too."""
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
        lines.append(f"the map asserts {false_in_map}; the network does not: {explanations.why_not(of, *false_in_map)}")
    if lost_in_map is not None:
        lines.append(f"the network asserts {lost_in_map}; the map does not: {explanations.why_not(map_, *lost_in_map)}")
    reason = lines[0] if lines else ("they assert the same independences" if perfect else "all it asserts is so")
    wrong = _wrong_witness(of, map_, claim["witness"]) if claim.get("witness") and not ways["pyrogen"] else ""
    text = f"{claim['map_name']} is a{' perfect' if perfect else 'n'} I-map of the network"
    return judged(claim, text, ways["pyrogen"], lines or [reason], ways, reason, wrong)


def _enumerated(of: Graph, map_: Graph, draws: Draws, perfect: bool) -> dict[str, bool | None]:
    """Return the verdict from all independences one by one: by pgmpy, by networkx, and from the numbers of random
    networks.

    Of a larger graph those are asked that imply all others (see `pyrogen.graphs.structure.maps`), and no numbers.
    """
    triples = cross_checks.statements(of)
    if triples is None:
        asked = [(map_, of), (of, map_)] if perfect else [(map_, of)]
        bases = [(cross_checks.basis(one), other) for one, other in asked]
        if any(basis is None for basis, _ in bases):
            return dict.fromkeys(("pgmpy", "networkx", "numbers"))
        by_pgmpy = (pgmpy_asserts(other, basis) for basis, other in bases if basis)
        by_networkx = (networkx_asserts(other, basis) for basis, other in bases if basis)
        return {"pgmpy": all(map(all, by_pgmpy)), "networkx": all(map(all, by_networkx)), "numbers": None}

    def compare(asserted: Any, true: Any) -> bool:
        return all(b == a if perfect else b or not a for a, b in zip(asserted, true, strict=True))

    numbers = (
        compare(networkx_asserts(map_, triples), draws.independent(([x], [y], given) for x, y, given in triples))
        if draws.small
        else None
    )
    return {
        "pgmpy": compare(pgmpy_asserts(map_, triples), pgmpy_asserts(of, triples)),
        "networkx": compare(networkx_asserts(map_, triples), networkx_asserts(of, triples)),
        "numbers": numbers,
    }


def _wrong_witness(of: Graph, map_: Graph, witness: Claim) -> str:
    """Return what is wrong with the independence that is stated to tell map and network apart; "" if it does."""
    sides = [list(witness[side]) for side in ("x", "y", "given")]
    here, there = (asserts(graph, *sides) for graph in (of, map_))
    if here != there:
        return ""
    return f"{explanations.independence(*sides)} {'holds' if here else 'fails'} in both graphs"


def check_map(claim: dict[str, Any], network: Any) -> None:
    """Put the graph that ``map`` means in its place, and check the witness."""
    named = claim.get("map", "moral")
    if named == "moral" and not network.is_directed():
        raise ValueError('"map" must be a network without tables, as a Markov network has no moral graph')
    claim["map_name"] = "the Markov network" if named == "moral" else "the map"
    claim["map"] = moral_graph(network) if named == "moral" else network_from_dict(named)
    validation.same_nodes(claim["map"], network)
    if claim.get("witness") is not None:
        schema.only(claim["witness"], "the witness", {"x", "y"}, {"given"})
        sides = {side: schema.names(network, claim["witness"].get(side, []), side) for side in ("x", "y", "given")}
        validation.apart(**sides)
        claim["witness"] = sides
