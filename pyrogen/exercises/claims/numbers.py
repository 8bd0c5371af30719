"""Claims that are judged by numbers: equal conditionals, and a scaled potential.

The numbers are those of the exercise's own tables if it has any, besides random ones. They are computed by
`pyrogen.graphs.query`, by pgmpy, and from the joint distribution written out. They are compared up to their rounding,
n ε for each entry (see `pyrogen.graphs.inference.dependence`), and in logarithms 16 times that to be safe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.exercises import explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, independence, judged
from pyrogen.exercises.results import Row
from pyrogen.graphs.inference.dependence import EPSILON, JOINT, exact_table, terms
from pyrogen.graphs.inference.queries import log_partition, query
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node

Table = NDArray[np.float64]


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
        [by_query(one, names), exact_table(one, names), written_out(one, names)] for one in (network, scaled)
    )
    z = [[math.exp(log_partition(one)), one.get_partition_function(), total(one)] for one in (network, scaled)]
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


def check_scaling(claim: dict[str, Any], network: Any) -> None:
    """Check the potential that is scaled, and by what."""
    if network.is_directed():
        raise ValueError("it needs a Markov network, got a Bayesian network")
    if not any(set(one.variables) == set(claim["nodes"]) for one in network.factors):
        raise ValueError(f"the network has no potential over {', '.join(claim['nodes'])} alone")
    for field in ("by", "z_factor"):
        schema.positive(claim.get(field, 1), field)
    check_small(network)


def check_small(network: Any) -> None:
    """Refuse a network whose joint distribution is too large to be written out."""
    states = joint_states(network, list(network))
    if states > JOINT:
        raise ValueError(
            f"the joint distribution is written out, so it may have at most {JOINT:,} states, got {states:,}"
        )


def has_tables(network: Any) -> bool:
    """Return whether an exercise's network comes with numbers."""
    return bool(network.cpds if network.is_directed() else network.factors)


def _conditional(x: Sequence[object], given: Sequence[object]) -> str:
    left, right = (", ".join(map(str, side)) for side in (x, given))
    return f"p({left} | {right})" if given else f"p({left})"


def _conditionals(network: Any, x: list[Node], given: list[Node], also: list[Node]) -> tuple[str, float]:
    """Return the largest difference of the two conditionals in the file's own tables: in words with a pair, and the
    number."""
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


def by_query(network: Any, names: list[Node]) -> Table:
    """Return P(names) by `pyrogen.graphs.query`, its axes in the order of `names`."""
    posterior = query(network, names)
    return posterior.marginal(*names).table if len(names) > 1 else posterior.table


def written_out(network: Any, names: list[Node]) -> Table:
    """Return the joint distribution of all nodes as one table, a product entry by entry, its axes in the order of
    `names`.

    The order has to be given: pgmpy's copies may have their nodes in another one.
    """
    table = unnormalized(network, names)
    value: Table = table / table.sum()
    return value


def joint_states(network: Any, names: list[Node]) -> int:
    """Return how many joint states these nodes have; two each if the network has no tables."""
    if not has_tables(network):
        return 1 << len(names)
    states = validation.states(network)
    return math.prod(len(states[name]) for name in names)


def unnormalized(network: Any, names: list[Node]) -> Table:
    """Return the product of all factors as one table, its axes in the order of `names`."""
    factors = [one.to_factor() for one in network.cpds] if network.is_directed() else network.factors
    sizes = {name: size for one in factors for name, size in zip(one.variables, one.cardinality, strict=True)}
    table = np.ones([sizes[name] for name in names])
    for one in factors:
        order = sorted(one.variables, key=names.index)
        values = one.values.transpose([one.variables.index(name) for name in order])
        table = table * values.reshape([sizes[name] if name in order else 1 for name in names])
    return table


def total(network: Any) -> float:
    """Return Z, the sum of the product of all factors."""
    return float(unnormalized(network, list(network)).sum())
