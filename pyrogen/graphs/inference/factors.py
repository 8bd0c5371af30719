"""Factors: tables over named discrete variables, and the checked tables of a network.

A factor holds the logarithm of its table in float64, −inf for zero, so that a product of a thousand small numbers does
not vanish: log Π fᵢ = Σ log fᵢ, and log Σₓ f = m + log Σₓ exp(log f − m) with m = maxₓ log f.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node, State

Table: TypeAlias = NDArray[np.float64]

ROUNDED = 0.01  # by this a conditional table's sums may miss one, since printed tables are rounded


@dataclass(frozen=True, eq=False)
class Factor:
    """A non-negative function of the variables `names`.

    Args:
        names: one for each axis.
        log: the logarithm of the table (nats), an axis for each name.
    """

    names: tuple[Node, ...]
    log: Table

    def sum_out(self, names: Iterable[Node]) -> Factor:
        """log Σ exp over the axes of `names`."""
        axes, rest = self._axes(names)
        top = self.log.max(axis=axes, keepdims=True)
        top = np.where(np.isneginf(top), 0.0, top)  # all of it is zero: −inf − (−inf) would be NaN
        scaled = self.log - top
        return Factor(rest, _log(np.exp(scaled, out=scaled).sum(axis=axes)) + top.squeeze(axis=axes))

    def max_out(self, name: Node) -> tuple[Factor, NDArray[np.intp]]:
        """Return the maximum over one axis, and the first index that reaches it."""
        (axis,), rest = self._axes((name,))
        return Factor(rest, self.log.max(axis=axis)), self.log.argmax(axis=axis)

    def at(self, states: Mapping[Node, int]) -> Factor:
        """Return the slice at the given indices; the names that it has not are passed over."""
        index = tuple(states.get(name, slice(None)) for name in self.names)
        return Factor(tuple(name for name in self.names if name not in states), np.asarray(self.log[index]))

    def over(self, names: Sequence[Node]) -> Table:
        """Return the log table with its axes in the order of `names`, of length 1 where it does not depend on the
        name."""
        order = [self.names.index(name) for name in names if name in self.names]
        sizes = iter(self.log.transpose(order).shape)
        return self.log.transpose(order).reshape([next(sizes) if name in self.names else 1 for name in names])

    def without(self, other: Factor) -> Factor:
        """This factor divided by one on some of its variables, where 0 / 0 = 0."""
        divisor = other.over(self.names)
        return Factor(self.names, self.log - np.where(np.isneginf(divisor), 0.0, divisor))

    def _axes(self, names: Iterable[Node]) -> tuple[tuple[int, ...], tuple[Node, ...]]:
        gone = set(names)
        axes = tuple(axis for axis, name in enumerate(self.names) if name in gone)
        return axes, tuple(name for name in self.names if name not in gone)


def product(factors: Iterable[Factor], names: Sequence[Node], sizes: Mapping[Node, int]) -> Factor:
    """Return the product as one table over `names`, which must hold every variable of the factors."""
    log = np.zeros([sizes[name] for name in names])
    for factor in factors:
        log += factor.over(names)
    return Factor(tuple(names), log)


@dataclass(frozen=True, eq=False)
class Tables:
    """What a network says in numbers, checked.

    Args:
        states: the states of each node, in the order of the network's nodes.
        factors: conditional tables (the node's own axis first) or potentials.
        directed: whether each factor is a conditional table.
        printed: for each factor its variables and its table as it was given: no logarithm, not divided by its sum.
    """

    states: dict[Node, tuple[State, ...]]
    factors: tuple[Factor, ...]
    directed: bool
    printed: tuple[tuple[tuple[Node, ...], Table], ...] = ()

    @property
    def sizes(self) -> dict[Node, int]:
        """The number of states of each node."""
        return {node: len(states) for node, states in self.states.items()}

    def index(self, evidence: Mapping[Node, State]) -> dict[Node, int]:
        """Return each observed state's place in the table."""
        return {node: self.states[node].index(state) for node, state in evidence.items()}

    def relevant(self, nodes: Iterable[Node]) -> tuple[Factor, ...]:
        """Return the factors that bear on P(nodes): without those of barren nodes, whose conditional tables sum to one.

        A node is barren if neither it nor any descendant is among `nodes`. In a Markov network no factor is.
        """
        if not self.directed:
            return self.factors
        own = {factor.names[0]: factor for factor in self.factors}
        waiting, kept = list(nodes), set()
        while waiting:
            node = waiting.pop()
            if node not in kept:
                kept.add(node)
                waiting.extend(own[node].names[1:])
        return tuple(factor for factor in self.factors if factor.names[0] in kept)


def tables(network: Any) -> Tables:
    """Return the tables of a discrete Bayesian or Markov network of pgmpy, in float64 and in one order of states.

    Columns of a conditional table are divided by their sum, which may miss one by 0.01 (as pgmpy allows).

    Raises:
        TypeError: for anything else.
        ValueError: for an empty network, a cycle, a node without a table, tables whose shapes, states or variables
            disagree with each other or with the graph, columns that do not sum to one, negative or infinite entries.
    """
    from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork

    if not isinstance(network, DiscreteBayesianNetwork | DiscreteMarkovNetwork):
        raise TypeError(
            "expected a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy with tables, "
            f"got {type(network).__name__}"
        )
    directed = isinstance(network, DiscreteBayesianNetwork)
    held = network.cpds if directed else network.factors
    if len(network) and not held:
        raise ValueError(
            f"the network has no {'conditional tables (add_cpds)' if directed else 'factors (add_factors)'}: "
            f"expected one for each of its {len(network)} nodes"
        )
    if directed:
        validation.directed(network)
        for table in held:
            if not hasattr(table, "values") or not hasattr(table, "state_names"):
                raise TypeError(f"expected a TabularCPD for each node, got {type(table).__name__}")
    states = validation.states(network)
    factors = [_aligned(table, states) for table in held]
    for factor in factors:
        (_check_conditional if directed else _check_potential)(network, factor)
    if not directed:
        printed = tuple((factor.names, factor.log) for factor in factors)
        return Tables(states, tuple(Factor(names, _log(table)) for names, table in printed), directed, printed)
    own = {factor.names[0]: (factor.names, factor.log) for factor in factors}
    for node in states:
        if node not in own:  # its states are known from a child's table, which is not its own
            raise ValueError(f"expected a table for every node, but {node!r} has none")
    printed = tuple(own[node] for node in states)
    normalized = tuple(Factor(names, _log(table / table.sum(axis=0))) for names, table in printed)
    return Tables(states, normalized, directed, printed)


def entries(names: Iterable[Node], sizes: Mapping[Node, int]) -> int:
    """Return the number of entries of a table over `names`."""
    return math.prod(sizes[name] for name in names)


def _aligned(table: Any, states: Mapping[Node, tuple[State, ...]]) -> Factor:
    """Return the table itself, not yet its logarithm, each axis in the order of `states`."""
    values = np.array(table.values, dtype=np.float64)
    names = tuple(table.variables)
    for name in names:
        if name not in states:
            raise ValueError(f"the table over {names} names {name!r}, which is no node of the network")
    expected = tuple(len(states[name]) for name in names)
    if values.shape != expected or any(len(set(table.state_names[name])) != len(states[name]) for name in names):
        raise ValueError(f"the table over {names} must have the shape {expected} of their states, got {values.shape}")
    for axis, name in enumerate(names):
        here = list(table.state_names[name])
        if tuple(here) != states[name]:  # a state is known by its name, not by its place
            values = values.take([here.index(state) for state in states[name]], axis=axis)
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(
            f"the table over {names} must be finite and not negative, got {values.min()} to {values.max()}"
        )
    return Factor(names, values)


def _check_conditional(network: Any, factor: Factor) -> None:
    node, *parents = factor.names
    if set(parents) != set(network.predecessors(node)):
        raise ValueError(
            f"the table of {node!r} must be conditional on its parents {sorted(network.predecessors(node), key=str)}, "
            f"got {parents}"
        )
    sums = factor.log.sum(axis=0)
    worst = sums.flat[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > ROUNDED:
        raise ValueError(
            f"the table of {node!r} must sum to one for each state of its parents, got a sum of {worst:.6g}"
        )


def _check_potential(network: Any, factor: Factor) -> None:
    for place, one in enumerate(factor.names):
        for other in factor.names[place + 1 :]:
            if not network.has_edge(one, other):
                raise ValueError(
                    f"a factor joins variables that are all neighbors, but {one!r} and {other!r} have no edge"
                )


def _log(values: Table) -> Table:
    with np.errstate(divide="ignore"):
        return np.log(values)
