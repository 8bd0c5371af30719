"""Random small networks and their joint distribution written out, which shares no code with the package."""

import functools

import numpy as np


def bayesian(rng, nodes=None, names=None):
    """A random DiscreteBayesianNetwork of 1 to 7 nodes with 2 to 4 states; about a third has zeros in its tables."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    names, states = _nodes(rng, nodes, names)
    network = DiscreteBayesianNetwork()
    network.add_nodes_from(rng.permutation(np.array(names, dtype=object)).tolist())
    density = rng.uniform(0, 0.8)
    for place, child in enumerate(names):
        earlier = [parent for parent in names[:place] if rng.random() < density][-3:]
        network.add_edges_from((parent, child) for parent in earlier)
    zeros = rng.random() < 0.35
    for node in rng.permutation(np.array(names, dtype=object)).tolist():
        parents = list(network.predecessors(node))
        rng.shuffle(parents)
        sizes = [len(states[parent]) for parent in parents]
        table = rng.dirichlet(np.full(len(states[node]), 0.7), int(np.prod(sizes, dtype=int))).T
        if zeros:
            table = np.where(table < 0.25, 0.0, table)
            table[:, table.sum(axis=0) == 0] = 1.0
            table = table / table.sum(axis=0)
        known = {name: list(states[name]) for name in [node, *parents]}
        network.add_cpds(TabularCPD(node, len(states[node]), table, parents or None, sizes or None, state_names=known))
    return network


def markov(rng, nodes=None, names=None):
    """A random DiscreteMarkovNetwork of 1 to 7 nodes, its factors on pairs and triangles, each node in one at least."""
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteMarkovNetwork

    names, states = _nodes(rng, nodes, names)
    network = DiscreteMarkovNetwork()
    network.add_nodes_from(rng.permutation(np.array(names, dtype=object)).tolist())
    scopes = [[name] for name in names]
    for _ in range(int(rng.integers(0, 2 * len(names)))):
        size = int(min(len(names), rng.integers(1, 4)))
        scopes.append([names[place] for place in rng.permutation(len(names))[:size]])
    zeros, scale = rng.random() < 0.35, float(rng.choice([1e-3, 1.0, 1e3]))
    for scope in scopes:
        network.add_edges_from((a, b) for place, a in enumerate(scope) for b in scope[place + 1 :])
        sizes = [len(states[name]) for name in scope]
        values = scale * rng.gamma(0.7, size=int(np.prod(sizes)))
        if zeros:
            values[rng.random(len(values)) < 0.15] = 0.0
        known = {name: rng.permutation(np.array(states[name], dtype=object)).tolist() for name in scope}
        network.add_factors(DiscreteFactor(scope, sizes, values, state_names=known))
    return network


def _nodes(rng, nodes, names):
    number = nodes or int(rng.integers(1, 8))
    names = names or ["B", "A", 0, ("t", 1), "ab", "C", 3][:number]
    kinds = (("no", "yes", "maybe", "?"), (0, 1, 2, 3), (1, 0, "x", 2))
    return names, {name: kinds[int(rng.integers(3))][: int(rng.integers(2, 5))] for name in names}


def joint(network):
    """(names, states of each, the unnormalized product of all tables), one cell for every joint state."""
    held = network.get_cpds() if hasattr(network, "get_cpds") else network.get_factors()
    states = {}
    for table in held:
        if hasattr(table, "variable"):
            states[table.variable] = list(table.state_names[table.variable])
    for table in held:
        for name in table.variables:
            states.setdefault(name, list(table.state_names[name]))
    names = list(network.nodes)
    values = np.ones([len(states[name]) for name in names])
    for table in held:
        known = table.values
        for axis, name in enumerate(table.variables):
            known = known.take([table.state_names[name].index(state) for state in states[name]], axis=axis)
        axes = [names.index(name) for name in table.variables]
        values = np.einsum(values, list(range(len(names))), known, axes, list(range(len(names))))
    return names, states, values


def given(names, states, values, evidence):
    """The joint table at the evidence, of the same number of axes (length one where a node is observed)."""
    for axis, name in enumerate(names):
        if name in evidence:
            values = values.take([states[name].index(evidence[name])], axis=axis)
    return values


@functools.cache
def loaded(name):
    """A bundled network, read once for all tests (reading takes seconds): leave it as it is."""
    from pyrogen.graphs.files.networks import bundled

    return bundled(name)
