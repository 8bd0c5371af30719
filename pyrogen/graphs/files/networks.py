"""Networks from files: those that pgmpy brings along, BIF, and our JSON. Nothing is fetched from a network.

The JSON of a Bayesian network, in which the innermost lists each sum to one over the node's states, in their order, and
each list around them runs over a parent's, in the order of ``parents``::

    {"kind": "bayesian",
     "note": "any text, such as where the numbers are from",
     "nodes": {"rain": ["no", "yes"], "wet": ["no", "yes"]},
     "edges": [["rain", "wet"]],
     "tables": [{"node": "rain", "values": [0.8, 0.2]},
                {"node": "wet", "parents": ["rain"], "values": [[0.9, 0.1], [0.1, 0.9]]}]}

A Markov network has ``"kind": "markov"`` and, for ``tables``, ``"factors": [{"nodes": ["A", "B"], "values": …}]``,
where the outermost list runs over the first node's states. Without them it is a structure alone, and
``nodes`` may be a list of names. BIF is the Interchange Format for Bayesian networks
(http://www.cs.washington.edu/dm/vfml/appendixes/bif.htm).
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyrogen.graphs.inference.factors import tables

FIELDS = {
    "bayesian": {"kind", "name", "note", "nodes", "edges", "tables"},
    "markov": {"kind", "name", "note", "nodes", "edges", "factors"},
}


def bundled(name: str) -> Any:
    """A network that pgmpy's wheel holds, such as ``"alarm"``, as a DiscreteBayesianNetwork; read anew each time.

    They are those of the Bayesian Network Repository (https://www.bnlearn.com/bnrepository/). Reading takes seconds.

    Raises:
        ValueError: for a name that is not there, listing those that are.
    """
    path = _folder() / f"{name}.bif.gz"
    if not isinstance(name, str) or name not in bundled_names():
        raise ValueError(f"pgmpy brings no network {name!r}; it has {', '.join(bundled_names())}")
    return read_network(path)


def bundled_names() -> tuple[str, ...]:
    """The names that `bundled` takes, sorted."""
    return tuple(sorted(path.name.removesuffix(".bif.gz") for path in _folder().glob("*.bif.gz")))


def read_network(path: str | os.PathLike[str]) -> Any:
    """A network from a ``.bif`` or ``.json`` file, either of them perhaps with ``.gz`` behind.

    Returns:
        a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy, its tables checked.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for another kind of file, one that cannot be parsed, a cycle, an unknown node, a table of the wrong
            shape or that does not sum to one, a node without a table; the message begins with the path.
    """
    path = Path(path)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind not in ("bif", "json"):
        raise ValueError(f"{path}: expected a file that ends in .bif or .json, perhaps with .gz behind")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = content.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    try:
        return _from_bif(text) if kind == "bif" else network_from_dict(json.loads(text))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def network_from_dict(content: Mapping[str, Any]) -> Any:
    """The network that a JSON object describes, as above.

    Raises:
        ValueError: for a missing or unknown field, a wrong node, state or edge, and all that can be wrong in tables.

    Example:
        >>> content = {"kind": "markov", "nodes": {"A": [0, 1]}, "factors": [{"nodes": ["A"], "values": [1, 3]}]}
        >>> network_from_dict(content).factors[0].values
        array([1., 3.])
    """
    import networkx as nx
    from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork

    kind, numbers, states = _checked_fields(content)
    directed = kind == "bayesian"
    edges = nx.DiGraph() if directed else nx.Graph()
    edges.add_nodes_from(states)
    for edge in _sequence(content.get("edges", []), "edges"):
        if not isinstance(edge, Sequence) or isinstance(edge, str) or len(edge) != 2 or edge[0] == edge[1]:
            raise ValueError(f"an edge must be a list of two different nodes, got {edge!r}")
        edges.add_edge(*(_known(node, states, "edges") for node in edge))
    if directed and not nx.is_directed_acyclic_graph(edges):
        cycle = [edge[0] for edge in nx.find_cycle(edges)]
        raise ValueError(f"a Bayesian network has no cycle, but the edges make {' → '.join([*cycle, cycle[0]])}")
    network = DiscreteBayesianNetwork() if directed else DiscreteMarkovNetwork()
    network.add_nodes_from(edges.nodes)
    network.add_edges_from(edges.edges)
    network.name = content.get("name", "")
    if numbers is None:
        return network
    seen: set[str] = set()
    for entry in numbers:
        table = _table(entry, states, directed)
        if directed and table.variable in seen:
            raise ValueError(f"{table.variable!r} has two tables, expected one")
        seen.add(table.variables[0])
        (network.add_cpds if directed else network.add_factors)(table)
    tables(network)
    return network


def _checked_fields(content: Any) -> tuple[str, list[Any] | None, dict[str, list[Any]]]:
    """The kind, the entries of tables or factors if there are any, and the states of each node."""
    if not isinstance(content, Mapping):
        raise ValueError(f"expected a JSON object, got {type(content).__name__}")
    kind = content.get("kind")
    if kind not in FIELDS:
        raise ValueError(f'"kind" must be "bayesian" or "markov", got {kind!r}')
    unknown = sorted(set(content) - FIELDS[kind])
    if unknown:
        raise ValueError(f"a {kind} network has the fields {', '.join(sorted(FIELDS[kind]))}, got {unknown[0]!r}")
    field = "tables" if kind == "bayesian" else "factors"
    numbers = _sequence(content[field], field) if field in content else None
    nodes = content.get("nodes")
    if not nodes or not isinstance(nodes, Mapping | list):
        raise ValueError('"nodes" must map each node to its states, or without numbers list the nodes')
    if isinstance(nodes, list):
        if numbers is not None:
            raise ValueError(f'"nodes" must map each node to its states, since there are "{field}"')
        if not all(isinstance(node, str) for node in nodes) or len(set(nodes)) != len(nodes):
            raise ValueError('"nodes" must list different names, each a string')
        return kind, numbers, {node: [] for node in nodes}
    for node, states in nodes.items():
        hashable = isinstance(states, list) and all(isinstance(state, str | int | float) for state in states)
        if not hashable or not states or len(set(states)) != len(states):
            raise ValueError(f"the states of {node!r} must be a list of different strings or numbers, got {states!r}")
    return kind, numbers, dict(nodes)


def _table(entry: Any, states: Mapping[str, list[Any]], directed: bool) -> Any:
    """A TabularCPD or a DiscreteFactor from an entry of ``tables`` or ``factors``."""
    from pgmpy.factors.discrete import DiscreteFactor, TabularCPD

    wanted = {"node", "parents", "values"} if directed else {"nodes", "values"}
    required = wanted - {"parents"}
    if not isinstance(entry, Mapping) or not required <= set(entry) <= wanted:
        raise ValueError(f"a table has the fields {', '.join(sorted(wanted))}, got {entry!r}")
    if directed:
        names = [*_sequence(entry.get("parents", []), "parents"), entry["node"]]  # the node's own states come innermost
    else:
        names = _sequence(entry["nodes"], "nodes")
    what = f"the table of {entry['node']!r}" if directed else f"the factor over {names}"
    for name in names:
        _known(name, states, what)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{what} must name different nodes, got {names}")
    shape = tuple(len(states[name]) for name in names)
    try:
        values = np.array(entry["values"], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be lists of numbers nested as {_nesting(names, shape)}, got others") from error
    if values.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, nested as {_nesting(names, shape)}, got {values.shape}")
    known = {name: states[name] for name in names}
    if not directed:
        return DiscreteFactor(names, shape, values, state_names=known)
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{what} must hold probabilities, got {values.min()} … {values.max()}")
    *parents, node = names
    columns = np.moveaxis(values, -1, 0).reshape(shape[-1], -1)
    return TabularCPD(node, shape[-1], columns, parents or None, shape[:-1] or None, state_names=known)


def _from_bif(text: str) -> Any:
    from pgmpy.readwrite import BIFReader

    text = text.replace("\r\n", "\n") + "\n"  # the reader passes over a block that a plain line end does not close
    try:
        network = BIFReader(string=text).get_model()
    except Exception as error:  # it raises whatever its parts raise
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"this BIF cannot be parsed ({reason[0]})") from error
    tables(network)
    return network


def _folder() -> Path:
    import pgmpy

    return Path(pgmpy.__file__).parent / "utils" / "example_models"


def _known(name: Any, states: Mapping[str, Any], what: str) -> str:
    if not isinstance(name, str) or name not in states:
        raise ValueError(f"{what} names {name!r}, but the nodes are {', '.join(states)}")
    return name


def _sequence(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f'"{what}" must be a list, got {value!r}')
    return list(value)


def _nesting(names: Sequence[str], shape: Sequence[int]) -> str:
    return ", then ".join(f"{size} for {name}" for name, size in zip(names, shape, strict=True))
