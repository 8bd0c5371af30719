"""Programs after Pyro's tutorials, small, each as (model, guide, loss, data): what `program_steps.py` times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.contrib import gp
from pyro.infer import Trace_ELBO, TraceEnum_ELBO
from pyro.infer.autoguide import (
    AutoDelta,
    AutoDiagonalNormal,
    AutoIAFNormal,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
)
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn
from torch.distributions import constraints

Made = tuple[Any, Any, Any, tuple[Tensor, ...]]
EFFECTS = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def draws() -> torch.Generator:
    """Return what data are drawn from."""
    return torch.Generator().manual_seed(0)


def schools(effects: Tensor, errors: Tensor) -> None:
    """Eight schools, centered."""
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", len(effects)):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("effects", dist.Normal(theta, errors), obs=effects)


class Line(PyroModule):
    """A linear regression whose weights have priors."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = PyroModule[nn.Linear](3, 1)  # type: ignore[call-arg, arg-type]
        self.linear.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, 3]).to_event(2))
        self.linear.bias = PyroSample(dist.Normal(0.0, 10.0).expand([1]).to_event(1))

    def forward(self, x: Tensor, y: Tensor) -> None:
        """Draw answers y at x."""
        sigma = pyro.sample("sigma", dist.Uniform(0.0, 10.0))
        mean = self.linear(x).squeeze(-1)
        with pyro.plate("data", len(x)):
            pyro.sample("y", dist.Normal(mean, sigma), obs=y)


def line_data() -> tuple[Tensor, Tensor]:
    """Return 170 points (x, y), as many as the tutorial has nations."""
    x = torch.randn(170, 3, generator=draws())
    return x, x @ torch.tensor([1.0, -2.0, 0.5]) + 9 + torch.randn(170, generator=draws())


def regression(guide: Callable[..., Any], **settings: Any) -> Made:
    """The regression under a guide."""
    model = Line()
    return model, guide(model, **settings), Trace_ELBO(), line_data()


def counties(county: Tensor, floor: Tensor, radon: Tensor) -> None:
    """A hierarchical regression: an intercept and a slope for each of 85 counties."""
    a = pyro.sample("a", dist.Normal(0.0, 5.0))
    b = pyro.sample("b", dist.Normal(0.0, 5.0))
    spread = pyro.sample("spread", dist.HalfCauchy(torch.tensor([5.0, 5.0])).to_event(1))
    noise = pyro.sample("noise", dist.HalfCauchy(5.0))
    with pyro.plate("counties", 85):
        intercept = pyro.sample("intercept", dist.Normal(a, spread[0]))
        slope = pyro.sample("slope", dist.Normal(b, spread[1]))
    with pyro.plate("houses", len(radon)):
        pyro.sample("radon", dist.Normal(intercept[county] + slope[county] * floor, noise), obs=radon)


def houses() -> tuple[Tensor, Tensor, Tensor]:
    """Return county, floor and radon of 919 houses."""
    county = torch.randint(85, (919,), generator=draws())
    floor = torch.bernoulli(torch.full((919,), 0.2), generator=draws())
    return county, floor, 1.5 - 0.7 * floor + torch.randn(919, generator=draws())


def mixture(x: Tensor) -> None:
    """A mixture of three Gaussians whose labels are summed out."""
    weights = pyro.sample("weights", dist.Dirichlet(0.5 * torch.ones(3)))
    scale = pyro.sample("scale", dist.LogNormal(0.0, 2.0))
    with pyro.plate("components", 3):
        locs = pyro.sample("locs", dist.Normal(0.0, 10.0))
    with pyro.plate("data", len(x)):
        label = pyro.sample("label", dist.Categorical(weights), infer={"enumerate": "parallel"})
        pyro.sample("x", dist.Normal(locs[label], scale), obs=x)


def hmm(series: Tensor) -> None:
    """A hidden Markov model of 10 series of 12 steps, three states, summed out."""
    transition = pyro.sample("transition", dist.Dirichlet(torch.ones(3, 3) + torch.eye(3)).to_event(1))
    emission = pyro.sample("emission", dist.Normal(torch.arange(3.0), 1.0).to_event(1))
    with pyro.plate("series", len(series)):
        state: Any = 0
        for t in pyro.markov(range(series.shape[1])):
            state = pyro.sample(f"state_{t}", dist.Categorical(transition[state]), infer={"enumerate": "parallel"})
            pyro.sample(f"x_{t}", dist.Normal(emission[state], 0.5), obs=series[:, t])


def lda() -> Made:
    """Four topics of 40 documents of 16 words; words' topics are summed out, documents' topics amortized."""
    topics, vocabulary, documents, length = 4, 30, 40, 16
    predictor = nn.Sequential(nn.Linear(vocabulary, 20), nn.Sigmoid(), nn.Linear(20, topics), nn.Softmax(-1))

    def model(words: Tensor) -> None:
        with pyro.plate("topics", topics):
            weights = pyro.sample("topic_weights", dist.Gamma(1.0 / topics, 1.0))
            table = pyro.sample("topic_words", dist.Dirichlet(torch.ones(vocabulary) / vocabulary))
        with pyro.plate("documents", documents):
            shares = pyro.sample("doc_topics", dist.Dirichlet(weights))
            with pyro.plate("words", length):
                topic = pyro.sample("word_topics", dist.Categorical(shares), infer={"enumerate": "parallel"})
                pyro.sample("doc_words", dist.Categorical(table[topic]), obs=words)

    def guide(words: Tensor) -> None:
        weights = pyro.param("weights", torch.ones(topics), constraint=constraints.positive)
        table = pyro.param("table", 1 + torch.rand(topics, vocabulary), constraint=constraints.greater_than(0.5))
        with pyro.plate("topics", topics):
            pyro.sample("topic_weights", dist.Gamma(weights, 1.0))
            pyro.sample("topic_words", dist.Dirichlet(table))
        pyro.module("predictor", predictor)
        counts = nn.functional.one_hot(words, vocabulary).sum(0).float()
        with pyro.plate("documents", documents):
            pyro.sample("doc_topics", dist.Delta(predictor(counts), event_dim=1))

    words = torch.randint(vocabulary, (length, documents), generator=draws())
    return model, guide, TraceEnum_ELBO(max_plate_nesting=2), (words,)


def sparse_gp() -> Made:
    """A variational sparse Gaussian process: 100 points, 10 inducing ones."""
    x = torch.linspace(0, 5, 100)
    y = torch.sin(2 * x) + 0.2 * torch.randn(100, generator=draws())
    kernel, likelihood = gp.kernels.RBF(input_dim=1), gp.likelihoods.Gaussian()
    process = gp.models.VariationalSparseGP(x, y, kernel, torch.linspace(0, 5, 10), likelihood)
    return process.model, process.guide, Trace_ELBO(), ()


def deep_markov() -> Made:
    """A deep Markov model of 8 sequences of 6 steps, with a recurrent network in its guide."""
    emitter = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
    transition, combine = nn.Linear(4, 8), nn.Linear(4 + 16, 8)
    memory = nn.GRU(8, 16, batch_first=True)

    def normal(parameters: Tensor) -> Any:
        loc, scale = parameters.chunk(2, -1)
        return dist.Normal(loc, nn.functional.softplus(scale) + 1e-3).to_event(1)

    def model(x: Tensor) -> None:
        pyro.module("emitter", emitter)
        pyro.module("transition", transition)
        with pyro.plate("sequences", len(x)):
            z = torch.zeros(len(x), 4)
            for t in range(x.shape[1]):
                z = pyro.sample(f"z_{t}", normal(transition(z)))
                pyro.sample(f"x_{t}", dist.Bernoulli(logits=emitter(z)).to_event(1), obs=x[:, t])

    def guide(x: Tensor) -> None:
        pyro.module("combine", combine)
        pyro.module("memory", memory)
        read = memory(x.flip(1))[0].flip(1)
        with pyro.plate("sequences", len(x)):
            z = torch.zeros(len(x), 4)
            for t in range(x.shape[1]):
                z = pyro.sample(f"z_{t}", normal(combine(torch.cat((z, read[:, t]), -1))))

    return model, guide, Trace_ELBO(), (torch.bernoulli(torch.full((8, 6, 8), 0.4), generator=draws()),)


def enumerated(model: Any, expose: list[str], data: Tensor) -> Made:
    """A model whose discrete sites are summed out, with a point for the others."""
    return model, AutoDelta(poutine.block(model, expose=expose)), TraceEnum_ELBO(max_plate_nesting=1), (data,)


PROGRAMS: dict[str, Callable[[], Made]] = {
    "eight schools": lambda: (schools, AutoNormal(schools), Trace_ELBO(), (EFFECTS, ERRORS)),
    "regression": lambda: regression(AutoDiagonalNormal),
    "regression, multivariate": lambda: regression(AutoMultivariateNormal),
    "regression, low rank": lambda: regression(AutoLowRankMultivariateNormal, rank=2),
    "regression, flow": lambda: regression(AutoIAFNormal),
    "hierarchical": lambda: (counties, AutoNormal(counties), Trace_ELBO(), houses()),
    "mixture": lambda: enumerated(mixture, ["weights", "scale", "locs"], 3 * torch.randn(200, generator=draws())),
    "hmm": lambda: enumerated(hmm, ["transition", "emission"], torch.randn(10, 12, generator=draws())),
    "lda": lda,
    "gaussian process": sparse_gp,
    "deep markov": deep_markov,
}
