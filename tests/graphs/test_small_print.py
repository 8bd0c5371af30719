"""Of graphs: probabilities at most one, long lists, files at their limits, and blocks of tables and draws."""

import gzip
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest

import pyrogen as pg
from pyrogen.graphs.files import bif_writer, content, json_form, rounding
from pyrogen.graphs.inference import draws, some
from pyrogen.graphs.inference.observations import Observations, Places
from pyrogen.graphs.pyro import learn as learning
from pyrogen.graphs.pyro.observed import states_of
from pyrogen.graphs.structure import validation

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of pgmpy, when it is imported

CANCER = pg.graphs.bundled("cancer")
RAIN = nx.DiGraph([("rain", "wet")])


def test_rounding_makes_no_probability_larger_than_one(monkeypatch):
    network = pg.graphs.compile(CANCER)
    exact = network.most_probable()[0].log_probability
    monkeypatch.setattr(type(network), "_log_evidence", lambda *_, **__: 1e-12)
    assert network.evidence_probability({"Smoker": "True"}, log=True) == 0.0
    monkeypatch.setattr(type(network), "_log_evidence", lambda *_, **__: exact - 1e-12)
    assert network.most_probable()[0].log_probability == 0.0
    eliminate, low = some.eliminate, [SimpleNamespace(log=-100.0)]
    monkeypatch.setattr(
        some, "eliminate", lambda factors, kept, *rest: eliminate(factors, kept, *rest) if kept else low
    )
    assert network.most_probable(variables=["Cancer"])[0].log_probability == 0.0


def test_the_second_half_of_learning_is_averaged_and_watched(monkeypatch):
    watched = []
    monkeypatch.setattr(learning, "_warn_if_moving", watched.append)
    data = {"rain": ["yes", "no", "no", None], "wet": ["yes", "no", "yes", "no"]}
    fit = pg.graphs.learn(RAIN, data, steps=10, progress=False)
    assert watched == [fit.history[5:].tolist()]


def test_em_ends_by_its_gain_for_each_row():
    data = {"rain": ["yes", "no", "no", None], "wet": ["yes", "no", "yes", "no"]}
    many = {name: 500 * column for name, column in data.items()}
    settings = {"prior": {"rain": 1.0, "wet": 1.0}, "tolerance": 1e-6}
    few, large = (pg.graphs.expectation_maximization(RAIN, table, **settings) for table in (data, many))
    assert len(few.history) == len(large.history)


def test_states_that_are_given_come_before_those_of_a_table():
    import pandas as pd

    found = {node: pd.Series(["True"], dtype=object) for node in CANCER.nodes}
    known = states_of(CANCER, found, {"Smoker": ("False", "True"), "Cancer": ("True", "False")})
    assert (known["Smoker"], known["Cancer"]) == (("False", "True"), ("True", "False"))


def test_a_packed_network_does_not_depend_on_the_clock(tmp_path):
    pg.graphs.write_network(CANCER, tmp_path / "a.bif.gz")
    packed = (tmp_path / "a.bif.gz").read_bytes()
    assert packed[4:8] == bytes(4)  # the time in the head
    assert gzip.decompress(packed).startswith(b"network")


def test_a_list_that_is_shown_whole_does_not_say_that_there_is_more():
    eight, nine = ({name: [] for name in "abcdefghi"[:n]} for n in (8, 9))
    with pytest.raises(ValueError, match=r"the nodes are a, b, c, d, e, f, g, h$"):
        json_form._known("x", eight, "edges")
    with pytest.raises(ValueError, match=r"g, h, …$"):
        json_form._known("x", nine, "edges")
    places = object.__new__(Places)
    places.nodes = list(range(validation.SHOWN + 1))
    places.known = SimpleNamespace(states=dict.fromkeys(places.nodes, ("a",)))
    assert "in all" not in places.shown(Observations(dict.fromkeys(range(validation.SHOWN), 0)))
    assert "(9 in all)" in places.shown(Observations(dict.fromkeys(range(validation.SHOWN + 1), 0)))


def test_rounding_explains_half_a_unit_of_each_number():
    assert rounding.slack([0.333, 0.333, 0.333]) == pytest.approx(0.0015, rel=1e-5)


@pytest.mark.parametrize("name", ["", " a", 'a"b', "a\nb", "a\rb"])
def test_names_that_bif_cannot_hold_are_refused(name):
    with pytest.raises(ValueError, match="BIF cannot hold"):
        bif_writer._written(name, "node")


def test_a_file_may_be_as_large_as_is_allowed(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert content.read_text(tmp_path / "a", 5) == "12345"
    with pytest.raises(ValueError, match="at most 4 bytes"):
        content.read_text(tmp_path / "a", 4)


def test_draws_come_in_blocks_with_their_own_places(monkeypatch):
    monkeypatch.setattr(draws, "AT_ONCE", 4)
    index = np.array([0, 1, 2, 0, 1])
    found: dict[int, list[int]] = {}
    for seen, members in draws._groups(index, 4):
        found |= dict(zip(seen.tolist(), (places.tolist() for places in members), strict=True))
    assert found == {0: [0, 3], 1: [1, 4], 2: [2]}
