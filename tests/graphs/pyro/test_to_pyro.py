"""Networks as Pyro programs, against the joint written out and against pgmpy."""

import functools
import itertools
import math

import numpy as np
import pandas as pd
import pyro
import pytest
import torch
from pyro.infer import Predictive, TraceEnum_ELBO, infer_discrete
from scipy.stats import chi2

from pyrogen import graphs
from pyrogen.graphs import to_pyro
from pyrogen.graphs.pyro.enumeration import site_names

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported
TOLERANCE = 1e-6  # the issue's; what is reached is nearer 1e-15


bundled = functools.cache(graphs.bundled)


def guide(*args, **kwargs):
    """Nothing is left to guess: all is enumerated."""


def bayesian(seed, nodes=6, zeros=True):
    """A random network; node names and states are of several types, sizes 1 to 3, some entries exactly zero."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    random = np.random.default_rng(seed)
    names = ["rain", 3, ("rain", 3), "3", "data", "volume", "a b", None][:nodes]
    names = [name for name in names if name is not None]
    states = {name: [("no", "yes", "maybe"), (0, 1, 2), ((0,), (1,), (2,))][k % 3] for k, name in enumerate(names)}
    states = {name: list(values[: random.integers(1, 4)]) for name, values in states.items()}
    states[names[0]] = ["no", "yes"]
    order = [names[k] for k in random.permutation(len(names))]
    network = DiscreteBayesianNetwork()
    network.add_nodes_from(names)
    tables = []
    for place, node in enumerate(order):
        parents = [p for p in order[:place] if random.random() < 0.5][:3]
        network.add_edges_from((parent, node) for parent in parents)
        cards = [len(states[p]) for p in parents]
        values = random.dirichlet(np.ones(len(states[node])), size=math.prod(cards)).T
        if zeros and len(states[node]) > 1:
            values[0, 0] = 0.0
            values /= values.sum(axis=0)
        named = {name: states[name] for name in (node, *parents)}
        tables.append(TabularCPD(node, len(states[node]), values, parents or None, cards or None, state_names=named))
    network.add_cpds(*tables)
    return network, states


def markov(seed):
    """A random Markov network of two components, with triangles, a zero and factors on single nodes."""
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteMarkovNetwork

    random = np.random.default_rng(seed)
    states = {"A": ["x", "y"], "B": [0, 1, 2], ("C", 1): ["u", "v"], 4: [True, False], "E": ["p", "q"], "F": ["only"]}
    network = DiscreteMarkovNetwork()
    network.add_nodes_from(states)
    for clique in (("A", "B", ("C", 1)), (("C", 1), 4), ("A", 4), ("E", "F"), ("E",)):
        network.add_edges_from(itertools.combinations(clique, 2))
        values = random.gamma(1.0, size=[len(states[node]) for node in clique]) * 7
        values.flat[0] = 0.0 if len(clique) == 3 else values.flat[0]
        named = {node: states[node] for node in clique}
        network.add_factors(DiscreteFactor(clique, [len(states[node]) for node in clique], values, state_names=named))
    return network, states


def weight(network, assignment):
    """The product of all tables at one assignment, looked up by the names of the states."""
    tables = network.get_cpds() if hasattr(network, "get_cpds") else network.get_factors()
    return math.prod(
        table.values[tuple(list(table.state_names[v]).index(assignment[v]) for v in table.variables)]
        for table in tables
    )


def joint(network, states, evidence=()):
    """Every assignment that agrees with the evidence, with its weight."""
    evidence = dict(evidence)
    for values in itertools.product(*states.values()):
        assignment = dict(zip(states, values, strict=True))
        if all(assignment[node] == state for node, state in evidence.items()):
            yield assignment, weight(network, assignment)


def marginal(network, states, node, evidence=()):
    mass = dict.fromkeys(states[node], 0.0)
    for assignment, w in joint(network, states, evidence):
        mass[assignment[node]] += w
    total = sum(mass.values())
    return np.array([w / total for w in mass.values()])


def possible_evidence(network, states, random, count):
    """Some states of one assignment that has weight."""
    weights = [(assignment, w) for assignment, w in joint(network, states) if w > 1e-4]
    assignment, _ = weights[random.integers(len(weights))]
    nodes = [list(states)[k] for k in random.choice(len(states), size=count, replace=False)]
    return {node: assignment[node] for node in nodes}


CASES = [(make, seed) for make in (bayesian, markov) for seed in range(8)]


@pytest.mark.parametrize(("make", "seed"), CASES)
def test_pyro_pgmpy_and_the_joint_written_out_agree(make, seed):
    from pgmpy.inference import VariableElimination

    network, states = make(seed)
    random = np.random.default_rng(seed)
    model = to_pyro(network)
    for count in (0, 1, 2):
        evidence = possible_evidence(network, states, random, count)
        marginals = TraceEnum_ELBO().compute_marginals(model, guide, evidence)
        free = [node for node in states if node not in evidence and len(states[node]) > 1]
        assert set(marginals) == {model.sites[node] for node in free}
        for node in free:
            exact = marginal(network, states, node, evidence)
            found = marginals[model.sites[node]].probs.numpy()
            order = [model.states[node].index(state) for state in states[node]]
            np.testing.assert_allclose(found[order], exact, atol=TOLERANCE)
            if all(isinstance(name, str) for name in (node, *evidence)):  # pgmpy splits a tuple into variables
                answer = VariableElimination(network).query([node], evidence=evidence or None, show_progress=False)
                answer.normalize()
                by_name = [answer.values[answer.name_to_no[node][state]] for state in states[node]]
                np.testing.assert_allclose(found[order], by_name, atol=TOLERANCE)


@pytest.mark.parametrize(("make", "seed"), CASES)
def test_the_loss_is_the_log_weight_of_the_evidence(make, seed):
    network, states = make(seed)
    model = to_pyro(network)
    for count in (0, 1, 3):
        evidence = possible_evidence(network, states, np.random.default_rng(seed), count)
        exact = math.log(sum(w for _, w in joint(network, states, evidence)))
        assert -TraceEnum_ELBO().loss(model, guide, evidence) == pytest.approx(exact, abs=TOLERANCE)


@pytest.mark.parametrize(("make", "seed"), CASES)
def test_a_condition_by_places_is_the_same_as_evidence_by_names(make, seed):
    network, states = make(seed)
    model = to_pyro(network)
    evidence = possible_evidence(network, states, np.random.default_rng(seed), 2)
    places = {model.sites[node]: torch.tensor(model.states[node].index(state)) for node, state in evidence.items()}
    conditioned = pyro.poutine.condition(model, data=places)
    by_name = TraceEnum_ELBO().loss(model, guide, evidence)
    assert TraceEnum_ELBO().loss(conditioned, guide) == pytest.approx(by_name, abs=1e-12)


def with_gaps(network, states, seed, rows):
    """Rows drawn from the network, a third of the entries then forgotten, one column complete, one wholly missing."""
    random = np.random.default_rng(seed)
    assignments, weights = zip(*joint(network, states), strict=True)
    picked = random.choice(len(assignments), size=rows, p=np.array(weights) / sum(weights))
    complete, hidden = tuple(states)[:2]
    table = {}
    for node in states:
        gone = {complete: 0.0, hidden: 1.0}.get(node, 1 / 3)
        table[node] = [None if random.random() < gone else assignments[k][node] for k in picked]
    return table


@pytest.mark.parametrize(("make", "seed"), CASES)
def test_rows_with_gaps_are_each_marginalised(make, seed):
    network, states = make(seed)
    model = to_pyro(network)
    table = with_gaps(network, states, seed, rows=7)
    evidences = [{node: table[node][row] for node in states if table[node][row] is not None} for row in range(7)]
    exact = sum(math.log(sum(w for _, w in joint(network, states, e))) for e in evidences)
    assert -TraceEnum_ELBO().loss(model, guide, data=table) == pytest.approx(exact, abs=TOLERANCE)
    places = model.indices(table)
    assert -TraceEnum_ELBO().loss(model, guide, data=places) == pytest.approx(exact, abs=TOLERANCE)
    marginals = TraceEnum_ELBO().compute_marginals(model, guide, data=table)
    for node in states:
        if model.sites[node] not in marginals:
            assert None not in table[node] or len(states[node]) == 1
            continue
        order = [model.states[node].index(state) for state in states[node]]
        probs = marginals[model.sites[node]].probs.expand(7, -1).numpy()[:, order]
        for row, evidence in enumerate(evidences):
            np.testing.assert_allclose(probs[row], marginal(network, states, node, evidence), atol=TOLERANCE)


def test_data_are_weighed_row_by_row_where_nothing_is_missing():
    network, states = bayesian(3)
    frame = pd.DataFrame({"rain": ["yes", "no", "yes"]})
    model = to_pyro(network)
    p = dict(zip(states["rain"], marginal(network, states, "rain"), strict=True))
    assert -TraceEnum_ELBO().loss(model, guide, data=frame) == pytest.approx(2 * math.log(p["yes"]) + math.log(p["no"]))


@pytest.mark.parametrize("name", ["alarm", "win95pts"])  # 37 nodes, and 76: more than a tensor has dimensions
def test_whole_networks_agree_with_pgmpy(name):
    network = bundled(name)
    from pgmpy.inference import VariableElimination

    model = to_pyro(network)
    leaf = next(node for node in network.nodes if not list(network.successors(node)))
    evidence = {leaf: model.states[leaf][0]}
    marginals = TraceEnum_ELBO(max_plate_nesting=0).compute_marginals(model, guide, evidence)
    assert len(marginals) == len(network) - 1
    exact = VariableElimination(network)
    for node in [node for node in network.nodes if node != leaf][::9]:
        answer = exact.query([node], evidence=evidence, show_progress=False)
        assert list(answer.state_names[node]) == list(model.states[node])
        np.testing.assert_allclose(marginals[model.sites[node]].probs.numpy(), answer.values, atol=TOLERANCE)


def test_dimensions_are_reused_where_no_table_joins_two_variables():
    trace = pyro.poutine.trace(pyro.poutine.enum(to_pyro(bundled("win95pts")), first_available_dim=-1)).get_trace()
    used = {-site["infer"]["_enumerate_dim"] for site in trace.nodes.values() if site["type"] == "sample"}
    assert max(used) <= 12  # its largest family has 8 members


def frequencies_fit(counts, expected):
    """Pearson's test at a false-alarm rate of 1e-6; the expected counts are all large."""
    assert expected.min() > 20
    statistic = ((counts - expected) ** 2 / expected).sum()
    return statistic < chi2.isf(1e-6, len(expected) - 1)


def test_predictive_draws_from_the_joint():
    network, states = bayesian(0, nodes=3, zeros=False)
    model = to_pyro(network)
    draws = Predictive(model, num_samples=20_000, parallel=True)()
    cells = list(joint(network, states))
    expected = 20_000 * np.array([w for _, w in cells])
    counts = np.zeros(len(cells))
    for k, (assignment, _) in enumerate(cells):
        hits = torch.ones(20_000, dtype=torch.bool)
        for node in states:
            hits &= draws[model.sites[node]].reshape(-1) == model.states[node].index(assignment[node])
        counts[k] = hits.sum()
    assert counts.sum() == 20_000
    assert frequencies_fit(counts[expected > 20], expected[expected > 20])


@pytest.mark.parametrize("make", [bayesian, markov])
def test_infer_discrete_draws_from_the_posterior(make):
    network, states = make(5)
    model = to_pyro(network)
    evidence = possible_evidence(network, states, np.random.default_rng(1), 1)
    node = max(set(states) - set(evidence), key=lambda v: -marginal(network, states, v, evidence).max())
    rows = 5000
    seen = {n: torch.full((rows,), model.states[n].index(s)) for n, s in evidence.items()}
    drawn = infer_discrete(model, first_available_dim=-2)(data=seen)[node]
    exact = marginal(network, states, node, evidence)
    order = [model.states[node].index(state) for state in states[node]]
    counts = np.bincount(drawn.numpy(), minlength=len(order))[order]
    assert counts[exact == 0].sum() == 0
    kept = exact * rows > 20
    assert kept.sum() > 1
    assert frequencies_fit(counts[kept], rows * exact[kept])


def test_what_is_impossible_has_an_infinite_loss():
    network, states = bayesian(2)
    model = to_pyro(network)
    impossible = next(assignment for assignment, w in joint(network, states) if w == 0)
    assert TraceEnum_ELBO(max_plate_nesting=0).loss(model, guide, impossible) == math.inf


def test_site_names_are_strings_and_each_is_used_once():
    nodes = [1, "1", "1 #2", (1,), "(1,)", "data", "particles", frozenset({2}), "rain seen", "rain", "B seen #2", "B"]
    sites = site_names([*nodes, "factor 0"], ["factor 0"])
    assert list(sites) == [*nodes, "factor 0"]
    assert all(isinstance(site, str) for site in sites.values())
    taken = ["data", "particles", "volume", "factor 0"]
    taken += [name for site in sites.values() for name in (site, f"{site} seen")]
    assert len(set(taken)) == len(taken)


def test_states_that_stand_in_another_order_in_another_table_are_matched_by_name():
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork([("A", "B")])
    child = TabularCPD("B", 2, [[0.9, 0.2], [0.1, 0.8]], ["A"], [2], state_names={"B": [0, 1], "A": ["y", "x"]})
    network.add_cpds(TabularCPD("A", 2, [[0.3], [0.7]], state_names={"A": ["x", "y"]}), child)
    model = to_pyro(network)
    probs = TraceEnum_ELBO().compute_marginals(model, guide)["B"].probs
    assert probs[model.states["B"].index(0)].item() == pytest.approx(0.3 * 0.2 + 0.7 * 0.9)


def test_an_enumeration_beyond_the_limit_is_refused_and_evidence_may_bring_it_within():
    network = bundled("alarm")
    model = to_pyro(network, limit=50)
    assert model.largest_table() > 50
    with pytest.raises(ValueError, match=r"at most limit=50 entries, got .* from enumerating 37 variables"):
        TraceEnum_ELBO(max_plate_nesting=0).loss(model, guide)
    Predictive(model, num_samples=2)()  # nothing is enumerated here
    observed = {node: states[0] for node, states in list(model.states.items())[:-2]}
    assert model.largest_table(observed) <= 50
    TraceEnum_ELBO(max_plate_nesting=0).loss(model, guide, observed)


BAD = [
    ({"evidence": {"snow": "yes"}}, ValueError, "evidence must name nodes of the graph .*, got 'snow'"),
    (
        {"evidence": {"rain": "perhaps"}},
        ValueError,
        "evidence must give 'rain' one of its states .'no', 'yes'., got 'perhaps'",
    ),
    ({"evidence": {"rain": {"no": 0.5, "yes": 1}}}, ValueError, "a state to each node, got likelihoods"),
    ({"evidence": "rain"}, TypeError, "evidence must map names to states"),
    ({"data": {"snow": ["yes"]}}, ValueError, "data must have columns named after the variables .*, got 'snow'"),
    (
        {"data": {"rain": ["perhaps", None]}},
        ValueError,
        "data must give 'rain' one of its states .'no', 'yes'., got 'perhaps'",
    ),
    ({"data": {"rain": []}}, ValueError, "at least one row"),
    ({"data": {}}, ValueError, "at least one row"),
    ({"data": {"rain": ["yes"], 3: [0, 0]}}, ValueError, "columns of one length"),
    ({"data": [["yes"]]}, TypeError, "data must be a pandas DataFrame"),
    ({"data": pd.DataFrame([["yes", "no"]], columns=["rain", "rain"])}, ValueError, "each column once"),
    ({"evidence": {"rain": "yes"}, "data": {"rain": ["yes"]}}, ValueError, "got 'rain' in evidence and in data"),
    ({"data": {"rain": torch.tensor([2])}}, ValueError, r"from −1 \(missing\) to 1"),
    ({"data": {"rain": torch.tensor([0.0])}}, ValueError, "int64"),
    ({"data": {"snow": torch.tensor([0])}}, ValueError, "must have columns of the network's nodes, got 'snow'"),
    ({"data": {"rain": torch.tensor([0]), 3: torch.tensor([0, 0])}}, ValueError, "columns of one length"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input_is_told_in_a_sentence(call, error, message):
    model = to_pyro(bayesian(0)[0])
    with pytest.raises(error, match=message):
        model(**call)


def test_what_is_no_network_is_refused():
    import networkx as nx
    from pgmpy.models import DiscreteBayesianNetwork

    with pytest.raises(TypeError, match="network must be a DiscreteBayesianNetwork or a DiscreteMarkovNetwork"):
        to_pyro(nx.DiGraph([("A", "B")]))
    with pytest.raises(ValueError, match="must have conditional tables"):
        to_pyro(DiscreteBayesianNetwork([("A", "B")]))
    with pytest.raises(ValueError, match="empty"):
        to_pyro(DiscreteBayesianNetwork())


def test_draws_of_a_seed_are_those_of_the_nodes_order_whatever_the_edges_order():
    from pgmpy.models import DiscreteBayesianNetwork

    drawn = []
    for arrows in ([("a", "b"), ("a", "c")], [("a", "c"), ("a", "b")]):
        network = DiscreteBayesianNetwork()
        network.add_nodes_from("abc")
        network.add_edges_from(arrows)
        network.add_cpds(*graphs.generic_network(network, np.random.default_rng(0)).cpds)
        drawn.append(list(to_pyro(network)()))
    assert drawn == [["a", "b", "c"]] * 2
