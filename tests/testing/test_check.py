"""`pg.testing.check` on pairs that nobody wrote for it: sound ones bring no finding, each planted fault brings one."""

import json

import pyro
import pytest
import torch
from cases import every_pair
from helpers.reports.base import X, mean_of
from helpers.tutorials.faults import FAULTS
from helpers.tutorials.pairs import CASE, CASES
from pyro import distributions as dist
from pyro.infer import (
    SVI,
    JitTrace_ELBO,
    RenyiELBO,
    ReweightedWakeSleep,
    Trace_ELBO,
    TraceGraph_ELBO,
    TraceMeanField_ELBO,
    TraceTailAdaptive_ELBO,
)
from pyro.infer.autoguide import AutoNormal

import pyrogen as pg
from pyrogen.testing.running.isolation import modules_of

EXPECTED = {  # the checks that may bring each kind of fault to light
    "sites": {"sites"},
    "plates": {"plates"},
    "scale": {"scale", "subsampling"},
    "subsampling": {"subsampling", "plates"},
    "minibatch": {"minibatch", "subsampling"},
    "enumeration": {"enumeration", "sites"},
    "registration": {"registration"},
    "gradient reach": {"gradient reach"},
    "gradient": {"gradient", "density"},
    "support": {"support", "domain", "step", "runs"},
    "shape": {"shapes", "runs"},
    "fit": {"importance"},
}


def check(pair, **settings):
    settings = {"loss": pair.loss, "progress": False} | settings
    return pg.testing.check(pair.model, pair.guide, pair.args, pair.kwargs, **settings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_sound_pair_brings_no_finding(case):
    report = check(case.make(0))
    assert report.findings == ()
    report.assert_ok()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_planted_fault_is_found(fault):
    report = check(fault.make(0), fitted=fault.check == "fit")
    assert EXPECTED[fault.check] & {finding.check for finding in report.findings}
    if fault.level == "warning":
        assert report.ok
        return
    assert not report.ok
    with pytest.raises(AssertionError, match="fault"):
        report.assert_ok()


@pytest.mark.parametrize("seed", range(8))
def test_no_false_alarm_over_seeds(seed):
    """The rate is 1e-6 a call; `benchmarks/pair_checks.py` does the same for all pairs."""
    assert check(CASE["logistic"].make(seed), seed=seed).findings == ()


@every_pair
def test_the_pairs_of_the_package_are_sound(case):
    x = case.images(12)
    pair = case.make()
    loss = TraceMeanField_ELBO() if case.analytic else None
    report = pg.testing.check(pair.model, pair.guide, (x, 120), loss=loss, size=120, progress=False)
    if case.guide == "code":  # a straight-through gradient is not that of the draws, and density says so
        assert [finding.check for finding in report.findings] == ["density"]
        assert "have a wrong derivative" in report.findings[0].message
    elif case.name == "density ratio":  # two players: each gradient leaves out what is the other's
        assert {finding.check for finding in report.findings} == {"gradient"}
        assert all("discriminator" in finding.message for finding in report.findings)
    elif not case.proper:
        assert report.findings == ()
        assert "a flat prior cannot be drawn from" in report["density"].detail
    else:
        assert report.findings == ()


@pytest.mark.parametrize("x", [torch.tensor(3.0), torch.tensor([0.5, 2.0, 4.0])])
def test_the_gamma_pair_is_sound(x):
    g = pg.models.GammaExponential()
    assert pg.testing.check(g.model, g.guide, (x,), progress=False).findings == ()


def vae_and_images():
    from cases import CASES as PAIRS

    case = next(case for case in PAIRS if case.name == "mlp")
    return case.make(), case.images(16)


def test_a_batch_is_held_against_the_whole_data():
    pair, x = vae_and_images()
    right = pg.testing.check(pair.model, pair.guide, (x,), batch=lambda i: ((x[i], 16), {}), progress=False)
    wrong = pg.testing.check(pair.model, pair.guide, (x,), batch=lambda i: ((x[i],), {}), progress=False)
    assert right.findings == ()
    assert right["minibatch"].outcome == "passed"
    assert [finding.check for finding in wrong.findings] == ["minibatch"]


def test_the_score_function_gradient_must_be_asked_for():
    pair = CASE["reinforce"].make(0)
    assert check(pair, loss=TraceGraph_ELBO()).findings == ()


@pytest.mark.parametrize(
    ("loss", "skipped"),
    [
        (RenyiELBO(alpha=0.5, num_particles=4), {"objective"}),
        (JitTrace_ELBO(), set()),
        (Trace_ELBO(num_particles=3, vectorize_particles=True, max_plate_nesting=1), set()),
        (ReweightedWakeSleep(num_particles=3), {"objective", "gradient"}),
        (TraceTailAdaptive_ELBO(num_particles=4, vectorize_particles=True), {"objective", "gradient"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_losses_of_pyro(loss, skipped):
    report = check(CASE["eight schools"].make(0), loss=loss)
    assert report.findings == ()
    assert {result.check for result in report.results if result.outcome == "skipped"} == skipped


def test_an_autoguide_that_was_never_called():
    model = CASE["regression"].make(0).model
    pyro.clear_param_store()
    guide, args = AutoNormal(model), CASE["regression"].make(0).args
    assert pg.testing.check(model, guide, args, progress=False).findings == ()
    SVI(model, guide, pyro.optim.Adam({"lr": 0.01}), Trace_ELBO()).step(*args)


class TestNothingChanges:
    @pytest.mark.parametrize("name", ["prodlda", "subsampled", "reinforce", "ss-vae"])
    def test_not_a_byte(self, name):
        pair = CASE[name].make(0)
        pair.loss.loss_and_grads(pair.model, pair.guide, *pair.args, **pair.kwargs)
        before = state(pair)
        check(pair)
        after = state(pair)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)

    def test_nor_an_empty_store(self):
        pair = CASE["coin"].make(0)
        check(pair)
        assert len(pyro.get_param_store()) == 0

    def test_nor_after_a_fault(self):
        def model():
            pyro.sample("z", dist.Normal(0.0, 1.0))
            raise RuntimeError("broken")

        generator = torch.get_rng_state()
        report = pg.testing.check(model, model, progress=False)
        assert "RuntimeError: broken" in report.findings[0].message
        assert torch.equal(generator, torch.get_rng_state())


def state(pair):
    """All that a check might change: parameters, their gradients, buffers and the random state."""
    store = pyro.get_param_store()
    found = {"torch": torch.get_rng_state()}
    for name, value in store.named_parameters():
        found[name] = value.detach().clone()
        if value.grad is not None:
            found[f"{name}.grad"] = value.grad.clone()
    for program in (pair.model, pair.guide):
        for name, module in modules_of(program).items():
            found |= {f"{name}.{key}": value.clone() for key, value in module.state_dict().items()}
            found |= {f"{name}.{key}.mode": torch.tensor(part.training) for key, part in module.named_modules()}
    return found


class TestReport:
    def report(self):
        return check(next(fault for fault in FAULTS if fault.name == "beta in the model only").make(0))

    def test_a_dict_for_json(self):
        as_dict = json.loads(json.dumps(self.report().to_dict()))
        assert as_dict["ok"] is False
        by_name = {row["check"]: row for row in as_dict["checks"]}
        assert by_name["scale"]["findings"][0]["site"] == "z"
        assert by_name["scale"]["outcome"] == "fault"
        assert by_name["gradient"]["outcome"] == "skipped"

    def test_a_table_that_fits_a_terminal(self):
        report = self.report()
        lines = str(report).splitlines()
        assert max(map(len, lines)) <= 80
        assert sum(line.startswith("FAULT") for line in lines) == 1
        assert lines[-1] == "1 fault"
        assert report.findings[0].message.split(":")[0] in " ".join(str(report).split())

    def test_a_check_by_name(self):
        report = self.report()
        assert str(report["scale"]).splitlines()[0].split() == str(report).splitlines()[3].split()
        assert report["sites"].outcome == "passed"
        with pytest.raises(KeyError, match="has no check 'nonsense'; it has runs, sites"):
            report["nonsense"]

    def test_the_same_seed_gives_the_same_report(self):
        a, b, c = (check(CASE["coin"].make(0), seed=seed).to_dict() for seed in (1, 1, 2))
        assert a == b != c


class TestBadInput:
    def test_an_empty_trace(self):
        with pytest.raises(ValueError, match=r"model must have a pyro\.sample site, got none"):
            pg.testing.check(lambda: None, lambda: None, progress=False)

    def test_no_program(self):
        with pytest.raises(TypeError, match="guide must be a Pyro program, a callable, got 3"):
            pg.testing.check(lambda: None, 3, progress=False)

    def test_other_arguments(self):
        with pytest.raises(TypeError, match="model must take these args and kwargs, got missing"):
            pg.testing.check(lambda x: None, lambda: None, progress=False)
        with pytest.raises(TypeError, match=r"a tuple, such as args=\(x,\), got a tensor of shape \(2,\)"):
            pg.testing.check(lambda x: None, lambda x: None, torch.ones(2), progress=False)

    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            ({"false_alarm": 0.0}, ValueError, "false_alarm must be .*, got 0.0"),
            ({"false_alarm": 1.0}, ValueError, "false_alarm must be .*, got 1.0"),
            ({"size": 0}, ValueError, "size must be .*, got 0"),
            ({"loss": Trace_ELBO}, TypeError, "loss must be an ELBO of Pyro, .* got the class Trace_ELBO"),
            ({"loss": "elbo"}, TypeError, "loss must be an ELBO of Pyro, .* or a callable .* got 'elbo'"),
            (
                {"loss": SVI(mean_of, mean_of, pyro.optim.Adam({}), Trace_ELBO())},
                TypeError,
                "loss must be an ELBO of Pyro, .* or a callable .* got a SVI",
            ),
            ({"seed": "a"}, TypeError, "seed must be a whole number from 0 to .* got 'a'"),
            ({"false_alarm": "a"}, TypeError, "false_alarm must be a number between 0 and 1"),
            ({"size": 2.5}, TypeError, "a whole number of at least 1, got 2.5"),
            ({"size": True}, TypeError, "a whole number of at least 1, got True"),
            ({"batch": 3}, TypeError, "batch must be a callable"),
            ({"batch": lambda i: (i,)}, TypeError, r"batch must return \(args, kwargs\)"),
        ],
    )
    def test_settings(self, settings, error, message):
        with pytest.raises(error, match=message):
            pg.testing.check(mean_of, mean_of, (X,), progress=False, **settings)
