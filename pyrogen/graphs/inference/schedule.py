"""The schedule of a junction tree: cliques, the way up and down, and how each table is laid out. It holds no table.

All tables have their axes in one order, the reverse of the elimination order. In each clique the separator's axes come
first. So a message upwards is a sum over the last axis of a ``(separator, rest)`` view, and enters its parent by a
reshape alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pyrogen.graphs.inference.heuristics import cheapest_order
from pyrogen.graphs.inference.rings import Ring, Table
from pyrogen.graphs.structure.triangulation import clique_tree


@dataclass
class Clique:
    """One clique of the tree.

    Args:
        axes: its variables, the separator's first.
        shape: their sizes.
        shared: how many of the axes are the separator's.
        parent: the number of its parent, or −1 for a root.
        within: the shape in which a message enters the parent's table.
    """

    axes: tuple[int, ...]
    shape: tuple[int, ...]
    shared: int
    parent: int
    within: tuple[int, ...] = ()
    children: list[int] = field(default_factory=list)
    factors: list[int] = field(default_factory=list)
    uncovered: tuple[int, ...] = ()  # the shape of a table of ones over the axes that nothing else covers, or ()

    def __post_init__(self) -> None:
        self.size = math.prod(self.shape)
        self.rows = math.prod(self.shape[: self.shared])  # joint states of the separator
        self.separator = self.axes[: self.shared]


class Schedule:
    """A junction tree for factors of given scopes.

    Args:
        scopes: the variables of each factor, by their numbers.
        sizes: the number of states of each variable, by its number.
        joined: variables that some clique, the first root, must hold together.

    Attributes:
        cliques: parents before their children.
        home: for each variable the clique in which it was eliminated.
        layout: for each factor how its axes are transposed, and the shape in which it enters its clique.
        entries: of all clique tables together.
    """

    def __init__(self, scopes: Sequence[Sequence[int]], sizes: Sequence[int], joined: Sequence[int] = ()) -> None:
        later = cheapest_order(scopes, sizes, joined)
        self.rank = {node: place for place, node in enumerate(reversed(later))}
        members, parents, self.home = clique_tree(later)
        self.cliques: list[Clique] = []
        for number, (nodes, parent) in enumerate(zip(members, parents, strict=True)):
            axes = tuple(sorted(nodes, key=self.rank.__getitem__))
            shared = len(nodes & members[parent]) if parent >= 0 else 0
            clique = Clique(axes, tuple(sizes[node] for node in axes), shared, parent)
            self.cliques.append(clique)
            if parent >= 0:
                self.cliques[parent].children.append(number)
                clique.within = self.within(clique.separator, self.cliques[parent])
        self.layout: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        self.constants: list[int] = []  # the factors without variables
        for number, scope in enumerate(scopes):
            if not scope:
                self.constants.append(number)
                self.layout.append(((), ()))
                continue
            clique = self.cliques[self.home[max(scope, key=self.rank.__getitem__)]]
            clique.factors.append(number)
            order = tuple(sorted(range(len(scope)), key=lambda axis: self.rank[scope[axis]]))
            self.layout.append((order, self.within(scope, clique)))
        for clique in self.cliques:
            covered = {node for number in clique.factors for node in scopes[number]}
            covered.update(node for child in clique.children for node in self.cliques[child].separator)
            bare = [node for node in clique.axes if node not in covered]
            clique.uncovered = self.within(bare, clique) if bare else ()
        self.entries = sum(clique.size for clique in self.cliques)
        self.messages = sum(clique.rows for clique in self.cliques)

    def within(self, nodes: Sequence[int], clique: Clique) -> tuple[int, ...]:
        """Return the shape in which a table over `nodes` enters the table of a clique."""
        there = set(nodes)
        return tuple(size if node in there else 1 for node, size in zip(clique.axes, clique.shape, strict=True))

    def entered(self, factor: int, table: Table) -> Table:
        """Return the table of a factor as it enters its clique."""
        order, shape = self.layout[factor]
        return np.ascontiguousarray(table.transpose(order)).reshape(shape)

    def operands(self, tables: Sequence[Table], ring: Ring) -> list[list[Table]]:
        """Return for each clique the tables whose product it holds, given that of each factor in the ring."""
        return [
            [self.entered(factor, tables[factor]) for factor in clique.factors]
            + ([np.full(clique.uncovered, ring.one)] if clique.uncovered else [])
            for clique in self.cliques
        ]

    def holding(self, nodes: Sequence[int]) -> int:
        """Return the smallest clique that holds all of `nodes`, or −1."""
        wanted = set(nodes)
        found = [number for number, clique in enumerate(self.cliques) if wanted <= set(clique.axes)]
        return min(found, key=lambda number: self.cliques[number].size, default=-1)
