"""Products as people state them: read from text, and what is wrong with their form, in a sentence.

Text that is not a product, or that names something else than a node, cannot be read. A product that can be read may
still be none that a graph has: `flaw` says why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pyrogen.exercises.explanations import listing
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.factorization import Factorization, term
from pyrogen.graphs.structure.validation import Graph, Node

SHOWN = 200  # characters of a product in a message

FACTOR = re.compile(r"(?P<letter>Pr|P|p|ℙ|φ|ϕ|ψ|phi|psi)\s*\((?P<inside>[^()]*)\)")
BETWEEN = re.compile(r"[\s·*×∙⋅,]*")
SAME = str.maketrans(
    {"∣": "|", "｜": "|", "❘": "|", "‖": "|", "（": "(", "）": ")", "，": ",", "\N{ZERO WIDTH SPACE}": ""}
)
LEFT = re.compile(r"\s*(?:Pr|P|p|ℙ)\s*\((?P<inside>[^()|]*)\)\s*=")
CONSTANT = re.compile(r"\s*(?:1\s*/\s*Z|\(\s*1\s*/\s*Z\s*\))")
LATEX = (
    (r"(?<!\\)\$", ""),
    (r"\\[dt]?frac\s*\{\s*1\s*\}\s*\{\s*Z\s*\}", "1/Z "),
    (r"\\(?:mathrm|mathit|text|textrm|operatorname)\s*\{((?:[^{}\\]|\\.)*)\}", r"\1"),
    (r"\\(?:mid|vert|lvert)(?![a-zA-Z])", "|"),
    (r"\\(?:var)?phi(?![a-zA-Z])", "φ"),
    (r"\\psi(?![a-zA-Z])", "ψ"),
    (r"\\(?:left|right|[bB]ig+[lr]?)(?![a-zA-Z])", ""),
    (r"\\(?:[,;:! ]|(?:cdot|times|quad|qquad)(?![a-zA-Z]))", " "),
    (r"\\([_%$#&{}])", r"\1"),
    (r"\\backslash ", r"\\"),
)


class Part(NamedTuple):
    """One factor: P(before | after), or φ(before)."""

    conditional: bool
    before: tuple[Node, ...]
    after: tuple[Node, ...]

    def __str__(self) -> str:
        return term("P" if self.conditional else "φ", self.before, self.after)

    def chain(self) -> list[Part]:
        """Return the conditionals of single nodes by the chain rule: P(A | C) P(B | A, C) for P(A, B | C)."""
        return [Part(True, (node,), (*self.before[:place], *self.after)) for place, node in enumerate(self.before)]


class Stated(NamedTuple):
    """A product as it is stated.

    Args:
        parts: its factors.
        constant: whether it begins with 1/Z.
        left: what it is said to be the distribution of; None if that is not said.
    """

    parts: tuple[Part, ...]
    constant: bool
    left: tuple[Node, ...] | None

    @property
    def text(self) -> str:
        """Such as ``P(A) P(B | A)`` or ``1/Z φ(A, B)``."""
        return " ".join([*(["1/Z"] if self.constant else []), *map(str, self.parts)])


def read(text: str, graph: Graph) -> Stated:
    r"""Return the product that a text names, such as ``P(A, B) = P(A) P(B | A)``, ``1/Z phi(A, B)``, or the same in
    LaTeX.

    Raises:
        TypeError: if this is not a text.
        ValueError: for another form, or unknown names.

    Example:
        >>> import networkx as nx
        >>> read(r"P(a, b) = P(a)\,P(b \mid a)", nx.DiGraph(["ab"])).text
        'P(a) P(b | a)'
    """
    if not isinstance(text, str):
        raise TypeError(f"a factorization must be text, got {type(text).__name__}")
    form = "P(A) P(B | A) …" if graph.is_directed() else "1/Z φ(A, B) φ(B, C) …"
    rest, left = text.translate(SAME).strip(), None
    if "\\" in rest or rest.startswith("$"):
        for pattern, instead in LATEX:
            rest = re.sub(pattern, instead, rest)
        rest = rest.strip()
    if match := LEFT.match(rest):
        left = _known(graph, _listed(match["inside"]), match.group().strip(" ="))
        rest = rest[match.end() :]
    constant = CONSTANT.match(rest)
    rest = rest[constant.end() :] if constant else rest
    parts = []
    while rest := rest[len(BETWEEN.match(rest).group()) :]:  # type: ignore[union-attr]  # it matches nothing too
        match = FACTOR.match(rest)
        if match is None:
            raise ValueError(f"a factorization must be of the form {form}, got {_short(text)}")
        head, bar, tail = match["inside"].partition("|")
        conditional = match["letter"] in ("P", "p", "Pr", "ℙ")
        if not _listed(head) or (bar and not (_listed(tail) and conditional)):
            raise ValueError(f"a factorization must be of the form {form}, got {_short(match.group())} in it")
        before, after = (_known(graph, _listed(side), f"the factor {match.group()}") for side in (head, tail))
        parts.append(Part(conditional, before, after))
        rest = rest[match.end() :]
    if not parts:
        raise ValueError(f"a factorization must be of the form {form}, got {_short(text)}")
    return Stated(tuple(parts), constant is not None, left)


def flaw(stated: Stated, graph: Graph) -> str:
    """Why no product of this form is the joint distribution that a graph stands for, in a sentence; "" if one may be.

    The missing 1/Z of an otherwise good product over cliques is left to the caller.
    """
    for part in stated.parts:
        names = [*part.before, *part.after]
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            return f"{part} names {twice[0]} twice"
    if stated.left is not None and set(stated.left) != set(graph):
        missing = [str(node) for node in graph if node not in stated.left]
        left = ", ".join(map(str, stated.left))
        if missing:
            return f"P({left}) on the left side is not the joint distribution, as it leaves out {listing(missing)}"
    if graph.is_directed():
        return _directed_flaw(stated, graph)
    for part in stated.parts:
        if part.conditional:
            return f"{part} is a conditional, but a Markov network's joint is 1/Z times a product of potentials φ"
    return ""


def formed(stated: Stated, graph: Graph) -> Factorization:
    """Return a product that has the form that the graph's have."""
    parts = single(stated) if graph.is_directed() else tuple((*part.before, *part.after) for part in stated.parts)
    return Factorization(graph.is_directed(), parts)


def single(stated: Stated) -> tuple[tuple[Node, ...], ...]:
    """Return each node with its parents, as the stated conditionals have them by the chain rule."""
    return tuple((*one.before, *one.after) for part in stated.parts for one in part.chain())


def _directed_flaw(stated: Stated, graph: Graph) -> str:
    import networkx as nx

    for part in stated.parts:
        if not part.conditional:
            return f"{part} is a potential, but a Bayesian network's factors are conditionals, one for each node"
    if stated.constant:
        return "it has 1/Z, but a product of conditionals sums to one without it"
    heads = [node for part in stated.parts for node in part.before]
    missing = [str(node) for node in graph if node not in heads]
    if missing:
        return f"it has no factor for {listing(missing)}"
    for node in graph:
        own = [str(part) for part in stated.parts if node in part.before]
        if len(own) > 1:
            times = "twice" if len(own) == 2 else f"{len(own)} times"
            which = f"{own[0]} stands there {times}" if len(set(own)) == 1 else f"{listing(own)} are all there"
            return f"{which}, but each node has one factor"
    drawn = nx.DiGraph([(parent, node) for part in single(stated) for node, *parents in [part] for parent in parents])
    try:
        cycle = [str(a) for a, _ in nx.find_cycle(drawn)]
    except nx.NetworkXNoCycle:
        return ""
    return f"its parents make the cycle {' → '.join([*cycle, cycle[0]])}, so that it need not sum to one"


def _known(graph: Graph, names: Sequence[str], what: str) -> tuple[Node, ...]:
    validation.names(graph, list(dict.fromkeys(names)), what, empty=True)
    return tuple(names)


def _short(text: str) -> str:
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r} …"


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")] if text.strip() else []
