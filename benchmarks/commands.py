#!/usr/bin/env python
"""Time the two commands of the README, after installation: the demo at its defaults and the test suite.

Wall time, peak memory of the largest process and, for the demo, the scores it reached. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch

from pyrogen.files import write_atomically

ROOT = Path(__file__).parents[1]


def timed(*command: str | Path) -> tuple[float, str]:
    """Seconds that a command takes, and what it prints."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return round(time.perf_counter() - began, 1), done.stdout


def peak_gb() -> float:
    """The largest resident memory of any child so far, GB."""
    return round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9, 2)


def demo() -> dict[str, Any]:
    """The demo from nothing, the dSprites cache included, and once more on its own checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYROGEN_CACHE"] = str(Path(folder) / "cache")
        script = ROOT / "examples" / "beta_vae_dsprites.py"
        first, _ = timed(script, "--out", Path(folder) / "out")
        second, _ = timed(script, "--out", Path(folder) / "out")
        scores = json.loads((Path(folder) / "out" / "scores.json").read_text())
    return {
        "wall_s": first,
        "again_s": second,
        "peak_memory_gb": peak_gb(),
        "training_s": scores["training_seconds"],
        "reconstruction_nats": {label: round(m["reconstruction"], 2) for label, m in scores["models"].items()},
        "kl_nats": {label: round(m["kl"], 2) for label, m in scores["models"].items()},
        "aims": {"wall_s": 300, "peak_memory_gb": 3, "reconstruction_nats": {"β = 1": 70}},
    }


def tests() -> dict[str, Any]:
    """The test suite."""
    seconds, printed = timed("-m", "pytest")
    counts = re.findall(r"(\d+ \w+)(?=,| in )", printed.splitlines()[-1])
    return {"wall_s": seconds, "result": ", ".join(counts), "aims": {"wall_s": 480}}


def main() -> None:
    """Time both and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("demo", "tests"), help="time this one alone")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "commands.json")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "device": "cpu",
    }
    for name, measure in (("demo", demo), ("tests", tests)):
        if args.only in (None, name):
            result[name] = measure()
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    print(text)
    write_atomically(args.out, text.encode())


if __name__ == "__main__":
    main()
