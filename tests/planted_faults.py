"""Plants small faults in a copy of the package, one at a time, and tells which of them the tests catch.

    python tests/planted_faults.py                  # all of them, two at a time
    python tests/planted_faults.py --list
    python tests/planted_faults.py --only "guide forgets beta" --only digamma

The faults are in ``tests/faults/``, with how to add one. Each is planted in a fresh copy of package and tests in a
temporary folder; the checkout is never written to. Verdicts:

* caught: at least one test failed, or the process of the tests crashed (a write outside of an array);
* survived: all tests passed, so a test is wanting;
* broken: neither (nothing could be imported, a fixture fell over, no test ran, time ran out, or the tests fail without
  the fault too), which proves nothing about the tests;
* stale: the text to replace is not in the source exactly once any more.

The exit code is 0 if all were caught, 1 otherwise, 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.dont_write_bytecode = True  # nothing is written into the checkout

from faults import Fault, StaleFault, all_faults
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("pyrogen", "tests", "examples", "data", "setup.cfg", "README.md")
TOOLS = Path(__file__).resolve().parent / "faults"
SLOW = ("pytest", "torch", "pyro.infer", "torch.fx.experimental.proxy_tensor", "scipy.stats", "sklearn.metrics")
CRASHES = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)
LONGEST = 300.0  # seconds one run may take: a fault can make a loop endless


@dataclass(frozen=True)
class Result:
    """What became of one fault: ``caught``, ``survived``, ``broken`` or ``stale``, and why."""

    fault: Fault
    verdict: str
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """One run of pytest: its exit code (None if time ran out) and what `faults/watch.py` saw."""

    code: int | None
    passed: list[str]
    failed: list[str]
    errors: list[str]
    strangers: list[str]
    output: str

    @property
    def crashed(self) -> bool:
        """Whether a signal of its own making ended the process; one from outside, such as SIGKILL, says nothing."""
        return self.code is not None and -self.code in CRASHES

    @property
    def problem(self) -> str:
        """Why this run says nothing about the tests; empty if it does."""
        if self.code is None:
            return f"not done after {LONGEST:.0f} s"
        if self.strangers:
            return f"the tests imported pyrogen from {self.strangers[0]}, not from the copy"
        if (self.code == 1 and self.failed) or self.crashed:
            return ""
        if self.code == 0 and self.passed and not self.errors:
            return ""
        last = self.output.strip().splitlines()[-1:] or ["no output"]
        return f"exit code {self.code} without a failed test: {(self.errors or last)[0]}"


class Servers:
    """Processes that run pytest in forks of themselves, one a job (see `faults/server.py`)."""

    def __init__(self, jobs: int, imported: Sequence[str]) -> None:
        command = [sys.executable, "-P", str(TOOLS / "server.py"), *imported]
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
        settings = {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        pipe = subprocess.PIPE
        self._all = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=kept | settings) for _ in range(jobs)
        ]
        self._free: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        for server in self._all:
            self._free.put(server)

    def run(self, copy: Path, tests: Sequence[str], *options: str) -> Outcome:
        """Pytest on some tests of a copy, where the copy's package is what is imported."""
        arguments = ["-q", *options, "-p", "planted_faults_watch", "-p", "no:cacheprovider", "-c", "setup.cfg"]
        arguments += ["--rootdir", ".", "--basetemp", "tmp", "--tb", "line", *(f"tests/{test}" for test in tests)]
        server = self._free.get()
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            order = {"folder": str(copy), "arguments": arguments, "seconds": LONGEST}
            server.stdin.write(json.dumps(order) + "\n")
            server.stdin.flush()
            code = json.loads(server.stdout.readline() or "3")
        finally:
            self._free.put(server)
        seen, output = (copy / name for name in ("outcome.json", "output.txt"))
        noted = json.loads(seen.read_text()) if seen.is_file() else {}
        lists = (noted.get(name, []) for name in ("passed", "failed", "errors", "strangers"))
        return Outcome(code, *lists, output.read_text(errors="replace") if output.is_file() else "")

    def close(self) -> None:
        """End them all."""
        for server in self._all:
            server.communicate()


def plant(
    faults: Sequence[Fault],
    root: Path = ROOT,
    jobs: int = 2,
    keep_going: bool = True,
    progress: bool = True,
    imported: Sequence[str] = SLOW,
) -> list[Result]:
    """Try each fault on copies of the checkout `root`; one result a fault, in their order.

    The tests run on the unmodified copy first: faults whose tests do not pass there are broken. `imported` are modules
    that every run starts with.
    """
    with tempfile.TemporaryDirectory(prefix="planted_faults_") as temporary, ThreadPoolExecutor(jobs) as pool:
        folder = Path(temporary).resolve()
        _copy_checkout(root, folder / "base")
        files = sorted({_file_of(test) for fault in faults for test in fault.tests})
        servers = Servers(jobs, imported)
        try:
            pause = 0.1 if sys.stderr.isatty() else 30.0  # few lines in a log
            with tqdm(total=len(files) + len(faults), unit="run", disable=not progress, mininterval=pause) as bar:
                bar.set_description("unmodified")
                sound = [pool.submit(_baseline, servers, folder, i, file, faults) for i, file in enumerate(files)]
                for _ in as_completed(sound):
                    bar.update()
                unsound = {test: why for future in sound for test, why in future.result().items()}
                bar.set_description("planted")
                tries = [pool.submit(_try, servers, fault, folder, i, unsound) for i, fault in enumerate(faults)]
                for future in as_completed(tries):
                    result = future.result()
                    bar.update()
                    if result.verdict == "caught":
                        continue
                    bar.write(f"{result.verdict}: {result.fault.name}. {result.note}".rstrip(), file=sys.stderr)
                    if not keep_going:
                        break
        finally:
            pool.shutdown(cancel_futures=True)
            servers.close()
    return [future.result() for future in tries if not future.cancelled()]


def _copy_checkout(root: Path, to: Path) -> None:
    to.mkdir()
    for name in COPIED:
        if (root / name).is_dir():
            written = ("out", "runs") if name == "examples" else ()  # pyrogen/plots/runs is a room
            shutil.copytree(root / name, to / name, ignore=shutil.ignore_patterns("__pycache__", *written))
        elif (root / name).is_file():
            shutil.copy(root / name, to / name)
    shutil.copy(TOOLS / "watch.py", to / "planted_faults_watch.py")
    compileall.compile_dir(to / "pyrogen", quiet=2)  # once, and not in every copy


def _baseline(servers: Servers, folder: Path, number: int, file: str, faults: Sequence[Fault]) -> dict[str, str]:
    """The tests of one file that are not sound on the unmodified copy, with the reason."""
    tests = sorted({test for fault in faults for test in fault.tests if _file_of(test) == file})
    copy = folder / f"baseline_{number}"
    shutil.copytree(folder / "base", copy)
    outcome = servers.run(copy, tests)
    shutil.rmtree(copy, ignore_errors=True)
    found = {}
    for test in tests:
        names = (f"tests/{test}", f"tests/{test}[", f"tests/{test}::")
        bad = [n for n in outcome.failed + outcome.errors if n == names[0] or n.startswith(names[1:])]
        good = [n for n in outcome.passed if n == names[0] or n.startswith(names[1:])]
        if bad:
            found[test] = f"without the fault too {bad[0]} fails"
        elif not good:
            found[test] = f"without the fault no test of {test} passes: {outcome.problem or 'all are skipped'}"
    return found


def _try(servers: Servers, fault: Fault, folder: Path, number: int, unsound: dict[str, str]) -> Result:
    started = time.perf_counter()

    def result(verdict: str, note: str = "") -> Result:
        return Result(fault, verdict, time.perf_counter() - started, note)

    try:
        faulty = fault.applied(folder / "base" / "pyrogen")
    except StaleFault as error:
        return result("stale", str(error))
    for test in fault.tests:
        if test in unsound:
            return result("broken", unsound[test])
    copy = folder / f"fault_{number}"
    shutil.copytree(folder / "base", copy)
    source = copy / "pyrogen" / fault.file
    source.write_text(faulty, encoding="utf-8")
    for compiled in (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"):
        compiled.unlink()
    outcome = servers.run(copy, fault.tests, "-x")
    shutil.rmtree(copy, ignore_errors=True)
    if outcome.problem:
        return result("broken", outcome.problem)
    caught = outcome.failed or outcome.crashed
    return result("caught", (outcome.failed or ["the process crashed"])[0]) if caught else result("survived")


def _file_of(test: str) -> str:
    return test.split("::")[0]


def table(results: Sequence[Result]) -> str:
    """The results as lines of text, with a summary below."""
    rows = [("fault", "file", "tests", "verdict", "seconds")]
    for r in results:
        tests = ", ".join(dict.fromkeys(_short(test) for test in r.fault.tests))
        rows.append((r.fault.name, r.fault.file, tests, r.verdict, f"{r.seconds:.1f}"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    verdicts = [r.verdict for r in results]
    kinds = ("caught", "survived", "broken", "stale")
    summary = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in kinds if kind in verdicts)
    notes = [f"{r.verdict}: {r.fault.name}. {r.note}".rstrip() for r in results if r.verdict != "caught"]
    return "\n".join([*lines, "", f"{len(results)} faults: {summary}", *notes])


def _short(test: str) -> str:
    file, _, name = test.partition("::")
    return name if name and len(name) <= 60 else f"{name[:59]}…" if name else file


def main(
    arguments: Sequence[str] | None = None, root: Path = ROOT, faults: Sequence[Fault] | None = None, **settings: Any
) -> int:
    """The command; see the file's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", action="append", help="faults with this in their name or file")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--jobs", metavar="N", type=int, default=2, help="how many run at once (default 2)")
    parser.add_argument("--keep-going", action=argparse.BooleanOptionalAction, default=True, help="past one not caught")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    given = parser.parse_args(arguments)
    chosen = list(all_faults() if faults is None else faults)
    if given.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {given.jobs}")
    if given.only:
        words = [word.lower() for word in given.only]
        chosen = [f for f in chosen if any(word in f.name.lower() or word in f.file for word in words)]
    if not chosen:
        parser.error(f"no fault is called {' or '.join(map(repr, given.only or ['anything']))}: --list shows all")
    if given.list:
        print("\n".join(f"{fault.file:<36}{fault.name}" for fault in chosen))
        return 0
    started = time.perf_counter()
    results = plant(chosen, root, given.jobs, given.keep_going, not given.quiet, **settings)
    print(table(results))
    print(f"{time.perf_counter() - started:.0f} s")
    return 0 if len(results) == len(chosen) and all(r.verdict == "caught" for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
