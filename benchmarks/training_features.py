#!/usr/bin/env python
"""Time what training with everything on costs a step, how long it waits for data, and what a second process gains.

- features: `fit`'s loop with schedules, clipping, a moving average, early stopping and a CSV log, against the same loop
  without, in turn. Held-out images are work of their own and are not measured. Times are of the processor, so that
  other work on the machine counts little.
- data: items of one millisecond each, two workers: the share of a step of the convolutional pair that waits.
- processes: a step of the convolutional pair, 64 images of 64 × 64: one process with one thread against two processes
  with one thread each, under torchrun. It needs two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

import pyrogen as pg
from pyrogen.files import write_atomically
from pyrogen.training.data.sources import Order, TensorSource
from pyrogen.training.parts import Parts
from pyrogen.training.run import Run
from pyrogen.training.validation import Validation

SCRIPT = """
import sys, time, torch
import pyrogen as pg
torch.set_num_threads(1)
torch.manual_seed(0)
x = pg.datasets.DSprites(cache=None).split(2000, 1)[0].images(torch.arange(2000)).float()
vae = pg.models.VAE(pg.nn.ConvEncoder((1, 64, 64), 10), pg.nn.ConvDecoder((1, 64, 64), 10))
times = []
watch = [lambda state: times.append(time.perf_counter())]
fit = pg.fit(vae, x, steps=int(sys.argv[1]), batch_size=64, progress=False, callbacks=watch)
if len(times):
    steps = sorted(b - a for a, b in zip(times[5:], times[6:]))
    print(steps[len(steps) // 2])
"""


def conv() -> tuple[pg.models.VAE, torch.Tensor]:
    """The convolutional pair on 64 × 64 images."""
    torch.manual_seed(0)
    images = pg.datasets.DSprites(cache=None).split(2000, 1)[0].images(torch.arange(2000)).float()
    return pg.models.VAE(pg.nn.ConvEncoder((1, 64, 64), 10), pg.nn.ConvDecoder((1, 64, 64), 10)), images


def loop(folder: Path, everything: bool) -> Callable[[int], None]:
    """A block of `fit`'s own loop."""
    pair, x = conv()
    optimizer = torch.optim.Adam(pair.parameters(), lr=1e-3, fused=True)
    parts = Parts()
    if everything:
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10_000)
        held_out = Validation(pair, TensorSource(x[:64]), 10**9, 0)
        callbacks = [
            pg.training.EarlyStopping(),
            pg.training.KeepBest(path=folder / "best"),
            pg.training.CsvLog(folder / "log.csv"),
            pg.training.MovingAverage(),
        ]
        parts = Parts(pg.training.LinearWarmup(1000), scheduler, 10.0, held_out, callbacks)
    run = Run(pair, TensorSource(x), Order(len(x), 64, 0), optimizer, parts)
    stop = threading.Event()
    return lambda n: run.train(run.step + n, stop, None, False)


def features(blocks: int, steps: int) -> dict[str, Any]:
    """Milliseconds a step without and with all of it, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        loops = {"plain": loop(Path(folder), False), "everything": loop(Path(folder), True)}
        times: dict[str, list[float]] = {name: [] for name in loops}
        for block in range(-1, blocks):
            for name, run in loops.items():
                began = time.process_time()
                run(steps)
                if block >= 0:
                    times[name].append((time.process_time() - began) / steps * 1e3)
    ratios = sorted(b / a for a, b in zip(times["plain"], times["everything"], strict=True))
    return {f"{name}_ms": round(statistics.median(values), 3) for name, values in times.items()} | {
        "ratio": round(statistics.median(ratios), 4),
        "ratio_quartiles": [round(ratios[len(ratios) * q // 4], 4) for q in (1, 3)],
    }


class Slow(Dataset[torch.Tensor]):
    """Items that take a millisecond each, most of it waiting, as reading a file does."""

    def __init__(self, x: torch.Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> torch.Tensor:
        time.sleep(0.001)
        return self.x[i]


def data(steps: int) -> dict[str, Any]:
    """The share of a step that waits for a batch of 64, with two workers and with none."""
    from pyrogen.training.data.loading import DatasetSource

    result: dict[str, Any] = {}
    pair, x = conv()
    real = DatasetSource.at
    waits: list[float] = []

    def timed(self: DatasetSource, step: int, index: torch.Tensor) -> Any:
        began = time.perf_counter()
        batch = real(self, step, index)
        waits.append(time.perf_counter() - began)
        return batch

    DatasetSource.at = timed  # type: ignore[method-assign]
    for workers in (0, 2):
        waits.clear()
        marks: list[float] = []
        watch = [lambda state, marks=marks: marks.append(time.perf_counter())]
        pg.fit(pair, Slow(x), steps=steps, batch_size=64, workers=workers, progress=False, callbacks=watch)
        spans = [b - a for a, b in pairwise(marks[5:])]
        waited = waits[-len(spans) :]
        result[f"{workers}_workers"] = {
            "step_ms": round(statistics.median(spans) * 1e3, 2),
            "waiting": round(sum(waited) / sum(spans), 4),
        }
    DatasetSource.at = real  # type: ignore[method-assign]
    return result


def processes(steps: int) -> dict[str, Any]:
    """Milliseconds a step on one process and on two, and the speed-up."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(pg.__file__).parents[1])}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text(SCRIPT)
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        times = {}
        for name, launcher in (("one", []), ("two", torchrun)):
            command = [sys.executable, *launcher, str(script), str(steps)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            times[name] = float(done.stdout.split()[-1])
    return {f"{name}_ms": round(seconds * 1e3, 2) for name, seconds in times.items()} | {
        "speed_up": round(times["one"] / times["two"], 3)
    }


def main() -> None:
    """Run all three and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=15, help="blocks of each loop (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=60, help="steps of the other two (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/training_features.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {
        "date": date.today().isoformat(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "features": features(args.blocks, 10),
        "data": data(args.steps),
        "processes": processes(args.steps),
    }
    print(json.dumps(results, indent=1))
    write_atomically(args.out, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
