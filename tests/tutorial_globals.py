"""Tutorials of Bayesian models whose latents are a few global numbers."""

import pyro
import torch
from pyro import distributions as dist
from pyro.infer import TraceMeanField_ELBO
from pyro.infer.autoguide import AutoDiagonalNormal, init_to_uniform
from pyro.nn import PyroModule, PyroSample
from torch import nn
from torch.distributions import constraints
from tutorial_base import Tutorial, data_generator


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
        self.guide = AutoDiagonalNormal(self.model, init_loc_fn=init_to_uniform(radius=0.5))

    def args(self):
        return line()


class Subsampled(Tutorial):
    """A global rate and location from N observations, of which a plate with subsample_size=B draws B a step."""

    note = "svi_part_ii"
    size, batch = 24, 6

    def __init__(self):
        self.start = torch.randn(2), 0.3 + torch.rand(2)

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
