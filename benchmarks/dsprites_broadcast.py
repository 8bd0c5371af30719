#!/usr/bin/env python
"""Train VAEs with a broadcast decoder on dSprites, each part of a run on from the pair of the part before, by pg.sweep.

`beta1` is a new pair whose β rises from 0 over half of its 40,000 steps of 64 images, some 75 minutes of one core. From
it `beta4` raises β, and `tc6` the weight of the total correlation, which sets the axes upright; from there `tc1.5`
lowers that weight again, so that the image gets sharp. In each part the learning rate rises over a tenth of the steps,
falls along a cosine to nine tenths, and stays at its lowest: the last tenth shows what is left to gain. At seed 0,
`beta1` is the pair that ships. A sweep that was stopped goes on from its checkpoints.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import pyrogen as pg
from pyrogen.files import write_atomically

of_codes: Any = import_module("factor_vae_dsprites").of_codes
measured: Any = import_module("dsprites_finish").measured_as_it_ships

RESULT = Path(__file__).parent / "results" / "dsprites_broadcast.json"
CURVE = "step, minutes of training, objective, reconstruction, KL on the 10,000 held-out images, every tenth of a part"
SHAPE, LATENT = (1, 64, 64), 10


@dataclass(frozen=True)
class Part:
    """One part of a run: its weight goes from `first` to `last` over a share of its steps."""

    kind: Any  # the class of the pair
    before: str | None
    first: float
    last: float
    share: float = 0.5
    ships: str = ""
    steps: int = 7_000

    def schedule(self, steps: int) -> Any:
        """Of the weight, as a share of its last value: linear from 0, else geometric."""
        rise = round(self.share * steps)
        return pg.training.Geometric(self.first / self.last, rise) if self.first else pg.training.LinearWarmup(rise)


PARTS = {
    "beta1": Part(pg.models.VAE, None, 0.0, 1.0, steps=40_000),
    "beta4": Part(pg.models.VAE, "beta1", 1.0, 4.0, ships="dsprites-vae-beta4"),
    "beta8": Part(pg.models.VAE, "beta4", 4.0, 8.0, ships="dsprites-vae-beta8"),
    "tc6": Part(pg.models.TCVAE, "beta1", 1.0, 6.0),
    "tc1.5": Part(pg.models.TCVAE, "tc6", 6.0, 1.5, 0.6, ships="dsprites-tcvae"),
}


def build(part: str, seed: int, runs: Path) -> Any:
    """The pair of one part at its start."""
    kind, before, beta = PARTS[part].kind, PARTS[part].before, PARTS[part].last
    if before is None:
        encoder = pg.nn.MLPEncoder(SHAPE, LATENT, hidden=(512,), pool=2)
        return kind(encoder, pg.nn.BroadcastDecoder(SHAPE, LATENT, hidden=(128, 128, 128)), beta=beta)
    ships = seed == 0 and before == "beta1"
    pair: Any = pg.pretrained("dsprites-vae-beta1") if ships else pg.load(runs / f"part={before},seed={seed}")
    return kind(pair.encoder, pair.decoder, beta=beta)


def rate(steps: int, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate as a share of its top."""

    def share(step: int) -> float:
        s = step / steps
        if s < 0.1:
            return 0.04 + 0.96 * (1 - math.cos(math.pi * s / 0.1)) / 2
        return 0.005 + 0.995 * (1 + math.cos(math.pi * min(1.0, (s - 0.1) / 0.8))) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def scored(row: dict[str, Any], test: Any) -> dict[str, Any]:
    """One run's entry in the JSON."""
    held_out = pd.read_csv(Path(row["folder"]) / "validation.csv")
    held_out["minutes"] = held_out["seconds"] / 60
    rows = held_out[["step", "minutes", "objective", "reconstruction", "kl"]].to_numpy().tolist()
    curve = [[int(step), *(round(term, 3) for term in terms)] for step, *terms in rows]
    run: dict[str, Any] = {name: row[name] for name in ("part", "seed", "steps")}
    run["core_seconds"] = round(row["seconds"])
    run |= {name: round(float(row[name]), 3) for name in ("reconstruction", "kl")}
    run |= of_codes(pg.load(row["folder"]), test)
    return run | {"curve": curve}


def add_to(path: Path, table: pd.DataFrame, test: Any) -> None:
    """Add the runs of a sweep to the JSON."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": []}
    content["curve"] = CURVE
    for row in table.to_dict("records"):
        if row["error"]:
            sys.exit(row["error"])
        run = scored(row, test)
        print(run, flush=True)
        known = [one for one in content["runs"] if (one["part"], one["seed"]) != (run["part"], run["seed"])]
        content["runs"] = [*known, run]
    content |= {"torch": torch.__version__, "load": round(os.getloadavg()[0], 1)}
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def ship(part: str, runs: Path, results: Path, test: Any) -> None:
    """Put the pair of seed 0 and its card into the package."""
    name, chain = PARTS[part].ships, [part]
    while before := PARTS[chain[0]].before:
        chain.insert(0, before)
    done = json.loads(results.read_text(encoding="utf-8"))["runs"]
    steps = {name: one.steps for name, one in PARTS.items()}
    steps |= {run["part"]: run["steps"] for run in done if run["seed"] == 0}
    said = [f"{p}: {steps[p]:,} steps, weight from {PARTS[p].first:g} to {PARTS[p].last:g}" for p in chain]
    card = pg.weights.card("dsprites-vae-beta1")
    card |= measured(name, pg.load(runs / f"part={part},seed=0"), test, pg.weights.FOLDER)
    title = f"β-VAE, β = {PARTS[part].last:g}" if part.startswith("beta") else "β-TCVAE whose weight rose to 6 and fell"
    card["title"] = f"{title}, on dSprites"
    card["recipe"] = {
        "batch_size": 64,
        "seed": 0,
        "optimizer": "a fresh Adam for each part, betas (0.9, 0.99), networks in bfloat16",
        "parts": "; then ".join(said) + ". The first is the pair dsprites-vae-beta1, which its own card describes",
        "learning_rate": "in each part but the first: up to 1e-3 over a tenth of the steps, along a cosine to 5e-6 at "
        "nine tenths, and flat",
    }
    torch_version = torch.__version__.partition("+")[0]
    card["hardware"] = f"from dsprites-vae-beta1 on one CPU core ({platform.machine()}), torch {torch_version}"
    call = "python benchmarks/dsprites_broadcast.py --seeds 0 --ship"
    card["again"] = "; ".join(f"{call} --parts {p} --steps {steps[p]}" for p in chain[1:])
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (pg.weights.FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Sweep over the seeds a part at a time, score, and add the runs to the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=[*PARTS], help="parts, after those they start from (default: all)")
    add("--seeds", type=int, nargs="+", default=[1, 2], help="of weights, batches and noise (default: 1 and 2)")
    add("--steps", type=int, help="of each part (default: 40,000 for beta1, 7,000 for the others)")
    add("--workers", type=int, default=2, help="runs at a time, a core each (default: %(default)s)")
    add("--runs", type=Path, default=Path("out/dsprites_broadcast"), help="folder of the runs (default: %(default)s)")
    add("--out", type=Path, default=RESULT, help="the JSON (default: %(default)s)")
    add("--ship", action="store_true", help="put the pairs of seed 0 into the package")
    args = parser.parse_args()
    torch.set_num_threads(1)
    train, test = pg.datasets.DSprites().split(727_280, 10_000, seed=0)
    for name in args.parts:
        part, steps = PARTS[name], args.steps or PARTS[name].steps
        table = pg.sweep(
            partial(build, runs=args.runs),
            {"part": [name], "seed": args.seeds},
            train,
            test,
            steps=steps,
            folder=args.runs,
            workers=args.workers,
            evaluation={"nll_images": 1, "importance_samples": 1},
            batch_size=64,
            optimizer=partial(torch.optim.Adam, lr=1e-3 if part.before else 2e-3, betas=(0.9, 0.99), fused=True),
            lr_schedule=partial(rate, steps),
            schedule=part.schedule(steps),
            validation=test,
            validate_every=steps // 10,
            precision="bf16",
        )
        add_to(args.out, table, test)
        if args.ship and part.ships and 0 in args.seeds:
            ship(name, args.runs, args.out, test)


if __name__ == "__main__":
    main()
