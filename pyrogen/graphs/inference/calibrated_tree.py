"""A calibrated junction tree: every clique holds P(clique, evidence) after one pass of messages up and one down.

A message is the sender's table summed to the separator; the receiver multiplies by it, after dividing by what passed
the other way (Lauritzen & Spiegelhalter, J. R. Statist. Soc. B 50, 1988, https://www.jstor.org/stable/2345762).
Disconnected parts are trees of their own, whose totals multiply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from pyrogen.graphs.inference.factors import Factor, check_size, entries, product
from pyrogen.graphs.structure.triangulation import junction_tree
from pyrogen.graphs.structure.validation import Node


class Calibrated:
    """The junction tree of some factors, calibrated.

    Args:
        factors: their product is what is asked about; evidence is already in them.
        sizes: the number of states of each node, in the order of the network's nodes.
        limit: the most entries that all clique tables together may have.

    Raises:
        ValueError: if they would have more, before any is made.
    """

    log_total: float  # log of the sum over everything, −inf if the factors are zero everywhere

    def __init__(self, factors: Sequence[Factor], sizes: Mapping[Node, int], limit: int) -> None:
        places = {node: place for place, node in enumerate(sizes)}
        rooted = rooted_cliques(interaction_graph(factors, sizes), sizes)
        self.cliques = [tuple(sorted(clique, key=places.__getitem__)) for clique, _ in rooted]
        self.parents = [parent for _, parent in rooted]
        total = sum(entries(clique, sizes) for clique in self.cliques)
        check_size(f"the tables of all {len(self.cliques)} cliques", total, limit)
        self.homes: dict[Node, list[int]] = {}  # the cliques of a node
        for number, clique in enumerate(self.cliques):
            for node in clique:
                self.homes.setdefault(node, []).append(number)
        assigned: list[list[Factor]] = [[] for _ in self.cliques]
        self.log_total = 0.0
        for factor in factors:
            if factor.names:
                assigned[self._home(factor.names)].append(factor)
            else:
                self.log_total += float(factor.log)
        self.beliefs = [product(of, clique, sizes) for of, clique in zip(assigned, self.cliques, strict=True)]
        self.separators: list[Factor | None] = [None] * len(self.cliques)
        self._calibrate()

    def _calibrate(self) -> None:
        for number, parent in enumerate(self.parents):  # children come before their parents
            if parent is None:
                self.log_total += float(_onto(self.beliefs[number], ()).log)
            else:
                message = _onto(self.beliefs[number], self.cliques[parent])
                self.separators[number] = message
                self._multiply(parent, message)
        for number, parent in reversed(list(enumerate(self.parents))):
            sent = self.separators[number]
            if parent is not None and sent is not None:
                self.separators[number] = belief = _onto(self.beliefs[parent], self.cliques[number])
                self._multiply(number, belief.without(sent))

    def _multiply(self, number: int, message: Factor) -> None:
        belief = self.beliefs[number]
        belief.log[...] += message.over(belief.names)

    def _home(self, names: Sequence[Node]) -> int:
        """The smallest clique that holds all of `names`."""
        among = [number for number in self.homes[names[0]] if set(names) <= set(self.cliques[number])]
        return min(among, key=lambda number: len(self.cliques[number]))

    def marginal(self, node: Node) -> Factor:
        """P(node, evidence), one axis."""
        return _onto(self.beliefs[self._home((node,))], (node,))

    def factors_of(self, nodes: Iterable[Node]) -> list[Factor]:
        """Factors whose product, summed over all other variables, is P(nodes, evidence) up to a constant.

        They are the root's belief and P(clique | separator) for the cliques between the root and the nodes.
        """
        needed: set[int] = set()
        for node in nodes:
            number: int | None = self.homes[node][-1]  # the nearest to the root
            while number is not None and number not in needed:
                needed.add(number)
                number = self.parents[number]
        found = []
        for number in sorted(needed):
            separator = self.separators[number]
            belief = self.beliefs[number]
            found.append(belief if separator is None else belief.without(separator))
        return found


def interaction_graph(factors: Iterable[Factor], order: Iterable[Node]) -> Any:
    """The undirected graph that joins variables of a common factor; its nodes stand in the order given."""
    import networkx as nx

    factors = list(factors)
    present = {name for factor in factors for name in factor.names}
    graph = nx.Graph()
    graph.add_nodes_from(node for node in order if node in present)
    for factor in factors:
        graph.add_edges_from(combinations(factor.names, 2))
    return graph


def rooted_cliques(
    graph: Any, sizes: Mapping[Node, int], root: frozenset[Node] = frozenset()
) -> list[tuple[frozenset[Node], int | None]]:
    """The cliques of a junction forest by min-fill, each with the place of its parent in this list, children first.

    Args:
        graph: an undirected graph, which may be empty.
        sizes: the number of states of each node.
        root: a clique of the graph; the root of the tree holds it.
    """
    import networkx as nx

    if not graph:
        return []
    forest = junction_tree(graph, sizes=sizes)
    places = {clique: place for place, clique in enumerate(forest)}
    found: list[tuple[frozenset[Node], int | None]] = []
    for component in sorted(nx.connected_components(forest), key=lambda part: min(places[clique] for clique in part)):
        ordered = sorted(component, key=places.__getitem__)
        top = next((clique for clique in ordered if root <= clique), ordered[0])
        towards = {child: parent for parent, child in nx.bfs_edges(forest, top)}
        walk = list(reversed([top, *towards]))
        numbers = {clique: len(found) + place for place, clique in enumerate(walk)}
        found.extend((clique, numbers[towards[clique]] if clique in towards else None) for clique in walk)
    return found


def _onto(factor: Factor, names: Iterable[Node]) -> Factor:
    """Summed over all variables that are not in `names`."""
    return factor.sum_out(set(factor.names) - set(names))
