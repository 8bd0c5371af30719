"""Claims on graphs, judged: what each says, what is computed in several ways, and the evidence.

A claim comes as a checked mapping (see `pyrogen.exercises.exercise` for its fields) and goes out as a `Row`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from pyrogen.exercises import cross_checks, explanations, schema
from pyrogen.exercises.random_networks import Draws
from pyrogen.exercises.results import Row, shown
from pyrogen.graphs.structure.cliques import chordless_cycle, chords, is_chordal
from pyrogen.graphs.structure.factorization import sets
from pyrogen.graphs.structure.moral import markov_blanket, moral_graph
from pyrogen.graphs.structure.separation import asserts
from pyrogen.graphs.structure.triangulation import elimination_order
from pyrogen.graphs.structure.validation import Graph, Node

Claim = Mapping[str, Any]

NOT_OF_IT = "does not belong to it", "do not belong to it"


class Subject:
    """A graph that claims are about: the network's own, or its moral graph.

    Args:
        network: the exercise's.
        moral: whether the moral graph of it is meant.
        draws: how many random networks the numbers are from.
        seed: of these.
    """

    def __init__(self, network: Graph, moral: bool, draws: int, seed: int) -> None:
        self.network = network
        self.moral = moral
        self.graph: Graph = moral_graph(network) if moral else network
        self.where = " in the moral graph" if moral else ""
        self._draws = draws, seed

    @property
    def directed(self) -> bool:
        """Whether the graph is."""
        return bool(self.graph.is_directed())

    @cached_property
    def pgmpy(self) -> Any:
        """pgmpy's own version of it."""
        whole = cross_checks.by_pgmpy(self.network)
        return whole.moralize() if self.moral else whole

    @cached_property
    def networkx(self) -> Any:
        """networkx's own version of it."""
        import networkx as nx

        whole = cross_checks.by_networkx(self.network)
        return nx.moral_graph(whole) if self.moral else whole

    @cached_property
    def draws(self) -> Draws:
        """Random networks on this graph."""
        return Draws(self.graph, *self._draws)

    @cached_property
    def of_network(self) -> Draws:
        """Random networks on the exercise's own graph, whose dependences given all else make up the moral graph."""
        return Draws(self.network, *self._draws) if self.moral else self.draws

    def order(self, nodes: Any) -> list[Node]:
        """These nodes in the graph's order."""
        wanted = set(nodes)
        return [node for node in self.graph if node in wanted]

    def named(self, nodes: Any) -> str:
        """These nodes as ``{A, B}``, in the graph's order."""
        return explanations.named(self.order(nodes))


def independence(subject: Subject, claim: Claim) -> Row:
    """x ⊥ y | given, in a directed or an undirected graph."""
    x, y, given = claim["x"], claim["y"], claim["given"]
    found = subject.draws.dependences(x, y, given)
    ways: dict[str, Any] = {
        "pyrogen": asserts(subject.graph, x, y, given),
        "pgmpy": cross_checks.pgmpy_separated(subject.pgmpy, x, y, given),
        "networkx": cross_checks.networkx_separated(subject.networkx, x, y, given),
        "numbers": None if found is None else not any(found),
    }
    holds = ways["pyrogen"]
    words = explanations.why(subject.graph, x, y, given)
    sides = [", ".join(map(str, side)) for side in (x, y, given)]
    lines = [*words, explanations.in_numbers(found, f"{sides[0]}; {sides[1]}{' | ' + sides[2] if given else ''}")]
    if not holds:
        reason = words[0] if words[0].startswith("the ") else f"there is the {words[0]}"
    elif len(words) == 1:
        reason = words[0]
    else:
        reason = f"each of the {len(words)} trails is blocked" if subject.directed else "every path is cut"
        heads = [word.split(":")[0] for word in words]
        stops = [str(node) for node in subject.graph if any(head.endswith(f" at {node}") for head in heads)]
        reason += f" at {explanations.listing(stops, 'or')}" if stops else ""
    return judged(claim, explanations.independence(x, y, given) + subject.where, holds, lines, ways, reason)


def blanket(subject: Subject, claim: Claim) -> Row:
    """Return the Markov blanket of a node."""
    import networkx as nx

    (node,) = claim["of"]
    joined = subject.of_network.joined()
    ways: dict[str, Any] = {
        "pyrogen": markov_blanket(subject.graph, node),
        "pgmpy": frozenset(
            subject.pgmpy.get_markov_blanket(node) if subject.directed else subject.pgmpy.neighbors(node)
        ),
        "networkx": frozenset(
            (nx.moral_graph(subject.networkx) if subject.directed else subject.networkx).neighbors(node)
        ),
        "numbers": None if joined is None else frozenset().union(*(pair for pair in joined if node in pair)) - {node},
    }
    found = ways["pyrogen"]
    graph = subject.graph
    if subject.directed:
        children = list(graph.successors(node))
        others = subject.order(p for child in children for p in graph.predecessors(child) if p != node)
        lines = [
            f"parents {subject.named(graph.predecessors(node))}, children {subject.named(children)}, "
            f"other parents of these {explanations.named(others)}"
        ]
    else:
        lines = [f"the neighbors of {node}"]
    stated = frozenset(claim["stated"] or ())
    missing, extra = (list(map(str, subject.order(some))) for some in (found - stated, stated - found))
    reason = explanations.difference(missing, extra, *NOT_OF_IT)
    text, own = f"Markov blanket of {node}{subject.where}", subject.named(found)
    return answered(claim, text, explanations.named, own, found == stated, lines, ways, reason)


def moral(subject: Subject, claim: Claim) -> Row:
    """Return the edges of the moral graph."""
    edges = set(map(frozenset, subject.graph.edges))
    ways = {
        "pyrogen": edges,
        "pgmpy": set(map(frozenset, subject.pgmpy.edges)),
        "networkx": set(map(frozenset, subject.networkx.edges)),
        "numbers": subject.of_network.joined(),
    }
    stated = set(map(frozenset, claim["stated"] or ()))
    added = [
        f"{explanations.edge(a, b)} is new: {explanations.married(subject.network, a, b)}"
        for a, b in sets(subject.graph, edges)
        if not (subject.network.has_edge(a, b) or subject.network.has_edge(b, a))
    ]
    missing, extra, own, given = (_edges(subject, some) for some in (edges - stated, stated - edges, edges, stated))
    return answered(
        claim,
        "Markov network: edges of the moral graph",
        lambda _: ", ".join(given),
        ", ".join(own),
        stated == edges,
        sorted(added) or ["no two parents of a node had to be joined"],
        ways,
        explanations.difference(missing, extra, *NOT_OF_IT),
    )


def chordal(subject: Subject, claim: Claim) -> Row:
    """Return whether every cycle of four or more nodes has a chord; perhaps with the cycle stated to have none."""
    import networkx as nx

    cycle = chordless_cycle(subject.graph)
    ways: dict[str, Any] = {
        "pyrogen": is_chordal(subject.graph),
        "pgmpy": bool(subject.pgmpy.is_triangulated()),
        "networkx": bool(nx.is_chordal(subject.networkx)),
        "elimination": _chordal_by_elimination(subject.networkx),
        "numbers": cross_checks.decomposes(subject.draws),
    }
    holds = ways["pyrogen"]
    if cycle is None:
        order = elimination_order(subject.graph)
        lines = [f"eliminated in the order {', '.join(map(str, order))}, no node leaves two neighbors to be joined"]
        reason = "no cycle of four or more nodes lacks a chord"
    else:
        lines = [_no_chord(subject, cycle)]
        reason = lines[0]
    witness = claim.get("witness")
    wrong_witness = ""
    if witness is not None and not holds:
        drawn = " – ".join(map(str, [*witness, witness[0]]))
        gaps = [
            (a, b) for a, b in zip(witness, [*witness[1:], witness[0]], strict=True) if not subject.graph.has_edge(a, b)
        ]
        if gaps:
            wrong_witness = f"{drawn} is not a cycle, as {explanations.edge(*gaps[0])} is not an edge"
        elif len(witness) < 4:
            wrong_witness = f"{drawn} is a triangle"
        elif found := chords(subject.graph, witness):
            wrong_witness = f"the cycle {drawn} has the chord {explanations.edge(*found[0])}"
        elif set(witness) != set(cycle or ()):
            lines.append(_no_chord(subject, witness))
    return judged(
        claim,
        f"{'the moral graph' if subject.moral else 'the network'} is chordal",
        holds,
        lines,
        ways,
        reason,
        wrong_witness,
    )


def check_chordal(claim: dict[str, Any], network: Any) -> None:
    """Check the names of the cycle stated."""
    if claim.get("witness") is not None:
        claim["witness"] = schema.names(network, claim["witness"], "witness")


def judged(
    claim: Claim, text: str, holds: bool, lines: list[str], ways: Mapping[str, Any], reason: str, witness: str = ""
) -> Row:
    """Return the row of a claim that is true or false; `witness` says what may be wrong with a stated witness."""
    agrees, remark = claim["stated"] == holds and not witness, ""
    if claim["stated"] == holds and witness:
        reason, remark = f"the answer is right, its reason is not: {witness}", "right, wrong reason"
    return answered(claim, text, shown, shown(holds), agrees, lines, ways, reason, remark)


def answered(
    claim: Claim,
    text: str,
    show: Callable[[Any], str],
    computed: str,
    agrees: bool,
    lines: Iterable[str],
    ways: Mapping[str, Any],
    reason: str,
    remark: str = "",
) -> Row:
    """Return the row of a claim.

    Args:
        claim: with its stated answer, which may be None.
        text: the claim in words; the claim's own text goes before it.
        show: puts the stated answer into words.
        computed: the answer computed, in words.
        agrees, reason: whether the stated answer is right and why it is not; both count only where one is stated.
        lines, ways, remark: as in `Row`.
    """
    given = claim["stated"] is not None
    return Row(
        claim["kind"],
        claim.get("text") or text,
        show(claim["stated"]) if given else "",
        computed,
        agrees if given else None,
        tuple(lines),
        ways,
        reason if given and not agrees else "",
        remark,
    )


def _no_chord(subject: Subject, cycle: Any) -> str:
    gaps = [explanations.edge(a, b) for a, b in explanations.missing_edges(subject.graph, list(cycle))]
    drawn = " – ".join(map(str, [*cycle, cycle[0]]))
    edges = "is not an edge" if len(gaps) == 1 else "are not edges"
    return f"the cycle {drawn} has no chord: {explanations.listing(gaps)} {edges}"


def _chordal_by_elimination(graph: Any) -> bool:
    """Return whether taking away simplicial nodes, one after the other, empties the graph; on networkx."""
    left = graph.copy()
    simplicial = True
    while simplicial:
        simplicial = False
        for node in list(left):
            if not explanations.missing_edges(left, list(left.neighbors(node))):
                left.remove_node(node)
                simplicial = True
    return len(left) == 0


def _edges(subject: Subject, edges: Any) -> list[str]:
    place = {node: number for number, node in enumerate(subject.graph)}
    pairs = sorted(sets(subject.graph, edges), key=lambda pair: [place[node] for node in pair])
    return [explanations.edge(*pair) for pair in pairs]
