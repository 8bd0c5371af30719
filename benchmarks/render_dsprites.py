"""Times dSprites: drawing all 737,280 pictures into a cache, and making a random batch of them.

Repeat with ``python benchmarks/render_dsprites.py``; the result goes to benchmarks/results/render_dsprites.json.
The times wanted are 30 s on two cores for all the pictures, and for a batch of 64 at most 5 % of a training step
of 25 ms, 1.25 ms.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from pyrogen.datasets import DSprites


def milliseconds(call: Callable[[Tensor], object], indices: Tensor) -> dict[str, float]:
    """Median and 95th percentile of a call on each row of ``indices``, after a warm-up of ten."""
    for index in indices[:10]:
        call(index)
    times = []
    for index in indices:
        start = time.perf_counter()
        call(index)
        times.append(1e3 * (time.perf_counter() - start))
    return {"median": round(statistics.median(times), 4), "p95": round(statistics.quantiles(times, n=20)[-1], 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="threads for torch (default: 2)")
    parser.add_argument("--batch", type=int, default=64, help="pictures in a batch (default: 64)")
    parser.add_argument("--repeats", type=int, default=1000, help="batches to time (default: 1000)")
    parser.add_argument("--cache", default=None, help="where to put the 377 MB for a while (default: a new folder)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "render_dsprites.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    with tempfile.TemporaryDirectory(dir=options.cache) as folder:
        start = time.perf_counter()
        stored = DSprites(cache=folder)
        fill = time.perf_counter() - start
        start = time.perf_counter()
        stored = DSprites(cache=folder)
        again = time.perf_counter() - start
        indices = torch.randint(len(stored), (options.repeats, options.batch))
        train, _ = stored.split(700_000, 30_000)
        result = {
            "fill_cache_seconds": round(fill, 3),
            "open_cache_seconds": round(again, 4),
            "batch": options.batch,
            "batch_milliseconds": milliseconds(stored.images, indices),
            "batch_of_a_part_milliseconds": milliseconds(train.images, indices % len(train)),
            "batch_drawn_milliseconds": milliseconds(DSprites(cache=None).images, indices[:200]),
            "threads": options.threads,
            "cores": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
