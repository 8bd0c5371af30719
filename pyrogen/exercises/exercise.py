"""Exercises as files: a network, and claims about it with the answers stated, which are computed and compared.

The file is a JSON object with the fields ``title``, ``network``, ``claims``, and if wanted ``note``. The network is
written as in `pyrogen.graphs.files.networks`, or is the name of a BIF or JSON file beside this one. Each claim is an
object with a ``kind`` and, unless
only the computed answer is asked for, ``stated``; a ``text`` takes the place of the words made for it, and a ``note``
is for the reader of the file. A name may stand for a list of one. The kinds, their further fields and what is stated:

==================  =====================================  ==========================================================
kind                fields (in brackets: may be left out)  stated
==================  =====================================  ==========================================================
independence        x, y, [given], [graph]                 true or false
separation          x, y, [given], [graph]                 true or false, of an undirected graph
markov_blanket      of, [graph]                            a list of names
factorization       [graph]                                such as "P(A) P(B | A)", "1/Z φ(A, B) φ(C)" (or phi)
moral_graph                                                a list of edges, each a list of two names
i_map, perfect_map  [map], [witness]                       true or false
chordal             [graph], [witness]                     true or false
maximal_cliques     [graph]                                a list of lists of names
equal_conditionals  x, given, also                         true or false: p(x | given) = p(x | given, also)
scaling             nodes, by, [z_factor]                  true or false: no probability changes
removal             node, [graph], [constant],             "always", "only if its potential sums to one" or "never":
                    [potential]                            it drops out of the joint
==================  =====================================  ==========================================================

``graph`` is ``"network"`` or, for a Bayesian network, ``"moral"``, its Markov network; each kind has the default that
makes sense. ``map`` is ``"moral"`` (the default) or a network without tables over the same nodes. The ``witness`` of a
map is an independence ``{"x": …, "y": …, "given": …}`` that one of the two graphs asserts alone, that of ``chordal`` a
cycle without a chord. ``constant`` is ``"kept"`` if 1/Z keeps its value as the node goes (the default), or ``"anew"``;
``potential`` is one for the node, for the numbers shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pyrogen.exercises import schema
from pyrogen.exercises.claims import independences, maps, numbers, products
from pyrogen.exercises.claims.independences import Claim, Subject
from pyrogen.exercises.products import read
from pyrogen.exercises.results import Row, Verdicts
from pyrogen.graphs.files.networks import network_from_dict, read_network
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.moral import moral_graph


class Kind(NamedTuple):
    """What a kind of claim needs, takes and does.

    Args:
        judge: makes the row.
        needs: fields that must be there.
        takes: fields that may be.
        graph: ``"network"`` or, if the claim is about undirected graphs only, ``"undirected"``.
        stated: ``"truth"``, ``"names"``, ``"sets"``, ``"edges"``, ``"product"`` or ``"removal"``.
    """

    judge: Callable[[Subject, Claim], Row]
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    graph: str
    stated: str


KINDS = {
    "independence": Kind(independences.independence, ("x", "y"), ("given", "graph"), "network", "truth"),
    "separation": Kind(independences.independence, ("x", "y"), ("given", "graph"), "undirected", "truth"),
    "markov_blanket": Kind(independences.blanket, ("of",), ("graph",), "network", "names"),
    "factorization": Kind(products.product, (), ("graph",), "network", "product"),
    "moral_graph": Kind(independences.moral, (), (), "undirected", "edges"),
    "i_map": Kind(maps.i_map, (), ("map", "witness"), "network", "truth"),
    "perfect_map": Kind(maps.i_map, (), ("map", "witness"), "network", "truth"),
    "chordal": Kind(independences.chordal, (), ("graph", "witness"), "undirected", "truth"),
    "maximal_cliques": Kind(products.cliques, (), ("graph",), "undirected", "sets"),
    "equal_conditionals": Kind(numbers.equal_conditionals, ("x", "given", "also"), (), "network", "truth"),
    "scaling": Kind(numbers.scaling, ("nodes", "by"), ("z_factor",), "network", "truth"),
    "removal": Kind(numbers.removal, ("node",), ("graph", "constant", "potential"), "network", "removal"),
}


class Exercise(NamedTuple):
    """What an exercise's file says, checked.

    Args:
        title: of the exercise.
        note: such as where the numbers are from.
        network: a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy, with or without tables.
        claims: their fields, all there, names as lists.
    """

    title: str
    note: str
    network: Any
    claims: tuple[Claim, ...]


def check_exercise(path: str | os.PathLike[str], draws: int = 5, seed: int = 0) -> Verdicts:
    """Computes every claim of an exercise's file and holds it against the answer stated there.

    Each claim on structure is computed by our own functions, by pgmpy, by networkx, and from the numbers of random
    networks (`pyrogen.graphs.conditional_mutual_information`); a row whose ways disagree says so.

    Args:
        path: a JSON file of the form above. The folder `data` of the repository has three.
        draws: how many random networks decide.
        seed: of these.

    Returns:
        a table to be printed, with `to_markdown`, `to_dict`, the rows, and `wrong`, those whose stated answer is wrong.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for all that `read_exercise` refuses, before anything is computed.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    exercise = read_exercise(path)
    own = Subject(exercise.network, False, draws, seed)
    moral = Subject(exercise.network, True, draws, seed) if own.directed else own
    rows = [KINDS[one["kind"]].judge(moral if one["graph"] == "moral" else own, one) for one in exercise.claims]
    return Verdicts(exercise.title, tuple(rows))


def read_exercise(path: str | os.PathLike[str]) -> Exercise:
    """An exercise from its file, checked.

    Raises:
        FileNotFoundError: if there is no such file, or not the one with the network.
        ValueError: for a file that is no JSON, a missing, unknown or wrong field, an unknown kind or node, and all that
            `read_network` refuses; the message begins with the path and says which claim.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: this is no JSON ({error})") from error
    try:
        return _checked(content, path.parent)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _checked(content: Any, folder: Path) -> Exercise:
    schema.only(content, "an exercise", {"title", "network", "claims"}, {"note"})
    network = content["network"]
    network = read_network(folder / network) if isinstance(network, str) else network_from_dict(network)
    for table in network.cpds if network.is_directed() else ():
        table.normalize()  # printed tables are rounded; pgmpy would go on with sums such as 0.999
    if not isinstance(content["claims"], list) or not content["claims"]:
        raise ValueError('"claims" must be a list of one or more')
    found = []
    for number, one in enumerate(content["claims"], 1):
        if not isinstance(one, Mapping):
            raise ValueError(f"claim {number}: it must be a JSON object, got {type(one).__name__}")
        if "kind" not in one:
            raise ValueError(f'claim {number}: it needs the field "kind", one of {", ".join(KINDS)}')
        kind = one["kind"]
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError(f"claim {number}: the kinds are {', '.join(KINDS)}, got {kind!r}")
        try:
            found.append(_claim(one, KINDS[kind], network))
        except (ValueError, TypeError) as error:
            raise ValueError(f"claim {number} ({kind}): {error}") from error
    return Exercise(str(content["title"]), str(content.get("note", "")), network, tuple(found))


def _claim(content: Claim, kind: Kind, network: Any) -> Claim:
    """A claim with all its fields checked, its names as lists, and the defaults filled in."""
    schema.only(content, "it", {"kind", *kind.needs}, {"stated", "text", "note", *kind.takes})
    directed = network.is_directed()
    claim: dict[str, Any] = {"stated": None, **content}
    graph = content.get("graph", "moral" if directed and kind.graph == "undirected" else "network")
    if graph not in ("network", "moral") or (graph == "moral" and not directed):
        allowed = '"network" or "moral"' if directed else '"network", as the network is undirected'
        raise ValueError(f'"graph" must be {allowed}, got {graph!r}')
    if kind.graph == "undirected" and directed and graph == "network":
        raise ValueError('it is about undirected graphs, so "graph" must be "moral" here, got "network"')
    if content["kind"] == "moral_graph" and not directed:
        raise ValueError("it needs a Bayesian network, got a Markov network")
    claim["graph"] = graph
    if "given" in kind.needs + kind.takes:
        claim.setdefault("given", [])
    for side in set(claim) & set(schema.SIDES):
        claim[side] = schema.names(network, claim[side], side)
    validation.apart(**{side: claim[side] for side in ("x", "y", "given", "also") if side in claim})
    if claim["stated"] is not None:
        claim["stated"] = _stated(claim["stated"], kind.stated, network, directed and graph == "network")
    _further(claim, network, directed and graph == "network")
    return claim


def _further(claim: dict[str, Any], network: Any, directed: bool) -> None:
    """Checks the fields that only some kinds have, and puts the graph that ``map`` means in its place."""
    kind = claim["kind"]
    if claim.get("witness") is not None and claim["stated"] is True:
        raise ValueError('a "witness" shows why the answer is false, so it cannot go with "stated": true')
    if kind in ("i_map", "perfect_map"):
        named = claim.get("map", "moral")
        if named == "moral" and not network.is_directed():
            raise ValueError('"map" must be a network without tables, as a Markov network has no moral graph')
        claim["map_name"] = "the Markov network" if named == "moral" else "the map"
        claim["map"] = moral_graph(network) if named == "moral" else network_from_dict(named)
        validation.same_nodes(claim["map"], network)
        if claim.get("witness") is not None:
            schema.only(claim["witness"], "the witness", {"x", "y"}, {"given"})
            sides = {side: schema.names(network, claim["witness"].get(side, []), side) for side in ("x", "y", "given")}
            validation.apart(**sides)
            claim["witness"] = sides
    elif kind == "chordal" and claim.get("witness") is not None:
        claim["witness"] = schema.names(network, claim["witness"], "witness", ordered=True)
    elif kind == "scaling":
        if network.is_directed():
            raise ValueError("it needs a Markov network, got a Bayesian network")
        if not any(set(one.variables) == set(claim["nodes"]) for one in network.factors):
            raise ValueError(f"the network has no potential over {', '.join(claim['nodes'])} alone")
        for field in ("by", "z_factor"):
            schema.positive(claim.get(field, 1), field)
    elif kind == "removal":
        _removable(claim, network, directed)
    if kind in ("scaling", "removal"):
        numbers.check_small(network)


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
        if numbers.has_tables(network):
            count = len(validation.states(network)[node])
            if len(claim["potential"]) != count:
                raise ValueError(
                    f'"potential" must have a number for each of the {count} states of {node}, '
                    f"got {len(claim['potential'])}"
                )


def _stated(value: Any, form: str, network: Any, directed: bool) -> Any:
    """The answer stated, in the form that its kind has."""
    if form == "truth":
        if not isinstance(value, bool):
            raise ValueError(f'"stated" must be true or false, got {value!r}')
        return value
    if form == "names":
        return schema.names(network, value, "stated", empty=True)
    if form == "product":
        read(value, network if directed or not network.is_directed() else moral_graph(network))
        return value
    if form == "removal":
        if value not in numbers.REMOVALS:
            raise ValueError(f'"stated" must be one of {", ".join(map(repr, numbers.REMOVALS))}, got {value!r}')
        return value
    if not isinstance(value, list) or not all(isinstance(one, list) for one in value):
        raise ValueError(f'"stated" must be a list of lists of names, got {value!r}')
    found = [schema.names(network, one, "stated") for one in value]
    if form == "edges" and any(len(one) != 2 for one in found):
        raise ValueError('"stated" must be a list of edges, each a list of two names')
    return found
