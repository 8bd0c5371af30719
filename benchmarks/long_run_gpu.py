#!/usr/bin/env python
"""Train the convolutional VAE on dSprites for 300,000 steps of 64 on a GPU; report time, way of the step and ELBO.

The run can be interrupted and started again: it goes on from its checkpoint. On a machine without a GPU it stops with a
sentence, unless `--device cpu` is passed.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch

import pyrogen as pg
from pyrogen.files import write_atomically


def main() -> None:
    """Train, evaluate and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300_000, help="steps of 64 images (default: %(default)s)")
    parser.add_argument("--beta", type=float, default=1.0, help="β (default: %(default)s)")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--device", default="cuda", help="where to train (default: %(default)s)")
    parser.add_argument(
        "--folder", type=Path, default=Path("out/long_run_gpu"), help="checkpoints (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/long_run_gpu.json"))
    args = parser.parse_args()
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("no GPU is here: run this on a machine with one, or pass --device cpu")
    train, test = pg.datasets.DSprites().split(700_000, 10_000, seed=0)
    torch.manual_seed(0)
    pair = pg.models.VAE(pg.nn.ConvEncoder((1, 64, 64), 10), pg.nn.ConvDecoder((1, 64, 64), 10), beta=args.beta)
    began = time.perf_counter()
    fit = pg.fit(
        pair,
        train,
        steps=args.steps,
        batch_size=64,
        lr=1e-4,
        device=args.device,
        precision=args.precision,
        checkpoint=args.folder,
        resume=True,
    )
    seconds = time.perf_counter() - began
    scores = pg.evaluate(pair, test, images=10_000)
    name = torch.cuda.get_device_name() if args.device.startswith("cuda") else "cpu"
    results: dict[str, Any] = {"date": date.today().isoformat(), "torch": torch.__version__, "device": name}
    results |= {
        "steps": fit.steps,
        "way": fit.way,
        "precision": args.precision,
        "seconds_of_this_call": round(seconds, 1),
    }
    results |= {
        "seconds_of_training": round(float(fit.history["seconds"][-1]), 1),
        "elbo": scores.elbo,
        "kl": scores.kl,
    }
    print(json.dumps(results, indent=1))
    write_atomically(args.out, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
