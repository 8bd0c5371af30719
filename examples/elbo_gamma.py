#!/usr/bin/env python
"""The ELBO in closed form: fit θ of the gamma guide by SVI and hold it against θ = x + 1.

p(z) = e^(−z), p(x | z) = z e^(−zx), q(z) = θ² z e^(−θz). Then ELBO(θ) = −2(x + 1)/θ − 2 log θ + 2, which is greatest at
θ = x + 1. There q is the exact posterior and the ELBO is log p(x) = −2 log(1 + x), in nats. With n observations of sum
S the posterior is Gamma(n + 1, 1 + S). The guide cannot be that, and the ELBO stays below log p(x) by their KL.

SVI takes steps of Adam on log θ with gradients from samples, so single iterates never come to rest. The script reports
the mean of log θ over the last two thirds of them. Its standard error is 1 / √(2 · particles · iterates averaged) of θ.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pyro
import torch
from pyro.infer import SVI, Trace_ELBO
from torch import Tensor
from torch.distributions import Gamma
from tqdm.auto import tqdm

import pyrogen as pg


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    xs, counts = [0.0, 0.5, 1.0, 3.0, 10.0, 100.0, 1000.0], [1, 3, 10]
    add("--x", type=float, nargs="+", default=xs, help="observations, one fit each (default: 0 to 1000)")
    add("--counts", type=int, nargs="+", default=counts, help="n, fits of n observations of 1 (default: 1 3 10)")
    add("--steps", type=int, default=600, help="steps of SVI (default: %(default)s)")
    add("--particles", type=int, default=2500, help="samples of z a step (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the first fit's samples, the next has the next (default: %(default)s)")
    add("--out", type=Path, default=Path("out/elbo_gamma"), help="output folder (default: %(default)s)")
    add("--smoke", action="store_true", help="few steps, to see in seconds that it runs")
    args = parser.parse_args(argv)
    if args.steps < 3 or args.particles < 1 or min(args.counts) < 1:
        parser.error("--steps must be at least 3, --particles and --counts at least 1")
    return args


def fit(x: Tensor, steps: int, particles: int, seed: int) -> tuple[pg.models.GammaExponential, list[float]]:
    """The pair with θ fitted by SVI, and θ after each step."""
    torch.manual_seed(seed)
    g = pg.models.GammaExponential().double()
    decay = 0.1 ** (1 / steps)  # to a tenth: the smaller the last steps, the less the mean of log θ is off
    optimizer = pyro.optim.ClippedAdam({"lr": 0.1, "lrd": decay, "betas": (0.8, 0.9), "clip_norm": 1.0})
    elbo = Trace_ELBO(num_particles=particles, vectorize_particles=True, max_plate_nesting=1)
    svi = SVI(g.model, g.guide, optimizer, elbo)
    path = []
    for _ in range(steps):
        svi.step(x)
        path.append(g.theta.item())
    g.theta = math.exp(sum(map(math.log, path[-averaged(steps) :])) / averaged(steps))
    return g, path


def averaged(steps: int) -> int:
    """How many of the last iterates are averaged."""
    return 2 * steps // 3


def numbers(g: pg.models.GammaExponential, x: Tensor) -> dict[str, Any]:
    """The fitted θ beside the closed forms; ELBO, evidence and KL in nats."""
    theta, best = g.theta, pg.oracles.gamma_exponential.optimum(x).item()
    return {
        "n": len(x),
        "sum": x.sum().item(),
        "theta": theta.item(),
        "optimum": best,
        "difference": theta.item() - best,
        "difference_percent": 100 * (theta.item() / best - 1),
        "elbo": pg.oracles.gamma_exponential.elbo(theta, x).item(),
        "evidence": pg.oracles.gamma_exponential.evidence(x).item(),
        "kl": pg.oracles.gamma_exponential.kl(theta, x).item(),
    }


def main(argv: list[str] | None = None) -> None:
    """Fit, print, draw."""
    args = arguments(argv)
    steps, particles = (min(args.steps, 60), min(args.particles, 100)) if args.smoke else (args.steps, args.particles)
    one = {f"x = {x:g}": torch.tensor([x], dtype=torch.float64) for x in args.x}
    many = {f"n = {n}": torch.ones(n, dtype=torch.float64) for n in args.counts}
    fits = {}
    try:
        pg.report.check_writable(args.out)
        data = {label: exact_data(x) for label, x in (one | many).items()}
        with tqdm(data.items(), unit="fit", disable=None) as bar:
            for number, (label, x) in enumerate(bar):  # a seed each, or all would err alike
                bar.set_description(label)
                fits[label] = fit(x, steps, particles, args.seed + number)
    except ValueError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    rows = {label: numbers(g, data[label]) for label, (g, _) in fits.items()}
    error_percent = 100 / math.sqrt(2 * particles * averaged(steps))

    lines = [
        "one observation x, in nats:",
        f"{'x':>8} {'θ fitted':>12} {'x + 1':>10} {'difference':>11} {'%':>8} {'ELBO':>12} {'−2 log(1 + x)':>14}",
    ]
    lines += [
        f"{row['sum']:8g} {row['theta']:12.5f} {row['optimum']:10g} {row['difference']:+11.5f} "
        f"{row['difference_percent']:+8.3f} {row['elbo']:12.6f} {row['evidence']:14.6f}"
        for row in (rows[label] for label in one)
    ]
    lines += [
        f"standard error of θ from sampling: {error_percent:.3f} %\n",
        "n observations of 1, where the guide is the posterior for n = 1 only, in nats:",
        f"{'n':>8} {'θ fitted':>12} {'θ*':>10} {'%':>8} {'ELBO':>12} {'log p(x)':>12} {'KL(q ‖ p)':>12}",
    ]
    lines += [
        f"{row['n']:8d} {row['theta']:12.5f} {row['optimum']:10g} {row['difference_percent']:+8.3f} "
        f"{row['elbo']:12.6f} {row['evidence']:12.6f} {row['kl']:12.6f}"
        for row in (rows[label] for label in many)
    ]

    shown = list(one)[:: max(1, math.ceil(len(one) / 3))] + list(many)
    figures = {
        "elbo": pg.plots.elbo_paths(
            {label: partial(pg.oracles.gamma_exponential.elbo, x=x) for label, x in one.items()},
            {label: fits[label][1] for label in one},
            {label: rows[label]["optimum"] for label in one},
            average=averaged(steps),
        ),
        "posterior": pg.plots.guide_and_posterior(
            {
                label: (Gamma(2.0, fits[label][0].theta), pg.oracles.gamma_exponential.posterior(data[label]))
                for label in shown
            },
            {label: rows[label]["kl"] for label in shown},
        ),
    }
    for name, figure in figures.items():
        figure.savefig(args.out / f"{name}.png")
    settings = {"steps": steps, "averaged": averaged(steps), "particles": particles, "seed": args.seed}
    content = {"unit": "nats", "settings": settings, "standard_error_percent": error_percent, "fits": rows}
    pg.report.write_atomically(
        args.out / "elbo_gamma.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    )
    pg.report.write_atomically(args.out / "table.txt", ("\n".join(lines) + "\n").encode())
    print("\n".join([*lines, f"\nFigures and numbers: {args.out}"]))


def exact_data(x: Tensor) -> Tensor:
    """Return x in float64; raise a ValueError if it has a value that cannot be observed."""
    return pg.models.GammaExponential().double().as_data(x)


if __name__ == "__main__":
    main()
