"""The same programs in NumPyro, where that is short, each as (model, guide, loss); NumPyro is for benchmarks only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpyro
from numpyro import distributions as dist
from numpyro.infer import Trace_ELBO, autoguide

Made = tuple[Any, Any, Any]


def schools(effects: Any, errors: Any) -> None:
    """Eight schools, centered."""
    mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
    with numpyro.plate("schools", 8):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
        numpyro.sample("effects", dist.Normal(theta, errors), obs=effects)


def line(x: Any, y: Any) -> None:
    """A linear regression."""
    weight = numpyro.sample("weight", dist.Normal(0.0, 1.0).expand([1, 3]).to_event(2))
    bias = numpyro.sample("bias", dist.Normal(0.0, 10.0).expand([1]).to_event(1))
    sigma = numpyro.sample("sigma", dist.Uniform(0.0, 10.0))
    with numpyro.plate("data", len(x)):
        numpyro.sample("y", dist.Normal((x @ weight.T + bias)[:, 0], sigma), obs=y)


def counties(county: Any, floor: Any, radon: Any) -> None:
    """A hierarchical regression."""
    a = numpyro.sample("a", dist.Normal(0.0, 5.0))
    b = numpyro.sample("b", dist.Normal(0.0, 5.0))
    spread = numpyro.sample("spread", dist.HalfCauchy(jnp.array([5.0, 5.0])).to_event(1))
    noise = numpyro.sample("noise", dist.HalfCauchy(5.0))
    with numpyro.plate("counties", 85):
        intercept = numpyro.sample("intercept", dist.Normal(a, spread[0]))
        slope = numpyro.sample("slope", dist.Normal(b, spread[1]))
    with numpyro.plate("houses", len(radon)):
        numpyro.sample("radon", dist.Normal(intercept[county] + slope[county] * floor, noise), obs=radon)


def mixture(x: Any) -> None:
    """A mixture of three Gaussians, its labels summed out by hand: ``TraceEnum_ELBO`` needs funsor in NumPyro."""
    weights = numpyro.sample("weights", dist.Dirichlet(0.5 * jnp.ones(3)))
    scale = numpyro.sample("scale", dist.LogNormal(0.0, 2.0))
    with numpyro.plate("components", 3):
        locs = numpyro.sample("locs", dist.Normal(0.0, 10.0))
    with numpyro.plate("data", len(x)):
        numpyro.sample("x", dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(locs, scale)), obs=x)


PROGRAMS: dict[str, Callable[[], Made]] = {
    "eight schools": lambda: (schools, autoguide.AutoNormal(schools), Trace_ELBO()),
    "regression": lambda: (line, autoguide.AutoDiagonalNormal(line), Trace_ELBO()),
    "regression, multivariate": lambda: (line, autoguide.AutoMultivariateNormal(line), Trace_ELBO()),
    "regression, low rank": lambda: (line, autoguide.AutoLowRankMultivariateNormal(line, rank=2), Trace_ELBO()),
    "regression, flow": lambda: (line, autoguide.AutoIAFNormal(line, num_flows=1), Trace_ELBO()),
    "hierarchical": lambda: (counties, autoguide.AutoNormal(counties), Trace_ELBO()),
    "mixture": lambda: (mixture, autoguide.AutoDelta(mixture), Trace_ELBO()),
}
