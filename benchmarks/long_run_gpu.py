#!/usr/bin/env python
"""Train the convolutional VAE on dSprites for 300,000 steps of 64 on a GPU; report time, way, memory and ELBO.

Before that, a step is timed against a hand-written eager loop with fused Adam and against the same loop under
`torch.compile`, in turns. The run can be interrupted and started again: it goes on from its checkpoint. On a machine
without a GPU it stops with a sentence, unless `--device cpu` is passed. `--smoke` does all of it in small.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch
from step_time import Block, Task, by_fit, by_hand, sprites  # type: ignore[import-not-found]  # beside this file

import pyrogen as pg
from pyrogen.files import write_atomically


def pair_on(device: str, beta: float = 1.0) -> pg.models.VAE:
    """Return the pair, always with the same weights."""
    torch.manual_seed(0)
    networks = pg.nn.ConvEncoder((1, 64, 64), 10), pg.nn.ConvDecoder((1, 64, 64), 10)
    return pg.models.VAE(*networks, beta=beta).to(device)


def timed(device: str, precision: Any, steps: int, turns: int) -> dict[str, Any]:
    """Return milliseconds a step and ratios to the eager loop: medians over turns of `steps` steps."""

    def task() -> Task:
        return pair_on(device), sprites().to(device), 64

    loops: dict[str, Block] = {
        "eager": by_hand(task()),
        "torch_compile": by_hand(task(), torch.compile),
        "fit": by_fit(task(), precision=precision),
    }
    times: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(turns + 1):  # the first one warms up
        for name, loop in loops.items():
            wait(device)
            began = time.perf_counter()
            loop(steps)
            wait(device)
            if turn:
                times[name].append((time.perf_counter() - began) / steps * 1e3)
    result: dict[str, Any] = {f"{name}_ms": round(statistics.median(values), 4) for name, values in times.items()}
    for name in ("fit", "torch_compile"):
        ratios = [a / b for a, b in zip(times[name], times["eager"], strict=True)]
        result[f"{name}_ratio_to_eager"] = round(statistics.median(ratios), 3)
    return result


def wait(device: str) -> None:
    """Wait for all that a GPU has been asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def main() -> None:
    """Time a step, train, evaluate and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300_000, help="steps of 64 images (default: %(default)s)")
    parser.add_argument("--beta", type=float, default=1.0, help="β (default: %(default)s)")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--device", default="cuda", help="where to train (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="20 steps, to see that it runs")
    parser.add_argument(
        "--folder", type=Path, default=Path("out/long_run_gpu"), help="checkpoints (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/long_run_gpu.json, or in FOLDER to smoke")
    args = parser.parse_args()
    gpu = args.device.startswith("cuda")
    if gpu and not torch.cuda.is_available():
        raise SystemExit("no GPU is here: run this on a machine with one, or pass --device cpu")
    folder = args.folder / "smoke" if args.smoke else args.folder
    out = args.out or (folder / "long_run_gpu.json" if args.smoke else Path("benchmarks/results/long_run_gpu.json"))
    results: dict[str, Any] = {"date": date.today().isoformat(), "torch": torch.__version__}
    results |= {"device": torch.cuda.get_device_name() if gpu else "cpu", "precision": args.precision}
    results |= timed(args.device, args.precision, *((2, 3) if args.smoke else (500, 9)))
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    train, test = pg.datasets.DSprites().split(*((2_000, 100) if args.smoke else (700_000, 10_000)), seed=0)
    pair, began = pair_on(args.device, args.beta), time.perf_counter()
    fit = pg.fit(
        pair,
        train,
        steps=20 if args.smoke else args.steps,
        batch_size=64,
        lr=1e-4,
        device=args.device,
        precision=args.precision,
        checkpoint=folder,
        resume=True,
    )
    results |= {"steps": fit.steps, "way": fit.way, "seconds_of_this_call": round(time.perf_counter() - began, 1)}
    peak = torch.cuda.max_memory_allocated() if gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    images, samples = (2, 2) if args.smoke else (1_000, 100)
    scores = pg.evaluate(pair, test, nll_images=images, importance_samples=samples)
    results |= {"seconds_of_training": round(float(fit.history["seconds"][-1]), 1), "peak_megabytes": peak // 10**6}
    results |= {"elbo": scores.elbo, "kl": scores.kl}
    print(json.dumps(results, indent=1))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
