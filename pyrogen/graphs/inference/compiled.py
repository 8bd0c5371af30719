"""A network whose tables are checked once, and which then answers many questions."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from pyrogen import checks
from pyrogen.graphs.inference.draws import backward, forward
from pyrogen.graphs.inference.explanations import explanations
from pyrogen.graphs.inference.factors import Factor, tables
from pyrogen.graphs.inference.memory import MEMORY, check_memory
from pyrogen.graphs.inference.observations import Evidence, Interventions, Observations, Places
from pyrogen.graphs.inference.posterior import Assignment, Posterior
from pyrogen.graphs.inference.problem import Problem
from pyrogen.graphs.inference.propagation import downwards, upwards
from pyrogen.graphs.inference.rings import GREATEST
from pyrogen.graphs.inference.some import best_of_some
from pyrogen.graphs.structure.validation import Node, Nodes, State

FIXED = 2**20  # entries: up to this one tree serves all evidence; beyond, each set of observed nodes gets its own
REMEMBERED = 16  # trees


class CompiledNetwork:
    """A discrete network, ready to be asked; made by `compile_network`, which describes it.

    Attributes:
        network: what it was made of. Changes to it after that are not seen.
        states: the states of each node.
        memory: the most bytes that a question may take.
    """

    def __init__(self, network: Any, memory: int = MEMORY) -> None:
        self.network = network
        self.memory = checks.whole("memory", memory, least=1)
        self._known = tables(network)
        self._places = Places(self._known)
        self.states: dict[Node, tuple[State, ...]] = dict(self._known.states)
        self._sizes = [len(states) for states in self.states.values()]
        numbers = self._places.numbers
        self._scopes = [tuple(numbers[name] for name in names) for names, _ in self._known.printed]
        self._tables = self._known.tables
        self._problems: OrderedDict[Any, Problem] = OrderedDict()
        self._log_partition: float | None = 0.0 if self._known.directed else None

    def __repr__(self) -> str:
        kind = "Bayesian" if self._known.directed else "Markov"
        return f"CompiledNetwork({kind}, {len(self.states)} nodes)"

    def query(self, variables: Nodes, evidence: Evidence = None, do: Interventions = None) -> Posterior:
        """Return P(variables | evidence, do), the joint table of the variables; see `query`."""
        asked, observed = self.question(variables, evidence, do)
        check_memory("the answer's table", 8 * math.prod(self._sizes[node] for node in asked), self.memory)
        problem, clique = self._problem(observed, asked)
        axes = tuple(node for node in problem.schedule.cliques[clique].axes if node in asked)
        table, log_total = problem.sums(clique, axes, observed, self.memory)
        self.check_possible(log_total, observed)
        table = table.transpose([axes.index(node) for node in asked])
        nodes = self._places.nodes
        return Posterior({nodes[node]: self.states[nodes[node]] for node in asked}, table / table.sum())

    def marginals(self, evidence: Evidence = None, do: Interventions = None) -> dict[Node, Posterior]:
        """Return P(node | evidence, do) for every node that is neither observed nor set; see `marginals`."""
        observed = self._places.observations(evidence, do)
        nodes = self._places.nodes
        left = [number for number in range(len(nodes)) if number not in observed.seen]
        try:
            problem, _ = self._problem(observed, None)
        except ValueError:
            if not self._known.directed:
                raise
            # Node by node what does not bear on a node falls away, and this may fit where the whole does not.
            return {nodes[node]: self.query([nodes[node]], evidence, do) for node in left}
        wanted, sources = problem.every(left)
        answers, log_total = problem.solve(observed, self.memory, lambda up: downwards(up, wanted))
        self.check_possible(log_total, observed)
        if not left:
            return {}
        flat = np.concatenate([answers[clique][place] for clique, place in sources])  # all at once, as it is quicker
        lengths = [self._sizes[node] for node in left]
        starts = np.cumsum([0, *lengths[:-1]])
        flat /= np.repeat(np.add.reduceat(flat, starts), lengths)
        return {
            nodes[node]: Posterior({nodes[node]: self.states[nodes[node]]}, flat[start : start + length])
            for node, start, length in zip(left, starts.tolist(), lengths, strict=True)
        }

    def evidence_probability(self, evidence: Evidence, do: Interventions = None, *, log: bool = False) -> float:
        """Return P(evidence | do); see `evidence_probability`."""
        log, observed = checks.flag("log", log), self._places.observations(evidence, do)
        answer = self._log_evidence(observed) if observed else 0.0
        if observed and not self._known.directed:
            answer -= self.log_partition()
        if all(weights.max() <= 1 for weights in observed.weights.values()):
            answer = min(0.0, answer)
        return answer if log else math.exp(answer)

    def log_partition(self) -> float:
        """Return log Z, in nats; see `log_partition`."""
        if self._log_partition is None:
            total = self._log_evidence(Observations())
            self.check_possible(total, Observations())
            self._log_partition = total
        return self._log_partition

    def most_probable(
        self, k: int = 1, evidence: Evidence = None, do: Interventions = None, variables: Nodes | None = None
    ) -> list[Assignment]:
        """Return the k most probable assignments of all nodes not observed, or of some; see `most_probable`."""
        k = checks.whole("k", k, least=1, most=checks.LARGEST_COUNT)
        nodes, constant = self._places.nodes, 0.0
        asked: Sequence[int]
        if variables is not None:
            asked, observed = self.question(variables, evidence, do)
            factors = self._logarithms(asked, observed)
            log_evidence, ranked = best_of_some(factors, asked, nodes, self._sizes, self.memory)
        else:
            observed = self._places.observations(evidence, do)
            asked = [number for number in range(len(nodes)) if number not in observed.seen]
            log_evidence = self._log_evidence(observed, everything=True)
            problem, _ = self._problem(observed, None)
            operands, _, constant = problem.operands(observed, GREATEST)
            kept = problem.kept(self.memory)
            ranked = explanations(upwards(problem.schedule, operands, GREATEST, scaled=False, kept=kept))
        self.check_possible(log_evidence, observed)
        found = []
        for log_product, places in islice(ranked, k):
            states = {nodes[node]: self.states[nodes[node]][places[node]] for node in asked}
            found.append(Assignment(states, min(0.0, log_product + constant - log_evidence)))
        return found

    def _logarithms(self, asked: Sequence[int], observed: Observations) -> list[Factor]:
        """Return the factors that bear on what is asked at what was observed, in logarithms and by numbers."""
        factors = [
            Factor(self._scopes[number], self._known.factors[number].log).at(observed.seen)
            for number in self.relevant([*asked, *observed.bearing], observed.done)
            if self._scopes[number][0] not in observed.done
        ]
        return factors + [Factor((node,), GREATEST.enter(weights)) for node, weights in observed.weights.items()]

    def sample(
        self, n: int, evidence: Evidence = None, do: Interventions = None, seed: int | np.random.Generator | None = None
    ) -> Any:
        """Return n exact draws as a DataFrame, a column for each node; see `sample`."""
        import pandas as pd

        n = checks.whole("n", n, least=0)
        if seed is not None and not isinstance(seed, np.random.Generator):
            seed = checks.seed("seed", seed)
        nodes = self._places.nodes
        check_memory("the draws", 8 * n * len(nodes), self.memory)
        generator = np.random.default_rng(seed)
        observed = self._places.observations(evidence, do)
        if self._known.directed and not observed.weights and set(observed.seen) == observed.done:
            drawn = forward(self._scopes, self._tables, observed.seen, n, generator)
        else:
            problem, _ = self._problem(observed, None)
            drawn, log_total = problem.solve(
                observed, self.memory, lambda up: backward(up, n, generator) if up.log_total > -math.inf else {}
            )
            self.check_possible(log_total, observed)
            drawn.update((node, np.full(n, place)) for node, place in observed.seen.items())
        columns = {}
        for number, (node, states) in enumerate(self.states.items()):
            names = np.empty(len(states), dtype=object)
            names[:] = states
            columns[node] = names[drawn[number]]
        return pd.DataFrame(columns, columns=pd.Index(nodes, tupleize_cols=False))

    def _problem(self, observed: Observations, asked: tuple[int, ...] | None) -> tuple[Problem, int]:
        """Return the tree for a question, and the clique that holds the nodes asked for (−1 if all are)."""
        everything = range(len(self._scopes))
        whole = self._remembered(None, everything)
        if whole.schedule.entries <= FIXED:
            problem = whole
            if asked is not None and whole.holding(asked) < 0:
                together = self._remembered(asked, everything, joined=asked)
                problem = together if together.schedule.entries <= FIXED else self._reduced(observed, asked)
        elif asked is None and not observed.seen:
            problem = whole
        else:
            problem = self._reduced(observed, asked)
        check_memory(f"the tables of {len(problem.schedule.cliques)} cliques", problem.needed, self.memory)
        return problem, problem.holding(asked) if asked is not None else -1

    def _reduced(self, observed: Observations, asked: tuple[int, ...] | None) -> Problem:
        """Return the tree of what bears on the nodes asked for, at the observed states."""
        bearing = None if asked is None else [*asked, *observed.bearing]
        soft = frozenset(observed.weights) if bearing is not None else None
        key = (asked, frozenset(observed.seen), observed.done, soft)
        used = self.relevant(bearing, observed.done) if key not in self._problems else ()
        return self._remembered(key, used, observed.seen, observed.done, joined=asked or ())

    def relevant(self, bearing: Sequence[int] | None, done: frozenset[int]) -> list[int]:
        """Return the factors that bear on some nodes: those of barren nodes sum to one."""
        if bearing is None or not self._known.directed:
            return list(range(len(self._scopes)))
        own = {scope[0]: number for number, scope in enumerate(self._scopes)}
        waiting, kept = list(bearing), set[int]()
        while waiting:
            node = waiting.pop()
            if node not in kept:
                kept.add(node)
                if node not in done:
                    waiting.extend(self._scopes[own[node]][1:])
        return sorted(own[node] for node in kept)

    def _remembered(
        self,
        key: Any,
        used: Iterable[int],
        seen: Iterable[int] = (),
        done: frozenset[int] = frozenset(),
        joined: Sequence[int] = (),
    ) -> Problem:
        """Return the tree of this key, which is made by `Problem` if it is not there."""
        if key in self._problems:
            self._problems.move_to_end(key)
            return self._problems[key]
        problem = Problem(self._scopes, self._tables, self._sizes, used, seen, done, joined)
        self._problems[key] = problem
        if len(self._problems) > REMEMBERED:
            self._problems.pop(next(known for known in self._problems if known is not None))
        return problem

    def _log_evidence(self, observed: Observations, everything: bool = False) -> float:
        problem, _ = self._problem(observed, None if everything or not self._known.directed else ())
        _, log_total = problem.solve(observed, self.memory, lambda up: None)
        return log_total

    def question(self, variables: Nodes, evidence: Evidence, do: Interventions) -> tuple[tuple[int, ...], Observations]:
        """Return the numbers of the nodes asked for, and what was observed, both checked."""
        asked = self._places.asked(variables)
        observed = self._places.observations(evidence, do)
        for node in asked:
            if node in observed.seen:
                side = "do" if node in observed.done else "evidence"
                name = self._places.nodes[node]
                raise ValueError(f"a node must be on one side of a query, got {name!r} in variables and in {side}")
        return asked, observed

    def check_possible(self, log_total: float, observed: Observations) -> None:
        """Raise a ValueError if what was observed has probability zero."""
        if log_total > -math.inf:
            return
        if not observed:
            raise ValueError("the factors must have a positive product somewhere, got 0 everywhere")
        raise ValueError(f"the evidence must have a positive probability, got 0 for {self._places.shown(observed)}")


def compile_network(network: Any, memory: int | None = None) -> CompiledNetwork:
    """Return a network that is checked once and then asked often.

    Its methods are `query`, `marginals`, `evidence_probability`, `most_probable`, `sample` and `log_partition`, which
    take what the functions of these names take after the network. Junction trees are made when they are first needed
    and remembered. Up to a million table entries one tree serves all evidence; beyond, each set of observed nodes gets
    its own, in which their tables are cut.

    Args:
        network: a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy with tables; it is not changed, and
            changes to it are not seen. A compiled network comes back as it is, or with another limit of memory.
        memory: the most bytes that the tables of one question may take; None for 1 GiB, or for what a compiled network
            has.

    Raises:
        TypeError: for a network of another kind.
        ValueError: for tables that are wrong or missing, and for a limit that is not a positive whole number.

    Example:
        >>> from pyrogen.graphs import bundled
        >>> asia = compile_network(bundled("asia"))
        >>> print(asia.query("lung", {"xray": "yes"}))
        lung  P(lung)
        yes    0.4887
        no     0.5113
    """
    if isinstance(network, CompiledNetwork):
        if memory in (None, network.memory):
            return network
        network = network.network
    return CompiledNetwork(network, MEMORY if memory is None else memory)
