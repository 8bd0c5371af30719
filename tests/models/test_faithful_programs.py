"""Programs with state, hooks, derivatives and losses of their own end as under SVI, step for step."""

import array
import ctypes
import functools
import os
import queue
import random
import re
import sqlite3
import sys
import tempfile
import types
from collections import deque
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from datetime import date
from fractions import Fraction
from logging import getLogger
from operator import itemgetter
from pathlib import Path
from threading import Lock

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro.contrib.gp.kernels import RBF
from pyro.distributions import constraints
from pyro.infer import (
    SVI,
    EnergyDistance,
    ReweightedWakeSleep,
    Trace_ELBO,
    Trace_MMD,
    TraceMeanField_ELBO,
    TraceTailAdaptive_ELBO,
    TraceTMC_ELBO,
    config_enumerate,
)
from pyro.infer.autoguide import AutoGaussian, AutoNormal, AutoStructured
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.checkpoint import checkpoint

import pyrogen as pg

X = torch.linspace(-1, 2, 12)


class Slotted:
    __slots__ = "calls"


class Box:
    calls = 0


class Counted(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        Box.calls += 1
        return gradient * Box.calls


def nothing(*args):
    """A guide without latents."""


def observed(loc):
    """A model whose location is a function of data and weight, and no guide."""

    def model(x):
        weight = pyro.param("weight", torch.tensor(0.5))
        pyro.sample("x", dist.Normal(loc(x, weight), 1.0).to_event(1), obs=x)

    return model, nothing, Trace_ELBO()


def counting(holder):
    holder.calls = 0

    def loc(x, weight):
        holder.calls += 1
        return x * weight * holder.calls

    return observed(loc)


def imported():
    sys.modules["state_of_programs"] = state = types.ModuleType("state_of_programs")
    state.calls = 0

    def loc(x, weight):
        import state_of_programs

        state_of_programs.calls += 1
        return x * weight * state_of_programs.calls

    return observed(loc)


def on_itself():
    def loc(x, weight):
        loc.calls += 1
        return x * weight * loc.calls

    loc.calls = 0
    return observed(loc)


def last_values():
    last = deque([1.0], maxlen=3)

    def loc(x, weight):
        last.append(1.1 * last[-1])
        return x * weight * sum(last)

    return observed(loc)


def backward_counts():
    Box.calls = 0
    return observed(lambda x, weight: Counted.apply(x * weight))


def average():
    mean = torch.zeros(())
    return observed(lambda x, weight: x * weight + mean.mul_(0.9).add_(weight.detach(), alpha=0.1))


def hooked():
    def loc(x, weight):
        y = x * weight
        y.register_hook(lambda gradient: 2 * gradient)
        return y

    return observed(loc)


def inner_gradient():
    def loc(x, weight):
        (slope,) = torch.autograd.grad((x * weight).pow(2).sum(), weight, create_graph=True)
        return x * slope

    return observed(loc)


def networks(make):
    torch.manual_seed(0)
    net = make()

    def model(x):
        y = net(x[:, None])[:, 0]
        pyro.module("net", net)
        pyro.sample("x", dist.Normal(y, 1.0).to_event(1), obs=x)

    return model, nothing, Trace_ELBO()


def loss_counts():
    calls = [0]

    def loss(model, guide, x):
        calls[0] += 1
        return -pyro.poutine.trace(model).get_trace(x).log_prob_sum() * calls[0] * torch.rand(())

    return *observed(lambda x, weight: x * weight)[:2], loss


def level(x):
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    mean = mean.unsqueeze(-1) if mean.dim() else mean
    pyro.sample("x", dist.Normal(mean, 1.0).expand((*mean.shape[:-1], 12)).to_event(1), obs=x)


def level_guide(x):
    scale = pyro.param("scale", torch.tensor(1.0), constraints.positive)
    pyro.sample("mean", dist.Normal(pyro.param("loc", torch.tensor(0.1)), scale))


thrice = config_enumerate(level_guide, "parallel", expand=False, num_samples=3)


def scaled(x):
    mean, sd = pyro.sample("mean", dist.Normal(0.0, 1.0)), pyro.sample("sd", dist.Gamma(2.0, 2.0))
    with pyro.plate("data", 12):
        pyro.sample("x", dist.Normal(mean, sd), obs=x)


def nested(x):
    rows = x.reshape(3, 4)
    with pyro.plate("a", 4, subsample_size=3) as i, pyro.plate("b", 3, dim=-2, subsample_size=2) as j:
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("x", dist.Normal(z, 1.0), obs=rows[j][:, i])


def constrained(x):
    shares = pyro.param("shares", torch.ones(3) / 3, constraints.simplex)
    locs = pyro.param("locs", torch.tensor([0.0, 1.0, 2.0]), constraints.ordered_vector)
    factor = pyro.param("factor", torch.eye(2), constraints.lower_cholesky)
    with pyro.plate("data", 12):
        pyro.sample("x", dist.MixtureSameFamily(dist.Categorical(shares), dist.Normal(locs, 1.0)), obs=x)
    pyro.sample("y", dist.MultivariateNormal(torch.zeros(2), scale_tril=factor), obs=torch.ones(2))


def decided(read):
    """A model that takes one of two ways by a value that Python reads from its weight, which crosses 1/2."""

    def loc(x, weight):
        return x * weight * (3.0 if read(weight.detach() * 1.0) > 0.49 else 1.0)

    return observed(loc)


def swallowed(weight):
    try:
        return weight.numpy()
    except Exception:
        return 0.0


def written(weight):
    buffer = torch.zeros(2)
    buffer[0] = weight
    return float(buffer[0])


def environment():
    os.environ["CALLS"] = "0"

    def count():
        os.environ["CALLS"] = str(int(os.environ["CALLS"]) + 1)
        return int(os.getenv("CALLS"))

    return count


def context():
    calls = ContextVar("calls", default=0)
    return lambda: calls.set(calls.get() + 1) and calls.get()


def entry(held):
    """A count in the first entry of an object, or in its attribute `value`."""

    def count():
        if hasattr(held, "value"):
            held.value += 1
            return held.value
        held[0] += 1
        return held[0]

    return count


def in_cache():
    @functools.lru_cache
    def held():
        return [0]

    return lambda: entry(held())()


def in_queue():
    calls = queue.SimpleQueue()
    return lambda: calls.put(1) or calls.qsize()


def in_table():
    table = sqlite3.connect(":memory:")
    table.execute("create table calls (n int)")
    return lambda: table.execute("insert into calls values (1)").lastrowid


def in_file():
    path = Path(tempfile.mkdtemp()) / "calls"
    path.write_text("0")
    return lambda: path.write_text(str(int(path.read_text()) + 1)) and int(path.read_text())


def in_folder():
    folder = Path(tempfile.mkdtemp())
    return lambda: next(i for i in range(1, 99) if not (folder / str(i)).exists() and not (folder / str(i)).mkdir())


def on_torch():
    torch.calls_of_mine = 0

    def count():
        torch.calls_of_mine += 1
        return torch.calls_of_mine

    return count


def by_count(make):
    """A model that goes another way after 12 calls, where both recordings are long made."""
    count = make()
    return observed(lambda x, weight: x * weight * (2.0 if count() > 12 else 1.0))


def caught(sign):
    """A model that catches an error of an operation, which comes or goes while the weight crosses 0.53."""

    errors = ValueError if sign == 2 else RuntimeError

    def loc(x, weight):
        scale = 3.0
        with suppress(RuntimeError) if sign == 2 else nullcontext():
            try:
                torch.linalg.cholesky(torch.eye(2) * (0.53 - weight.detach()) * (1 if sign > 0 else -1))
                scale = 1.0
            except errors:
                scale = 2.0
        return x * weight * scale

    return observed(loc)


def of_gradient(x, weight):
    return x * weight * (1.0 if weight.unconstrained().grad is None else 2.0 + weight.unconstrained().grad)


def moving(data):
    """A model that changes its data in place."""

    def model(x):
        now, weight = x.clone(), pyro.param("weight", torch.tensor(0.5))
        pyro.sample("x", dist.Normal(now * weight, 1.0).to_event(1), obs=now)
        data(x).__imul__(0.9)

    return model, nothing, Trace_ELBO()


def holding():
    """A model that reaches objects of many kinds, of which none changes."""
    numbers = float("nan"), np.float32(1.0), Fraction(1, 2), range(3), date(2020, 1, 1), {"b", "a"}
    held = numbers, getLogger("programs"), re.compile("a"), itemgetter(0), types.MappingProxyType({}), Lock(), Path()
    return observed(lambda x, weight: x * weight * len(held))


COUNTS = {
    "the environment": environment,
    "a context variable": context,
    "an array": lambda: entry(array.array("i", [0])),
    "ctypes": lambda: entry(ctypes.c_int(0)),
    "a NumPy number": lambda: entry([np.int64(0)]),
    "what a cache holds": in_cache,
    "a queue of C": in_queue,
    "a data base": in_table,
    "a file": in_file,
    "a folder": in_folder,
    "an attribute of torch": on_torch,
}
READS = {
    "numpy": lambda weight: weight.numpy(),
    "tolist": lambda weight: weight.tolist(),
    "an array": np.asarray,
    "dlpack": lambda weight: np.from_dlpack(weight),
    "text": lambda weight: float(str(weight)[7:-1]),
    "a format": lambda weight: float(f"{weight:.4f}"),
    "a check of Pyro's": lambda weight: float(not pyro.util.torch_isnan((0.53 - weight).sqrt())),
    "a refusal that is caught": swallowed,
    "a view that was written": written,
}
STRUCTURE = {"conditionals": {"mean": "mvn", "sd": "normal"}, "dependencies": {"mean": {"sd": "linear"}}}
KINDS = {
    "slots": (lambda: counting(Slotted()), "plain"),
    "an imported module": (imported, "plain"),
    "an attribute of a function": (on_itself, "plain"),
    "a queue": (last_values, "plain"),
    "a count of backward passes": (backward_counts, "plain"),
    "a loss that counts": (loss_counts, "plain"),
    "Python's and NumPy's numbers": (
        lambda: observed(lambda x, weight: x * weight * random.random() + np.random.rand()),  # noqa: NPY002
        "plain",
    ),
    "a loop until a draw": (
        lambda: observed(lambda x, weight: x * weight * next(i for i in range(99) if torch.rand(()) < 0.5)),
        "plain",
    ),
    **{f"a value read by {name}": (lambda read=read: decided(read), "plain") for name, read in READS.items()},
    **{f"calls counted in {name}": (lambda make=make: by_count(make), "plain") for name, make in COUNTS.items()},
    "an error that is caught": (lambda: caught(1), "plain"),
    "an error that is caught first": (lambda: caught(-1), "plain"),
    "an error that is suppressed": (lambda: caught(2), "plain"),
    "a gradient of an earlier step": (lambda: observed(of_gradient), "plain"),
    "objects that stay": (holding, "recorded"),
    "data changed in place": (lambda: moving(lambda x: x), "recorded"),
    "data changed by NumPy": (lambda: moving(lambda x: x.numpy()), "plain"),
    "a scripted network": (lambda: networks(lambda: torch.jit.script(nn.Linear(1, 1))), "plain"),
    "a traced network": (lambda: networks(lambda: torch.jit.trace(nn.Linear(1, 1), X[:, None])), "plain"),
    "a running average": (average, "recorded"),
    "a hook": (hooked, "recorded"),
    "a gradient inside": (inner_gradient, "recorded"),
    "a checkpointed function": (
        lambda: observed(lambda x, weight: checkpoint(lambda y: (y * weight).exp(), x, use_reentrant=False)),
        "recorded",
    ),
    "vmap": (lambda: observed(lambda x, weight: torch.vmap(lambda entry: entry * weight)(x)), "recorded"),
    "a lazy network": (lambda: networks(lambda: nn.LazyLinear(1)), "recorded"),
    "spectral norm": (lambda: networks(lambda: spectral_norm(nn.Linear(1, 1))), "recorded"),
    "constraints": (lambda: (constrained, nothing, Trace_ELBO()), "recorded"),
    "nested subsamples": (lambda: (nested, AutoNormal(nested), TraceMeanField_ELBO()), "recorded"),
    "a structured guide": (lambda: (scaled, AutoStructured(scaled, **STRUCTURE), Trace_ELBO()), "recorded"),
    "a Gaussian guide": (lambda: (scaled, AutoGaussian(scaled), Trace_ELBO()), "recorded"),
    "wake and sleep": (lambda: (level, level_guide, ReweightedWakeSleep(2, max_plate_nesting=0)), "recorded"),
    "TMC": (
        lambda: (
            level,
            pyro.infer.config_enumerate(level_guide, "parallel", False, 3),
            TraceTMC_ELBO(max_plate_nesting=0),
        ),
        "recorded",
    ),
    "MMD": (lambda: (level, level_guide, Trace_MMD(RBF(1), True, 4, max_plate_nesting=1)), "recorded"),
    "tail-adaptive": (lambda: (level, level_guide, TraceTailAdaptive_ELBO(5, 1, vectorize_particles=True)), "recorded"),
    "energy distance": (lambda: (level, level_guide, EnergyDistance(num_particles=2, max_plate_nesting=1)), "recorded"),
}


@pytest.mark.filterwarnings("ignore:the step of Programs is run plain", "ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", KINDS)
def test_programs_end_as_under_svi(name):
    make, way = KINDS[name]

    def seeded():
        pyro.clear_param_store()
        made = make()
        pyro.set_rng_seed(7)
        random.seed(7)
        np.random.seed(7)  # noqa: NPY002
        return made

    svi, x = SVI(*(made := seeded())[:2], pyro.optim.Adam({"lr": 0.02}), made[2]), X.clone()
    steps = 15 if "calls" in name else 5
    expected = [float(np.sum(svi.step(x))) for _ in range(steps)]
    values = {key: value.detach().clone() for key, value in pyro.get_param_store()._params.items()}
    made = seeded()
    fit = pg.fit(pg.models.Programs(*made), X.clone(), steps=steps, lr=0.02, seed=7, progress=False)
    assert fit.way == way
    np.testing.assert_allclose(fit.history["loss"], expected, rtol=2e-6)
    assert fit.pair.store_names == tuple(values)
    for key, value in values.items():
        torch.testing.assert_close(fit.pair._values[key].detach(), value, rtol=1e-5, atol=1e-6)
    pyro.clear_param_store()


class Deep(nn.Module):
    """A net of random depth: its second layer has no gradient in every third step, and Adam's mean still moves it."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.calls = nn.Linear(1, 3).double(), nn.Linear(3, 3).double(), 0

    def forward(self, x):
        self.calls += 1
        h = self.first(x).tanh()
        return (h + self.second(h).tanh() if self.calls % 3 else h).sum(1)


@pytest.mark.filterwarnings("ignore:the step of Programs is run plain")
def test_a_weight_without_a_gradient_in_some_steps_moves_as_under_svi():
    def made():
        pyro.clear_param_store()
        torch.manual_seed(0)
        net = Deep()

        def model(x):
            pyro.module("net", net)
            pyro.sample("x", dist.Normal(net(x[:, None]), 1.0).to_event(1), obs=x)

        return model, nothing

    svi = SVI(*made(), pyro.optim.Adam({"lr": 1e-2}), Trace_ELBO())
    losses = [svi.step(X.double()) for _ in range(12)]
    fit = pg.fit(pg.models.Programs(*made()), X.double(), steps=12, lr=1e-2, progress=False)
    assert fit.history["objective"] == pytest.approx(losses, rel=1e-6)


def after(step, change):
    calls = []

    def callback(state=None):
        calls.append(1)
        if len(calls) == step:
            change()

    return callback


CHANGES = {  # what a callback does in mid-run with a net and a dict that the model reads
    "a scale": lambda net, read: after(7, lambda: read.update(scale=0.5)),
    "the mode": lambda net, read: after(7, net.eval),
    "a rate": lambda net, read: after(7, lambda: setattr(net[1], "p", 0.1)),
    "a layer frozen": lambda net, read: after(7, lambda: net[0].requires_grad_(False)),
    "a weight replaced": lambda net, read: after(7, lambda: setattr(net[2], "bias", nn.Parameter(torch.ones(1)))),
}


@pytest.mark.filterwarnings("ignore:.*was not registered in the param store")
@pytest.mark.parametrize("compile", [None, False])
@pytest.mark.parametrize("name", CHANGES)
def test_what_a_callback_changes_counts_from_the_next_step(name, compile):
    def made():
        pyro.clear_param_store()
        torch.manual_seed(0)
        net, read = nn.Sequential(nn.Linear(1, 3), nn.Dropout(0.5), nn.Linear(3, 1)), {"scale": 0.1}

        def model(x):
            pyro.module("net", net)
            with pyro.poutine.scale(scale=read["scale"]):
                m = pyro.sample("m", dist.Normal(0.0, 1.0))
            with pyro.plate("d", len(x)):
                pyro.sample("x", dist.Normal(net(x[:, None])[:, 0] + m, 1.0), obs=x)

        return model, lambda x: pyro.sample("m", dist.Normal(pyro.param("l", torch.tensor(0.3)), 1.0)), net, read

    model, guide, net, read = made()
    change, svi, losses = CHANGES[name](net, read), SVI(model, guide, pyro.optim.Adam({"lr": 1e-2}), Trace_ELBO()), []
    torch.manual_seed(0)
    for _ in range(12):
        losses.append(svi.step(X))
        change()
    model, guide, net, read = made()
    given = {"steps": 12, "lr": 1e-2, "compile": compile, "progress": False, "callbacks": [CHANGES[name](net, read)]}
    with pytest.warns(UserWarning, match="a callback changes `") if compile is None else nullcontext():
        fit = pg.fit(pg.models.Programs(model, guide), X, **given)
    assert fit.history["objective"] == pytest.approx(losses, rel=1e-5)
    assert fit.way == "plain"
