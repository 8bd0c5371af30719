"""Claims on numbers of the network's own tables: probabilities, interventions, and the most probable explanation.

Each number is computed by `pyrogen.graphs`, by pgmpy, and from the joint distribution written out. A stated probability
is right if it is the computed one to the digits stated: 0.31 stands for 0.305 to 0.315.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from pyrogen.exercises import explanations, schema
from pyrogen.exercises.claims.independences import Claim, Subject, answered
from pyrogen.exercises.claims.numbers import check_small, has_tables, joint_states, written_out
from pyrogen.exercises.results import Row
from pyrogen.graphs.inference.dependence import EPSILON, JOINT, exact_table, terms
from pyrogen.graphs.inference.queries import evidence_probability, map_assignment, query
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.making import conditional_table

States = Mapping[Any, Any]

NUMBER = re.compile(r"(?P<digits>\d*\.?\d*)(?:[eE](?P<power>[+-]?\d{1,3}))?\s*(?P<percent>%?)")


class Number(NamedTuple):
    """A probability as it is stated.

    Args:
        value: in [0, 1].
        half: half a unit of its last digit; 0 for a fraction such as 1/3, and for 0 and 1.
        text: as it stands in the file.
    """

    value: float
    half: float
    text: str


def read_number(value: Any) -> Number:
    """Return a stated probability: a number, or text such as ``"0.310"``, ``"31 %"``, ``"3.1e-2"`` or ``"1/3"``.

    Raises:
        ValueError: for anything else, and for a number outside of [0, 1].

    Example:
        >>> read_number("31 %")
        Number(value=0.31, half=0.005, text='31 %')
    """
    text = getattr(value, "text", value if isinstance(value, str) else repr(value)).strip()
    wanted = f'"stated" must be a probability such as 0.31, "31 %" or "1/3", got {str(value)[:40]!r}'
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(text) > 40:
        raise ValueError(wanted)
    if match := re.fullmatch(r"(\d{1,9})\s*/\s*(\d{1,9})", text):
        if not int(match[2]):
            raise ValueError(wanted)
        exact, half = float(Fraction(int(match[1]), int(match[2]))), 0.0
    else:
        match = NUMBER.fullmatch(text)
        if match is None or not match["digits"].strip("."):
            raise ValueError(wanted)
        power = int(match["power"] or 0) - (2 if match["percent"] else 0)
        places = len(match["digits"].partition(".")[2])
        exact = float(f"{match['digits']}e{power}")
        half = float(f"0.5e{power - places}") if power or places else 0.0
    if not 0 <= exact <= 1 or half > 0.5:  # "0e9" would be right whatever is computed
        raise ValueError(wanted)
    return Number(exact, half, text)


def check_probability(claim: dict[str, Any], network: Any) -> None:
    """Check the fields of a claim on a probability, and put their defaults."""
    needs_tables(network)
    claim["event"] = schema.states(network, claim["event"], "event")
    for side in ("evidence", "do"):
        claim[side] = schema.states(network, claim.get(side, {}), side, empty=True)
    validation.apart(**{side: list(claim[side]) for side in ("event", "evidence", "do")})
    if claim["do"] and not network.is_directed():
        raise ValueError('"do" needs a Bayesian network, got a Markov network')
    if claim["evidence"] and evidence_probability(intervened(network, claim["do"]), claim["evidence"]) == 0:
        raise ValueError(f"the evidence {assigned(claim['evidence'])} has probability zero")
    if claim["stated"] is not None:
        claim["stated"] = read_number(claim["stated"])


def probability(subject: Subject, claim: Claim) -> Row:
    """P(event | evidence), perhaps after an intervention."""
    event, given, do = claim["event"], claim["evidence"], claim["do"]
    network = intervened(subject.network, do)
    joint, bound = {**event, **given}, 64 * terms(network) * EPSILON
    found = query(network, list(event), given or None)[dict(event)]
    ways: dict[str, Any] = {"pyrogen": f"{found:.12g}"}
    for way, value in _in_other_ways(network, event, given).items():
        near = abs(value - found) <= bound * max(found, EPSILON)
        ways[way] = f"{found if near else value:.12g}"
    ways.setdefault("written out", None)
    lines = [f"cut are the arrows into {explanations.listing(list(map(str, do)))}, now set"] if do else []
    if given:
        both, over = (evidence_probability(network, states) for states in (joint, given))
        lines.append(f"{_of(joint, {}, do)} = {both:.6g} over {_of(given, {}, do)} = {over:.6g} is {found:.6g}")
    lines.append(f"{_of(event, given, do)} = {found:.10g}")
    if do and not claim["evidence"]:
        seen = evidence_probability(subject.network, do)
        if seen > 0:
            observed = evidence_probability(subject.network, {**event, **do}) / seen
            lines.append(f"observed instead of set, {_of(event, do, {})} = {observed:.6g}")
    stated: Number = claim["stated"] or Number(found, 0.0, "")
    agrees = abs(found - stated.value) <= stated.half + bound
    computed, reason = f"{found:.6g}", _why(found, stated)
    return answered(claim, _of(event, given, do), lambda _: stated.text, computed, agrees, lines, ways, reason)


def _in_other_ways(network: Any, event: States, given: States) -> dict[str, float]:
    """Return P(event | given) by pgmpy and from the joint written out, where their tables are not too large."""
    joint, known = {**event, **given}, validation.states(network)
    tables = {"pgmpy": exact_table(network, list(joint))} if joint_states(network, list(joint)) <= JOINT else {}
    if joint_states(network, list(network)) <= JOINT:
        tables["written out"] = written_out(network, list(joint))
    at, over = (tuple(known[name].index(state) for name, state in states.items()) for states in (joint, given))
    return {way: float(table[at] / table.sum(tuple(range(len(event))))[over]) for way, table in tables.items()}


def check_most_probable(claim: dict[str, Any], network: Any) -> None:
    """Check the fields of a claim on the most probable explanation."""
    needs_tables(network)
    claim["evidence"] = schema.states(network, claim.get("evidence", {}), "evidence", empty=True)
    left = [node for node in network if node not in claim["evidence"]]
    claim["of"] = schema.names(network, claim["variables"], "variables") if "variables" in claim else left
    validation.apart(variables=claim["of"], evidence=list(claim["evidence"]))
    if not claim["of"]:
        raise ValueError("everything is observed, so nothing is left to explain")
    check_small(network)
    if evidence_probability(network, claim["evidence"]) == 0:
        raise ValueError(f"the evidence {assigned(claim['evidence'])} has probability zero")
    if claim["stated"] is not None:
        claim["stated"] = schema.states(network, claim["stated"], "stated")
        if set(claim["stated"]) != set(claim["of"]):
            raise ValueError(f'"stated" must give a state to each of {", ".join(map(str, claim["of"]))}')


def most_probable(subject: Subject, claim: Claim) -> Row:
    """Return the states of some variables that jointly have the largest probability given the evidence."""
    network, names, given = subject.network, list(claim["of"]), claim["evidence"]
    known = validation.states(network)
    best = map_assignment(network, names, given or None)
    bound = 64 * terms(network) * EPSILON
    asked = [*names, *given]
    tables: dict[str, Any] = {"pgmpy": exact_table(network, asked), "written out": written_out(network, asked)}
    first = {name: best.states[name] for name in names}
    ways: dict[str, Any] = {"pyrogen": assigned(first)}
    ties: list[dict[Any, Any]] = []
    for way, table in tables.items():
        left = table[(..., *(known[name].index(state) for name, state in given.items()))]
        tied = np.argwhere(left >= left.max() * (1 - bound))
        ties = [{name: known[name][index] for name, index in zip(names, at, strict=True)} for at in tied]
        ways[way] = assigned(first if first in ties else ties[0])
    over = evidence_probability(network, given) if given else 1.0
    top = evidence_probability(network, {**first, **given}) / over
    lines = [f"{_of(first, given, {})} = {top:.6g}, the largest of {math.prod(len(known[n]) for n in names):,}"]
    if len(ties) > 1:
        lines.append(f"{len(ties)} assignments are equally probable, and each of them is a right answer")
    alone = {name: known[name][int(query(network, [name], given or None).table.argmax())] for name in names}
    if alone != first:
        lines.append(f"node by node the most probable states are {assigned(alone)}, which is another question")
    stated = claim["stated"] or first
    own = evidence_probability(network, {**stated, **given}) / over
    agrees, reason = own >= top * (1 - bound), f"{_of(stated, given, {})} = {own:.6g} is less than {top:.6g}"
    text = f"most probable {', '.join(map(str, names))}" + (f" given {assigned(given)}" if given else "")
    return answered(claim, text, assigned, assigned(first), agrees, lines, ways, reason)


def assigned(states: States) -> str:
    """Return states as ``A = yes, B = no``."""
    return ", ".join(f"{name} = {state}" for name, state in states.items())


def intervened(network: Any, do: States) -> Any:
    """Return the network after do(...): the arrows into these nodes are cut, and each has the given state."""
    if not do:
        return network
    cut = network.copy()
    known = validation.states(network)
    for name, state in do.items():
        cut.remove_edges_from([(parent, name) for parent in list(cut.predecessors(name))])
        cut.remove_cpds(name)
        values = [[float(one == state)] for one in known[name]]
        cut.add_cpds(conditional_table(name, (), values, known))
    return cut


def needs_tables(network: Any) -> None:
    """Refuse a network without numbers."""
    if not has_tables(network):
        raise ValueError("it needs a network with tables, and this one has none: give its nodes states and tables")


def _of(event: States, given: States, do: States) -> str:
    condition = [f"do({assigned(do)})"] if do else []
    condition += [assigned(given)] if given else []
    return f"P({assigned(event)}{' | ' if condition else ''}{', '.join(condition)})"


def _why(found: float, stated: Number) -> str:
    """Why the stated number is not the computed one, with the digits that would be right."""
    if not stated.half:
        return f"it is {found:.6g}"
    cut = stated.value <= found < stated.value + 2 * stated.half
    places = max(0, round(-math.log10(2 * stated.half)))
    rounded = f"{found:.{places}f}"
    return f"it is {found:.6g}, which rounds to {rounded}" + (" and was cut off instead" if cut else "")
