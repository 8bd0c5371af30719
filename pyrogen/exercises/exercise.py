"""Exercises as files: a network, and claims about it with the answers stated, which are computed and compared.

The file is a JSON object with the fields ``title``, ``network``, ``claims``, and if wanted ``note``. The network is
written as in `pyrogen.graphs.files.networks`, or is the name of a BIF or JSON file beside this one. Each claim is an
object with a ``kind`` and, unless only the computed answer is asked for, ``stated``. A ``text`` takes the place of the
words made for it, and a ``note`` is for the reader of the file. A name may stand for a list of one. The kinds, their
further fields and what is stated:

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
probability         event, [evidence], [do]                0.31, "31 %" or "1/3": right to the digits stated
most_probable       [evidence], [variables]                a state for each variable, {"A": "yes", …}
free_parameters     [graph], [states]                      a whole number
v_structures                                               a list of [a, m, b] for a → m ← b
equivalent          to                                     true or false: the same independences as the graph `to`
essential_graph                                            {"arrows": [[a, b], …], "lines": [[a, b], …]}
minimal_separator   x, y, [graph], [smallest]              a list of names
fill_in             order, [graph]                         a number, or a list of edges
treewidth           [graph]                                a whole number
junction_tree       [graph]                                {"cliques": […], "edges": [[clique, clique], …]}
==================  =====================================  ==========================================================

``event``, ``evidence`` and ``do`` map names to states, such as ``{"rain": "yes"}``; ``do`` cuts the arrows into a node.
``graph`` is ``"network"`` or, for a Bayesian network, ``"moral"``, its Markov network; each kind has the default that
makes sense. ``map`` is ``"moral"`` (the default) or a network without tables over the same nodes. The ``witness`` of a
map is an independence ``{"x": …, "y": …, "given": …}`` that one of the two graphs asserts alone, that of ``chordal`` a
cycle without a chord. ``constant`` is ``"kept"`` if 1/Z keeps its value as the node goes (the default), or ``"anew"``;
``potential`` is one for the node, for the numbers shown.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pyrogen import checks
from pyrogen.exercises import schema
from pyrogen.exercises.claims.independences import Claim, Subject
from pyrogen.exercises.kinds import KINDS, checked_claim
from pyrogen.exercises.results import Verdicts
from pyrogen.graphs.files.content import file_path, read_text, refused
from pyrogen.graphs.files.json_form import parse_json
from pyrogen.graphs.files.networks import JSON_LARGEST, network_from_dict, read_network

DRAWS = 1000  # random networks at most


class Exercise(NamedTuple):
    """What an exercise's file says, checked.

    Args:
        title: of the exercise.
        note: such as where the numbers are from.
        network: a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy, with or without tables.
        claims: their fields, all there, names as lists.
        raw: the same as they stand in the file.
    """

    title: str
    note: str
    network: Any
    claims: tuple[Claim, ...]
    raw: tuple[Mapping[str, Any], ...]


def check_exercise(path: str | os.PathLike[str], draws: int = 5, seed: int = 0) -> Verdicts:
    """Compute every claim of an exercise's file and holds it against the answer stated there.

    Each claim on structure is computed by our own functions, by pgmpy, by networkx, and from the numbers of random
    networks (`pyrogen.graphs.conditional_mutual_information`); a row whose ways disagree says so.

    Args:
        path: a JSON file of the form above. The folder `data` of the repository has three.
        draws: how many random networks decide.
        seed: of these.

    Returns:
        a table to be printed, with `to_markdown`, `to_dict`, the rows, and `wrong`, those whose stated answer is wrong.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: for all that `read_exercise` refuses, before anything is computed.
    """
    draws, seed = checks.whole("draws", draws, least=1, most=DRAWS), checks.seed("seed", seed)
    exercise = read_exercise(path)
    try:
        return judge(exercise, draws, seed)
    except ValueError as error:  # of a claim that would take too long or too much memory
        raise refused(Path(path), error) from error


def judge(exercise: Exercise, draws: int = 5, seed: int = 0) -> Verdicts:
    """Compute every claim of an exercise that was read, as `check_exercise` does."""
    own = Subject(exercise.network, False, draws, seed)
    moral = Subject(exercise.network, True, draws, seed) if own.directed else own
    rows = [KINDS[one["kind"]].judge(moral if one["graph"] == "moral" else own, one) for one in exercise.claims]
    return Verdicts(exercise.title, tuple(rows))


def read_exercise(path: str | os.PathLike[str]) -> Exercise:
    """Return an exercise from its file, checked.

    Args:
        path: a JSON file, as this module's text describes.

    Raises:
        FileNotFoundError: if the file does not exist, or not the one with the network.
        ValueError: for a file that is not JSON, a missing, unknown or wrong field, an unknown kind or node, and all
            that `read_network` refuses. The message begins with the path and says which claim.
    """
    path = file_path(path)
    try:
        return _checked(parse_json(read_text(path, JSON_LARGEST), Written), path.parent)
    except (ValueError, TypeError) as error:
        raise refused(path, error) from error


class Written(float):
    """A number that remembers how it was written, so that 0.310 keeps its three digits."""

    text: str

    def __new__(cls, text: str) -> Written:
        """Keep the text beside the number."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def _checked(content: Any, folder: Path) -> Exercise:
    schema.only(content, "an exercise", {"title", "network", "claims"}, {"note"})
    for field in ("title", "note"):
        schema.words(content.get(field, ""), field)
    network = content["network"]
    if not isinstance(network, str):
        network = network_from_dict(network)
    elif (folder / network).resolve().is_relative_to(folder.resolve()):
        network = read_network(folder / network)
    else:
        raise ValueError(f'"network" must name a file beside the exercise, got {checks.shown(network)}')
    for table in network.cpds if network.is_directed() else ():
        table.normalize()  # printed tables are rounded; pgmpy would go on with sums such as 0.999
    if not isinstance(content["claims"], list) or not content["claims"]:
        raise ValueError('"claims" must be a list of one or more')
    found = []
    for number, one in enumerate(content["claims"], 1):
        kind = one.get("kind") if isinstance(one, Mapping) else None
        try:
            found.append(checked_claim(one, network))
        except (ValueError, TypeError) as error:
            named = f" ({kind})" if isinstance(kind, str) and kind in KINDS else ""
            raise ValueError(f"claim {number}{named}: {error}") from error
    return Exercise(content["title"], content.get("note", ""), network, tuple(found), tuple(content["claims"]))
