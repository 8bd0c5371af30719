"""Tutorials of Bayesian models whose latents are a few global numbers."""

import pyro
import torch
from helpers.tutorials.base import Tutorial, data_generator
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import TraceMeanField_ELBO
from pyro.infer.autoguide import (
    AutoDelta,
    AutoDiagonalNormal,
    AutoGuideList,
    AutoIAFNormal,
    AutoLaplaceApproximation,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
    init_to_uniform,
)
from pyro.nn import PyroModule, PyroSample
from torch import nn
from torch.distributions import constraints

near = init_to_uniform(radius=0.5)  # where an AutoGuide starts: the pair's seed decides


def line(n=20):
    """n points about y = 1 − 2 x₁ + ½ x₂: (n, 2) and (n,)."""
    generator = data_generator()
    x = torch.randn(n, 2, generator=generator)
    return x, 1 + x @ torch.tensor([-2.0, 0.5]) + 0.3 * torch.randn(n, generator=generator)


class Coin(Tutorial):
    """A coin's fairness under a Beta prior; each throw is a site of its own, in a loop and without a plate."""

    note = "svi_part_i"

    def __init__(self):
        self.start = 15 * torch.exp(0.2 * torch.randn(2))

    def args(self):
        return (torch.tensor([1.0] * 6 + [0.0] * 4),)

    def model(self, data):
        fairness = pyro.sample("fairness", dist.Beta(10.0, 10.0))
        for i, throw in enumerate(data):
            pyro.sample(f"obs_{i}", dist.Bernoulli(fairness), obs=throw)

    def guide(self, data):
        alpha = pyro.param("alpha_q", lambda: self.start[0].clone(), constraint=constraints.positive)
        beta = pyro.param("beta_q", lambda: self.start[1].clone(), constraint=constraints.positive)
        pyro.sample("fairness", dist.Beta(alpha, beta))


class RegressionModel(PyroModule):
    """y ~ Normal(w·x + b, σ) with w, b and σ unknown: priors put on a linear module's weights."""

    def __init__(self, features):
        super().__init__()
        self.linear = PyroModule[nn.Linear](features, 1)
        self.linear.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, features]).to_event(2))
        self.linear.bias = PyroSample(dist.Normal(0.0, 10.0).expand([1]).to_event(1))

    def forward(self, x, y=None):
        sigma = pyro.sample("sigma", dist.Uniform(0.0, 10.0))
        mean = pyro.deterministic("mean", self.linear(x).squeeze(-1))
        with pyro.plate("data", x.shape[0]):
            return pyro.sample("obs", dist.Normal(mean, sigma), obs=y)


class Regression(Tutorial):
    """Bayesian linear regression by PyroModule and PyroSample, guided by AutoDiagonalNormal."""

    note = "bayesian_regression"

    def __init__(self):
        self.model = RegressionModel(2)
        self.guide = AutoDiagonalNormal(self.model, init_loc_fn=near)

    def args(self):
        return line()


class Subsampled(Tutorial):
    """A global rate and location from N observations, of which a plate with subsample_size=B draws B a step."""

    note = "svi_part_ii"
    size, batch = 24, 6

    def __init__(self):
        self.start = torch.randn(2) * torch.tensor([1.0, 0.3]), 0.2 + 0.2 * torch.rand(2)

    def args(self):
        generator = data_generator()
        return (1.5 + 0.7 * torch.randn(self.size, generator=generator),)

    def loss(self):
        return TraceMeanField_ELBO()

    def model(self, x):
        loc = pyro.sample("loc", dist.Normal(0.0, 3.0))
        scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
        with pyro.plate("data", self.size, subsample_size=self.batch) as index:
            pyro.sample("x", dist.Normal(loc, scale), obs=x[index])

    def guide(self, x):
        loc = pyro.param("loc_q", lambda: self.start[0].clone())
        scale = pyro.param("scale_q", lambda: self.start[1].clone(), constraint=constraints.positive)
        pyro.sample("loc", dist.Normal(loc[0], scale[0]))
        pyro.sample("scale", dist.LogNormal(loc[1], scale[1]))


class RegressionMultivariate(Regression):
    """The same posterior with all its correlations."""

    def __init__(self):
        self.model = RegressionModel(2)
        self.guide = AutoMultivariateNormal(self.model, init_loc_fn=near)


class RegressionLowRank(Regression):
    """The same posterior with correlations of rank one."""

    note = "intro_long"

    def __init__(self):
        self.model = RegressionModel(2)
        self.guide = AutoLowRankMultivariateNormal(self.model, init_loc_fn=near, rank=1)


class RegressionFlow(Regression):
    """The same posterior through an inverse autoregressive flow."""

    note = "svi_flow_guide"

    def __init__(self):
        self.model = RegressionModel(2)
        self.guide = AutoIAFNormal(self.model, hidden_dim=[6])


class BayesianNetworkModel(PyroModule):
    """A network of one hidden layer with a prior on every weight."""

    def __init__(self, features, hidden=3):
        super().__init__()
        self.first = PyroModule[nn.Linear](features, hidden)
        self.first.weight = PyroSample(dist.Normal(0.0, 1.0).expand([hidden, features]).to_event(2))
        self.first.bias = PyroSample(dist.Normal(0.0, 1.0).expand([hidden]).to_event(1))
        self.last = PyroModule[nn.Linear](hidden, 1)
        self.last.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, hidden]).to_event(2))
        self.last.bias = PyroSample(dist.Normal(0.0, 1.0).expand([1]).to_event(1))

    def forward(self, x, y=None):
        mean = self.last(torch.tanh(self.first(x))).squeeze(-1)
        sigma = pyro.sample("sigma", dist.Gamma(2.0, 2.0))
        with pyro.plate("data", x.shape[0]):
            return pyro.sample("obs", dist.Normal(mean, sigma), obs=y)


class BayesianNetwork(Tutorial):
    """A Bayesian neural network by PyroModule, guided by AutoNormal."""

    note = "modules"

    def __init__(self):
        self.model = BayesianNetworkModel(2)
        self.guide = AutoNormal(self.model, init_loc_fn=near)

    def args(self):
        return line()


class EightSchools(Tutorial):
    """Eight schools, non-centered: local latents in a plate below two global ones."""

    note = "examples/eight_schools"

    def __init__(self):
        self.start = {"eta": torch.randn(8), "mu": 3 * torch.randn(()), "log_tau": torch.randn(())}
        self.width = {name: 0.1 + 0.3 * torch.rand(value.shape) for name, value in self.start.items()}

    def args(self):
        y = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
        return y, torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

    def model(self, y, sigma):
        mu = pyro.sample("mu", dist.Normal(0.0, 10.0))
        tau = pyro.sample("tau", dist.HalfCauchy(25.0))
        with pyro.plate("schools", len(y)):
            eta = pyro.sample("eta", dist.Normal(0.0, 1.0))
            pyro.sample("obs", dist.Normal(mu + tau * eta, sigma), obs=y)

    def place(self, name):
        loc = pyro.param(f"loc_{name}", lambda: self.start[name].clone())
        return loc, pyro.param(f"scale_{name}", lambda: self.width[name].clone(), constraint=constraints.positive)

    def guide(self, y, sigma):
        pyro.sample("mu", dist.Normal(*self.place("mu")))
        pyro.sample("tau", dist.LogNormal(*self.place("log_tau")))
        with pyro.plate("schools", len(y)):
            pyro.sample("eta", dist.Normal(*self.place("eta")))


class Logistic(Tutorial):
    """Logistic regression under AutoLaplaceApproximation, which is a point while it is trained."""

    note = "examples/baseball and the autoguide reference"

    def __init__(self):
        self.guide = AutoLaplaceApproximation(self.model, init_loc_fn=near)

    def args(self):
        x, y = line()
        return x, (y > 1).float()

    def model(self, x, y):
        bias = pyro.sample("bias", dist.Normal(0.0, 3.0))
        weight = pyro.sample("weight", dist.Normal(torch.zeros(2), 2.0).to_event(1))
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Bernoulli(logits=x @ weight + bias), obs=y)


class LogisticList(Logistic):
    """The same with a guide assembled from two: a Normal for the weight, a point for the bias."""

    def __init__(self):
        self.guide = AutoGuideList(self.model)
        self.guide.append(AutoNormal(poutine.block(self.model, expose=["weight"]), init_loc_fn=near))
        self.guide.append(AutoDelta(poutine.block(self.model, expose=["bias"]), init_loc_fn=near))


class Growth(Tutorial):
    """Growth with a deterministic site, and a factor that pulls two slopes together."""

    note = "logistic-growth and intro_long"

    def __init__(self):
        self.guide = AutoNormal(self.model, init_loc_fn=near)

    def args(self):
        t = torch.linspace(0, 1, 12)
        return t, 1 + 0.8 * t + 0.1 * torch.randn(12, generator=data_generator())

    def model(self, t, y):
        start = pyro.sample("start", dist.Normal(0.0, 2.0))
        with pyro.plate("halves", 2):
            slope = pyro.sample("slope", dist.Normal(0.0, 2.0))
        pyro.factor("smooth", -2.0 * (slope[0] - slope[1]) ** 2)
        curve = pyro.deterministic("curve", start + slope[0] * t + (slope[1] - slope[0]) * (t - 0.5).clamp(min=0))
        with pyro.plate("data", len(t)):
            pyro.sample("y", dist.Normal(curve, 0.3), obs=y)


class Missing(Tutorial):
    """A regression whose missing answers are latents, by obs_mask; the guide masks those that are known, too."""

    note = "pyro.sample's obs_mask"

    def __init__(self):
        self.start = {"weight": torch.randn(2), "bias": torch.randn(()), "y": torch.randn(20)}
        self.width = {name: 0.1 + 0.3 * torch.rand(value.shape) for name, value in self.start.items()}

    def args(self):
        x, y = line()
        return x, y, torch.arange(len(y)) % 4 != 0

    def model(self, x, y, known):
        weight = pyro.sample("weight", dist.Normal(torch.zeros(2), 2.0).to_event(1))
        bias = pyro.sample("bias", dist.Normal(0.0, 2.0))
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Normal(x @ weight + bias, 0.5), obs=y, obs_mask=known)

    def place(self, name):
        loc = pyro.param(f"loc_{name}", lambda: self.start[name].clone())
        return loc, pyro.param(f"scale_{name}", lambda: self.width[name].clone(), constraint=constraints.positive)

    def guide(self, x, y, known):
        pyro.sample("weight", dist.Normal(*self.place("weight")).to_event(1))
        pyro.sample("bias", dist.Normal(*self.place("bias")))
        with pyro.plate("data", len(y)), poutine.mask(mask=~known):
            pyro.sample("y_unobserved", dist.Normal(*self.place("y")))
