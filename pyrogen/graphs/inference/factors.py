"""Factors: tables over named discrete variables, and the checked tables of a network.

A factor holds the logarithm of its table in float64, −inf for zero. So a product of a thousand small numbers does not
vanish: log Π fᵢ = Σ log fᵢ. A sum is log Σₓ f = m + log Σₓ exp(log f − m) with m = maxₓ log f.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from pyrogen.graphs.inference.rings import LOGS, Table
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node, State

Printed: TypeAlias = tuple[tuple[Node, ...], Table]

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

    def sum_out(self, name: Node) -> Factor:
        """log Σ exp over the axis of `name`."""
        axis = self.names.index(name)
        top = self.log.max(axis=axis, keepdims=True)
        top = np.where(np.isneginf(top), 0.0, top)  # all of it is zero: −inf − (−inf) would be NaN
        scaled = self.log - top
        rest = self.names[:axis] + self.names[axis + 1 :]
        return Factor(rest, LOGS.enter(np.exp(scaled, out=scaled).sum(axis=axis)) + top.squeeze(axis=axis))

    def at(self, states: Mapping[Any, int]) -> Factor:
        """Return the slice at the given indices; the names that it has not are passed over."""
        index = tuple(states.get(name, slice(None)) for name in self.names)
        return Factor(tuple(name for name in self.names if name not in states), np.asarray(self.log[index]))

    def over(self, names: Sequence[Node]) -> Table:
        """Return the log table with its axes in the order of `names`, of length 1 where it does not depend on the
        name."""
        order = [self.names.index(name) for name in names if name in self.names]
        sizes = iter(self.log.transpose(order).shape)
        return self.log.transpose(order).reshape([next(sizes) if name in self.names else 1 for name in names])


def product(factors: Iterable[Factor], names: Sequence[Any], sizes: Mapping[Any, int] | Sequence[int]) -> Factor:
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
        printed: for each factor its variables and its table as it was given; a node's own variable comes first.
        tables: the same tables, where they are conditional divided by their sums.
        directed: whether each factor is a conditional table.
        latents: the nodes that the network says are never observed.
    """

    states: dict[Node, tuple[State, ...]]
    printed: tuple[Printed, ...]
    tables: tuple[Table, ...]
    directed: bool
    latents: frozenset[Node] = frozenset()

    @cached_property
    def factors(self) -> tuple[Factor, ...]:
        """The factors, with the logarithms of their tables."""
        scopes = (names for names, _ in self.printed)
        return tuple(Factor(names, LOGS.enter(table)) for names, table in zip(scopes, self.tables, strict=True))

    @property
    def sizes(self) -> dict[Node, int]:
        """The number of states of each node."""
        return {node: len(states) for node, states in self.states.items()}


def tables(network: Any) -> Tables:
    """Return the tables of a discrete Bayesian or Markov network of pgmpy, in float64 and in one order of states.

    Columns of a conditional table are divided by their sum, which may miss one by 0.01 (as pgmpy allows).

    Raises:
        TypeError: for anything else.
        ValueError: for an empty network, a cycle, and a node without a table. For tables whose shapes, states or
            variables disagree with each other or with the graph. For columns that do not sum to one, and negative or
            infinite entries.
    """
    from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork

    if not isinstance(network, DiscreteBayesianNetwork | DiscreteMarkovNetwork):
        raise TypeError(
            "network must be a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy with tables, "
            f"got {type(network).__name__}"
        )
    directed = isinstance(network, DiscreteBayesianNetwork)
    held = network.cpds if directed else network.factors
    if len(network) and not held:
        raise ValueError(
            f"the network must have {'conditional tables (add_cpds)' if directed else 'factors (add_factors)'}, "
            f"got none: add one for each of its {len(network)} nodes"
        )
    if directed:
        validation.directed(network)
        for table in held:
            if not hasattr(table, "values") or not hasattr(table, "state_names"):
                raise TypeError(f"the tables must be of TabularCPD, got {type(table).__name__}")
    states = validation.states(network)
    repeated = {node for node, names in states.items() if len(set(names)) < len(names)}
    known = [_aligned(table, states, repeated) for table in held]
    _check_entries(known)
    if not directed:
        for names, _ in known:
            _check_potential(network, names)
        return Tables(states, tuple(known), tuple(values for _, values in known), directed)
    for names, _ in known:
        _check_parents(network, names)
    sums = [np.add.reduce(values, axis=0) for _, values in known]
    _check_sums(known, sums)
    own = {factor[0][0]: (factor, factor[1] / total) for factor, total in zip(known, sums, strict=True)}
    latents = frozenset(validation.latents(network))
    for node in states:
        if node not in own:  # its states are known from a child's table, which is not its own
            raise ValueError(f"every node must have a table, got {node!r} without one")
    return Tables(
        states, tuple(own[node][0] for node in states), tuple(own[node][1] for node in states), directed, latents
    )


def _aligned(table: Any, states: Mapping[Node, tuple[State, ...]], repeated: set[Node]) -> Printed:
    """Return the variables and the table itself, each axis in the order of `states`."""
    values = np.array(table.values, dtype=np.float64)
    names = tuple(table.variables)
    for name in names:
        if name not in states:
            raise ValueError(f"the table over {names} must name nodes of the network, got {name!r}")
    expected = tuple([len(states[name]) for name in names])
    if values.shape != expected or not repeated.isdisjoint(names):
        raise ValueError(f"the table over {names} must have the shape {expected} of their states, got {values.shape}")
    for axis, name in enumerate(names):
        here = table.state_names[name]
        if tuple(here) != states[name]:  # a state is known by its name, not by its place
            values = values.take([list(here).index(state) for state in states[name]], axis=axis)
    return names, values


def _check_entries(known: Sequence[Printed]) -> None:
    flat = np.concatenate([values.ravel() for _, values in known])
    if np.minimum.reduce(flat) >= 0 and np.maximum.reduce(flat) < np.inf:  # neither holds of NaN
        return
    for names, values in known:
        if not np.isfinite(values).all() or (values < 0).any():
            raise ValueError(
                f"the table over {names} must be finite and not negative, got {values.min()} to {values.max()}"
            )


def _check_parents(network: Any, names: Sequence[Node]) -> None:
    (node, *parents), wanted = names, list(network.predecessors(names[0]))
    if set(parents) != set(wanted):
        raise ValueError(
            f"the table of {node!r} must be conditional on its parents {sorted(wanted, key=str)}, got {parents}"
        )


def _check_sums(known: Sequence[Printed], sums: Sequence[Table]) -> None:
    if np.abs(np.concatenate([total.ravel() for total in sums]) - 1).max() <= ROUNDED:
        return
    for (names, _), total in zip(known, sums, strict=True):
        worst = total.flat[np.abs(total - 1).argmax()]
        if abs(worst - 1) > ROUNDED:
            raise ValueError(
                f"the table of {names[0]!r} must sum to one for each state of its parents, got a sum of {worst:.6g}"
            )


def _check_potential(network: Any, names: Sequence[Node]) -> None:
    for one, other in combinations(names, 2):
        if not network.has_edge(one, other):
            raise ValueError(
                f"a factor must be over neighbors, got {one!r} and {other!r}, which have no edge: add the edge"
            )
