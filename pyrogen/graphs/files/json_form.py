"""Our JSON of a network: the object it is, and the checks of what a stranger's file may say.

The JSON of a Bayesian network. The innermost lists each sum to one over the node's states, in their order. Each list
around them runs over the states of a parent, in the order of ``parents``::

    {"kind": "bayesian",
     "note": "any text, such as where the numbers are from",
     "nodes": {"rain": ["no", "yes"], "wet": ["no", "yes"]},
     "edges": [["rain", "wet"]],
     "tables": [{"node": "rain", "values": [0.8, 0.2]},
                {"node": "wet", "parents": ["rain"], "values": [[0.9, 0.1], [0.1, 0.9]]}]}

A Markov network has ``"kind": "markov"`` and, for ``tables``, ``"factors": [{"nodes": ["A", "B"], "values": …}]``,
where the outermost list runs over the first node's states. Without them it is a structure alone, and
``nodes`` may be a list of names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from reprlib import Repr
from typing import Any, NoReturn

import numpy as np

from pyrogen.graphs.files.rounding import beyond_rounding
from pyrogen.graphs.inference.factors import tables
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.making import bayesian_network, conditional_table, graph_of

FIELDS = {
    "bayesian": {"kind", "name", "note", "nodes", "edges", "tables"},
    "markov": {"kind", "name", "note", "nodes", "edges", "factors"},
}

DIGITS = 4000  # of a whole number; Python reads 4300 at most

_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 60


def parse_json(text: str, number: Callable[[str], float] = float) -> Any:
    """Return what a JSON text says; `number` makes a number with a point of its text.

    Raises:
        ValueError: with line and column for anything but JSON, for a name given twice in one object, for NaN and
            Infinity, and for lists that are nested too deep.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=number, parse_int=_whole
        )
    except RecursionError as error:
        raise ValueError("this JSON is nested too deep to be read") from error


def network_from_dict(content: Mapping[str, Any]) -> Any:
    """Return the network that a JSON object describes, as above.

    Args:
        content: the object, with the fields that this module's text names.

    Raises:
        ValueError: for a missing or unknown field, a wrong node, state or edge, and all that can be wrong in tables.

    Example:
        >>> content = {"kind": "markov", "nodes": {"A": [0, 1]}, "factors": [{"nodes": ["A"], "values": [1, 3]}]}
        >>> network_from_dict(content).factors[0].values
        array([1., 3.])
    """
    from pgmpy.models import DiscreteMarkovNetwork

    kind, numbers, states = _checked_fields(content)
    directed = kind == "bayesian"
    edges: list[Any] = []
    for edge in _sequence(content.get("edges", []), "edges"):
        if not isinstance(edge, Sequence) or isinstance(edge, str) or len(edge) != 2 or edge[0] == edge[1]:
            raise ValueError(f"an edge must be a list of two different nodes, got {_repr.repr(edge)}")
        edges.append(tuple(_known(node, states, "edges") for node in edge))
    network = bayesian_network(states, edges) if directed else graph_of(DiscreteMarkovNetwork, states, edges)
    network.name = content.get("name", "")
    if numbers is None:
        return network
    seen: set[str] = set()
    for entry in numbers:
        table = _table(entry, states, directed)
        if directed and table.variable in seen:
            raise ValueError(f"{table.variable!r} has two tables, expected one")
        seen.add(table.variables[0])
        (network.cpds.append if directed else network.add_factors)(table)
    tables(network)
    return network


def network_to_dict(network: Any) -> dict[str, Any]:
    """Return the JSON object of a network of pgmpy, which `network_from_dict` reads back to the last digit.

    Args:
        network: a discrete network of pgmpy.

    Raises:
        TypeError, ValueError: as `query` does for a network that is not sound, and for nodes that are not strings or
            states that are neither strings nor numbers.
    """
    known = tables(network)
    for node, states in known.states.items():
        if not isinstance(node, str):
            raise ValueError(f"nodes must be strings for JSON, got {node!r}: rename it first")
        for state in states:
            if isinstance(state, bool) or not isinstance(state, str | int | float):
                raise ValueError(
                    f"states must be strings or numbers for JSON, got {state!r} of {node!r}: rename it first"
                )
    content: dict[str, Any] = {"kind": "bayesian" if known.directed else "markov"}
    if getattr(network, "name", None):
        content["name"] = network.name
    content["nodes"] = {node: list(states) for node, states in known.states.items()}
    content["edges"] = [list(edge) for edge in network.edges]
    if known.directed:
        content["tables"] = [
            {"node": names[0], "parents": list(names[1:]), "values": np.moveaxis(values, 0, -1).tolist()}
            for names, values in known.printed
        ]
    else:
        content["factors"] = [{"nodes": list(names), "values": values.tolist()} for names, values in known.printed]
    return content


def _checked_fields(content: Any) -> tuple[str, list[Any] | None, dict[str, list[Any]]]:
    """Return the kind, the entries of tables or factors if there are any, and the states of each node."""
    if not isinstance(content, Mapping):
        raise ValueError(f"the JSON must be an object, got {type(content).__name__}")
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise ValueError(f'"kind" must be "bayesian" or "markov", got {_repr.repr(kind)}')
    unknown = sorted(map(str, set(content) - FIELDS[kind]))
    if unknown:
        fields = ", ".join(sorted(FIELDS[kind]))
        raise ValueError(f"a {kind} network has the fields {fields}, got {_repr.repr(unknown[0])}")
    for text in ("name", "note"):
        if not isinstance(content.get(text, ""), str):
            raise ValueError(f'"{text}" must be a string, got {_repr.repr(content[text])}')
    field = "tables" if kind == "bayesian" else "factors"
    numbers = _sequence(content[field], field) if field in content else None
    nodes = content.get("nodes")
    if not nodes or not isinstance(nodes, Mapping | list):
        raise ValueError('"nodes" must map each node to its states, or without numbers list the nodes')
    if not all(isinstance(node, str) for node in nodes) or len(set(nodes)) != len(nodes):
        raise ValueError('"nodes" must name different nodes, each a string')
    if isinstance(nodes, list):
        if numbers is not None:
            raise ValueError(f'"nodes" must map each node to its states, since there are "{field}"')
        return kind, numbers, {node: [] for node in nodes}
    for node, states in nodes.items():
        sound = isinstance(states, list) and all(_is_state(state) for state in states)
        if not sound or not states or len(set(states)) != len(states):
            raise ValueError(
                f"the states of {node!r} must be a list of different strings or numbers, got {_repr.repr(states)}"
            )
    return kind, numbers, dict(nodes)


def _table(entry: Any, states: Mapping[str, list[Any]], directed: bool) -> Any:
    """Return a TabularCPD or a DiscreteFactor from an entry of ``tables`` or ``factors``."""
    from pgmpy.factors.discrete import DiscreteFactor

    wanted = {"node", "parents", "values"} if directed else {"nodes", "values"}
    required = wanted - {"parents"}
    if not isinstance(entry, Mapping) or not required <= set(entry) <= wanted:
        raise ValueError(f"a table has the fields {', '.join(sorted(wanted))}, got {_repr.repr(entry)}")
    if directed:
        names = [*_sequence(entry.get("parents", []), "parents"), entry["node"]]  # the node's own states come innermost
    else:
        names = _sequence(entry["nodes"], "nodes")
    what = f"the table of {_repr.repr(entry['node'])}" if directed else f"the factor over {_repr.repr(names)}"
    for name in names:
        _known(name, states, what)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{what} must name different nodes, got {names}")
    shape = tuple(len(states[name]) for name in names)
    flat: list[float] = []
    _flatten(entry["values"], shape, flat, f"{what} must be lists of numbers nested as {_nesting(names, shape)}")
    values = np.array(flat).reshape(shape)
    if (values < 0).any() or (directed and (values > 1).any()):
        kind = "probabilities" if directed else "numbers of at least 0"
        raise ValueError(f"{what} must hold {kind}, got {values.min()} … {values.max()}")
    if not directed:
        return DiscreteFactor(names, shape, values, state_names={name: states[name] for name in names})
    columns = np.moveaxis(values, -1, 0).reshape(shape[-1], -1)
    for _, total in beyond_rounding(columns):
        raise ValueError(f"{what} must sum to one for each state of its parents, got a sum of {total:.6g}")
    return conditional_table(names[-1], names[:-1], columns, states)


def _flatten(values: Any, shape: tuple[int, ...], flat: list[float], what: str) -> None:
    """Append the numbers of nested lists of the given shape to `flat`."""
    if not isinstance(values, list | tuple):
        raise ValueError(f"{what}, got {_repr.repr(values)} for a list")
    if len(values) != shape[0]:
        raise ValueError(f"{what}, got a list of {len(values)} for {shape[0]}")
    for value in values:
        if len(shape) > 1:
            _flatten(value, shape[1:], flat, what)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{what}, got {_repr.repr(value)} for a number")
        elif abs(value) > 1e300 or not isfinite(value):  # an int may be too large for a float
            raise ValueError(f"{what} of a usual size, got {_repr.repr(value)}")
        else:
            flat.append(float(value))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the name {_repr.repr(twice)} stands twice in one object of this JSON, expected once")
    return found


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a whole number must have at most {DIGITS} digits, got {len(text)}")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise ValueError(f"numbers must be finite, got {text}")


def _is_state(state: Any) -> bool:
    return isinstance(state, str | int | float) and not isinstance(state, bool) and state == state


def _known(name: Any, states: Mapping[str, Any], what: str) -> str:
    if not isinstance(name, str) or name not in states:
        raise ValueError(f"{what} names {_repr.repr(name)}, but the nodes are {validation.listed(states, str)}")
    return name


def _sequence(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f'"{what}" must be a list, got {_repr.repr(value)}')
    return list(value)


def _nesting(names: Sequence[str], shape: Sequence[int]) -> str:
    return ", then ".join(f"{size} for {name}" for name, size in zip(names, shape, strict=True))
