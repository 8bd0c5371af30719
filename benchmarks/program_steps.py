#!/usr/bin/env python
"""Time one training step of eight schools under AutoNormal: `SVI.step`, `pg.fit`'s two ways, NumPyro's jitted update.

One thread. The contenders take turns in short blocks, so that a machine whose speed drifts slows them alike. A ratio is
the median over the blocks of ratios taken next to each other. NumPyro is timed if it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import pyro
import torch
from pyro import distributions as dist
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoNormal
from pyro.optim import Adam  # type: ignore[attr-defined]

import pyrogen as pg
from pyrogen.files import write_atomically
from pyrogen.training.step import First, ProgramsObjective, trainable
from pyrogen.training.step.compiled import CompiledStep
from pyrogen.training.step.proof import proven

EFFECTS = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
Block = Callable[[int], None]


def model(effects: torch.Tensor, errors: torch.Tensor) -> None:
    """Eight schools, centered."""
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", len(effects)):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("effects", dist.Normal(theta, errors), obs=effects)


def by_svi() -> Block:
    """`SVI.step`."""
    svi = SVI(model, AutoNormal(model), Adam({"lr": 0.01}), Trace_ELBO())

    def block(n: int) -> None:
        for _ in range(n):
            svi.step(EFFECTS, ERRORS)

    return block


def by_fit(compiled: bool) -> Block:
    """The step of `fit` with its optimizer, recorded or compiled."""
    pair = pg.models.Programs(model, AutoNormal(model))
    objective, batch = ProgramsObjective(pair, 8), (EFFECTS, ERRORS)
    First.take(objective, batch)
    step = proven(objective, batch, True, 1.0)
    parameters = list(trainable(pair).values())
    optimizer = torch.optim.Adam(parameters, lr=0.01, fused=True)
    if compiled:
        program = CompiledStep(step, parameters, optimizer, batch)

        def run(n: int) -> None:
            for _ in range(n):
                program(batch, 1.0, 0.01)

        return run

    @torch.no_grad()
    def block(n: int) -> None:
        for _ in range(n):
            _, gradients = step(batch, 1.0)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()
            optimizer.zero_grad()

    return block


def by_numpyro() -> Block | None:
    """NumPyro's jitted `update`, or None where it is not installed."""
    try:
        import jax
        import numpyro
        from numpyro import distributions as jdist
        from numpyro.infer.autoguide import AutoNormal as JaxNormal
    except ImportError:
        return None
    effects, errors = jax.numpy.array(EFFECTS.numpy()), jax.numpy.array(ERRORS.numpy())

    def jax_model(effects: Any, errors: Any) -> None:
        mu = numpyro.sample("mu", jdist.Normal(0.0, 5.0))
        tau = numpyro.sample("tau", jdist.HalfCauchy(5.0))
        with numpyro.plate("schools", 8):
            theta = numpyro.sample("theta", jdist.Normal(mu, tau))
            numpyro.sample("effects", jdist.Normal(theta, errors), obs=effects)

    elbo, adam = numpyro.infer.Trace_ELBO(), numpyro.optim.Adam(0.01)
    svi = numpyro.infer.SVI(jax_model, JaxNormal(jax_model), adam, elbo)
    state = [svi.init(jax.random.PRNGKey(0), effects, errors)]
    update = jax.jit(svi.update)

    def block(n: int) -> None:
        for _ in range(n):
            state[0], loss = update(state[0], effects, errors)
        loss.block_until_ready()

    return block


def main() -> None:
    """Time all contenders and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=21, help="blocks of each contender (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/program_steps.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    makers = {"svi": by_svi, "recorded": lambda: by_fit(False), "compiled": lambda: by_fit(True), "numpyro": by_numpyro}
    contenders = {name: block for name, make in makers.items() if (block := make()) is not None}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(-2, args.blocks):  # two to warm up
        for name, block in contenders.items():
            steps = 20 if name == "svi" else 100
            began = time.perf_counter()
            block(steps)
            if number >= 0:
                times[name].append((time.perf_counter() - began) / steps * 1e3)
    results: dict[str, Any] = {"date": date.today().isoformat(), "torch": torch.__version__, "pyro": pyro.__version__}
    results |= {"threads": 1, "device": "cpu", "blocks": args.blocks}
    results |= {f"{name}_ms": round(statistics.median(values), 4) for name, values in times.items()}
    for name in contenders:
        for other in ("svi", "numpyro"):
            if other in times and name != other:
                ratios = [b / a for a, b in zip(times[name], times[other], strict=True)]
                results[f"{name}_times_faster_than_{other}"] = round(statistics.median(ratios), 2)
    print(json.dumps(results, indent=1))
    write_atomically(args.out, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
