"""Claims on a node that is removed: does its factor drop out of the joint distribution?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyrogen.exercises import schema
from pyrogen.exercises.claims.independences import Claim, Subject
from pyrogen.exercises.claims.numbers import by_query, check_small, has_tables, total, written_out
from pyrogen.exercises.results import Row
from pyrogen.graphs.inference.dependence import EPSILON, exact_table, generic_network, terms
from pyrogen.graphs.inference.queries import log_partition
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node

REMOVALS = ("always", "only if its potential sums to one", "never")


def check_removal(claim: dict[str, Any], network: Any) -> None:
    """Check the fields of a claim on a node that is removed."""
    _removable(claim, network, network.is_directed() and claim["graph"] == "network")
    check_small(network)
    if claim["stated"] is not None and claim["stated"] not in REMOVALS:
        raise ValueError(f'"stated" must be one of {", ".join(map(repr, REMOVALS))}, got {claim["stated"]!r}')


def removal(subject: Subject, claim: Claim) -> Row:
    """Does a node drop out of the joint: in a directed graph always; in an undirected one it depends on what Z is.

    With Z kept, 1/Z φ(rest) is the distribution of the rest only if φ(node) sums to one. With Z computed anew for the
    rest, any number that φ(node) sums to cancels.
    """
    (node,) = claim["node"]
    if subject.directed:
        return _removal_directed(subject, claim, node)
    kept = claim.get("constant", "kept") == "kept"
    network = subject.network if has_tables(subject.network) and not subject.directed and not subject.moral else None
    network = network or generic_network(subject.graph, np.random.default_rng(0))
    own = next(one for one in network.factors if one.variables == [node])
    values = np.asarray(claim.get("potential", own.values), dtype=np.float64)
    if abs(values.sum() - 1) < 1e-9:
        values = 2 * values
    lines, ways = [], {}
    for phi, what in ((values / values.sum(), "sums to one"), (values, f"sums to {values.sum():g}")):
        whole = network.copy()
        whole.remove_factors(*[one for one in whole.factors if one.variables == [node]])
        rest = whole.copy()
        rest.remove_node(node)
        if phi.shape != own.values.shape:
            from pgmpy.factors.discrete import DiscreteFactor

            whole.add_factors(DiscreteFactor([node], [len(phi)], phi))
        else:
            scaled = own.copy()
            scaled.values = phi
            whole.add_factors(scaled)
        ways[what] = _removed(whole, rest, node, kept)
        lines.append(_removal_line(whole, rest, phi, what))
    by_way = {way: _removal_word(*(ways[what][way] for what in ways)) for way in ("pyrogen", "pgmpy", "written out")}
    found = by_way["pyrogen"]
    z = "Z kept" if kept else "Z computed anew"
    own_numbers = has_tables(subject.network) and not subject.moral
    lines.insert(
        0,
        "in numbers, with the file's other potentials"
        if own_numbers
        else "in numbers, on a random network, seed 0, with two states a node, and its other potentials",
    )
    what = f"the sum of φ({node})"
    reason = (
        f"Z holds {what} as a factor, which only cancels if Z is computed anew"
        if kept
        else f"Z holds {what} as a factor too, so that normalization cancels it whatever it is"
    )
    text = f"φ({node}) drops out of 1/Z φ({node}) φ(rest){subject.where}, {z}"
    return _row(claim, text, found, lines, by_way, reason)


def _removable(claim: dict[str, Any], network: Any, directed: bool) -> None:
    (node,) = claim["node"]
    if claim.get("constant", "kept") not in ("kept", "anew"):
        raise ValueError(f'"constant" must be "kept" or "anew", got {claim["constant"]!r}')
    if len(network) == 1:
        raise ValueError("removing the only node leaves none")
    if directed:
        if {"constant", "potential"} & set(claim):
            raise ValueError('"constant" and "potential" are of undirected graphs')
        children = list(network.successors(node))
        if children:
            raise ValueError(f"a node without children can drop out, but {children[0]} is a child of {node}")
    elif list(network.to_undirected().neighbors(node)):
        raise ValueError(f"a node without neighbors can drop out, but {node} has some")
    if "potential" in claim:
        if not isinstance(claim["potential"], list) or not claim["potential"]:
            raise ValueError(f'"potential" must be a list of positive numbers, got {claim["potential"]!r}')
        for value in claim["potential"]:
            schema.positive(value, "potential")
        if has_tables(network):
            count = len(validation.states(network)[node])
            if len(claim["potential"]) != count:
                raise ValueError(
                    f'"potential" must have a number for each of the {count} states of {node}, '
                    f"got {len(claim['potential'])}"
                )


def _removal_directed(subject: Subject, claim: Claim, node: Node) -> Row:
    network = (
        subject.network if has_tables(subject.network) else generic_network(subject.graph, np.random.default_rng(0))
    )
    rest = network.copy()
    rest.remove_cpds(node)
    rest.remove_node(node)
    names = list(rest)
    bound = 16 * terms(network) * EPSILON
    pairs = {
        "pyrogen": (by_query(network, names), by_query(rest, names)),
        "pgmpy": (exact_table(network, names), exact_table(rest, names)),
        "written out": (written_out(network, [node, *names]).sum(0), written_out(rest, names)),
    }
    off = {way: float(np.abs(a - b).max()) for way, (a, b) in pairs.items()}
    ways = {way: "always" if value < bound else "never" for way, value in off.items()}
    sums = network.get_cpds(node).values.sum(0)
    total = ", ".join(f"{value:.10g}" for value in np.unique(np.ravel(sums)))
    lines = [
        "in numbers, with the file's tables"
        if has_tables(subject.network)
        else "in numbers, with random tables of two states a node (seed 0)",
        f"P({node}{' | …' if list(network.predecessors(node)) else ''}) sums to {total}, whatever the tables are",
        f"the joint of the other nodes, summed over {node} or with {node} left out, differs by "
        f"{max(off.values()):.0e} at most (rounding {bound:.0e})",
    ]
    return _row(claim, f"P({node}) drops out of the joint", ways["pyrogen"], lines, ways, "a conditional sums to one")


def _removed(whole: Any, rest: Any, node: Node, kept: bool) -> dict[str, bool]:
    """Return whether 1/Z φ(rest) is the distribution of the rest, Z being the whole's or the rest's; in each way."""
    names = list(rest)
    pairs = {
        "pyrogen": (
            by_query(whole, names),
            by_query(rest, names),
            math.exp(log_partition(rest) - log_partition(whole)),
        ),
        "pgmpy": (
            exact_table(whole, names),
            exact_table(rest, names),
            rest.get_partition_function() / whole.get_partition_function(),
        ),
        "written out": (
            written_out(whole, [node, *names]).sum(0),
            written_out(rest, names),
            total(rest) / total(whole),
        ),
    }
    bound = 16 * terms(whole) * EPSILON
    return {
        way: bool(np.abs(summed - (alone * ratio if kept else alone)).max() < bound)
        for way, (summed, alone, ratio) in pairs.items()
    }


def _removal_line(whole: Any, rest: Any, phi: Any, what: str) -> str:
    z, left = math.exp(log_partition(whole)), math.exp(log_partition(rest))
    total = left / z
    kept = "a distribution" if abs(total - 1) < 1e-9 else "no distribution"
    return (
        f"φ = ({', '.join(f'{value:g}' for value in phi)}), which {what}: Z = {z:.6f}, without the node {left:.6f}; "
        f"1/Z φ(rest) with Z kept sums to {total:.6g}, {kept}; with Z = {left:.6f} computed anew it sums to one and is "
        "the distribution of the rest"
    )


def _removal_word(with_one: bool, without: bool) -> str:
    return "always" if with_one and without else REMOVALS[1] if with_one else "never"


def _row(claim: Claim, text: str, found: str, lines: list[str], ways: dict[str, str], reason: str) -> Row:
    stated = claim["stated"]
    agrees = None if stated is None else stated == found
    return Row(
        claim["kind"], claim.get("text") or text, stated or "", found, agrees, tuple(lines), ways,
        reason if agrees is False else "",
    )  # fmt: skip
