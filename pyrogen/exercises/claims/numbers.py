"""Claims that are judged by numbers: equal conditionals, a scaled potential, a removed node.

The numbers are those of the exercise's own tables if it has any, besides random ones. They are computed by
`pyrogen.graphs.query`, by pgmpy, and from the joint distribution written out, and compared up to the rounding that each
can have: n ε for each entry (see `pyrogen.graphs.inference.dependence`), and in logarithms 16 times that to be safe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.exercises import explanations
from pyrogen.exercises.claims.independences import Claim, Subject, independence, judged
from pyrogen.exercises.results import Row
from pyrogen.graphs.inference.dependence import EPSILON, JOINT, exact_table, generic_network, terms
from pyrogen.graphs.inference.queries import log_partition, query
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node

Table = NDArray[np.float64]

REMOVALS = ("always", "only if its potential sums to one", "never")


def equal_conditionals(subject: Subject, claim: Claim) -> Row:
    """p(x | given) = p(x | given, also), which is x ⊥ also | given; in the file's tables too."""
    x, given, also = claim["x"], claim["given"], claim["also"]
    row = independence(subject, {**claim, "y": also, "text": None})
    lines = [f"it says that {explanations.independence(x, also, given)}", *row.evidence]
    if has_tables(subject.network) and joint_states(subject.network, [*x, *given, *also]) <= JOINT:
        line, most = _conditionals(subject.network, x, given, also)
        lines.append(line)
        if row.computed == "false" and most < 16 * terms(subject.network) * EPSILON:
            lines.append("the file's tables make them equal, although the structure does not: other tables would not")
    left, right = (_conditional(x, condition) for condition in (given, [*given, *also]))
    holds = row.computed == "true"
    reason = row.reason or lines[1]
    return judged(claim, f"{left} = {right}", holds, lines, row.ways, reason)


def scaling(subject: Subject, claim: Claim) -> Row:
    """Multiplying a potential by a number: what becomes of the probabilities, and of Z."""
    network, nodes, by = subject.network, claim["nodes"], float(claim["by"])
    scaled = network.copy()
    factor = next(one for one in scaled.factors if set(one.variables) == set(nodes))
    factor.values = factor.values * by
    names = list(network)
    before, after = (
        [_by_query(one, names), exact_table(one, names), written_out(one, names)] for one in (network, scaled)
    )
    z = [[math.exp(log_partition(one)), one.get_partition_function(), _total(one)] for one in (network, scaled)]
    bound = 16 * terms(network) * EPSILON
    off = [float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True)]
    ratios = [b / a for a, b in zip(*z, strict=True)]
    grows = claim.get("z_factor")
    wrong_z = grows is not None and abs(ratios[0] / float(grows) - 1) > bound
    ways = {
        way: (off[place] < bound, bool(abs(ratios[place] / by - 1) < bound))
        for place, way in enumerate(("pyrogen", "pgmpy", "written out"))
    }
    potential = f"φ({', '.join(map(str, nodes))})"
    lines = [
        f"Z = {z[0][0]:.6f} before and {z[1][0]:.6f} after, {ratios[0]:.6g} times as much",
        f"the {before[0].size} joint probabilities differ by {max(off):.0e} at most (rounding {bound:.0e})",
        *(
            f"P({name} = {state}) = {p:.6f} before and {q:.6f} after"
            for name, state, p, q in _some(network, scaled, nodes)
        ),
    ]
    wrong = f"Z grows by {ratios[0]:.6g}, not by {float(grows):g}" if grows is not None and wrong_z else ""
    text = f"{potential} × {by:g} changes no probability" + (f", as Z × {float(grows):g}" if grows else "")
    return judged(claim, text, off[0] < bound, lines, ways, "the number stands in Z too and cancels", wrong)


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


def check_small(network: Any) -> None:
    """Refuses a network whose joint distribution is too large to be written out."""
    states = joint_states(network, list(network))
    if states > JOINT:
        raise ValueError(
            f"the joint distribution is written out, so it may have at most {JOINT:,} states, got {states:,}"
        )


def has_tables(network: Any) -> bool:
    """Whether an exercise's network comes with numbers."""
    return bool(network.cpds if network.is_directed() else network.factors)


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
        "pyrogen": (_by_query(network, names), _by_query(rest, names)),
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
    """Whether 1/Z φ(rest) is the distribution of the rest, Z being the whole's or the rest's; in each way."""
    names = list(rest)
    pairs = {
        "pyrogen": (
            _by_query(whole, names),
            _by_query(rest, names),
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
            _total(rest) / _total(whole),
        ),
    }
    bound = 16 * terms(whole) * EPSILON
    return {
        way: bool(np.abs(summed - (alone * ratio if kept else alone)).max() < bound)
        for way, (summed, alone, ratio) in pairs.items()
    }


def _removal_line(whole: Any, rest: Any, phi: Table, what: str) -> str:
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


def _conditional(x: Sequence[object], given: Sequence[object]) -> str:
    left, right = (", ".join(map(str, side)) for side in (x, given))
    return f"p({left} | {right})" if given else f"p({left})"


def _conditionals(network: Any, x: list[Node], given: list[Node], also: list[Node]) -> tuple[str, float]:
    """The largest difference of the two conditionals in the file's own tables: in words with a pair, and the number."""
    table = exact_table(network, [*x, *given, *also])
    xs, last = tuple(range(len(x))), tuple(range(len(x) + len(given), table.ndim))
    short = table.sum(last, keepdims=True)
    with np.errstate(invalid="ignore"):
        narrow, wide = (one / one.sum(xs, keepdims=True) for one in (table, short))
    off = np.abs(narrow - wide)
    off = np.where(np.isnan(off), -1.0, off)  # conditions of probability zero
    at = np.unravel_index(int(off.argmax()), off.shape)
    names = [*x, *given, *also]
    states = {
        one: (network.get_cpds(one) if network.is_directed() else _factor(network, one)).state_names[one]
        for one in names
    }
    where = [f"{name} = {states[name][index]}" for name, index in zip(names, at, strict=True)]
    first, second, third = where[: len(x)], where[len(x) : len(x) + len(given)], where[len(x) + len(given) :]
    wide = np.broadcast_to(wide, narrow.shape)
    line = (
        f"with the file's tables they differ by {off.max():.1e} at most: {_conditional(first, second)} = "
        f"{wide[at]:.6f}, {_conditional(first, [*second, *third])} = {narrow[at]:.6f}"
    )
    return line, float(off.max())


def _factor(network: Any, name: Node) -> Any:
    return next(one for one in network.factors if name in one.variables)


def _some(network: Any, scaled: Any, nodes: list[Node]) -> list[tuple[Node, Any, float, float]]:
    rows = []
    for name in nodes:
        before, after = (query(one, [name]).as_dict() for one in (network, scaled))
        state = list(before)[-1]
        rows.append((name, state, before[state], after[state]))
    return rows


def _by_query(network: Any, names: list[Node]) -> Table:
    posterior = query(network, names)
    return posterior.marginal(*names).table if len(names) > 1 else posterior.table


def written_out(network: Any, names: list[Node]) -> Table:
    """The joint distribution of all nodes as one table, a product entry by entry, its axes in the order of `names`.

    The order has to be given: pgmpy's copies may have their nodes in another one.
    """
    table = _unnormalized(network, names)
    value: Table = table / table.sum()
    return value


def joint_states(network: Any, names: list[Node]) -> int:
    """How many joint states these nodes have; two each if the network has no tables."""
    if not has_tables(network):
        return 1 << len(names)
    states = validation.states(network)
    return math.prod(len(states[name]) for name in names)


def _total(network: Any) -> float:
    return float(_unnormalized(network, list(network)).sum())


def _unnormalized(network: Any, names: list[Node]) -> Table:
    factors = [one.to_factor() for one in network.cpds] if network.is_directed() else network.factors
    sizes = {name: size for one in factors for name, size in zip(one.variables, one.cardinality, strict=True)}
    table = np.ones([sizes[name] for name in names])
    for one in factors:
        order = sorted(one.variables, key=names.index)
        values = one.values.transpose([one.variables.index(name) for name in order])
        table = table * values.reshape([sizes[name] if name in order else 1 for name in names])
    return table
