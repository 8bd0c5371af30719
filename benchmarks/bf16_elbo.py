#!/usr/bin/env python
"""Train the convolutional VAE on dSprites in float32 and with `precision="bf16"`; compare the held-out ELBO.

Each seed starts both from the same weights, and they see the same batches. The ELBO is in nats per image, evaluated in
float32.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch

import pyrogen as pg
from pyrogen.files import write_atomically

Numbers = dict[str, list[float]]


def main() -> None:
    """Train each seed in both precisions, and write the JSON after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="of 64 images (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--images", type=int, default=10_000, help="to train on (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/bf16_elbo.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    train, test = pg.datasets.DSprites(cache=None).split(args.images, 2_000, seed=0)
    x, held_out = (part.images(torch.arange(len(part))).float() for part in (train, test))
    elbo: Numbers = {"float32": [], "bf16": []}
    seconds: Numbers = {"float32": [], "bf16": []}
    for seed in args.seeds:
        for precision in ("float32", "bf16"):
            torch.manual_seed(seed)
            pair = pg.models.VAE(pg.nn.ConvEncoder((1, 64, 64), 10), pg.nn.ConvDecoder((1, 64, 64), 10))
            began = time.process_time()
            fit = pg.fit(
                pair,
                x,
                steps=args.steps,
                batch_size=64,
                lr=1e-3,
                seed=seed,
                precision=precision,
                compile=True,
                progress=False,
            )
            seconds[precision].append(round(time.process_time() - began, 1))
            scores = pg.evaluate(pair, held_out, nll_images=1, importance_samples=1, seed=0)
            assert scores.elbo is not None
            elbo[precision].append(round(scores.elbo, 3))
            print(seed, precision, fit.way, elbo[precision][-1], flush=True)
        write_atomically(args.out, (json.dumps(summary(args, len(held_out), elbo, seconds), indent=1) + "\n").encode())


def summary(args: argparse.Namespace, held_out: int, elbo: Numbers, seconds: Numbers) -> dict[str, Any]:
    """Return the results of the seeds that are done."""
    gaps = [b - a for a, b in zip(elbo["float32"], elbo["bf16"], strict=True)]
    return {
        "date": date.today().isoformat(),
        "torch": torch.__version__,
        "seeds": args.seeds[: len(gaps)],
        "steps": args.steps,
        "images": args.images,
        "held_out": held_out,
        "elbo": elbo,
        "processor_seconds_with_compiling": seconds,
        "mean_difference": round(statistics.mean(gaps), 3),
        "spread_over_seeds": {
            name: round(statistics.stdev(values), 3) for name, values in elbo.items() if len(values) > 1
        },
    }


if __name__ == "__main__":
    main()
