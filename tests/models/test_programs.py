"""Anyone's programs trained by `pg.fit`: SVI's own losses, and nothing left behind."""

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro.contrib.easyguide import easy_guide
from pyro.infer import (
    SVI,
    JitTrace_ELBO,
    RenyiELBO,
    Trace_ELBO,
    TraceEnum_ELBO,
    TraceGraph_ELBO,
    TraceMeanField_ELBO,
    TraceTailAdaptive_ELBO,
)
from pyro.infer.autoguide import AutoDelta, AutoDiagonalNormal, AutoNormal
from pyro.nn import PyroModule, PyroParam
from torch import nn

import pyrogen as pg

EFFECTS = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def schools(effects, errors):
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", len(effects)):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("effects", dist.Normal(theta, errors), obs=effects)


def line(x, y):
    slope = pyro.sample("slope", dist.Normal(0.0, 1.0))
    noise = pyro.param("noise", lambda: torch.rand(()) + 0.5, constraint=dist.constraints.positive)
    with pyro.plate("data", len(x), subsample_size=5) as index:
        pyro.sample("y", dist.Normal(slope * x[index], noise), obs=y[index])


def line_guide(x, y):
    loc = pyro.param("loc", lambda: torch.randn(()))
    pyro.sample("slope", dist.Normal(loc, pyro.param("scale", torch.tensor(0.1), dist.constraints.positive)))


class Net(PyroModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 1)
        self.scale = PyroParam(torch.tensor(1.0), dist.constraints.positive)

    def forward(self, x, y=None):
        mean = self.net(x).squeeze(-1)
        with pyro.plate("data", len(x)):
            return pyro.sample("y", dist.Normal(mean, self.scale), obs=y)


def nothing(*args, **kwargs):
    """A guide without latents."""


def mixture(x):
    with pyro.plate("heaps", 2):
        locs = pyro.sample("locs", dist.Normal(0.0, 3.0))
    with pyro.plate("data", len(x)):
        heap = pyro.sample("heap", dist.Categorical(torch.tensor([0.5, 0.5])), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(locs[heap], 1.0), obs=x)


X, Y = torch.randn(20, generator=torch.Generator().manual_seed(0)), torch.arange(20.0) / 20


def programs(name):
    torch.manual_seed(4)
    hidden = pyro.poutine.block(mixture, hide=["heap"])
    return {
        "eight schools": lambda: (schools, AutoNormal(schools), (EFFECTS, ERRORS), Trace_ELBO()),
        "mean field": lambda: (schools, AutoNormal(schools), (EFFECTS, ERRORS), TraceMeanField_ELBO()),
        "one draw for all": lambda: (schools, AutoDiagonalNormal(schools), (EFFECTS, ERRORS), Trace_ELBO()),
        "graph": lambda: (schools, AutoNormal(schools), (EFFECTS, ERRORS), TraceGraph_ELBO()),
        "particles": lambda: (schools, AutoNormal(schools), (EFFECTS, ERRORS), Trace_ELBO(3, vectorize_particles=True)),
        "renyi": lambda: (schools, AutoNormal(schools), (EFFECTS, ERRORS), RenyiELBO(0.5, num_particles=3)),
        "subsampled, pyro.param": lambda: (line, line_guide, (X, Y), Trace_ELBO()),
        "a PyroModule": lambda: (Net(), nothing, (torch.stack((X, Y), 1), Y), Trace_ELBO()),
        "enumerated": lambda: (mixture, AutoDelta(hidden), (X,), TraceEnum_ELBO(max_plate_nesting=1)),
        "a function": lambda: (line, line_guide, (X, Y), lambda *args: Trace_ELBO().differentiable_loss(*args)),
    }[name]()


NAMES = ("eight schools", "mean field", "one draw for all", "graph", "particles", "renyi", "subsampled, pyro.param")


@pytest.mark.parametrize("name", [*NAMES, "a PyroModule", "enumerated", "a function"])
def test_the_losses_are_those_of_svi_from_the_same_seed(name):
    pyro.clear_param_store()
    model, guide, data, loss = programs(name)
    pyro.set_rng_seed(7)
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.01}), loss)
    expected = [svi.step(*data) for _ in range(20)]
    pyro.clear_param_store()
    model, guide, data, loss = programs(name)
    fit = pg.fit(pg.models.Programs(model, guide, loss), data, steps=20, lr=0.01, seed=7, progress=False)
    np.testing.assert_allclose(fit.history["loss"], expected, rtol=2e-5)
    assert not len(pyro.get_param_store())


def test_the_terms_by_site_add_up_to_the_loss():
    pair = pg.models.Programs(schools, AutoNormal(schools))
    history = pg.fit(pair, (EFFECTS, ERRORS), steps=5, progress=False).history
    assert history.columns[4:] == ("objective", "reconstruction", "kl", "kl_mu", "kl_tau", "kl_theta")
    np.testing.assert_allclose(history["reconstruction"] + history["kl"], history["loss"], rtol=1e-5)
    np.testing.assert_allclose(sum(history[f"kl_{site}"] for site in ("mu", "tau", "theta")), history["kl"], rtol=1e-5)


@pytest.mark.parametrize("vectorize", [False, True])
def test_the_terms_add_up_over_particles(vectorize):
    loss = Trace_ELBO(4, vectorize_particles=vectorize, max_plate_nesting=1)
    pair = pg.models.Programs(schools, AutoNormal(schools), loss)
    history = pg.fit(pair, (EFFECTS, ERRORS), steps=3, progress=False).history
    np.testing.assert_allclose(history["reconstruction"] + history["kl"], history["loss"], rtol=1e-5)


def test_data_are_a_tensor_a_tuple_a_dict_or_nothing():
    def held():
        schools(EFFECTS, ERRORS)

    losses = []
    for model, data in ((schools, (EFFECTS, ERRORS)), (schools, {"errors": ERRORS, "effects": EFFECTS}), (held, None)):
        fit = pg.fit(pg.models.Programs(model, AutoNormal(model)), data, steps=5, progress=False)
        losses.append(fit.history["loss"])
    np.testing.assert_array_equal(losses[0], losses[1])
    np.testing.assert_array_equal(losses[0], losses[2])


def test_two_pairs_may_use_the_same_names_and_neither_sees_the_other():
    def model(x):
        pyro.sample("x", dist.Normal(pyro.param("level", torch.tensor(0.0)), 1.0).expand(x.shape).to_event(1), obs=x)

    first, second = (pg.models.Programs(model, nothing) for _ in range(2))
    pg.fit(first, torch.full((10,), 3.0), steps=5, lr=0.1, progress=False)
    pg.fit(second, torch.full((10,), -3.0), steps=5, lr=0.1, progress=False)
    assert first.param("level") > 0.4 > -0.4 > second.param("level")
    with pytest.raises(KeyError, match="no parameter 'other'; they have 'level'"):
        first.param("other")


def test_what_svi_has_trained_is_taken_over_and_kept_apart():
    def model(x):
        pyro.sample("x", dist.Normal(pyro.param("level", torch.tensor(0.0)), 1.0).expand(x.shape).to_event(1), obs=x)

    pyro.clear_param_store()
    pyro.param("level", torch.tensor(5.0))
    pair = pg.models.Programs(model, nothing)
    pair.prepare(torch.zeros(3))
    assert pair.param("level") == 5.0
    pg.fit(pair, torch.zeros(3), steps=5, lr=0.1, progress=False)
    assert pair.param("level") < 5.0 == pyro.param("level")
    pyro.clear_param_store()


def test_only_registered_parameters_are_trained():
    free, registered = nn.Linear(1, 1), nn.Linear(1, 1)

    def model(x):
        pyro.module("net", registered)
        pyro.sample("x", dist.Normal(registered(free(x)), 1.0).to_event(2), obs=x)

    pair = pg.models.Programs(model, nothing)
    before = free.weight.clone(), registered.weight.clone()
    pg.fit(pair, torch.randn(8, 1), steps=5, progress=False)
    assert torch.equal(free.weight, before[0])
    assert not torch.equal(registered.weight, before[1])
    assert len(pair.trainable()) == 2


def test_programs_that_take_the_size_get_batches():
    def model(x, size):
        level = pyro.sample("level", dist.Normal(0.0, 10.0))
        with pyro.plate("data", size, subsample=torch.arange(len(x))):
            pyro.sample("x", dist.Normal(level, 1.0), obs=x)

    def guide(x, size):
        pyro.sample("level", dist.Normal(pyro.param("loc", torch.tensor(0.0)), 0.1))

    pair = pg.models.Programs(model, guide)
    x = 2 + torch.randn(200, generator=torch.Generator().manual_seed(1))
    fit = pg.fit(pair, x, steps=300, lr=0.05, progress=False)
    assert fit.history["epoch"][-1] == 300 / 3
    assert abs(pair.param("loc") - x.sum() / 200.01) < 0.1


def level_of(x, size=None):
    level = pyro.sample("level", dist.Normal(0.0, 10.0))
    with pyro.plate("data", size or len(x), subsample=torch.arange(len(x))):
        pyro.sample("x", dist.Normal(level, 1.0), obs=x)


def level_alone(x):
    level_of(x)


def level_factor(x):
    level = pyro.sample("level", dist.Normal(0.0, 10.0))
    with pyro.plate("data", len(x)):
        pyro.factor("x", -((x - level) ** 2) / 2)


def level_guide(x):
    pyro.sample("level", dist.Normal(pyro.param("loc", torch.tensor(0.0)), 0.1))


@easy_guide(level_of)
def level_easy(self, x):
    self.map_estimate("level")


def level_weighed(x):
    with pyro.poutine.scale(scale=2.0):
        level_of(x)


def level_a_row(x):
    with pyro.plate("data", len(x)):
        level = pyro.sample("level", dist.Normal(0.0, 10.0))
        pyro.sample("x", dist.Normal(level, 1.0), obs=x)


@pytest.mark.parametrize(
    ("model", "guide", "loss"),
    [
        (level_of, AutoDiagonalNormal, None),
        (level_of, lambda m: pyro.poutine.scale(AutoNormal(m), scale=1.0), None),
        (level_weighed, AutoNormal, None),
        (level_a_row, AutoDiagonalNormal, None),
        (level_alone, AutoNormal, lambda *args: 20 * Trace_ELBO().differentiable_loss(*args)),
    ],
    ids=["size", "size, through a handler", "weighed", "all latents local", "a loss of its own"],
)
def test_batches_that_weigh_what_they_stand_for_train_in_silence(model, guide, loss):
    pair = pg.models.Programs(model, guide(model), loss)
    fit = pg.fit(pair, X, steps=2, batch_size=5, compile=False, progress=False)
    assert pair.takes_size == (model is level_of)
    if pair.takes_size:
        batch = X[torch.randperm(20, generator=torch.Generator().manual_seed(0))[:5]]
        assert fit.history["reconstruction"][0] > 4 * (batch**2).sum() / 2


@pytest.mark.parametrize(
    ("model", "guide"),
    [
        (level_alone, AutoNormal(level_alone)),
        (level_of, level_guide),
        (level_of, level_easy),
        (level_factor, AutoNormal(level_factor)),
    ],
    ids=["neither takes it", "the guide does not", "an EasyGuide does not", "a factor"],
)
def test_batches_that_weigh_one_a_row_beside_a_latent_of_all_data_get_a_warning(model, guide):
    with pytest.warns(
        UserWarning, match="the 5 rows of a batch weigh 1 each at site 'x' .* 20 data that share 'level'"
    ):
        pg.fit(pg.models.Programs(model, guide), X, steps=1, batch_size=5, compile=False, progress=False)


def test_a_size_that_one_program_needs_and_the_other_does_not_take_is_named():
    with pytest.raises(ValueError, match="the guide must take `size` too"):
        pg.fit(pg.models.Programs(lambda x, size: level_of(x, size), level_guide), X, steps=1)


@pytest.mark.parametrize("data", [{"x": X, "size": 40}, (X, 40)], ids=["by name", "by place"])
def test_a_size_that_the_data_hold_stays(data):
    pair = pg.models.Programs(level_of, AutoNormal(level_of))
    assert not pair.gets_size(data)
    fit = pg.fit(pair, data, steps=2, compile=False, progress=False)
    assert fit.history["epoch"][-1] == 2
    assert fit.history["reconstruction"][0] > 2 * (X**2).sum() / 2


def heaps(x, y):
    with pyro.plate("data", len(x)):
        heap = pyro.sample("heap", dist.Bernoulli(0.5))
        pyro.sample("x", dist.Normal(heap * pyro.param("loc", torch.tensor(1.0)), 1.0), obs=x)


def heaps_guide(x, y):
    """Draws with a running average as baseline, which the loss keeps in the parameter store."""
    baseline = {"use_decaying_avg_baseline": True}
    with pyro.plate("data", len(x)):
        probs = pyro.param("probs", torch.full((20,), 0.5), dist.constraints.unit_interval)
        pyro.sample("heap", dist.Bernoulli(probs), infer={"baseline": baseline})


@pytest.mark.parametrize("ask", [None, False])
@pytest.mark.parametrize("programs", [(line, line_guide), (heaps, heaps_guide, TraceGraph_ELBO())], ids=["line", "sum"])
def test_an_interrupted_run_goes_on_bit_for_bit(programs, ask, tmp_path):
    def run(steps, **settings):
        torch.manual_seed(0)
        pair = pg.models.Programs(*programs)
        pg.fit(pair, (X, Y), steps=steps, lr=0.01, compile=ask, progress=False, **settings)
        return pair

    whole = run(20)
    run(8, checkpoint=tmp_path)
    again = run(20, checkpoint=tmp_path, resume=True)
    assert whole.store_names
    assert all(torch.equal(whole.param(name), again.param(name)) for name in whole.store_names)


def test_modules_keep_their_modes():
    dropout, frozen = nn.Dropout(0.5), nn.Dropout(0.5).eval()

    def model(x):
        pyro.sample("x", dist.Normal(frozen(dropout(x)) * pyro.param("a", torch.ones(20)), 1.0).to_event(1), obs=x)

    runs = [pg.fit(pg.models.Programs(model, nothing), X, steps=5, progress=False) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].history["loss"], runs[1].history["loss"])
    assert (dropout.training, frozen.training) == (True, False)


def test_bad_programs_data_and_losses_get_a_sentence():
    with pytest.raises(TypeError, match="`model` must be a Pyro program"):
        pg.models.Programs(3, nothing)
    with pytest.raises(TypeError, match="`loss` must be a Pyro ELBO"):
        pg.models.Programs(schools, nothing, loss=Trace_ELBO)
    pair = pg.models.Programs(line, line_guide)
    for value, message in [(None, "must return one number"), (torch.ones(()), "must have a gradient")]:
        with pytest.raises(ValueError, match=message):
            pg.fit(pg.models.Programs(line, line_guide, loss=lambda *args, value=value: value), (X, Y), steps=1)
    with pytest.raises(ValueError, match="data must have no masked entries"):
        pg.fit(pair, (X, np.ma.masked_less(Y.numpy(), 0.5)), steps=1)
    for gap, message in [
        (torch.nan, "value of a distribution at site 'y'"),
        (torch.inf, "reconstruction term of site 'y'"),
    ]:
        with pytest.raises(pg.DivergenceError, match=f"at step 1 the {message} is not finite: leave out the rows"):
            pg.fit(pair, (X, Y + gap), steps=1)
    with pytest.warns(UserWarning, match="JitTrace_ELBO keeps a trace of its own; Trace_ELBO in its place is recorded"):
        pg.fit(
            pg.models.Programs(line, line_guide, JitTrace_ELBO(ignore_jit_warnings=True)),
            (X, Y),
            steps=1,
            progress=False,
        )


def test_a_loss_without_a_value_shows_a_run_that_diverges_by_its_weights():
    def run(**settings):
        loss = TraceTailAdaptive_ELBO(2, 1, vectorize_particles=True)
        pg.fit(pg.models.Programs(line, line_guide, loss), (X, Y), progress=False, **settings)

    with pytest.raises(pg.DivergenceError, match="by step 4 a parameter is not finite: try a smaller lr"):
        run(steps=4, lr=1e38)
    with pytest.raises(ValueError, match="validation must be left out for TraceTailAdaptive_ELBO"):
        run(steps=4, validation=(X, Y))


def test_programs_whose_sites_differ_train_with_a_warning():
    calls = []

    def model():
        calls.append(1)
        for i in range(1 + len(calls) % 2):
            pyro.sample(f"x_{i}", dist.Normal(pyro.param("level", torch.tensor(0.0)), 1.0), obs=torch.tensor(1.0))

    with pytest.warns(UserWarning, match="sites differ from call to call"):
        pg.fit(pg.models.Programs(model, nothing), None, steps=5, compile=False, progress=False)


@pytest.mark.filterwarnings("ignore:the step of Programs is run plain")
def test_a_parameter_that_comes_late_is_trained_as_under_svi_but_not_into_a_checkpoint(tmp_path):
    def made():
        pyro.clear_param_store()
        calls, net = [], nn.Linear(1, 1)
        nn.init.constant_(net.weight, 0.3)
        nn.init.constant_(net.bias, 0.1)

        def model():
            calls.append(1)
            level = pyro.param("level", torch.tensor(0.0))
            if len(calls) > 3:
                pyro.module("net", net)
                level = level + pyro.param("late", torch.tensor(0.2), dist.constraints.positive) * net(torch.ones(1))
            pyro.sample("x", dist.Normal(level, 1.0), obs=torch.tensor(1.0))

        return model, nothing

    svi = SVI(*made(), pyro.optim.Adam({"lr": 0.1}), Trace_ELBO())
    losses = [svi.step() for _ in range(12)]
    late = pyro.param("late").item()
    pair = pg.models.Programs(*made())
    np.testing.assert_allclose(pg.fit(pair, None, steps=12, lr=0.1, progress=False).history["loss"], losses, rtol=1e-5)
    assert pair.param("late").item() == pytest.approx(late, rel=1e-5)
    assert pg.fit(pair, None, steps=2, lr=0.1, progress=False).history["loss"][0] < losses[-1]
    with pytest.raises(ValueError, match=r"'net.*weight' must .* got it after training has begun.*without checkpoint="):
        pg.fit(pg.models.Programs(*made()), None, steps=5, checkpoint=tmp_path, progress=False)


def test_what_programs_change_and_no_checkpoint_holds_is_named_once(tmp_path):
    mean, net, missing = torch.zeros(()), nn.BatchNorm1d(1), torch.full((1,), torch.nan)
    given = {"checkpoint": tmp_path, "checkpoint_every": 2, "progress": False}

    def model(x):
        pyro.module("net", net)
        pyro.sample("x", dist.Normal(net(x) + missing.nan_to_num() + mean.mul_(0.9).add_(0.1), 1.0).to_event(2), obs=x)

    with pytest.warns(UserWarning, match="change `mean`, which a checkpoint does not hold") as warned:
        pg.fit(pg.models.Programs(model, nothing), torch.rand(8, 1), steps=6, **given)
    assert len(warned) == 1


@pytest.mark.filterwarnings("ignore:.*ound vars in model but not guide")
def test_latents_marked_for_enumeration_choose_the_loss_unless_one_is_given():
    def model(x):
        level = pyro.sample("level", dist.Gamma(2.0, 2.0))
        with pyro.plate("data", len(x)):
            k = pyro.sample("k", dist.Categorical(torch.ones(2)), infer={"enumerate": "parallel"})
            pyro.sample("x", dist.Normal(level * k, 1.0), obs=x)

    def guide(x):
        pyro.sample("level", dist.LogNormal(pyro.param("loc", torch.zeros(())), 0.3))

    x = torch.linspace(-1, 3, 8)
    for make in (lambda: guide, lambda: AutoNormal(pyro.poutine.block(model, hide=["k"]))):  # the latter by draws
        losses = []
        for loss in (None, TraceEnum_ELBO(), Trace_ELBO()):
            pair = pg.models.Programs(model, make(), loss)
            fit = pg.fit(pair, x, steps=2, compile=False, progress=False)
            assert isinstance(pair.loss, type(loss or TraceEnum_ELBO()))
            assert pair.given_loss is loss
            losses.append(fit.history["objective"].tolist())
        assert losses[0] == losses[1] != losses[2]
    pair = pg.models.Programs(model, make())
    pair.prepare(x)
    assert isinstance(pair.loss, TraceEnum_ELBO)
