"""The kinds of claims: which fields each has, how they are checked, and what judges it.

A new kind is a file in `pyrogen.exercises.claims`, with a function that checks its fields and one that judges it, and a
line here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from pyrogen import checks
from pyrogen.exercises import schema
from pyrogen.exercises.claims import (
    equivalence,
    independences,
    junction_trees,
    maps,
    numbers,
    parameters,
    probabilities,
    products,
    removal,
    separators,
    triangulations,
)
from pyrogen.exercises.claims.independences import Claim, Subject
from pyrogen.exercises.products import read
from pyrogen.exercises.results import Row
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.moral import moral_graph

Stated = Literal["truth", "names", "sets", "edges", "triples", "product", "own", "number"]


class Kind(NamedTuple):
    """What a kind of claim needs, takes and does.

    Args:
        judge: makes the row.
        needs: fields that must be there.
        takes: fields that may be.
        graph: ``"network"`` or, if the claim is about undirected graphs only, ``"undirected"``.
        stated: the form of the answer; ``"own"`` if `check` looks at it.
        check: checks the further fields, and fills in their defaults.
    """

    judge: Callable[[Subject, Claim], Row]
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    graph: Literal["network", "undirected"]
    stated: Stated
    check: Callable[[dict[str, Any], Any], None] = lambda claim, network: None


KINDS = {
    "independence": Kind(independences.independence, ("x", "y"), ("given", "graph"), "network", "truth"),
    "separation": Kind(independences.independence, ("x", "y"), ("given", "graph"), "undirected", "truth"),
    "markov_blanket": Kind(independences.blanket, ("of",), ("graph",), "network", "names"),
    "factorization": Kind(products.product, (), ("graph",), "network", "product"),
    "moral_graph": Kind(independences.moral, (), (), "undirected", "edges", equivalence.needs_arrows),
    "i_map": Kind(maps.i_map, (), ("map", "witness"), "network", "truth", maps.check_map),
    "perfect_map": Kind(maps.i_map, (), ("map", "witness"), "network", "truth", maps.check_map),
    "chordal": Kind(
        independences.chordal, (), ("graph", "witness"), "undirected", "truth", independences.check_chordal
    ),
    "maximal_cliques": Kind(products.cliques, (), ("graph",), "undirected", "sets"),
    "equal_conditionals": Kind(numbers.equal_conditionals, ("x", "given", "also"), (), "network", "truth"),
    "scaling": Kind(numbers.scaling, ("nodes", "by"), ("z_factor",), "network", "truth", numbers.check_scaling),
    "removal": Kind(
        removal.removal, ("node",), ("graph", "constant", "potential"), "network", "own", removal.check_removal
    ),
    "probability": Kind(
        probabilities.probability, ("event",), ("evidence", "do"), "network", "own", probabilities.check_probability
    ),
    "most_probable": Kind(
        probabilities.most_probable, (), ("evidence", "variables"), "network", "own", probabilities.check_most_probable
    ),
    "free_parameters": Kind(
        parameters.free_parameters, (), ("graph", "states"), "network", "number", parameters.check_free_parameters
    ),
    "v_structures": Kind(equivalence.colliders, (), (), "network", "triples", equivalence.needs_arrows),
    "equivalent": Kind(equivalence.equivalent, ("to",), (), "network", "truth", equivalence.check_equivalent),
    "essential_graph": Kind(equivalence.essential_graph, (), (), "network", "own", equivalence.check_essential_graph),
    "minimal_separator": Kind(
        separators.minimal_separator,
        ("x", "y"),
        ("graph", "smallest"),
        "network",
        "names",
        separators.check_minimal_separator,
    ),
    "fill_in": Kind(triangulations.fill_in, ("order",), ("graph",), "undirected", "own", triangulations.check_fill_in),
    "treewidth": Kind(triangulations.treewidth, (), ("graph",), "undirected", "number", triangulations.check_treewidth),
    "junction_tree": Kind(junction_trees.tree, (), ("graph",), "undirected", "own", junction_trees.check_junction_tree),
}
BRITISH = {"factorisation": "factorization"}  # as files of version 0.1 have it


def checked_claim(content: Any, network: Any) -> Claim:
    """Return a claim with all its fields checked, its names as lists, and the defaults filled in.

    Raises:
        ValueError, TypeError: for an unknown kind, and a missing, unknown or wrong field.
    """
    schema.only(content, "it", {"kind"}, None)
    kind = content["kind"]
    name = BRITISH.get(kind, kind) if isinstance(kind, str) else kind
    known = KINDS[checks.one_of("kind", name, KINDS)]
    for field in ("text", "note"):
        schema.words(content.get(field, ""), field)
    schema.only(content, "it", {"kind", *known.needs}, {"stated", "text", "note", *known.takes})
    directed = network.is_directed()
    claim: dict[str, Any] = {"stated": None, **content, "kind": name}
    graph = content.get("graph", "moral" if directed and known.graph == "undirected" else "network")
    if graph not in ("network", "moral") or (graph == "moral" and not directed):
        allowed = '"network" or "moral"' if directed else '"network", as the network is undirected'
        raise ValueError(f'"graph" must be {allowed}, got {graph!r}')
    if known.graph == "undirected" and directed and graph == "network":
        raise ValueError('it is about undirected graphs, so "graph" must be "moral" here, got "network"')
    claim["graph"] = graph
    if "given" in known.needs + known.takes:
        claim.setdefault("given", [])
    for side in set(claim) & set(schema.SIDES) & {*known.needs, *known.takes}:
        claim[side] = schema.names(network, claim[side], side)
    validation.apart(**{side: claim[side] for side in ("x", "y", "given", "also") if side in claim})
    if claim["stated"] is not None:
        claim["stated"] = _stated(claim["stated"], known.stated, network, directed and graph == "network")
    if claim.get("witness") is not None and claim["stated"] is True:
        raise ValueError('a "witness" shows why the answer is false, so it cannot go with "stated": true')
    known.check(claim, network)
    return claim


def _stated(value: Any, form: Stated, network: Any, directed: bool) -> Any:
    """Return the answer stated, in the form that its kind has."""
    if form == "truth":
        return schema.flag(value, "stated")
    if form == "number":
        schema.count(value, "stated", 0)
        return value
    if form == "names":
        return schema.names(network, value, "stated", empty=True)
    if form == "product":
        read(value, network if directed or not network.is_directed() else moral_graph(network))
        return value
    if form == "edges":
        return schema.groups(network, value, "stated", 2, schema.EDGES)
    if form == "triples":
        wanted = "a list of v-structures, each a list of three names, the child between"
        return schema.groups(network, value, "stated", 3, wanted)
    if form == "sets":
        return [schema.names(network, one, "stated") for one in schema.lists(value, "stated")]
    return value
