"""Claims on minimal separators: sets that make x and y independent, and no part of which does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any

from pyrogen.exercises import cross_checks, explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, answered
from pyrogen.exercises.results import Row
from pyrogen.graphs.structure.separation import asserts
from pyrogen.graphs.structure.separators import minimum_d_separator
from pyrogen.graphs.structure.validation import Node

PARTS = 12  # nodes of the largest separator all of whose parts are tried


def check_minimal_separator(claim: dict[str, Any], network: Any) -> None:
    """Check the fields."""
    if len(claim["x"]) != 1 or len(claim["y"]) != 1:
        raise ValueError('"x" and "y" must be one name each')
    claim["smallest"] = schema.flag(claim.get("smallest", False), "smallest")
    if claim["stated"] is not None:
        if set(claim["stated"]) & {*claim["x"], *claim["y"]}:
            raise ValueError('"stated" must not hold x or y')
        if len(claim["stated"]) > PARTS:
            raise ValueError(f'"stated" may have at most {PARTS} names')


def minimal_separator(subject: Subject, claim: Claim) -> Row:
    """Return a set that separates x and y while none of its parts does; with ``smallest``, of the fewest nodes there
    are."""
    x, y = claim["x"], claim["y"]
    ask: dict[str, Callable[[Iterable[Node]], bool]] = {
        "pyrogen": lambda given: asserts(subject.graph, x, y, list(given)),
        "pgmpy": lambda given: cross_checks.pgmpy_separated(subject.pgmpy, x, y, list(given)),
        "networkx": lambda given: cross_checks.networkx_separated(subject.networkx, x, y, list(given)),
    }
    least = _smallest(subject, x, y, ask["pyrogen"])
    computed = "none" if least is None else subject.named(least)
    stated = claim["stated"]
    what = "smallest separator" if claim["smallest"] else "minimal separator"
    text = f"{what} of {x[0]} and {y[0]}{subject.where}"
    if stated is None or least is None:
        tried = least if least is not None else frozenset(set(subject.graph) - {*x, *y})
        ways: dict[str, Any] = {way: separates(tried) for way, separates in ask.items()}
        reason = f"{explanations.edge(x[0], y[0])} are joined, so that nothing separates them"
        lines = ["every other separator has at least as many nodes" if least is not None else "they are joined"]
        return answered(claim, text, explanations.named, computed, False, lines, ways, reason)
    parts = [part for size in range(len(stated)) for part in combinations(stated, size)]
    ways = {way: (separates(stated), not any(map(separates, parts))) for way, separates in ask.items()}
    holds, minimal = ways["pyrogen"]
    small = not claim["smallest"] or len(stated) == len(least)
    reason = ""
    if not holds:
        reason = f"given {explanations.named(stated)} there is the {explanations.why(subject.graph, x, y, stated)[0]}"
    elif not minimal:
        part = next(part for part in parts if ask["pyrogen"](part))
        reason = f"{explanations.named(part)}, a part of it, separates them already"
    elif not small:
        reason = f"{computed} has fewer nodes"
    lines = explanations.why(subject.graph, x, y, stated) if holds else [f"{computed} is one"]
    if holds and minimal:
        lines = [*lines, "none of its parts separates them"]
    agrees = holds and minimal and small
    shown, remark = computed, ""
    if agrees and set(stated) != set(least):
        shown, remark = explanations.named(stated), "one of several"
    return answered(claim, text, explanations.named, shown, agrees, lines, ways, reason, remark)


def _smallest(
    subject: Subject, x: list[Node], y: list[Node], separates: Callable[[Any], bool]
) -> frozenset[Node] | None:
    """Return a separator of the fewest nodes; None if x and y are joined."""
    import networkx as nx

    if subject.directed:
        return minimum_d_separator(subject.graph, x, y)
    if subject.graph.has_edge(x[0], y[0]):
        return None
    if separates(()):
        return frozenset()
    return frozenset(nx.minimum_node_cut(subject.networkx, x[0], y[0]))
