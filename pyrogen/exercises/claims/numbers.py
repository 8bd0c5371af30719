"""Claims that are judged by numbers: equal conditionals, and a scaled potential.

The numbers are those of the exercise's own tables if it has any, besides random ones. They are computed by
`pyrogen.graphs.query`, by pgmpy, and from the joint distribution written out. They are compared up to their rounding,
n ε for each entry (see `pyrogen.graphs.inference.dependence`), and in logarithms 16 times that to be safe.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyrogen import checks
from pyrogen.exercises import explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, independence, judged
from pyrogen.exercises.results import Row
from pyrogen.graphs.inference.dependence import EPSILON, JOINT, exact_table, terms
from pyrogen.graphs.inference.queries import log_partition, query
from pyrogen.graphs.inference.rings import Table
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.factorization import term
from pyrogen.graphs.structure.validation import Node


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
    left, right = (term("p", x, condition) for condition in (given, [*given, *also]))
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
    before, after, z, scaled_z = tables(network, names), tables(scaled, names), partitions(network), partitions(scaled)
    bound = 16 * terms(network) * EPSILON
    off = {way: float(np.abs(after[way] - table).max()) for way, table in before.items()}
    ratios = {way: scaled_z[way] / value for way, value in z.items()}
    ways = {way: (off[way] < bound, bool(abs(ratio / by - 1) < bound)) for way, ratio in ratios.items()}
    times, most = ratios["pyrogen"], max(off.values())
    lines = [
        f"Z = {z['pyrogen']:.6f} before and {scaled_z['pyrogen']:.6f} after, {times:.6g} times as much",
        f"the {before['pyrogen'].size} joint probabilities differ by {most:.0e} at most (rounding {bound:.0e})",
    ]
    for name in nodes:
        old, new = (query(one, [name]).as_dict() for one in (network, scaled))
        state = list(old)[-1]
        lines.append(f"P({name} = {state}) = {old[state]:.6f} before and {new[state]:.6f} after")
    text, wrong = f"{term('φ', nodes)} × {by:g} changes no probability", ""
    if (grows := claim.get("z_factor")) is not None:
        text += f", as Z × {float(grows):g}"
        wrong = f"Z grows by {times:.6g}, not by {float(grows):g}" if abs(times / float(grows) - 1) > bound else ""
    return judged(claim, text, off["pyrogen"] < bound, lines, ways, "the number stands in Z too and cancels", wrong)


def check_scaling(claim: dict[str, Any], network: Any) -> None:
    """Check the potential that is scaled, and by what."""
    if network.is_directed():
        raise ValueError("it needs a Markov network, got a Bayesian network")
    if not any(set(one.variables) == set(claim["nodes"]) for one in network.factors):
        raise ValueError(f"the network has no potential over {', '.join(claim['nodes'])} alone")
    for field in ("by", "z_factor"):
        checks.real(f'"{field}"', claim.get(field, 1), above=0, most=schema.LARGEST)
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
    states = validation.states(network)
    where = [f"{name} = {states[name][index]}" for name, index in zip(names, at, strict=True)]
    first, second, third = where[: len(x)], where[len(x) : len(x) + len(given)], where[len(x) + len(given) :]
    wide = np.broadcast_to(wide, narrow.shape)
    line = (
        f"with the file's tables they differ by {off.max():.1e} at most: {term('p', first, second)} = "
        f"{wide[at]:.6f}, {term('p', first, [*second, *third])} = {narrow[at]:.6f}"
    )
    return line, float(off.max())


def tables(network: Any, names: list[Node]) -> dict[str, Table]:
    """Return P(names) in each way: by `pyrogen.graphs.query`, by pgmpy, and from the joint distribution written out.

    The axes are in the order of `names`, which has to be given: pgmpy's copies may have their nodes in another one.
    """
    return {
        "pyrogen": query(network, names).marginal(*names).table,
        "pgmpy": exact_table(network, names),
        "written out": written_out(network, names),
    }


def partitions(network: Any) -> dict[str, float]:
    """Return Z, the sum of the product of all factors, in each way."""
    return {
        "pyrogen": math.exp(log_partition(network)),
        "pgmpy": network.get_partition_function(),
        "written out": float(unnormalized(network, list(network)).sum()),
    }


def written_out(network: Any, names: list[Node]) -> Table:
    """Return P(names) from the joint distribution of all nodes as one table, its axes in the order of `names`."""
    table = unnormalized(network, [*names, *(node for node in network if node not in names)])
    table = table.sum(tuple(range(len(names), table.ndim)))
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
    place = {name: axis for axis, name in enumerate(names)}
    parts = [part for one in factors for part in (one.values, [place[name] for name in one.variables])]
    table: Table = np.einsum(*parts, list(place.values()), optimize=True)
    return table
