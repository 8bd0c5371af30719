"""Exact answers from discrete networks: posteriors, the most probable assignments, draws, the probability of evidence.

For Bayesian and Markov networks of pgmpy alike, p(x) = 1/Z Π φ(x_c) with Z = Σₓ Π φ(x_c), which is one where the
factors are conditional tables. Everything returned is normalized. Each function takes a network of pgmpy, whose tables
are then checked at each call, or a compiled one (`compile_network`), whose tables were checked once.

**Evidence** maps a node to its state, or to a likelihood of each of its states (soft evidence). Likelihoods are a
mapping from all states to numbers, or a list in the order of the states. One and zeros mean the state itself.
``do`` maps a node to the state that it is set to from outside, which cuts the arrows into it (J. Pearl, Causality,
2009, https://doi.org/10.1017/CBO9780511803161).

All answers come from a junction tree of what bears on the question, or of the whole network where that is small.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyrogen.graphs.inference.compiled import compile_network
from pyrogen.graphs.inference.observations import Evidence, Interventions
from pyrogen.graphs.inference.posterior import Assignment, Posterior
from pyrogen.graphs.structure.validation import Node, Nodes


def query(
    network: Any,
    variables: Nodes,
    evidence: Evidence = None,
    do: Interventions = None,
    memory: int | None = None,
) -> Posterior:
    """Return P(variables | evidence, do), the joint table of the variables.

    Args:
        network: a DiscreteBayesianNetwork or a DiscreteMarkovNetwork with tables, or a compiled network.
        variables: one name or several; the answer's axes are in the order of the network's nodes.
        evidence: the observed state, by its name, of each observed node, or the likelihood of each of its states.
        do: the state that each of some nodes is set to from outside, in a Bayesian network.
        memory: the most bytes that the tables may take; None for the compiled network's own limit, or for 1 GiB.

    Raises:
        TypeError: for a network of another kind.
        ValueError: for unknown names or states, no variables, a variable that is observed too, and evidence of
            probability zero. For tables that are wrong or missing, and for tables beyond the limit before any is made.

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
        >>> print(query(network, "rain", {"wet": {"no": 0.5, "yes": 1.0}}))  # seen with doubt
        rain  P(rain)
        no     0.6984
        yes    0.3016
        >>> print(query(network, "rain", do={"wet": "yes"}))  # watered by hand
        rain  P(rain)
        no     0.8000
        yes    0.2000
    """
    return compile_network(network, memory).query(variables, evidence, do)


def marginals(
    network: Any, evidence: Evidence = None, do: Interventions = None, memory: int | None = None
) -> dict[Node, Posterior]:
    """Return P(node | evidence, do) for every node that is neither observed nor set, from one junction tree.

    Where that tree is too large, each node is asked for by itself, as what does not bear on it falls away.
    Args and errors are those of `query`.
    """
    return compile_network(network, memory).marginals(evidence, do)


def most_probable(
    network: Any,
    k: int = 1,
    evidence: Evidence = None,
    do: Interventions = None,
    memory: int | None = None,
    *,
    variables: Nodes | None = None,
) -> list[Assignment]:
    """Return the k most probable assignments of some variables, the most probable first; the others are summed out.

    There are fewer than k where no more have a probability above zero. Of equally probable ones the order is always the
    same. Args and errors are those of `query`.

    Args:
        k: how many, at least 1.
        variables: one name or several; None for all nodes that are not observed.

    Example:
        >>> from pyrogen.graphs import bundled
        >>> for states, log_probability in most_probable(bundled("cancer"), 2, {"Cancer": "True"}):
        ...     print(states, round(log_probability, 3))
        {'Pollution': 'low', 'Smoker': 'True', 'Xray': 'positive', 'Dyspnoea': 'True'} -0.898
        {'Pollution': 'low', 'Smoker': 'True', 'Xray': 'positive', 'Dyspnoea': 'False'} -1.517
        >>> for states, log_probability in most_probable(bundled("cancer"), 2, variables=["Smoker", "Xray"]):
        ...     print(states, round(log_probability, 3))
        {'Smoker': 'False', 'Xray': 'negative'} -0.582
        {'Smoker': 'True', 'Xray': 'negative'} -1.456
    """
    return compile_network(network, memory).most_probable(k, evidence, do, variables)


def sample(
    network: Any,
    n: int,
    evidence: Evidence = None,
    do: Interventions = None,
    seed: int | np.random.Generator | None = None,
    memory: int | None = None,
) -> Any:
    """Return n exact draws from P(nodes | evidence, do) as a pandas DataFrame of state names, a column for each node.

    No draw is rejected, however improbable the evidence is. Args and errors are those of `query`.

    Args:
        n: the number of rows.
        seed: a whole number or a numpy Generator; None for draws that cannot be repeated.

    Example:
        >>> from pyrogen.graphs import bundled
        >>> draws = sample(bundled("cancer"), 1000, {"Cancer": "True"}, seed=0)
        >>> sorted(set(draws["Cancer"])), draws.shape
        (['True'], (1000, 5))
    """
    return compile_network(network, memory).sample(n, evidence, do, seed)


def map_assignment(
    network: Any,
    variables: Nodes | None = None,
    evidence: Evidence = None,
    do: Interventions = None,
    memory: int | None = None,
) -> Assignment:
    """Return the states that jointly maximize P(variables | evidence, do); by default of all that are not observed.

    What is neither asked for nor observed is summed out first. Where several assignments are equally probable, one of
    them comes back, always the same. Args and errors are those of `query`.
    """
    return compile_network(network, memory).most_probable(1, evidence, do, variables)[0]


def evidence_probability(
    network: Any,
    evidence: Evidence,
    do: Interventions = None,
    *,
    log: bool = False,
    memory: int | None = None,
) -> float:
    """Return P(evidence | do), zero if it is impossible and one if it is empty.

    For soft evidence it is the mean of the likelihoods' product. Args are those of `query`.

    Args:
        log: returns log P(evidence) in nats, −inf for zero, where the probability itself may be too small for a float.

    Raises:
        TypeError, ValueError: as `query` does, but for impossible evidence.
    """
    return compile_network(network, memory).evidence_probability(evidence, do, log=log)


def log_partition(network: Any, memory: int | None = None) -> float:
    """Return log Z, in nats: what the product of a Markov network's factors sums to; zero for a Bayesian network.

    Args:
        network: as for `query`.
        memory: as for `query`.

    Raises:
        TypeError, ValueError: as `query` does; a ValueError for Z = 0.
    """
    return compile_network(network, memory).log_partition()
