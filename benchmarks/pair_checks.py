#!/usr/bin/env python
"""How often `pg.testing.check` finds something: in sound programs (never, one hopes) and in faulty ones.

Every pair of tests/helpers/tutorials is checked at many seeds, which choose its parameters and the random numbers of
the checks. So is every fault planted there, and every report of tests/helpers/reports, faulty and mended. The
faults of a poor fit are told that training is over. A report counts as found if the sentence about it is found.
Published programs are checked by published_programs.py.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from pyrogen.files import write_atomically

ROOT = Path(__file__).parent.parent
PROGRAMS = ("sound", "fault", "report", "mended")
sys.path.insert(0, str(ROOT / "tests"))


def one(job: tuple[str, str, int]) -> tuple[tuple[str, str, int], list[str], float]:
    """(job, names of the checks that found something, seconds)."""
    import torch
    from helpers.reports.base import check, clear
    from helpers.tutorials import faults, pairs

    import pyrogen as pg

    torch.set_num_threads(1)
    kind, name, seed = job
    begun = time.perf_counter()
    if kind in ("report", "mended"):
        report = reports()[name]
        clear()
        findings = check(report.make(kind == "report"), seed=seed)
        names = {one.check for one in findings if kind == "mended" or report.says in one.message}
        return job, sorted(names), time.perf_counter() - begun
    case = pairs.CASE[name] if kind == "sound" else faults.FAULT[name]
    pair = case.make(seed)
    fitted = kind == "fault" and case.check == "fit"
    told = pg.testing.check(
        pair.model, pair.guide, pair.args, pair.kwargs, loss=pair.loss, seed=seed, fitted=fitted, progress=False
    )
    found = sorted({finding.check for finding in told.findings})
    return job, found, time.perf_counter() - begun


def reports() -> dict[str, Any]:
    """The reports by name."""
    from helpers.reports import data, parameters, sites
    from helpers.reports.base import REPORTS

    return {report.name: report for part in (sites, data, parameters) for report in REPORTS[part.__name__]}


def main() -> None:
    """Run all and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="for each sound pair (default: %(default)s)")
    parser.add_argument("--fault-seeds", type=int, default=20, help="for each fault (default: %(default)s)")
    parser.add_argument("--report-seeds", type=int, default=5, help="for each report (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/pair_checks.json")
    args = parser.parse_args()

    from helpers.tutorials import faults, pairs

    started = time.perf_counter()
    jobs = [("sound", case.name, seed) for seed in range(args.seeds) for case in pairs.CASES]
    jobs += [("fault", fault.name, seed) for seed in range(args.fault_seeds) for fault in faults.FAULTS]
    jobs += [(kind, name, seed) for seed in range(args.report_seeds) for name in reports() for kind in PROGRAMS[2:]]
    rows: dict[str, dict[str, Any]] = {kind: {} for kind in PROGRAMS}
    with ProcessPoolExecutor(args.jobs) as pool:
        answers = pool.map(one, jobs)
        for number, ((kind, name, seed), found, seconds) in enumerate(tqdm(answers, total=len(jobs), mininterval=10)):
            row = rows[kind].setdefault(name, {"seeds": 0, "found": 0, "seconds": 0.0, "checks": {}, "at_seeds": []})
            row["seeds"] += 1
            row["seconds"] = round(row["seconds"] + seconds, 3)
            row["found"] += bool(found)
            if bool(found) == (kind in ("sound", "mended")):  # a false alarm, or a fault that was missed
                row["at_seeds"].append(seed)
            for check in found:
                row["checks"][check] = row["checks"].get(check, 0) + 1
            if number % 100 == 99 or number == len(jobs) - 1:  # a run that is stopped leaves what it has
                write(args.out, rows, time.perf_counter() - started)
    print({key: value for key, value in json.loads(args.out.read_text()).items() if key in ("false_alarms", "faults")})


def write(path: Path, rows: dict[str, dict[str, Any]], seconds: float) -> None:
    """The counts as JSON."""
    result = {
        "false_alarms": count(rows["sound"]),
        "faults": count(rows["fault"]),
        "reports": count(rows["report"]),
        "false_alarms_in_mended": count(rows["mended"]),
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "seconds": round(seconds),
        **rows,
    }
    write_atomically(path, (json.dumps(result, ensure_ascii=False, indent=1) + "\n").encode())


def count(rows: dict[str, Any]) -> dict[str, int]:
    """In how many of how many checks something was found."""
    return {
        "found": sum(row["found"] for row in rows.values()),
        "checked": sum(row["seeds"] for row in rows.values()),
    }


if __name__ == "__main__":
    main()
