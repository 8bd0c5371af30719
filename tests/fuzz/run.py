"""Many hostile calls outside of the suite: ``python tests/fuzz/run.py --calls 50000`` (``make fuzz``)."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from tqdm import tqdm

from fuzz.calls import Call, of, ways
from fuzz.entries import ENTRIES, SLOW
from fuzz.judge import judge


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names that begin with this")
    parser.add_argument("--each", action="store_true", help="every argument with every value, once, and no more")
    parser.add_argument("--show", type=int, default=200, help="findings that are printed")
    given = parser.parse_args()
    torch.set_num_threads(1)
    draw = random.Random(given.seed)
    names = [name for name in ENTRIES if name.startswith(given.only)]
    known = {name: ways(name) for name in names}
    if given.each:
        calls = [Call(n, ((a, w),)) for n in names for a, found in known[n].items() for w in found]
    else:
        calls = []
        weights = [0.1 if name in SLOW else 1.0 for name in names]
        for name in draw.choices(names, weights, k=given.calls):
            chosen = draw.sample(list(known[name]), min(len(known[name]), draw.choice((1, 1, 1, 2))))
            calls.append(Call(name, tuple((a, draw.choice(known[name][a])) for a in chosen)))
    findings: dict[str, Call] = {}
    kinds: Counter[str] = Counter()
    started = time.perf_counter()
    for call in tqdm(calls, unit="call", disable=not sys.stderr.isatty()):
        said = judge(of(call.name), call.arguments())
        if said:
            kinds[said] += 1
            findings.setdefault(f"{call.name}: {said}", call)
    for said, call in list(findings.items())[: given.show]:
        print(f"{said}\n    {call}")
    seconds = time.perf_counter() - started
    print(f"{len(calls)} calls, {sum(kinds.values())} not allowed, {len(findings)} different, {seconds:.0f} s")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
