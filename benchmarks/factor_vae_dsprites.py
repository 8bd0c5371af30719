#!/usr/bin/env python
"""Train a FactorVAE on dSprites with the networks, steps and schedule of the demo's β-TCVAE, and score it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

import pyrogen as pg

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
demo: Any = import_module("beta_vae_dsprites")

RESULT = Path(__file__).parent / "results" / "factor_vae_dsprites.json"


def run(gamma: float, seed: int, steps: int) -> dict[str, Any]:
    """The scores of one run."""
    data = pg.datasets.DSprites()
    train, test = data.split(len(data) - demo.HELD_OUT, demo.HELD_OUT)
    torch.manual_seed(seed)
    encoder = pg.nn.MLPEncoder(demo.SHAPE, 10, hidden=(256,), pool=2)
    pair = pg.models.FactorVAE(encoder, pg.nn.BroadcastDecoder(demo.SHAPE, 10, hidden=(32, 32)), gamma=gamma)

    def two_rates(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        own = set(pair.discriminator.parameters())
        rest = [weight for weight in parameters if weight not in own]
        return torch.optim.Adam([{"params": rest, "lr": 3e-3}, {"params": list(own), "lr": 1e-3, "betas": (0.5, 0.9)}])

    begin = time.process_time()
    fit = pg.fit(
        pair,
        train,
        steps=steps,
        batch_size=64,
        seed=seed,
        optimizer=two_rates,
        lr_schedule=partial(demo.one_cycle, steps),
        schedule=pg.training.Geometric(10.0, max(1, 7 * steps // 10)),
        precision="bf16",
    )
    seconds = time.process_time() - begin
    scores = pg.evaluate(pair, test, [pg.metrics.mig], nll_images=1, importance_samples=1)
    mig = scores.metrics["mig"]
    return {
        "gamma": gamma,
        "seed": seed,
        "steps": steps,
        "core_seconds": round(seconds),
        "reconstruction": round(scores.reconstruction, 2),
        "kl": round(scores.kl or 0.0, 2),
        "mig": round(float(mig), 3),
        "gaps": {name: round(gap, 3) for name, gap in mig.details["gaps"].items()},  # type: ignore[attr-defined]
        "total_correlation": round(float(fit.history["total_correlation"][-500:].mean()), 4),
        "discriminator": round(float(fit.history["discriminator"][-500:].mean()), 4),
    }


def main() -> None:
    """Run each γ, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gammas", type=float, nargs="+", default=[10.0, 40.0], help="(default: 10 40)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and noise (default: 0)")
    parser.add_argument("--steps", type=int, default=5000, help="of 64 images (default: 5000)")
    args = parser.parse_args()
    runs = [run(gamma, args.seed, args.steps) for gamma in args.gammas]
    RESULT.write_text(json.dumps({"torch": torch.__version__, "runs": runs}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
