"""A pytest plugin for one run on a copy: notes what passed and failed, and whose package it was.

`planted_faults.py` lays this file beside the copied package and loads it with ``-p``. Pytest's exit code alone does not
tell a test that failed from a package that cannot be imported (with ``-x`` both are 1).
"""

import importlib.util
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
_SEEN: dict[str, list[str]] = {"passed": [], "failed": [], "errors": []}


def pytest_runtest_logreport(report):
    if report.failed:
        _SEEN["failed" if report.when == "call" else "errors"].append(report.nodeid)
    elif report.passed and report.when == "call":
        _SEEN["passed"].append(report.nodeid)


def pytest_collectreport(report):
    if report.failed:
        _SEEN["errors"].append(report.nodeid)


def pytest_sessionfinish():
    files = {m.__file__ for name, m in list(sys.modules.items()) if name.split(".")[0] == "pyrogen" and m.__file__}
    if not files and (found := importlib.util.find_spec("pyrogen")) and found.origin:
        files = {found.origin}
    strangers = sorted(f for f in files if HERE / "pyrogen" not in Path(f).resolve().parents)
    outcome = _SEEN | {"strangers": strangers if files else ["nowhere"]}
    (HERE / "outcome.json").write_text(json.dumps(outcome))
