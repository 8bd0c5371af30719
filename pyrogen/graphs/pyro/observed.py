"""Observations as numbers for learning: states, counts of complete rows, the distinct incomplete rows, and priors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyrogen import checks
from pyrogen.graphs.pyro import dirichlet
from pyrogen.graphs.pyro.enumeration import Plan, matrix
from pyrogen.graphs.pyro.records import Indices, columns, encode, observed_states
from pyrogen.graphs.pyro.to_pyro import LIMIT
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.making import bayesian_network, conditional_table
from pyrogen.graphs.structure.validation import Node, State
from pyrogen.warn import warn

Tables = dict[Node, Tensor]  # (rows, K): a row for each state of the parents, the last parent's running fastest


@dataclass(frozen=True, eq=False)
class Problem:
    """The data of a fit, as numbers: complete rows only count, of incomplete ones each kind is kept."""

    graph: Any
    states: dict[Node, tuple[State, ...]]
    plan: Plan
    parents: dict[Node, tuple[Node, ...]]
    prior: Tables
    counts: Tables
    gaps: Indices  # the distinct incomplete rows
    weights: Tensor  # how often each is there

    def table(self, node: Node, tables: Tables) -> NDArray[np.float64]:
        """Return the table of a node as in its TabularCPD: an axis for its own states and one for each parent's."""
        shape = [len(self.states[v]) for v in (node, *self.parents[node])]
        found: NDArray[np.float64] = tables[node].T.reshape(shape).numpy()
        return found

    def network(self, posterior: Mapping[Node, Any]) -> Any:
        """Return the network whose tables are the concentrations, each column divided by its sum."""
        network = bayesian_network(self.graph.nodes, self.graph.edges)
        for node, alpha in posterior.items():
            values = (alpha / alpha.sum(axis=0)).reshape(len(alpha), -1)
            network.add_cpds(conditional_table(node, self.parents[node], values, self.states))
        return network


def states_of(
    graph: Any, found: Mapping[Node, Any], given: Mapping[Node, Sequence[State]] | None
) -> dict[Node, tuple[State, ...]]:
    """Return the states of each node: those given, those of its table, of its Categorical column, or those seen."""
    if not isinstance(given, Mapping | None):
        raise TypeError(f"states must map nodes to their states, got {checks.shown(given)}")
    for name, own in (given or {}).items():
        if name not in graph:
            raise ValueError(
                f"states must name nodes of the structure, got {name!r}: its nodes are {validation.listed(graph)}"
            )
        if not isinstance(own, Iterable):
            raise TypeError(f"states[{name!r}] must list its states, got {checks.shown(own)}")
    tabled = validation.states(graph) if getattr(graph, "cpds", None) else {}
    shown = observed_states(found)
    known: dict[Node, tuple[State, ...]] = {}
    for node in graph.nodes:
        if node not in found:
            raise ValueError(f"data must have a column for every node (all None if hidden), got none for {node!r}")
        categories = getattr(found[node].dtype, "categories", ())
        own = (given or {}).get(node) or tabled.get(node) or tuple(categories) or shown[node]
        known[node] = tuple(own)
        if len(set(known[node])) != len(known[node]) or len(known[node]) < 2:
            raise ValueError(
                f"{node!r} must have two states or more, each named once, got {known[node]}: "
                "give all of its states as states={...} where the data do not show them"
            )
    return known


def problem_of(structure: Any, data: Any, states: Mapping[Node, Sequence[State]] | None, prior: Any) -> Problem:
    """Return the counts of the complete rows, the distinct incomplete ones, and the prior of each table.

    Args:
        structure, data, states, prior: as for `learn`, which are checked here.
    """
    import networkx as nx

    graph = validation.directed(structure)
    found = columns(data)
    if others := [name for name in found if name not in graph]:
        warn(f"data has columns beside the nodes of the structure, which are left out: {validation.listed(others)}")
        found = {name: column for name, column in found.items() if name in graph}
    known = states_of(graph, found, states)
    seen = encode(found, known)
    parents = {node: tuple(graph.predecessors(node)) for node in graph.nodes}
    sizes = {node: len(states) for node, states in known.items()}
    each = dict(prior) if isinstance(prior, Mapping) else dict.fromkeys(known, prior)
    for name in each:
        if name not in known:
            raise ValueError(f"prior must name nodes of the structure, got {name!r}")
    for node in known:
        if node not in each:
            raise ValueError(f"prior must be one number or have an entry for every node, got none for {node!r}")
    missing = torch.stack([seen[node] < 0 for node in known]).any(0)
    counts, priors = {}, {}
    for node in known:
        shape = [sizes[v] for v in (node, *parents[node])]
        row = torch.zeros(len(missing), dtype=torch.int64)
        for parent in (*parents[node], node):
            row = row * sizes[parent] + seen[parent]
        hits = torch.bincount(row[~missing], minlength=math.prod(shape))
        counts[node] = hits.reshape(-1, sizes[node]).to(torch.float64)
        priors[node] = matrix(dirichlet.prior(each[node], node, shape, parents[node]))
    plan = Plan(list(nx.topological_sort(graph)), sizes, [(node, *parents[node]) for node in known], LIMIT)
    gaps, weights = torch.stack([seen[node][missing] for node in known], dim=1).unique(dim=0, return_counts=True)
    rows = dict(zip(known, gaps.T, strict=True))
    return Problem(graph, known, plan, parents, priors, counts, rows, weights.to(torch.float64))
