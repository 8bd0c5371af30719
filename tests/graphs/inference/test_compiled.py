"""Compiled networks against the joint written out: soft evidence, interventions, the k best, draws, every way up."""

import math
import time

import numpy as np
import pytest
from helpers.joint import bayesian, given, joint, loaded, markov
from scipy.stats import chi2

import pyrogen as pg
from pyrogen import graphs
from pyrogen.graphs.inference import compiled, draws, problem, propagation, rings
from pyrogen.graphs.inference.rings import LOGS, SUMS

CLOSE = {"rtol": 1e-10, "atol": 1e-13}


def cut(table, network, done, names, states):
    """The joint of a Bayesian network after an intervention: the tables of the nodes set do not count."""
    values = np.ones_like(table)
    for cpd in network.cpds:
        if cpd.variable in done:
            own = np.zeros(len(states[cpd.variable]))
            own[states[cpd.variable].index(done[cpd.variable])] = 1
            shape = [1] * len(names)
            shape[names.index(cpd.variable)] = len(own)
            values = values * own.reshape(shape)
            continue
        known = cpd.values
        for axis, name in enumerate(cpd.variables):
            known = known.take([cpd.state_names[name].index(state) for state in states[name]], axis=axis)
        axes = [names.index(name) for name in cpd.variables]
        shape = [len(states[name]) if name in cpd.variables else 1 for name in names]
        values = values * known.transpose(np.argsort(axes)).reshape(shape)
    return values


def likelihoods(rng, names, states, evidence):
    """Soft evidence on about a third of the nodes without evidence, and its product as a table."""
    soft, product = {}, np.ones([1] * len(names))
    for axis, name in enumerate(names):
        if name not in evidence and rng.random() < 0.35:
            weights = rng.random(len(states[name])) * (rng.random(len(states[name])) < 0.8)
            soft[name] = (
                dict(reversed(list(zip(states[name], weights.tolist(), strict=True))))
                if rng.random() < 0.5
                else weights.tolist()
            )
            product = product * weights.reshape([-1 if place == axis else 1 for place in range(len(names))])
    return soft, product


WAYS = {
    "as it is": {},
    "one tree": {"SINGLE": 0},
    "a tree for each evidence": {"SINGLE": 0, "FIXED": 0},
    "in parts": {"SINGLE": 0, "FIXED": 0, "PART": 4, "KEPT": 1},
    "one table in parts": {"PART": 2, "KEPT": 1},
    "one tree in parts": {"SINGLE": 0, "PART": 2, "KEPT": 1},
    "strided": {"SINGLE": 0, "LARGE": 2, "KEPT": 10**6},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [bayesian, markov])
@pytest.mark.parametrize("seed", range(25))
def test_every_way_gives_the_joint_written_out(make, seed, way, monkeypatch):
    for name, value in WAYS[way].items():
        for module in (compiled, problem, propagation, rings):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    rng = np.random.default_rng(seed)
    network = make(rng)
    names, states, values = joint(network)
    if values.sum() == 0:
        return
    ready = graphs.compile(network)
    for _ in range(2):
        order = [names[place] for place in rng.permutation(len(names))]
        evidence = {
            name: states[name][int(rng.integers(len(states[name])))] for name in order[: int(rng.integers(len(names)))]
        }
        done = {}
        if make is bayesian:
            done = {name: evidence.pop(name) for name in list(evidence) if rng.random() < 0.4}
        soft, product = likelihoods(rng, names, states, [*evidence, *done])
        table = given(names, states, cut(values, network, done, names, states) if done else values, evidence | done)
        product = given(names, states, np.broadcast_to(product, values.shape), evidence | done)
        total = table.sum() if done else values.sum()
        table = table * product
        probability = ready.evidence_probability(evidence | soft, done)
        np.testing.assert_allclose(probability, table.sum() / (1.0 if make is bayesian else total), **CLOSE)
        if table.sum() == 0:
            with pytest.raises(ValueError, match="must have a positive probability"):
                ready.marginals(evidence | soft, done)
            continue
        table = table / table.sum()
        single = ready.marginals(evidence | soft, done)
        free = [name for name in names if name not in evidence and name not in done]
        assert list(single) == free
        for name in free:
            rest = tuple(axis for axis, other in enumerate(names) if other != name)
            np.testing.assert_allclose(single[name].table, table.sum(axis=rest), **CLOSE)
        asked = free[: int(rng.integers(1, len(free) + 1))]
        posterior = ready.query(asked, evidence | soft, done)
        expected = table.sum(axis=tuple(axis for axis, name in enumerate(names) if name not in asked))
        np.testing.assert_allclose(posterior.table, expected, **CLOSE)
        assert posterior.variables == tuple(name for name in names if name in asked)
        best = ready.most_probable(7, evidence | soft, done)
        wanted = np.sort(table.ravel())[::-1]
        wanted = wanted[wanted > 0][:7]
        np.testing.assert_allclose([math.exp(found.log_probability) for found in best], wanted, rtol=1e-9)
        for found in best:
            place = tuple(states[n].index(found.states[n]) if n in found.states else 0 for n in names)
            np.testing.assert_allclose(table[place], math.exp(found.log_probability), rtol=1e-9)
        assert len({tuple(found.states.items()) for found in best}) == len(best)
        some = graphs.map_assignment(ready, asked, evidence | soft, done)
        best = graphs.most_probable(ready, 5, evidence | soft, done, variables=asked)
        wanted = np.sort(expected.ravel())[::-1]
        wanted = wanted[wanted > 0][:5]
        np.testing.assert_allclose([math.exp(found.log_probability) for found in best], wanted, rtol=1e-9)
        for found in best:
            np.testing.assert_allclose(posterior[found.states], math.exp(found.log_probability), rtol=1e-9)
        assert len({tuple(found.states.items()) for found in best}) == len(best)
        assert best[0] == some
        np.testing.assert_allclose(math.exp(some.log_probability), expected.max(), **CLOSE)


@pytest.mark.parametrize(("make", "seed"), [(bayesian, 3), (bayesian, 11), (markov, 5), (markov, 8)])
@pytest.mark.parametrize("way", ["as it is", "in parts"])
def test_draws_follow_the_posterior(make, seed, way, monkeypatch):
    """Pearson's test of the joint counts; 16 tests of which each raises a false alarm with probability 1e-7."""
    for name, value in WAYS[way].items():
        for module in (compiled, problem, propagation):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    rng = np.random.default_rng(seed)
    network = make(rng, 4)
    names, states, values = joint(network)
    for evidence in ({}, {names[-1]: states[names[-1]][0]}):
        table = given(names, states, values, evidence)
        draws = graphs.sample(network, 20_000, evidence, seed=7)
        assert list(draws.columns) == names
        places = [draws[name].map(states[name].index).to_numpy() * (name not in evidence) for name in names]
        counts = np.zeros(table.shape)
        np.add.at(counts, tuple(places), 1)
        expected = 20_000 * table / table.sum()
        assert (counts[expected == 0] == 0).all()
        few = (expected < 5) & (expected > 0)  # joined to one cell, whose count is nearly Poisson
        kept = expected >= 5
        statistic = ((counts - expected)[kept] ** 2 / expected[kept]).sum()
        cells = int(kept.sum())
        if few.any() and expected[few].sum() >= 5:
            statistic += (counts[few].sum() - expected[few].sum()) ** 2 / expected[few].sum()
            cells += 1
        assert statistic < chi2.isf(1e-7, max(1, cells - 1))
        assert all((draws[name] == state).all() for name, state in evidence.items())


def test_draws_with_an_intervention_leave_its_causes_alone():
    """A false alarm has probability 1e-7: the mean of 20,000 draws misses 0.3 by 5.4 standard errors."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork([("cause", "effect")])
    network.add_cpds(
        TabularCPD("cause", 2, [[0.7], [0.3]]), TabularCPD("effect", 2, [[0.9, 0.1], [0.1, 0.9]], ["cause"], [2])
    )
    draws = graphs.sample(network, 20_000, do={"effect": 1}, seed=0)
    assert abs(draws["cause"].mean() - 0.3) < 5.4 * math.sqrt(0.21 / 20_000)
    assert (draws["effect"] == 1).all()
    np.testing.assert_allclose(graphs.query(network, "cause", do={"effect": 1}).table, [0.7, 0.3])
    np.testing.assert_allclose(graphs.query(network, "effect", do={"cause": 1}).table, [0.1, 0.9])
    assert graphs.evidence_probability(network, {"cause": 1}, {"effect": 1}) == pytest.approx(0.3)


def test_draws_repeat_with_a_seed():
    network = loaded("asia")
    one, two = (graphs.sample(network, 50, {"xray": "yes"}, seed=3) for _ in range(2))
    assert one.equals(two)
    assert not one.equals(graphs.sample(network, 50, {"xray": "yes"}, seed=4))
    generator = np.random.default_rng(3)
    assert one.equals(graphs.sample(network, 50, {"xray": "yes"}, seed=generator))
    assert not one.equals(graphs.sample(network, 50, {"xray": "yes"}, seed=generator))
    assert len(graphs.sample(network, 0)) == 0


@pytest.mark.parametrize(("name", "one"), [("cancer", True), ("asia", True), ("sachs", False), ("alarm", False)])
def test_a_small_network_is_one_table_and_a_larger_one_a_tree(name, one, monkeypatch):
    network = loaded(name)
    ready = graphs.compile(network)
    answers = ready.marginals()
    ((_, made),) = ready._problems.items()
    assert (len(made.schedule.cliques) == 1) == one
    monkeypatch.setattr(problem, "SINGLE", 0)
    for node, answer in graphs.compile(network).marginals().items():
        np.testing.assert_allclose(answers[node].table, answer.table, rtol=1e-12)


def test_soft_evidence_of_one_state_is_that_state():
    network = graphs.compile(loaded("asia"))
    hard = network.marginals({"xray": "yes"})
    soft = network.marginals({"xray": {"yes": 0.3, "no": 0.0}})
    for node, posterior in hard.items():
        np.testing.assert_allclose(soft[node].table, posterior.table, rtol=1e-13)
    np.testing.assert_allclose(soft["xray"].table, [1.0, 0.0])
    assert network.evidence_probability({"xray": [3.0, 3.0]}) == pytest.approx(3.0)


def test_a_latent_node_is_no_evidence_but_may_be_asked_for_and_set():
    network = loaded("cancer").copy()
    network.latents = {"Cancer"}
    for evidence in ({"Cancer": "True"}, {"Cancer": [0.2, 0.8]}):
        with pytest.raises(ValueError, match="evidence must name observed nodes, got 'Cancer', which is latent"):
            graphs.query(network, "Xray", evidence)
    assert graphs.query(network, "Cancer", {"Xray": "positive"}).table.shape == (2,)
    assert graphs.query(network, "Xray", do={"Cancer": "True"})[{"Xray": "positive"}] == pytest.approx(0.9)


def test_a_markov_network_takes_no_interventions():
    with pytest.raises(ValueError, match="do must be left out for a Markov network"):
        graphs.query(markov(np.random.default_rng(0)), "A", do={"B": "no"})


@pytest.mark.parametrize(("name", "value"), [("k", 0), ("n", -1)])
def test_numbers_of_answers_are_checked(name, value):
    ask = graphs.most_probable if name == "k" else graphs.sample
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        ask(loaded("asia"), value)
    with pytest.raises(TypeError, match=f"{name} must be a whole number"):
        ask(loaded("asia"), 1.5)


def test_a_compiled_network_is_checked_once_and_takes_its_own_limit():
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork()
    network.add_node("a")
    network.add_cpds(TabularCPD("a", 2, [[0.7], [0.3]]))
    ready = graphs.compile(network, memory=10**6)
    network.cpds[0].values[:] = [0.1, 0.9]
    np.testing.assert_allclose(graphs.query(ready, "a").table, [0.7, 0.3])
    assert graphs.compile(ready, memory=10**6) is ready
    assert graphs.compile(ready) is ready
    assert graphs.compile(ready, memory=2**30).memory == graphs.compile(network).memory == 2**30
    assert repr(ready) == "CompiledNetwork(Bayesian, 1 nodes)"


def test_what_is_asked_of_alarm_again_and_again_is_quick():
    """The aim is a millisecond; the bound is ten, for a busy machine, and the best of many counts."""
    network = graphs.compile(loaded("alarm"))
    rng, spent = np.random.default_rng(0), []
    names = list(network.states)
    for _ in range(60):
        asked, *observed = rng.permutation(names)[:4].tolist()
        draw = network.sample(1, seed=rng).iloc[0]
        evidence = {name: draw[name] for name in observed}
        began = time.process_time()
        network.query(asked, evidence)
        spent.append(time.process_time() - began)
    assert np.quantile(spent, 0.1) < 0.01


@pytest.mark.parametrize("seed", range(10))
def test_sums_and_logarithms_say_the_same(seed):
    rng = np.random.default_rng(seed)
    table = rng.random((3, 4, 2)) * (rng.random((3, 4, 2)) < 0.7)
    other = rng.random((1, 4, 1)) * (rng.random((1, 4, 1)) < 0.7)
    np.testing.assert_allclose(
        np.exp(LOGS.product(LOGS.enter(table), LOGS.enter(other))), SUMS.product(table, other), rtol=1e-14
    )
    flat = table.reshape(6, 4)
    np.testing.assert_allclose(np.exp(LOGS.total(LOGS.enter(flat))), SUMS.total(flat), rtol=1e-14)
    by = rng.random(24).reshape(table.shape) * (table > 0)
    np.testing.assert_allclose(
        np.exp(LOGS.divided(LOGS.enter(table), LOGS.enter(by))), SUMS.divided(table, by), rtol=1e-13
    )


def test_what_bears_on_a_node_are_its_ancestors():
    asia = graphs.compile(loaded("asia"))
    nodes = list(asia.states)
    for node, ancestors in (("asia", ""), ("tub", "asia"), ("either", "asia tub lung smoke"), ("lung", "smoke")):
        relevant = {nodes[number] for number in asia.relevant([nodes.index(node)], frozenset())}
        assert relevant == {node, *ancestors.split()}
    assert asia.relevant([nodes.index("either")], frozenset([nodes.index("either")])) == [nodes.index("either")]
    assert graphs.compile(markov(np.random.default_rng(0), 3)).relevant([0], frozenset())[0] == 0


@pytest.mark.parametrize("name", ["alarm", "insurance", "hailfinder", "win95pts"])
def test_joint_and_single_answers_agree_on_bundled_networks(name):
    network = graphs.compile(loaded(name))
    nodes, leaves = list(loaded(name)), [node for node in loaded(name) if not loaded(name).out_degree(node)]
    best = graphs.map_assignment(network).states
    for evidence in ({}, {leaf: best[leaf] for leaf in leaves}):
        single = network.marginals(evidence)
        for node in single:
            np.testing.assert_allclose(single[node].table, network.query(node, evidence).table, rtol=0, atol=1e-10)
        free = np.array([node for node in nodes if node not in evidence])
        for asked in (np.random.default_rng(seed).permutation(free)[:3].tolist() for seed in range(3)):
            one = network.query(asked, evidence).marginal(asked[0])
            np.testing.assert_allclose(one.table, single[asked[0]].table, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["pathfinder", "andes"])
def test_one_tree_and_single_questions_agree_on_bundled_networks(name, monkeypatch):
    network = graphs.compile(loaded(name))
    leaves = [node for node in loaded(name) if not loaded(name).out_degree(node)][:8]
    draw = network.sample(1, seed=1).iloc[0]
    evidence = {leaf: draw[leaf] for leaf in leaves}
    together = network.marginals(evidence)
    monkeypatch.setattr(compiled, "FIXED", 0)
    for node in list(together)[::40]:
        np.testing.assert_allclose(network.query(node, evidence).table, together[node].table, rtol=1e-9, atol=1e-14)


CANCER = pg.graphs.bundled("cancer")


def test_rounding_makes_no_probability_larger_than_one(monkeypatch):
    network = pg.graphs.compile(CANCER)
    exact = network.most_probable()[0].log_probability
    monkeypatch.setattr(type(network), "_log_evidence", lambda *_, **__: 1e-12)
    assert network.evidence_probability({"Smoker": "True"}, log=True) == 0.0
    monkeypatch.setattr(type(network), "_log_evidence", lambda *_, **__: exact - 1e-12)
    assert network.most_probable()[0].log_probability == 0.0


def test_draws_come_in_blocks_with_their_own_places(monkeypatch):
    monkeypatch.setattr(draws, "AT_ONCE", 4)
    index = np.array([0, 1, 2, 0, 1])
    found: dict[int, list[int]] = {}
    for seen, members in draws._groups(index, 4):
        found |= dict(zip(seen.tolist(), (places.tolist() for places in members), strict=True))
    assert found == {0: [0, 3], 1: [1, 4], 2: [2]}
