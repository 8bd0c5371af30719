"""Networks with random tables on one graph: what their numbers say of independence and of interactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np

from pyrogen.graphs.inference.dependence import (
    EPSILON,
    JOINT,
    Dependence,
    conditional_mutual_information,
    dependence,
    exact_table,
    generic_network,
    terms,
)
from pyrogen.graphs.inference.rings import Table
from pyrogen.graphs.structure.validation import Graph, Node


class Draws:
    """Several networks with random tables on one graph, and what they say of independence.

    Args:
        graph: directed or undirected.
        number: how many networks.
        seed: of the first one; the same for each number of them.
    """

    def __init__(self, graph: Graph, number: int, seed: int) -> None:
        self.graph = graph
        self.nodes = list(graph)
        self.networks = [generic_network(graph, np.random.default_rng([seed, draw])) for draw in range(number)]
        self._joints: list[Table] | None = None

    @property
    def small(self) -> bool:
        """Whether the joint distribution can be written out."""
        return (1 << len(self.nodes)) <= JOINT

    def joints(self) -> list[Table]:
        """Return the joint distribution of all nodes of each network, an axis a node; only of a small graph."""
        if self._joints is None:
            self._joints = [exact_table(network, self.nodes) for network in self.networks]
        return self._joints

    def dependences(self, x: Sequence[Node], y: Sequence[Node], given: Sequence[Node]) -> list[Dependence] | None:
        """I(x; y | given) in each network, or None if its table would be too large."""
        if 2 ** len([*x, *y, *given]) > JOINT:
            return None
        return [conditional_mutual_information(network, list(x), list(y), list(given)) for network in self.networks]

    def joined(self) -> set[frozenset[Node]] | None:
        """Return the pairs that depend on each other given all other nodes in every network; None if the graph is
        large.

        They are the edges of the undirected graph, or of the moral graph of the directed one.
        """
        if not self.small:
            return None
        pairs = [frozenset(pair) for pair in combinations(self.nodes, 2)]
        asked = (([x], [y], [node for node in self.nodes if node not in (x, y)]) for x, y in pairs)
        return {pair for pair, apart in zip(pairs, self.independent(asked), strict=True) if not apart}

    def independent(self, sides: Iterable[Sequence[Iterable[Node]]]) -> Iterator[bool]:
        """Of each (x, y, given) whether I(x; y | given) is zero in every network; of a small graph."""
        n = terms(self.networks[0])
        place = {node: axis for axis, node in enumerate(self.nodes)}
        for each in sides:
            x, y, given = ([place[node] for node in side] for side in each)
            kept = sorted([*x, *y, *given])
            gone = tuple(axis for axis in place.values() if axis not in kept)
            axes = [kept.index(axis) for axis in x], [kept.index(axis) for axis in y]
            yield not any(dependence(joint.sum(gone), *axes, n) for joint in self.joints())


def interactions(joint: Table) -> dict[tuple[int, ...], float]:
    """Return the largest entry, in nats, of each interaction of a positive joint table; by its axes.

    With a first state 0 for each axis, log p = Σ_S u_S, u_S(x_S) = Σ_{T ⊆ S} (−1)^|S − T| log p(x_T, 0 elsewhere).
    By Hammersley and Clifford's theorem p is a product of functions on given sets exactly if u_S = 0 for every S that
    lies in none of them (Grimmett 1973, https://doi.org/10.1112/blms/5.1.81).

    Example:
        >>> table = np.array([[0.4, 0.1], [0.1, 0.4]])
        >>> round(interactions(table)[0, 1], 4)  # log (0.4 · 0.4 / (0.1 · 0.1))
        2.7726
    """
    log = np.log(joint)
    found = {}
    for size in range(1, joint.ndim + 1):
        for axes in combinations(range(joint.ndim), size):
            part = log[tuple(slice(None) if axis in axes else 0 for axis in range(joint.ndim))]
            for axis in range(size):
                part = part - part.take([0], axis)
            found[axes] = float(np.abs(part).max())
    return found


def interaction_bound(joint: Table, n: int) -> float:
    """Return what rounding can make of an interaction that is zero: 2^k logarithms, each off by n ε and its own
    rounding."""
    largest = float(np.abs(np.log(joint)).max())
    value: float = 2**joint.ndim * EPSILON * (n + (joint.ndim + 1) * largest)
    return value
