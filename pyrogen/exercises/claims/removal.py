"""Claims on a node that is removed: does its factor drop out of the joint distribution?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyrogen import checks
from pyrogen.exercises import schema
from pyrogen.exercises.claims.independences import Claim, Subject, answered
from pyrogen.exercises.claims.numbers import check_small, has_tables, partitions, tables
from pyrogen.exercises.results import Row
from pyrogen.graphs.inference.dependence import EPSILON, generic_network, terms
from pyrogen.graphs.inference.queries import log_partition
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node

REMOVALS = ("always", "only if its potential sums to one", "never")


def check_removal(claim: dict[str, Any], network: Any) -> None:
    """Check the fields of a claim on a node that is removed."""
    (node,) = claim["node"]
    checks.one_of('"constant"', claim.get("constant", "kept"), ("kept", "anew"))
    if len(network) == 1:
        raise ValueError("removing the only node leaves none")
    if network.is_directed() and claim["graph"] == "network":
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
            checks.real('"potential"', value, above=0, most=schema.LARGEST)
        if has_tables(network):
            count = len(validation.states(network)[node])
            if len(claim["potential"]) != count:
                raise ValueError(
                    f'"potential" must have a number for each of the {count} states of {node}, '
                    f"got {len(claim['potential'])}"
                )
    check_small(network)
    if claim["stated"] is not None:
        checks.one_of('"stated"', claim["stated"], REMOVALS)


def removal(subject: Subject, claim: Claim) -> Row:
    """Does a node drop out of the joint: in a directed graph always; in an undirected one it depends on what Z is.

    With Z kept, 1/Z φ(rest) is the distribution of the rest only if φ(node) sums to one. With Z computed anew for the
    rest, any number that φ(node) sums to cancels.
    """
    (node,) = claim["node"]
    if subject.directed:
        return _removal_directed(subject, claim, node)
    return _removal_undirected(subject, claim, node)


def _removal_undirected(subject: Subject, claim: Claim, node: Node) -> Row:
    from pgmpy.factors.discrete import DiscreteFactor

    kept = claim.get("constant", "kept") == "kept"
    own_numbers = has_tables(subject.network) and not subject.moral
    network = subject.network if own_numbers else generic_network(subject.graph, np.random.default_rng(0))
    own = next(one for one in network.factors if one.variables == [node])
    values = np.asarray(claim.get("potential", own.values), dtype=np.float64)
    if abs(values.sum() - 1) < 1e-9:
        values = 2 * values
    source = (
        "with the file's other potentials"
        if own_numbers
        else "on a random network, seed 0, with two states a node, and its other potentials"
    )
    lines, drops_out = [f"in numbers, {source}"], []
    for phi, what in ((values / values.sum(), "sums to one"), (values, f"sums to {values.sum():g}")):
        whole = network.copy()
        whole.remove_factors(*[one for one in whole.factors if one.variables == [node]])
        rest = whole.copy()
        rest.remove_node(node)
        names = own.state_names if len(phi) == own.values.size else {}
        whole.add_factors(DiscreteFactor([node], [len(phi)], phi, state_names=names))
        drops_out.append(_removed(whole, rest, kept))
        lines.append(_removal_line(whole, rest, phi, what))
    with_one, without = drops_out
    ways = {way: ("always" if without[way] else REMOVALS[1]) if with_one[way] else "never" for way in with_one}
    if kept:
        z, end = "Z kept", ", which only cancels if Z is computed anew"
    else:
        z, end = "Z computed anew", " too, so that normalization cancels it whatever it is"
    text = f"φ({node}) drops out of 1/Z φ({node}) φ(rest){subject.where}, {z}"
    reason = f"Z holds the sum of φ({node}) as a factor{end}"
    return answered(claim, text, str, ways["pyrogen"], claim["stated"] == ways["pyrogen"], lines, ways, reason)


def _removal_directed(subject: Subject, claim: Claim, node: Node) -> Row:
    own_numbers = has_tables(subject.network)
    network = subject.network if own_numbers else generic_network(subject.graph, np.random.default_rng(0))
    rest = network.copy()
    rest.remove_cpds(node)
    rest.remove_node(node)
    names = list(rest)
    bound = 16 * terms(network) * EPSILON
    alone = tables(rest, names)
    off = {way: float(np.abs(table - alone[way]).max()) for way, table in tables(network, names).items()}
    ways = {way: "always" if value < bound else "never" for way, value in off.items()}
    total = ", ".join(f"{value:.10g}" for value in np.unique(network.get_cpds(node).values.sum(0)))
    lines = [
        "in numbers, with the file's tables"
        if own_numbers
        else "in numbers, with random tables of two states a node (seed 0)",
        f"P({node}{' | …' if list(network.predecessors(node)) else ''}) sums to {total}, whatever the tables are",
        f"the joint of the other nodes, summed over {node} or with {node} left out, differs by "
        f"{max(off.values()):.0e} at most (rounding {bound:.0e})",
    ]
    text, computed, reason = f"P({node}) drops out of the joint", ways["pyrogen"], "a conditional sums to one"
    return answered(claim, text, str, computed, claim["stated"] == computed, lines, ways, reason)


def _removed(whole: Any, rest: Any, kept: bool) -> dict[str, bool]:
    """Return whether 1/Z φ(rest) is the distribution of the rest, Z being the whole's or the rest's; in each way."""
    names, bound = list(rest), 16 * terms(whole) * EPSILON
    summed, alone, z, left = tables(whole, names), tables(rest, names), partitions(whole), partitions(rest)
    return {
        way: bool(np.abs(table - alone[way] * (left[way] / z[way] if kept else 1.0)).max() < bound)
        for way, table in summed.items()
    }


def _removal_line(whole: Any, rest: Any, phi: Any, what: str) -> str:
    z, left = math.exp(log_partition(whole)), math.exp(log_partition(rest))
    kept = "a distribution" if abs(left / z - 1) < 1e-9 else "no distribution"
    return (
        f"φ = ({', '.join(f'{value:g}' for value in phi)}), which {what}: Z = {z:.6f}, without the node {left:.6f}; "
        f"1/Z φ(rest) with Z kept sums to {left / z:.6g}, {kept}; with Z = {left:.6f} computed anew it sums to one "
        "and is the distribution of the rest"
    )
