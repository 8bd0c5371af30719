"""A joint distribution as a product, one factor a node or a clique: written as text and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.cliques import maximal_cliques
from pyrogen.graphs.structure.validation import Graph, Node


class Factorization(NamedTuple):
    """p(x) = Π P(x_v | x_parents) of a directed graph, or 1/Z Π φ(x_clique) of an undirected one.

    Args:
        directed: which of the two.
        parts: for each factor its nodes; the first is the node itself, and the others its parents, if directed.
    """

    directed: bool
    parts: tuple[tuple[Node, ...], ...]

    @property
    def text(self) -> str:
        """Such as ``P(A) P(B | A)`` or ``1/Z φ(A, B)``."""
        return " ".join([*([] if self.directed else ["1/Z"]), *self._terms("φ", "|", str)])

    @property
    def latex(self) -> str:
        r"""Such as ``P(A)\,P(B \mid A)`` or ``\frac{1}{Z}\,\phi(A, B)``, for use between dollar signs."""
        return r"\,".join([*([] if self.directed else [r"\frac{1}{Z}"]), *self._terms(r"\phi", r"\mid", _latex)])

    def __str__(self) -> str:
        return self.text

    def _terms(self, potential: str, bar: str, show: Callable[[Node], str]) -> list[str]:
        named = [list(map(show, part)) for part in self.parts]
        return [term("P", one[:1], one[1:], bar) if self.directed else term(potential, one) for one in named]


def factorization(graph: Graph) -> Factorization:
    r"""Return the product that a graph stands for: a conditional a node, or a potential a maximal clique.

    Args:
        graph: a graph of pgmpy or networkx.

    Raises:
        TypeError, ValueError: for another kind of value, a cycle, or an empty graph.

    Example:
        >>> import networkx as nx
        >>> found = factorization(nx.DiGraph([("A", "C"), ("B", "C")]))
        >>> print(found, found.latex)
        P(A) P(C | A, B) P(B) P(A)\,P(C \mid A, B)\,P(B)
        >>> print(factorization(nx.Graph([("A", "C"), ("B", "C")])))
        1/Z φ(A, C) φ(C, B)
    """
    if validation.either(graph).is_directed():
        return Factorization(
            True, tuple((node, *(other for other in graph if graph.has_edge(other, node))) for node in graph)
        )
    return Factorization(False, sets(graph, maximal_cliques(graph)))


def term(letter: str, before: Iterable[Node], after: Sequence[Node] = (), bar: str = "|") -> str:
    """Return one factor as text, such as ``P(A | B, C)`` or ``φ(A, B)``."""
    given = f" {bar} {', '.join(map(str, after))}" if after else ""
    return f"{letter}({', '.join(map(str, before))}{given})"


def sets(graph: Graph, found: Iterable[Iterable[Node]]) -> tuple[tuple[Node, ...], ...]:
    """Return each set as a tuple in the graph's own order."""
    return tuple(tuple(node for node in graph if node in part) for part in map(set, found))


def _latex(name: Node) -> str:
    """Return a name in math mode: upright if longer than a letter, its special characters escaped."""
    text = re.sub(r"([_%$#&{}])", r"\\\1", str(name).replace("\\", r"\backslash "))
    return text if len(str(name)) == 1 else rf"\mathrm{{{text}}}"
