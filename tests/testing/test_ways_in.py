"""The ways to `check`: two programs, an object with both, a file on the command line, a line in a test of one's own."""

import json
import time

import pyro
import pytest
import torch
from helpers.conjugates import DATA, one_mean
from pyro import distributions as dist
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoNormal

import pyrogen as pg
from pyrogen.cli import main

FILE = """
import pyro, torch
from pyro import distributions as dist

X = torch.ones(8)


def model(x, width=1.0):
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(z, width), obs=x)


def guide(x, width=1.0):
    pyro.sample("z", dist.Normal(pyro.param("loc", torch.tensor(0.3)), 0.5))


class Both:
    model, guide = staticmethod(model), staticmethod(guide)


def plain(): return model, guide, (X,)
def worded(): return model, guide, (X,), {"width": 2.0}
def together(): return Both(), (X,)
def named(): return {"model": model, "guide": guide, "args": (X,), "seed": 3}
def wrong(): return model, lambda x: pyro.sample("other", dist.Normal(0.0, 1.0)), (X,)
def nothing(): return 3
def tensor(): return model, guide, X
"""


class Both:
    def __init__(self, programs):
        self.model, self.guide = programs


def test_an_object_with_both():
    both = Both(one_mean())
    assert pg.testing.check(both, args=(DATA,), progress=False).ok
    assert pg.testing.assert_sound(both, args=(DATA,)).ok
    exact = {"z": dist.Normal(0.0, 1.0)}
    assert not pg.testing.compare(both, args=(DATA,), exact=exact, num_samples=200, progress=False).ok
    assert pg.testing.calibrate(both, args=(DATA,), simulations=10, num_samples=9, progress=False).results
    g = pg.models.GammaExponential()
    assert pg.testing.check(g, args=(torch.tensor(3.0),), progress=False).findings == ()


NET = torch.nn.Linear(1, 1)


def by_param(x):
    scale = pyro.param("scale", torch.tensor(0.5), constraint=dist.constraints.positive)
    pyro.sample("z", dist.Normal(pyro.param("loc", torch.tensor(0.0)), scale))


def by_module(x):
    pyro.module("net", NET)
    pyro.sample("z", dist.Normal(NET(torch.ones(1)).squeeze(), 0.5))


@pytest.mark.parametrize("make", [lambda: by_param, lambda: by_module, lambda: AutoNormal(one_mean()[0])])
def test_programs_of_the_package_keep_their_parameters(make):
    pair = pg.models.Programs(one_mean()[0], make())
    assert pg.testing.check(pair, args=(DATA,), progress=False).findings == ()
    assert pair.store_names == ()
    pg.fit(pair, DATA, steps=2, progress=False, compile=False)
    before = {name: value.clone() for name, value in pair.state_dict().items()}
    assert pg.testing.check(pair.model, pair.guide, args=(DATA,), progress=False).findings == ()
    assert all(torch.equal(before[name], value) for name, value in pair.state_dict().items())
    assert len(pyro.get_param_store()) == 0


def test_programs_of_the_package_are_checked_with_their_loss():
    def negated(model, guide, x):
        return -Trace_ELBO().differentiable_loss(model, guide, x)

    report = pg.testing.check(pg.models.Programs(one_mean()[0], by_param, loss=negated), args=(DATA,), progress=False)
    assert "it has the wrong sign" in report.findings[0].message


def test_bound_methods():
    class Own:
        def __init__(self):
            self.loc = torch.tensor(0.1)

        def model(self, x):
            one_mean()[0](x)

        def guide(self, x):
            pyro.sample("z", dist.Normal(pyro.param("loc", self.loc), 0.5))

    own = Own()
    assert pg.testing.check(own.model, own.guide, (DATA,), progress=False).findings == ()


def test_neither():
    with pytest.raises(TypeError, match="guide must be a Pyro program, unless model has both"):
        pg.testing.check(one_mean()[0], args=(DATA,), progress=False)
    pair = pg.models.VAE(pg.nn.MLPEncoder((4,), 1), pg.nn.MLPDecoder((4,), 1))
    with pytest.raises(TypeError, match=r"guide must be left out .* got a tensor.*: pass args=\(x,\)"):
        pg.testing.check(pair, torch.zeros(3, 4))


def test_an_assertion_shows_the_report():
    with pytest.raises(AssertionError, match="1 fault in these programs") as caught:
        pg.testing.assert_sound(one_mean()[0], lambda x: None, (DATA,))
    assert "FAULT  sites" in str(caught.value)


class TestTime:
    def test_a_limit_says_what_to_do(self):
        def slow(x):
            time.sleep(0.02)
            one_mean()[0](x)

        began = time.monotonic()
        report = pg.testing.check(slow, one_mean()[1], (DATA,), time_limit=0.5, progress=False)
        assert time.monotonic() - began < 5
        late = [result for result in report.results if "stopped after 0.5 s" in result.detail]
        assert late
        assert "pass fewer rows" in late[0].detail
        assert report.ok

    def test_nothing_changes_by_it(self):
        programs = one_mean()
        pg.testing.check(*programs, (DATA,), time_limit=0.02, progress=False)
        assert len(pyro.get_param_store()) == 0

    @pytest.mark.parametrize("limit", [0, -1.0, "long"])
    def test_a_wrong_limit(self, limit):
        with pytest.raises((TypeError, ValueError), match="time_limit must be"):
            pg.testing.check(*one_mean(), (DATA,), time_limit=limit, progress=False)


def test_a_table_for_a_notebook():
    html = pg.testing.check(one_mean()[0], lambda x: None, (DATA,), progress=False)._repr_html_()
    assert html.startswith("<table>")
    assert "FAULT" in html
    assert "&#x27;z&#x27;" in html


class TestCommandLine:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "programs.py"
        path.write_text(FILE, encoding="utf-8")
        return path

    @pytest.mark.parametrize("function", ["plain", "worded", "together", "named"])
    def test_sound_programs(self, file, function, capsys):
        assert main(["check", f"{file}:{function}"]) == 0
        assert "sound, as far as was asked" in capsys.readouterr().out

    def test_faulty_ones(self, file, tmp_path, capsys):
        assert main(["check", f"{file}:wrong", "--json", str(tmp_path / "report.json")]) == 1
        assert "FAULT" in capsys.readouterr().out
        assert json.loads((tmp_path / "report.json").read_text())["ok"] is False

    def test_a_batch_of_a_data_set(self, file, capsys):
        assert main(["check", f"{file}:plain", "--size", "800"]) == 1
        assert "not for the 800 of the data" in " ".join(capsys.readouterr().out.split())

    @pytest.mark.parametrize(
        ("target", "said"),
        [
            ("{file}", "must be FILE.py:function"),
            ("{file}:absent", "must define a function 'absent'"),
            ("{file}:nothing", "'nothing' must return (model, guide, args)"),
            ("{file}:tensor", "args are a tuple such as (x,)"),
            ("nowhere.py:plain", "there is no file nowhere.py"),
        ],
    )
    def test_what_cannot_be_checked(self, file, target, said, capsys):
        assert main(["check", target.format(file=file)]) == 2
        assert said in capsys.readouterr().err
