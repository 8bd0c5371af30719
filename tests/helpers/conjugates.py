"""Pairs whose exact posterior is known, with guides that can be put off it by a shift and a stretch."""

import hashlib
import math
import pickle

import pyro
import torch
from pyro import distributions as dist
from pyro.util import get_rng_state

DATA = torch.tensor([0.3, -1.2, 2.0, 0.7, 1.1, -0.4])


def one_mean(shift=0.0, stretch=1.0):
    """z ~ N(0, 1), xᵢ ~ N(z, 1): posterior N(Σx / (n+1), 1 / (n+1)); its evidence is that of `evidence_of_mean`."""

    def model(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        sd = 1 / math.sqrt(len(x) + 1)
        pyro.sample("z", dist.Normal(x.sum() / (len(x) + 1) + shift * sd, stretch * sd))

    return model, guide


def evidence_of_mean(x):
    n = len(x)
    return float(dist.MultivariateNormal(torch.zeros(n), torch.eye(n) + torch.ones(n, n)).log_prob(x))


def local_means(shift=0.0, stretch=1.0):
    """zᵢ ~ N(0, 1), xᵢ ~ N(zᵢ, 1) in a plate: posterior N(xᵢ/2, 1/2), so that the guide is amortized and exact."""

    def model(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(x / 2 + shift * math.sqrt(0.5), stretch * math.sqrt(0.5)))

    return model, guide


def fingerprint(*modules):
    """Of everything that a check must leave alone: random states, Pyro's store, weights, gradients and buffers."""
    store = pyro.get_param_store()
    parts = [pickle.dumps({k: str(v) for k, v in get_rng_state().items()}), get_rng_state()["torch"].numpy().tobytes()]
    parts += [name.encode() + value.detach().numpy().tobytes() for name, value in sorted(store.items())]
    for module in modules:
        parts += [t.detach().numpy().tobytes() for t in [*module.parameters(), *module.buffers()]]
        parts += [str(p.grad).encode() for p in module.parameters()] + [str(module.training).encode()]
    return hashlib.sha256(b"|".join(parts)).hexdigest()
