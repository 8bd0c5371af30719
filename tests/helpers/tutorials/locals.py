"""Tutorials with a latent for every observation: subsampled plates, time series, an auxiliary site in the guide."""

import pyro
import torch
from helpers.tutorials.base import Tutorial, data_generator
from pyro import distributions as dist
from torch.distributions import constraints


class SubsampledLocal(Tutorial):
    """A local latent for each of N observations and a global one; both programs draw the same B of them."""

    note = "svi_part_ii"
    size, batch = 20, 5

    def __init__(self):
        self.start = {"loc": torch.randn(()), "z": torch.randn(self.size)}
        self.width = {name: 0.2 + 0.5 * torch.rand(value.shape) for name, value in self.start.items()}

    def args(self):
        return (1.0 + 1.2 * torch.randn(self.size, generator=data_generator()),)

    def model(self, x):
        loc = pyro.sample("loc", dist.Normal(0.0, 2.0))
        with pyro.plate("data", self.size, subsample_size=self.batch) as index:
            z = pyro.sample("z", dist.Normal(loc, 1.0))
            pyro.sample("x", dist.Normal(z, 0.5), obs=x[index])

    def place(self, name):
        loc = pyro.param(f"{name}_loc", lambda: self.start[name].clone())
        return loc, pyro.param(f"{name}_scale", lambda: self.width[name].clone(), constraint=constraints.positive)

    def guide(self, x):
        pyro.sample("loc", dist.Normal(*self.place("loc")))
        z_loc, z_scale = self.place("z")
        with pyro.plate("data", self.size, subsample_size=self.batch) as index:
            pyro.sample("z", dist.Normal(z_loc[index], z_scale[index]))


class States(Tutorial):
    """Time series whose states are guided jointly: an auxiliary site, taken apart into one Delta a time step."""

    note = "easyguide"
    size, steps = 6, 3

    def __init__(self):
        self.start = 0.3 * torch.randn(self.size, self.steps)
        self.factor = 0.3 * torch.randn(self.steps, 1)

    def args(self):
        return (torch.bernoulli(torch.full((self.steps, self.size), 0.6), generator=data_generator()),)

    def model(self, x):
        drift = pyro.sample("drift", dist.LogNormal(-1.0, 0.5))
        with pyro.plate("data", self.size):
            z = torch.zeros(())
            for t in range(self.steps):
                z = pyro.sample(f"state_{t}", dist.Normal(z, drift))
                pyro.sample(f"obs_{t}", dist.Bernoulli(logits=z), obs=x[t])

    auxiliary = True

    def guide(self, x):
        drift = pyro.param("drift_loc", lambda: torch.tensor(0.3), constraint=constraints.positive)
        pyro.sample("drift", dist.Delta(drift))
        diagonal = pyro.param("diagonal", lambda: torch.full((self.steps,), 0.1), constraint=constraints.positive)
        factor = pyro.param("factor", lambda: self.factor.clone())
        with pyro.plate("data", self.size):
            loc = pyro.param("state_loc", lambda: self.start.clone(), event_dim=1)
            joint = dist.LowRankMultivariateNormal(loc, factor, diagonal)
            states = pyro.sample("states", joint, infer={"is_auxiliary": self.auxiliary})
            for t in range(self.steps):
                pyro.sample(f"state_{t}", dist.Delta(states[:, t]))
