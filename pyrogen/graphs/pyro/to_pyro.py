"""The bridge: discrete networks of pgmpy as Pyro programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import pyro
import torch
from torch import Tensor

from pyrogen.graphs.inference.factors import Tables, tables
from pyrogen.graphs.inference.observations import Places
from pyrogen.graphs.pyro.enumeration import Plan, matrix, weigh
from pyrogen.graphs.pyro.records import Indices, columns, encode
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.validation import Node, State

LIMIT = 2**25  # entries: 268 MB in float64


def to_pyro(network: Any, limit: int = LIMIT) -> PyroNetwork:
    r"""Return a Pyro model of a discrete Bayesian or Markov network of pgmpy, in float64, ready for enumeration.

    The joint density of the program's sites is p(x) = Π P(x_v | x_parents) for a Bayesian network. For a Markov network
    each node is drawn uniformly and Pyro factors take that back and put the potentials in its place, so that the joint
    is Π φ(x_c), not normalized. In nats, with nothing latent but the nodes, an empty guide and one row,

        −TraceEnum_ELBO().loss(model, guide) = log P(evidence),   or   log Σ_{x agreeing with it} Π φ(x_c),

    which is log Z of a Markov network without evidence. Zeros in tables stay exact zeros. Evidence of probability zero
    has an infinite loss, and marginals that are NaN (which Pyro refuses with an error while its validation is on).

    **Sites.** A node that is a string is its own site; any other has its ``repr`` as name. A name that is taken
    (``data``, ``particles`` and ``volume`` are) gets ``" #2"``. ``model.sites`` tells. Values are places in
    ``model.states[node]``, int64, also where `poutine.condition` sets them. A node with one state is observed, and so
    is one that evidence or data give in every row. One given in some rows stays a latent site, enumerable, tied to what
    was seen by a site ``"<site> seen"`` of log weight 0 or −∞. Markov networks have sites ``"volume"`` and
    ``"factor <i>"`` too.

    **What it is for.** `TraceEnum_ELBO` (loss and `compute_marginals`), `infer_discrete` for exact draws given
    evidence, a part of a larger model. `Predictive` draws from a Bayesian network without evidence, or with evidence on
    ancestors of what is asked. With evidence below, and from a Markov network, it draws from the proposal, whose
    weights are in the trace: use `infer_discrete` there.

    **Where it stops.** Tensor dimensions are shared between variables that no table joins, so Pyro's limit of 64 does
    not bind (`hailfinder` with 56 nodes, `win95pts` with 76 and `pigs` with 441 work). What binds is the largest table
    on the way, which `largest_table` tells and `limit` bounds. `compute_marginals` sums anew for each node: about
    0.3 s for all 37 of `alarm`, 12 s for the 223 of `andes`, where `pg.graphs.marginals` takes one pass.

    Args:
        network: a DiscreteBayesianNetwork or a DiscreteMarkovNetwork with its tables.
        limit: the most entries that a table may have during an enumeration, for each row of data.

    Returns:
        The model: ``model(evidence=None, data=None)``.

    Raises:
        TypeError: for a network of another kind.
        ValueError: for an empty network, a cycle, or tables that are missing, misshapen or do not sum to one.

    Example:
        >>> from pgmpy.models import DiscreteBayesianNetwork
        >>> from pgmpy.factors.discrete import TabularCPD
        >>> from pyro.infer import TraceEnum_ELBO
        >>> network = DiscreteBayesianNetwork([("rain", "wet")])
        >>> states = {"rain": ["no", "yes"], "wet": ["no", "yes"]}
        >>> network.add_cpds(
        ...     TabularCPD("rain", 2, [[0.8], [0.2]], state_names={"rain": ["no", "yes"]}),
        ...     TabularCPD("wet", 2, [[0.9, 0.1], [0.1, 0.9]], ["rain"], [2], state_names=states),
        ... )
        >>> model = to_pyro(network)
        >>> marginals = TraceEnum_ELBO().compute_marginals(model, lambda evidence: None, {"wet": "yes"})
        >>> marginals["rain"].probs  # P(rain | wet), 0.08 to 0.18, in the order of model.states["rain"]
        tensor([0.3077, 0.6923], dtype=torch.float64)
    """
    return PyroNetwork(network, tables(network), limit)


class PyroNetwork:
    """A discrete network as a Pyro model; made by `to_pyro`, which describes it.

    Attributes:
        network: what it was made of.
        states: the states of each node; a site's value is a state's place here.
        sites: the site of each node.
    """

    def __init__(self, network: Any, known: Tables, limit: int) -> None:
        import networkx as nx

        self.network = network
        self.states: dict[Node, tuple[State, ...]] = dict(known.states)
        self._factors = known.factors
        self._directed = known.directed
        self._places = Places(known)
        self._parents = {f.names[0]: f.names[1:] for f in known.factors} if known.directed else {}
        # In whatever order the network has its edges, draws of one seed are the same.
        arrows = ((parent, node) for node in known.states for parent in self._parents.get(node, ()))
        order = list(nx.topological_sort(graph_of(nx.DiGraph, known.states, arrows)))
        self._plan = Plan(order, known.sizes, [factor.names for factor in known.factors], limit)
        self._logits = {f.names[0]: matrix(f.log) for f in known.factors} if known.directed else {}
        self._potentials = [] if known.directed else [torch.as_tensor(factor.log) for factor in known.factors]
        self.sites: dict[Node, str] = {node: self._plan.sites[node] for node in known.states}

    def __repr__(self) -> str:
        kind = "Bayesian" if self._directed else "Markov"
        return f"PyroNetwork({kind}, {len(self.sites)} nodes: {validation.listed(self.sites, str)})"

    def __call__(self, evidence: Mapping[Node, State] | None = None, data: Any = None) -> dict[Node, Tensor]:
        """Return the program: one joint draw, or one for each row of `data`.

        Args:
            evidence: the state, by its name, of each node that is observed; in every row, if there are data.
            data: observations, one a row, in a ``pyro.plate("data", N)``. A DataFrame or a mapping from names to
                columns holds state names, with None or NaN for what is missing. What `indices` made of one serves too.
                Nodes without a column are missing in every row.

        Returns:
            The value of each node, the place of its state; ``()`` or ``(N,)`` unless Pyro enumerates.

        Raises:
            TypeError: for evidence or data of another kind.
            ValueError: for unknown names or states, a node in both, no rows, or an enumeration beyond the limit.
        """
        seen = {node: torch.tensor(place) for node, place in self._evidence(evidence).items()}
        plate: Any = nullcontext()
        if data is not None:
            rows = self.indices(data)
            validation.apart(evidence=seen, data=rows)
            seen |= rows
            plate = pyro.plate("data", len(next(iter(rows.values()))), dim=-1)
        with plate:
            return self._plan.walk(self._parents, self._logits, seen) if self._directed else self._undirected(seen)

    def indices(self, data: Any) -> Indices:
        """Return the observations as places of states, −1 for what is missing, int64 ``(N,)`` for each column.

        Calling the model with these saves translating the names at every step of a training.
        """
        if isinstance(data, Mapping) and all(isinstance(column, Tensor) for column in data.values()) and data:
            return self._checked(data)
        return encode(columns(data), self.states)

    def largest_table(self, evidence: Mapping[Node, State] | None = None) -> int:
        """Return the entries of the largest table that Pyro makes in enumerating all that is not observed."""
        observed = self._evidence(evidence)
        free = [node for node, states in self.states.items() if node not in observed and len(states) > 1]
        return self._plan.largest_table(free) if free else 1

    def _undirected(self, seen: Mapping[Node, Tensor]) -> dict[Node, Tensor]:
        values: dict[Node, Tensor] = {}
        for node in self._plan.order:
            uniform = torch.zeros(len(self.states[node]), dtype=torch.float64)
            values[node] = self._plan.sample(node, uniform, (), seen.get(node))
        volume = sum(math.log(len(states)) for states in self.states.values())
        weigh("volume", torch.tensor(volume, dtype=torch.float64), self._plan.scope(()))  # takes back Π 1 / K
        for place, (factor, potential) in enumerate(zip(self._factors, self._potentials, strict=True)):
            index = tuple(values[node] for node in factor.names)
            weigh(f"factor {place}", potential[index], self._plan.scope(factor.names))
        self._plan.check_size(values)
        return values

    def _evidence(self, evidence: Mapping[Node, State] | None) -> dict[Node, int]:
        observed = self._places.observations(evidence)
        if observed.weights:
            raise ValueError("evidence must give a state to each node, got likelihoods: use pg.graphs.query for these")
        return {self._places.nodes[number]: place for number, place in sorted(observed.seen.items())}

    def _checked(self, data: Mapping[Node, Tensor]) -> Indices:
        lengths = set()
        for node, column in data.items():
            if node not in self.states:
                raise ValueError(f"data must have columns of the network's nodes, got {node!r}")
            size = len(self.states[node])
            if column.dim() != 1 or column.dtype != torch.int64 or not bool(((column >= -1) & (column < size)).all()):
                raise ValueError(
                    f"places of states of {node!r} must be int64 (N,) from −1 (missing) to {size - 1}, got others"
                )
            lengths.add(len(column))
        if len(lengths) != 1 or lengths == {0}:
            raise ValueError(f"data must have columns of one length of at least 1, got {sorted(lengths)}")
        return dict(data)
