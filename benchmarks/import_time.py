#!/usr/bin/env python
"""Time `import pyrogen` against `import pyro`, in fresh processes that take turns; the ratio is the median of pairs."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path

from pyrogen.files import write_atomically

TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(package: str) -> float:
    """The time of one import in a process of its own."""
    command = [sys.executable, "-c", TIMED.format(package)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Time the pairs and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15, help="pairs of imports (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/import_time.json"))
    args = parser.parse_args()
    seconds("pyrogen")  # fill the file cache
    pairs = [(seconds("pyro"), seconds("pyrogen")) for _ in range(args.pairs)]
    result = {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "pairs": args.pairs,
        "pyro_s": round(statistics.median(a for a, _ in pairs), 3),
        "pyrogen_s": round(statistics.median(b for _, b in pairs), 3),
        "ratio": round(statistics.median(b / a for a, b in pairs), 3),
        "aim": 1.1,
    }
    print(json.dumps(result, indent=1))
    write_atomically(args.out, (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
