#!/usr/bin/env python
"""Train recipes for dSprites for about four minutes each on one core: held-out −ELBO and MIG against core-minutes.

Ten times a run stops its clock and scores 2,000 held-out images: the terms of the ELBO with one draw an image, and MIG
by a histogram of 20 bins. The learning rate makes one cycle unless a name says otherwise, and Adam's second moment runs
over a hundred steps. All recipes have ten latents. Compiling counts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

import pyrogen as pg
from pyrogen.files import write_atomically

SHAPE, LATENT = (1, 64, 64), 10
RESULT = Path(__file__).parent / "results" / "dsprites_core_minutes.json"


def one_cycle(steps: int, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    """Up over a tenth of the steps and down to a hundredth, along a cosine each time."""
    top = [float(group["lr"]) for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, top, total_steps=steps + 1, pct_start=0.1, final_div_factor=4, cycle_momentum=False
    )


def mlp(hidden: int, *widths: int) -> tuple[Any, Any]:
    """An encoder of pooled images and an MLP decoder."""
    encoder = pg.nn.MLPEncoder(SHAPE, LATENT, hidden=(hidden,), pool=2)
    return encoder, pg.nn.MLPDecoder(SHAPE, LATENT, hidden=widths)


def broadcast(hidden: int, patch: int, *widths: int) -> tuple[Any, Any]:
    """An encoder of pooled images and a broadcast decoder."""
    encoder = pg.nn.MLPEncoder(SHAPE, LATENT, hidden=(hidden,), pool=2)
    return encoder, pg.nn.BroadcastDecoder(SHAPE, LATENT, hidden=widths, patch=patch)


def convolutional() -> tuple[Any, Any]:
    """The field's usual networks."""
    return pg.nn.ConvEncoder(SHAPE, LATENT), pg.nn.ConvDecoder(SHAPE, LATENT)


@dataclass(frozen=True)
class Recipe:
    """Networks, sizes and rates of one run; `beta` is (factor at the start, end, share of the run), geometric."""

    networks: Callable[[], tuple[Any, Any]]
    batch_size: int
    steps: int
    lr: float
    beta: tuple[float, float, float] = (0.1, 1.0, 0.8)
    kind: Callable[..., pg.models.Pair] = pg.models.VAE
    weight: float = 1.0
    constant: bool = False


RECIPES = {
    "VAE, MLP 512, decoder 512 and 1024": Recipe(partial(mlp, 512, 512, 1024), 128, 7200, 4e-3),
    "the same, constant rate of 1e-3": Recipe(partial(mlp, 512, 512, 1024), 128, 7200, 1e-3, constant=True),
    "VAE, convolutional": Recipe(convolutional, 64, 6000, 2e-3),
    "VAE, broadcast 64, 64": Recipe(partial(broadcast, 512, 2, 64, 64), 64, 12_000, 3e-3),
    "VAE, broadcast 256, 256, 256 of patches of 8": Recipe(partial(broadcast, 512, 8, 256, 256, 256), 64, 10_000, 3e-3),
    "VAE, β falling from 30 to 2, broadcast 64, 64": Recipe(
        partial(broadcast, 512, 2, 64, 64), 64, 12_000, 3e-3, (15.0, 1.0, 0.9), weight=2.0
    ),
    "β-TCVAE, 60 falling to 6, broadcast 32, 32": Recipe(
        partial(broadcast, 256, 2, 32, 32), 64, 12_000, 5e-3, (10.0, 1.0, 0.7), pg.models.TCVAE, 6.0
    ),
}


def train(recipe: Recipe, steps: int, images: Any, held_out: Any, seed: int) -> list[list[float]]:
    """Train one recipe; return rows of (step, core-minutes, reconstruction, KL, MIG)."""
    torch.manual_seed(seed)
    pair: Any = recipe.kind(*recipe.networks(), beta=recipe.weight)
    first, last, share = recipe.beta
    rows: list[list[float]] = []
    begun, scoring = time.process_time(), 0.0

    def score(state: pg.training.State) -> None:
        nonlocal scoring
        if state.step % max(1, steps // 10):
            return
        now = time.process_time()
        scores = pg.evaluate(pair, held_out, [pg.metrics.mig], nll_images=1, importance_samples=1, progress=False)
        assert scores.reconstruction is not None
        assert scores.kl is not None
        terms = (scores.reconstruction, scores.kl, float(scores.metrics["mig"]))
        rows.append([state.step, round((now - begun - scoring) / 60, 2), *(round(term, 3) for term in terms)])
        scoring += time.process_time() - now

    pg.fit(
        pair,
        images,
        steps=steps,
        batch_size=recipe.batch_size,
        optimizer=partial(torch.optim.Adam, lr=recipe.lr, betas=(0.9, 0.99), fused=True),
        lr_schedule=None if recipe.constant else partial(one_cycle, steps),
        schedule=pg.training.Geometric(first, max(1, round(share * steps)), end=last),
        seed=seed,
        callbacks=[score],
        precision="bf16",
        progress=False,
    )
    return rows


def main() -> None:
    """Train each recipe, and write the JSON after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES), help="recipes by name")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and noise (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULT, help="the JSON (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="ten steps of each")
    args = parser.parse_args()
    torch.set_num_threads(1)
    images, held_out = pg.datasets.DSprites().split(727_280, 2_000, seed=0)
    content = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {"runs": {}}
    for name in args.only:
        recipe = RECIPES[name]
        rows = train(recipe, 10 if args.smoke else recipe.steps, images, held_out, args.seed)
        content["curve"] = "step, core-minutes, reconstruction, KL, MIG"
        content["runs"][name] = rows
        content |= {"seed": args.seed, "torch": torch.__version__, "load": round(os.getloadavg()[0], 1)}
        print(name, rows[-1], flush=True)
        write_atomically(args.out, (json.dumps(content, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()
