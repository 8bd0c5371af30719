"""The most probable states of some of the variables, the others summed out first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from pyrogen.graphs.inference.assignment import Assignment
from pyrogen.graphs.inference.elimination import eliminate
from pyrogen.graphs.inference.explanations import explanations
from pyrogen.graphs.inference.factors import Factor
from pyrogen.graphs.inference.memory import check_memory
from pyrogen.graphs.inference.observations import Observations
from pyrogen.graphs.inference.propagation import upwards
from pyrogen.graphs.inference.rings import GREATEST, Table
from pyrogen.graphs.inference.schedule import Schedule
from pyrogen.graphs.structure.validation import Node, State


class Network(Protocol):
    """What is needed of a compiled network."""

    states: dict[Node, tuple[State, ...]]
    memory: int

    def relevant(self, bearing: Sequence[int] | None, done: frozenset[int]) -> list[int]:
        """Return the factors that bear on some nodes."""

    def names(self, factor: int) -> tuple[Node, ...]:
        """Return the variables of a factor."""

    def log_table(self, factor: int) -> Table:
        """Return the logarithm of a factor's table."""

    def check_possible(self, log_total: float, observed: Observations) -> None:
        """Raise a ValueError if what was observed has probability zero."""


def most_probable_of_some(compiled: Network, asked: Sequence[int], observed: Observations, k: int) -> list[Assignment]:
    """Return the k most probable assignments of the nodes asked for, by their numbers: max over x of Σ over the rest.

    Raises:
        ValueError: for impossible evidence, and for tables that take more memory than the network's limit.
    """
    nodes = list(compiled.states)
    sizes = {node: len(states) for node, states in compiled.states.items()}
    factors = eliminate(_reduced(compiled, asked, observed), [nodes[node] for node in asked], sizes, compiled.memory)
    log_evidence = sum(float(factor.log) for factor in eliminate(factors, (), sizes, compiled.memory))
    compiled.check_possible(log_evidence, observed)
    numbers = {nodes[node]: node for node in asked}
    schedule = Schedule([[numbers[name] for name in factor.names] for factor in factors], list(sizes.values()))
    check_memory("the tables of the variables asked for", 8 * schedule.entries, compiled.memory)
    constant = sum(float(factors[number].log) for number in schedule.constants) - log_evidence
    operands = []
    for clique in schedule.cliques:
        tables = [
            np.ascontiguousarray(factors[number].log.transpose(schedule.layout[number][0])).reshape(
                schedule.layout[number][1]
            )
            for number in clique.factors
        ]
        operands.append(tables + ([np.zeros(clique.uncovered)] if clique.uncovered else []))
    up = upwards(schedule, operands, GREATEST, scaled=False)
    return [
        Assignment(
            {nodes[node]: compiled.states[nodes[node]][places[node]] for node in asked}, min(0.0, log + constant)
        )
        for log, places in islice(explanations(schedule, operands, GREATEST, up), k)
    ]


def _reduced(compiled: Network, asked: Sequence[int], observed: Observations) -> list[Factor]:
    """Return the factors, in logarithms, that bear on what is asked, at what was observed."""
    nodes = list(compiled.states)
    index: Mapping[Node, int] = {nodes[number]: place for number, place in observed.seen.items()}
    done = {nodes[number] for number in observed.done}
    relevant = compiled.relevant([*asked, *observed.bearing], observed.done)
    factors = [
        Factor(names, table).at(index)
        for names, table in ((compiled.names(number), compiled.log_table(number)) for number in relevant)
        if names[0] not in done
    ]
    for number, weights in observed.weights.items():
        logs = [math.log(weight) if weight > 0 else -math.inf for weight in weights.tolist()]
        factors.append(Factor((nodes[number],), np.array(logs)))
    return factors
