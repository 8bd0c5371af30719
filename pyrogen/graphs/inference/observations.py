"""What a query says of a network's nodes: states that were seen, likelihoods, and states that were set from outside."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from pyrogen.graphs.inference.factors import Tables
from pyrogen.graphs.inference.rings import Table
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node, State

Likelihood: TypeAlias = Mapping[State, float] | Sequence[float]
Evidence: TypeAlias = Mapping[Node, State | Likelihood] | None
Interventions: TypeAlias = Mapping[Node, State] | None


@dataclass
class Observations:
    """Evidence and interventions by the numbers of nodes and states.

    Args:
        seen: the observed state of each observed node, interventions included.
        weights: the likelihood of each state of the nodes with soft evidence.
        done: the nodes that were set from outside, so that their own tables do not count.
    """

    seen: dict[int, int] = field(default_factory=dict)
    weights: dict[int, Table] = field(default_factory=dict)
    done: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.seen or self.weights)

    @property
    def bearing(self) -> list[int]:
        """The nodes whose ancestors bear on an answer."""
        return [*self.seen, *self.weights]


class Places:
    """The numbers of a network's nodes and states, and the checks of what names them."""

    def __init__(self, known: Tables) -> None:
        self.known = known
        self.nodes = list(known.states)
        self.numbers: dict[Node, int] = {node: number for number, node in enumerate(self.nodes)}
        self.states = [{state: place for place, state in enumerate(states)} for states in known.states.values()]

    def asked(self, variables: Any) -> tuple[int, ...]:
        """Return the numbers of one or several names, in the network's order."""
        if isinstance(variables, Hashable) and not isinstance(variables, tuple):
            try:
                return (self.numbers[variables],)
            except (KeyError, TypeError):
                pass
        return tuple(self.numbers[name] for name in validation.names(self.known.states, variables, "variables"))

    def observations(self, evidence: Evidence, do: Interventions = None) -> Observations:
        """Return checked evidence and interventions.

        Raises:
            TypeError: if either is not a mapping.
            ValueError: for unknown names and states, latent nodes in evidence, and a node in both. For likelihoods
                that are not one finite number of at least 0 for each state, and interventions in a Markov network.
        """
        found = Observations()
        for node, value in _mapping(evidence, "evidence", "'yes'").items():
            number = self._node(node, "evidence")
            if node in self.known.latents:
                raise ValueError(f"evidence must name observed nodes, got {node!r}, which is latent in this network")
            if isinstance(value, Mapping | list | np.ndarray):
                found.weights[number] = self._likelihood(number, value)
            else:
                found.seen[number] = self._state(number, value, "evidence")
        done = _mapping(do, "do", "1")
        if done and not self.known.directed:
            raise ValueError(
                f"do must be left out for a Markov network, which has no directions, got {done}: give evidence instead"
            )
        for node, value in done.items():
            number = self._node(node, "do")
            if number in found.seen or number in found.weights:
                raise ValueError(f"a node must be on one side of a query, got {node!r} in evidence and in do")
            found.seen[number] = self._state(number, value, "do")
        found.done = frozenset(self.numbers[node] for node in done)
        return found

    def shown(self, observed: Observations) -> str:
        """Return the observations for a message."""
        said = [f"{self.nodes[n]!r}: {self.known.states[self.nodes[n]][place]!r}" for n, place in observed.seen.items()]
        said += [f"{self.nodes[n]!r}: {weights.tolist()}" for n, weights in observed.weights.items()]
        return f"{{{validation.listed(said, str)}}}"

    def _node(self, node: Any, what: str) -> int:
        try:
            return self.numbers[node]
        except (KeyError, TypeError):
            validation.names(self.known.states, [node], what)
            raise

    def _state(self, number: int, value: Any, what: str) -> int:
        try:
            return self.states[number][value]
        except (KeyError, TypeError):
            listed = validation.listed(self.states[number])
            raise ValueError(
                f"{what} must give {self.nodes[number]!r} one of its states ({listed}), got {value!r}"
            ) from None

    def _likelihood(self, number: int, value: Any) -> Table:
        node, states = self.nodes[number], self.states[number]
        if isinstance(value, Mapping):
            for state in value:
                self._state(number, state, "evidence")
            if len(value) != len(states):
                missing = next(state for state in states if state not in value)
                raise ValueError(f"the likelihoods of {node!r} must name all its states, got none for {missing!r}")
            value = [value[state] for state in states]
        try:
            weights = np.array(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            weights = np.empty(0)
        if weights.shape != (len(states),) or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(
                f"the likelihoods of {node!r} must be {len(states)} finite numbers of at least 0, "
                f"one for each state, got {str(value)[:60]}"
            )
        return weights


def _mapping(value: Any, what: str, example: str) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} must map names to states, such as {{'rain': {example}}}, got {type(value).__name__}")
    return value
