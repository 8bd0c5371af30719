"""Tables of a Bayesian network from data with gaps by expectation maximization, each expectation exact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrogen import checks
from pyrogen.graphs.inference.memory import MEMORY
from pyrogen.graphs.inference.observations import Observations
from pyrogen.graphs.inference.problem import Problem
from pyrogen.graphs.inference.propagation import downwards
from pyrogen.graphs.pyro.observed import problem_of
from pyrogen.graphs.structure.validation import Node, State
from pyrogen.warn import warn

Counts = dict[Node, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Maximized:
    """What `expectation_maximization` found.

    Attributes:
        network: a DiscreteBayesianNetwork with the tables found.
        history: the objective before each step, in nats for all data; it never falls.
        counts: for each node the expected counts under these tables, in the shape of its TabularCPD.
        states: the states of each node, in the order of the axes.
        converged: whether the last step gained less than the tolerance.
    """

    network: Any
    history: NDArray[np.float64]
    counts: Counts
    states: dict[Node, tuple[State, ...]]
    converged: bool


def expectation_maximization(
    structure: Any,
    data: Any,
    prior: float | Mapping[Node, Any] = 1.0,
    *,
    states: Mapping[Node, Sequence[State]] | None = None,
    steps: int = 500,
    tolerance: float = 1e-8,
    seed: int = 0,
) -> Maximized:
    r"""Return the most probable tables θ of a Bayesian network, given observations with gaps.

    The objective is log P(data | θ) + Σ (α − 1) log θ, in nats: the likelihood of what was seen, the gaps summed out,
    and a Dirichlet prior of concentrations α. With α = 1 it is the likelihood alone. A step takes the expected count of
    each family given what each row shows, from one junction tree a distinct row. It then takes the best tables for
    these counts, θ ∝ α − 1 + counts, so the objective never falls. It may end in a local maximum. Source: Dempster,
    Laird & Rubin, J. R. Statist. Soc. B 39, 1977, https://www.jstor.org/stable/2984875.

    Beside `learn`: this gives one set of tables, and `learn` gives a posterior. With nothing missing, α + 1 here gives
    the means of `learn` with α. A column of a table for which nothing counts, and no prior either, is uniform.

    Args:
        structure, data, prior, states: as for `learn`; concentrations must be at least 1.
        steps: the most steps.
        tolerance: the gain of a step, in nats for each row, below which it ends.
        seed: of the tables that it starts from, which are near those of the complete rows; a hidden variable's states
            are told apart by it alone.

    Returns:
        The tables, as a network, and how the objective rose.

    Raises:
        TypeError, ValueError: as `learn` does; for concentrations below one.

    Example:
        >>> import networkx as nx
        >>> data = {"rain": ["yes", "no", "no", None], "wet": ["yes", "no", "yes", "no"]}
        >>> fit = expectation_maximization(nx.DiGraph([("rain", "wet")]), data)
        >>> fit.network.get_cpds("rain").values.round(3), fit.converged
        (array([0.75, 0.25]), True)
    """
    from scipy.special import xlogy

    steps = checks.whole("steps", steps, least=1)
    tolerance = checks.real("tolerance", tolerance, least=0)
    generator = np.random.default_rng(checks.seed("seed", seed))
    problem = problem_of(structure, data, states, prior)
    known = problem.states
    extra: Counts = {}  # what prior and complete rows count
    alone: Counts = {}  # of which the prior
    for node in known:
        alone[node] = problem.table(node, problem.prior) - 1
        if (alone[node] < 0).any():
            raise ValueError(f"the prior of {node!r} must be at least 1 here, got {alone[node].min() + 1:.3g}")
        extra[node] = alone[node] + problem.table(node, problem.counts)
    rows = np.stack([problem.gaps[node].numpy() for node in known], axis=1)
    weights = problem.weights.numpy()
    expect = _Expectation(known, problem.parents, rows, weights)
    share = float(weights.sum())
    theta = {
        node: _normalized(extra[node] + (share / table.size + 1e-3) * (0.5 + generator.random(table.shape)))
        for node, table in extra.items()
    }
    total = share + float(sum(table.sum() for table in problem.counts.values())) / max(1, len(known))
    history: list[float] = []
    converged = False
    for _ in range(steps):
        counts, seen = expect(theta)
        history.append(seen + sum(float(xlogy(extra[node], theta[node]).sum()) for node in known))
        theta = {node: _normalized(extra[node] + counts[node]) for node in known}
        converged = not len(weights) or (len(history) > 1 and history[-1] - history[-2] <= tolerance * total)
        if converged:
            break
    if not converged:
        warn("the objective still rose at the end: give expectation_maximization more steps")
    expected = {node: extra[node] - alone[node] + counts[node] for node in known}
    return Maximized(problem.network(theta), np.array(history), expected, known, converged)


class _Expectation:
    """How often each family is expected in the incomplete rows; one schedule serves all rows and all tables."""

    def __init__(
        self,
        known: Mapping[Node, Sequence[State]],
        parents: Mapping[Node, Sequence[Node]],
        rows: NDArray[np.int64],
        weights: NDArray[np.float64],
    ) -> None:
        numbers = {node: number for number, node in enumerate(known)}
        self.nodes = list(known)
        self.scopes = [(numbers[node], *(numbers[parent] for parent in parents[node])) for node in known]
        self.problem: Problem | None = None
        self.wanted: list[list[tuple[int, ...]]] = []
        self.places: list[tuple[Node, int, int, list[int]]] = []  # where each family's sum stands, and its axes there
        self.sizes = [len(states) for states in known.values()]
        self.rows = [{node: int(state) for node, state in enumerate(row) if state >= 0} for row in rows]
        self.weights = weights.tolist()

    def __call__(self, theta: Counts) -> tuple[Counts, float]:
        """Return the expected counts, and log P(what the rows show | θ)."""
        counts = {node: np.zeros_like(table) for node, table in theta.items()}
        if not self.rows:
            return counts, 0.0
        tables = [theta[node] for node in self.nodes]
        problem = self.problem = self.problem or self._planned(tables)
        problem.exchange(tables)
        total = 0.0
        for seen, weight in zip(self.rows, self.weights, strict=True):
            sums, log_probability = problem.solve(Observations(seen), MEMORY, lambda up: downwards(up, self.wanted))
            total += weight * log_probability
            if log_probability == -math.inf:
                continue
            for node, number, place, order in self.places:
                family = sums[number][place]
                counts[node] += (weight / family.sum()) * family.transpose(order)
        return counts, total

    def _planned(self, tables: list[NDArray[np.float64]]) -> Problem:
        problem = Problem(self.scopes, tables, self.sizes, range(len(self.scopes)))
        for number, clique in enumerate(problem.schedule.cliques):
            self.wanted.append([])
            for factor in clique.factors:
                axes = tuple(node for node in clique.axes if node in self.scopes[factor])
                order = [axes.index(node) for node in self.scopes[factor]]
                self.places.append((self.nodes[factor], number, len(self.wanted[number]), order))
                self.wanted[number].append(axes)
        return problem


def _normalized(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns divided by their sums, and uniform ones where nothing counts."""
    sums = counts.sum(axis=0, keepdims=True)
    return np.where(sums > 0, counts / np.where(sums > 0, sums, 1), 1 / len(counts))
