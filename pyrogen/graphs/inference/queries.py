"""Exact answers from discrete networks: posteriors, the most probable assignment, the probability of the evidence.

For Bayesian and Markov networks of pgmpy alike, p(x) = 1/Z Π φ(x_c) with Z = Σₓ Π φ(x_c), which is one where the
factors are conditional tables. Everything returned is normalized. There are two methods: variable elimination (Zhang &
Poole, J. Artif. Intell. Res. 5, 1996, https://arxiv.org/abs/cs/9612101) for one query, and a calibrated junction tree
for all nodes at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyrogen.graphs.inference.calibrated_tree import Calibrated
from pyrogen.graphs.inference.elimination import eliminate
from pyrogen.graphs.inference.factors import Factor, Tables, check_size, entries, product, tables
from pyrogen.graphs.inference.posterior import Posterior
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node, Nodes, State

METHODS = ("elimination", "junction_tree")
LIMIT = 2**25  # entries: 268 MB in float64

Evidence = Mapping[Node, State] | None


class Assignment(NamedTuple):
    """A most probable assignment.

    Args:
        states: the state of each variable asked for.
        log_probability: log P(states | evidence), in nats.
    """

    states: dict[Node, State]
    log_probability: float


def query(
    network: Any,
    variables: Nodes,
    evidence: Evidence = None,
    method: Literal["elimination", "junction_tree"] = "elimination",
    limit: int = LIMIT,
) -> Posterior:
    """P(variables | evidence), the joint table of the variables.

    Args:
        network: a DiscreteBayesianNetwork or a DiscreteMarkovNetwork with tables; it may be disconnected.
        variables: one name or several; the answer's axes are in the order of the network's nodes.
        evidence: the observed state, by its name, of each observed node.
        method: ``"elimination"`` leaves out what does not bear on the answer; ``"junction_tree"`` calibrates the whole.
        limit: the most entries that a table (for the junction tree: all of them together) may have.

    Raises:
        TypeError: for a network of another kind.
        ValueError: for unknown names or states, none asked for, a variable that is observed too, evidence of
            probability zero, tables that are wrong or missing, and a table beyond the limit, before it is made.

    Example:
        >>> from pgmpy.models import DiscreteBayesianNetwork
        >>> from pgmpy.factors.discrete import TabularCPD
        >>> network = DiscreteBayesianNetwork([("rain", "wet")])
        >>> states = {"rain": ["no", "yes"], "wet": ["no", "yes"]}
        >>> network.add_cpds(
        ...     TabularCPD("rain", 2, [[0.8], [0.2]], state_names={"rain": ["no", "yes"]}),
        ...     TabularCPD("wet", 2, [[0.9, 0.1], [0.1, 0.9]], ["rain"], [2], state_names=states),
        ... )
        >>> print(query(network, "rain", {"wet": "yes"}))
        rain  P(rain)
        no     0.3077
        yes    0.6923
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    known, asked, observed = _checked(network, variables, evidence, limit)
    sizes = known.sizes
    check_size("the answer's table", entries(asked, sizes), limit)
    if method == "elimination":
        factors = eliminate(_reduced(known, observed, asked), asked, sizes, limit)
    else:
        tree = Calibrated(_reduced(known, observed), sizes, limit)
        _check_possible(tree.log_total, observed, known)
        factors = eliminate(tree.factors_of(asked), asked, sizes, limit)
    joint = product(factors, asked, sizes)
    _check_possible(float(joint.sum_out(asked).log), observed, known)
    return _posterior(joint, known)


def marginals(network: Any, evidence: Evidence = None, limit: int = LIMIT) -> dict[Node, Posterior]:
    """P(node | evidence) for every node that is not observed, from one calibrated junction tree.

    Args and errors are those of `query`; `limit` bounds all cliques' tables together.
    """
    known, _, observed = _checked(network, None, evidence, limit)
    tree = Calibrated(_reduced(known, observed), known.sizes, limit)
    _check_possible(tree.log_total, observed, known)
    return {node: _posterior(tree.marginal(node), known) for node in known.states if node not in observed}


def map_assignment(
    network: Any, variables: Nodes | None = None, evidence: Evidence = None, limit: int = LIMIT
) -> Assignment:
    """The states that jointly maximize P(variables | evidence); by default of all variables that are not observed.

    What is neither asked for nor observed is summed out first. Where several assignments are equally probable, one of
    them comes back, always the same. Args and errors are those of `query`.
    """
    known, asked, observed = _checked(network, variables, evidence, limit)
    sizes = known.sizes
    if variables is None:
        asked = tuple(node for node in known.states if node not in observed)
    factors = eliminate(_reduced(known, observed, asked), asked, sizes, limit)
    log_evidence = _log_total(factors, sizes, limit)
    _check_possible(log_evidence, observed, known)
    best: list[tuple[Node, tuple[Node, ...], NDArray[np.intp]]] = []  # the best state of a node for each of the others

    def maximize(factor: Factor, node: Node) -> Factor:
        rest, argmax = factor.max_out(node)
        best.append((node, rest.names, argmax))
        return rest

    top = eliminate(factors, (), sizes, limit, maximize)
    chosen: dict[Node, int] = {}
    for node, others, argmax in reversed(best):
        chosen[node] = int(argmax[tuple(chosen[other] for other in others)])
    log_probability = sum(float(factor.log) for factor in top) - log_evidence
    return Assignment({node: known.states[node][chosen[node]] for node in asked}, min(0.0, log_probability))


def evidence_probability(network: Any, evidence: Evidence, *, log: bool = False, limit: int = LIMIT) -> float:
    """P(evidence), zero if it is impossible and one if it is empty.

    Args:
        network: as for `query`.
        evidence: the observed state of each observed node.
        log: returns log P(evidence) in nats, −inf for zero, where the probability itself may be too small for a float.
        limit: as for `query`.

    Raises:
        TypeError, ValueError: as `query` does, but for impossible evidence.
    """
    known, _, observed = _checked(network, None, evidence, limit)
    answer = 0.0
    if observed:
        answer = _log_total(_reduced(known, observed, ()), known.sizes, limit)
    if observed and not known.directed:
        answer -= _log_partition(known, limit)
    answer = min(0.0, answer)
    return answer if log else math.exp(answer)


def log_partition(network: Any, limit: int = LIMIT) -> float:
    """log Z, in nats: what the product of a Markov network's factors sums to; zero for a Bayesian network.

    Raises:
        TypeError, ValueError: as `query` does; a ValueError for Z = 0.
    """
    known, _, _ = _checked(network, None, None, limit)
    return 0.0 if known.directed else _log_partition(known, limit)


def _log_partition(known: Tables, limit: int) -> float:
    total = _log_total(list(known.factors), known.sizes, limit)
    _check_possible(total, {}, known)
    return total


def _log_total(factors: Sequence[Factor], sizes: Mapping[Node, int], limit: int) -> float:
    return sum(float(factor.log) for factor in eliminate(factors, (), sizes, limit))


def _checked(
    network: Any, variables: Nodes | None, evidence: Evidence, limit: int
) -> tuple[Tables, tuple[Node, ...], dict[Node, int]]:
    """The network's tables, the variables asked for, and the place of each observed state."""
    known = tables(network)
    if isinstance(limit, bool) or not isinstance(limit, Integral) or limit < 1:
        raise ValueError(f"limit must be a positive whole number of table entries, got {limit!r}")
    asked = () if variables is None else validation.names(network, variables, "variables")
    observed = validation.evidence(network, evidence)
    validation.apart(variables=asked, evidence=observed)
    return known, asked, known.index(observed)


def _reduced(known: Tables, observed: Mapping[Node, int], asked: Sequence[Node] | None = None) -> list[Factor]:
    """The factors at the evidence; only those that bear on `asked`, where it is given."""
    factors = known.factors if asked is None else known.relevant([*asked, *observed])
    return [factor.at(observed) for factor in factors]


def _check_possible(log_total: float, observed: Mapping[Node, int], known: Tables) -> None:
    if log_total > -math.inf:
        return
    if not observed:
        raise ValueError("the factors multiply to zero everywhere, so the network has no distribution")
    shown = ", ".join(f"{node!r}: {known.states[node][place]!r}" for node, place in list(observed.items())[:8])
    more = f", … ({len(observed)} in all)" if len(observed) > 8 else ""
    raise ValueError(f"the evidence {{{shown}{more}}} has probability zero, so nothing can be conditioned on it")


def _posterior(joint: Factor, known: Tables) -> Posterior:
    table = np.exp(joint.log - joint.log.max())
    return Posterior({name: known.states[name] for name in joint.names}, table / table.sum())
