"""Random small graphs, and what they say by definition, with every trail written out: the oracle of tests/graphs."""

from itertools import chain, combinations, pairwise

import networkx as nx
import numpy as np


def subsets(nodes):
    """All subsets, the smallest first."""
    nodes = list(nodes)
    return chain.from_iterable(combinations(nodes, size) for size in range(len(nodes) + 1))


def some_names(rng, number):
    """Names of all the kinds that graphs are given: words, letters that are parts of words, integers with 0, tuples."""
    pool = ["rain", "r", "a", "in", 0, 1, 2, ("rain", 0), ("a",), "x", "given", ""]
    return [pool[i] for i in rng.permutation(len(pool))[:number]]


def random_dag(rng, number, density=None, kind=None):
    """A random directed graph, as networkx or as pgmpy has it; the latter with some nodes declared latent."""
    density = rng.uniform(0.1, 0.8) if density is None else density
    nodes = some_names(rng, number) if number <= 12 else list(range(number))
    order = [nodes[i] for i in rng.permutation(number)]
    edges = [pair for pair in combinations(order, 2) if rng.random() < density]
    return _build(rng, nodes, edges, kind or rng.choice(["networkx", "pgmpy"]), directed=True)


def random_ug(rng, number, density=None, kind=None):
    """A random undirected graph, as networkx or as pgmpy has it."""
    density = rng.uniform(0.1, 0.8) if density is None else density
    nodes = some_names(rng, number) if number <= 12 else list(range(number))
    edges = [pair for pair in combinations(nodes, 2) if rng.random() < density]
    return _build(rng, nodes, edges, kind or rng.choice(["networkx", "pgmpy"]), directed=False)


def _build(rng, nodes, edges, kind, directed):
    from pgmpy.base import DAG, UndirectedGraph

    if kind == "networkx":
        graph = nx.DiGraph() if directed else nx.Graph()
    else:
        graph = DAG() if directed else UndirectedGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from([edges[i] for i in rng.permutation(len(edges))])
    return graph


def random_query(rng, graph):
    """Three disjoint lists of nodes; x and y have at least one each."""
    nodes = [list(graph)[i] for i in rng.permutation(len(graph))]
    ends = 2 if len(nodes) == 2 else int(rng.integers(2, min(4, len(nodes)) + 1))
    cut = int(rng.integers(1, ends))
    rest = nodes[ends:]
    return nodes[:cut], nodes[cut:ends], rest[: int(rng.integers(0, len(rest) + 1))]


def trails(graph, x, y):
    """Every simple trail between two sets of nodes that meets them at its ends alone."""
    skeleton = nx.Graph()
    skeleton.add_nodes_from(graph)
    skeleton.add_edges_from(graph.edges())
    for a in x:
        for b in y:
            inner = skeleton.subgraph(
                [node for node in skeleton if node in (a, b) or (node not in x and node not in y)]
            )
            yield from map(tuple, nx.all_simple_paths(inner, a, b))


def blocks(graph, trail, i, given):
    """Whether the i-th node of a trail blocks it, by definition."""
    before, node, after = trail[i - 1 : i + 2]
    if graph.is_directed() and graph.has_edge(before, node) and graph.has_edge(after, node):
        return not ({node} | nx.descendants(graph, node)) & set(given)
    return node in set(given)


def is_active(graph, trail, given):
    """Whether a trail (or path) runs along edges, visits no node twice and is blocked nowhere, by definition."""
    joined = all(graph.has_edge(a, b) or graph.has_edge(b, a) for a, b in pairwise(trail))
    simple = len(set(trail)) == len(trail)
    return joined and simple and not any(blocks(graph, trail, i, given) for i in range(1, len(trail) - 1))


def independences(graph):
    """All (pair, given) that the graph asserts for two nodes, from its trails; for sets of nodes these say it all."""
    below = {node: {node} | (nx.descendants(graph, node) if graph.is_directed() else set()) for node in graph}
    found = set()
    for x, y in combinations(graph, 2):
        conditions = []  # for each trail: what must be observed, one of each set, and what must not be
        for trail in trails(graph, [x], [y]):
            colliders = [
                m
                for a, m, b in zip(trail, trail[1:], trail[2:], strict=False)
                if graph.is_directed() and graph.has_edge(a, m) and graph.has_edge(b, m)
            ]
            conditions.append(([below[m] for m in colliders], set(trail[1:-1]) - set(colliders)))
        for given in map(set, subsets(node for node in graph if node not in (x, y))):
            if not any(all(some & given for some in needs) and not shut & given for needs, shut in conditions):
                found.add((frozenset((x, y)), frozenset(given)))
    return found


def seeded(number, seed):
    """As many generators, each by its own seed, so that a case that fails can be looked at alone."""
    return [np.random.default_rng([seed, i]) for i in range(number)]
