"""Independence by numbers: random tables on a graph, exact inference by pgmpy, conditional mutual information.

In nats, with sums over all states,

    I(x; y | z) = Σ p(x, y, z) log [p(x, y, z) p(z) / (p(x, z) p(y, z))] ≥ 0,

which is zero exactly if x ⊥ y | z. If a graph separates x from y given z, it is zero for every choice of tables. If
not, it is positive for all tables but a set of measure zero. (Meek, Strong completeness and faithfulness in Bayesian
networks, UAI 1995, https://arxiv.org/abs/1302.4973.) So random tables decide, and share no step with a search for
trails.

**What counts as zero.** All terms are positive, so that no sum cancels. Each entry of a marginal has a relative error
of at most n ε, where ε = 2⁻⁵² and n counts the factors multiplied and the terms summed. The ratio r of the products
above is then off by D = 4 n ε. The sum is written as Σ p · (r − 1 − log r), which is the same since Σ p (r − 1) = 0. So
an exact independence computes to at most D²/2 + ε D < D². `Dependence.bound` is D², about 10⁻²⁵ for eight binary nodes.
The dependences of random tables lie near 10⁻³, and above 10⁻¹⁰ even after long trails.

**Zeros.** With q = p(x, z) p(y, z) / p(z) the sum is Σ (q − p − p log (q / p)), where a state of p = 0 counts q. A sum
of nonnegative products is zero only if each of them has a factor zero, so a zero is exact. Under an exact independence
q is zero where p is, and the bound stays. Float64 loses less than 10⁻³⁰⁰ of a Bayesian network. The potentials of a
Markov network are divided by powers of two until none exceeds one. A network whose Z is then below e⁻⁶⁰⁰ is refused.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pyrogen.graphs.inference.queries import log_partition
from pyrogen.graphs.inference.rings import Table
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.cliques import maximal_cliques
from pyrogen.graphs.structure.making import conditional_table, graph_of
from pyrogen.graphs.structure.validation import Graph, Node, Nodes

LARGEST_FAMILY = 20  # nodes of one table that is drawn: a million numbers
EPSILON = float(np.finfo(np.float64).eps)
JOINT = 2**16  # states of the largest joint distribution that is written out
SUMMED = 2**20  # terms of the longest sum in an elimination of a larger network
SMALLEST = -600.0  # log Z, in nats, of the smallest that leaves what float64 loses far below any bound


class Dependence(NamedTuple):
    """I(x; y | z) in nats, and the bound under which it is zero up to rounding."""

    nats: float
    bound: float

    def __bool__(self) -> bool:
        if math.isnan(self.nats):
            raise ValueError("the value must be a number to be compared with its bound, got nan")
        return self.nats > self.bound


def generic_network(graph: Graph, rng: np.random.Generator) -> Any:
    """Return a network on this graph with random positive tables over two states a node, named 0 and 1.

    For a directed graph these are conditional tables, for an undirected one potentials on the maximal cliques, all
    entries uniform in [0.1, 1] before conditional tables are made to sum to one.

    Args:
        graph: a graph of pgmpy or networkx; tables that it has are not looked at.
        rng: draws the numbers.

    Raises:
        TypeError, ValueError: for another kind of value, a cycle, or an empty graph; TypeError for another kind of
            `rng`, such as a seed.

    Example:
        >>> import networkx as nx
        >>> network = generic_network(nx.DiGraph([("A", "B")]), np.random.default_rng(0))
        >>> [table.variables for table in network.cpds], network.check_model()
        ([['A'], ['B', 'A']], True)
    """
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork

    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy Generator such as numpy.random.default_rng(0), got {type(rng).__name__}")
    directed = validation.either(graph).is_directed()
    network = graph_of(DiscreteBayesianNetwork if directed else DiscreteMarkovNetwork, graph, graph.edges())
    if directed:
        for node in graph:
            parents = [other for other in graph if graph.has_edge(other, node)]
            _check_size([node, *parents])
            values = rng.uniform(0.1, 1.0, (2, 2 ** len(parents)))
            network.add_cpds(conditional_table(node, parents, values / values.sum(0), dict.fromkeys(graph, (0, 1))))
    else:
        for clique in maximal_cliques(graph):
            names = [node for node in graph if node in clique]
            _check_size(names)
            network.add_factors(DiscreteFactor(names, [2] * len(names), rng.uniform(0.1, 1.0, [2] * len(names))))
    return network


def _check_size(names: Sequence[Node]) -> None:
    if len(names) > LARGEST_FAMILY:
        raise ValueError(f"a table must be over at most {LARGEST_FAMILY} nodes, got {len(names)} with {names[0]!r}")


def exact_table(network: Any, names: Sequence[Node]) -> Table:
    """P(names), normalized, its axes in the order of `names`, by pgmpy's variable elimination."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # pgmpy's own modules import what it has deprecated
        from pgmpy.inference import VariableElimination

    factor = VariableElimination(network).query(list(names), show_progress=False)
    values = np.asarray(factor.values, dtype=np.float64)
    values = values.transpose([factor.variables.index(name) for name in names])
    return np.ascontiguousarray(values / values.sum())


def conditional_mutual_information(network: Any, x: Nodes, y: Nodes, given: Nodes | None = ()) -> Dependence:
    """Return I(x; y | given) in nats, by exact inference with pgmpy; true as a condition if it is beyond rounding.

    Args:
        network: a discrete Bayesian or Markov network of pgmpy; its tables may have zeros.
        x, y, given: as for `pyrogen.graphs.d_separated`.

    Raises:
        TypeError, ValueError: for unknown names, a node on two sides, or more than 65,536 joint states of these nodes;
            ValueError for a Markov network whose potentials leave no state, or only such as float64 cannot hold.

    Example:
        >>> import networkx as nx
        >>> network = generic_network(nx.DiGraph([("A", "M"), ("B", "M")]), np.random.default_rng(0))
        >>> bool(conditional_mutual_information(network, "A", "B"))
        False
        >>> bool(conditional_mutual_information(network, "A", "B", given="M"))
        True
    """
    states = validation.states(network)
    sides = validation.query(network, x, y, given)
    names = [node for side in sides for node in side]
    size = math.prod(len(states[node]) for node in names)
    if size > JOINT:
        raise ValueError(f"x, y and given must have at most {JOINT:,} joint states, got {size:,}")
    cuts = len(sides[0]), len(sides[0]) + len(sides[1])
    axes = tuple(range(cuts[0])), tuple(range(*cuts))
    table = exact_table(network if network.is_directed() else _scaled(network), names)
    if not np.isfinite(table).all():
        raise ValueError("the tables must have finite entries, got nan or inf")
    return dependence(table, *axes, terms(network))


def dependence(table: Table, x: Iterable[int], y: Iterable[int], n: int) -> Dependence:
    """I(x; y | the other axes) of a joint table, whose entries are off by n roundings at most, its zeros exact.

    Args:
        table: sums to one.
        x, y: axes.
        n: as `terms` counts them.
    """
    xs, ys = tuple(x), tuple(y)
    xz, yz = table.sum(ys, keepdims=True), table.sum(xs, keepdims=True)
    z = yz.sum(ys, keepdims=True)
    product = np.divide(xz, z, out=np.zeros_like(xz), where=z > 0) * yz
    there = table > 0
    p, q = table[there], product[there]
    off = (q - p) / p  # r − 1
    nats = float((p * (off - np.log1p(off))).sum() + product[~there].sum())
    return Dependence(nats, (4 * n * EPSILON) ** 2)


def _scaled(network: Any) -> Any:
    """Return a Markov network with each potential divided by a power of two, which is exact, so that none exceeds
    one."""
    scaled = network.copy()
    for factor in scaled.factors:
        values = np.asarray(factor.values, dtype=np.float64)
        if not np.isfinite(values).all() or not values.max() > 0:
            raise ValueError(
                f"the potential over {', '.join(map(str, factor.variables))} must be finite and somewhere positive, "
                f"got a largest entry of {values.max():g}"
            )
        factor.values = np.ldexp(values, -int(np.frexp(values.max())[1]))
    z = log_partition(scaled)  # refuses zero
    if z < SMALLEST:
        raise ValueError(
            f"with each potential's largest entry near one, log Z must be at least {SMALLEST:g} nats, got {z:.4g}: the "
            "states that are left are too improbable for float64"
        )
    return scaled


def terms(network: Any) -> int:
    """Return the roundings that one entry of a marginal may have gone through: factors multiplied, and terms summed."""
    states = validation.states(network)
    factors = len(network.cpds if network.is_directed() else network.factors)
    summed = sum(math.log2(len(own)) for own in states.values())
    return factors + 2 * int(min(2**summed if summed < 60 else SUMMED, SUMMED))  # the marginals are summed once more
