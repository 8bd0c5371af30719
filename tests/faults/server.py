"""Runs pytest in forks of a process that has imported what is slow to import: torch and Pyro take seconds a run.

`planted_faults.py` starts it with the modules to import as arguments (pyrogen is never one of them). It reads one order
a line, ``{"folder": ..., "arguments": [...], "seconds": ...}``. It answers each with a line that holds pytest's exit
code, or null if time ran out.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
from typing import NoReturn


def main() -> None:
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            _run(order["folder"], order["arguments"])
        try:
            code = _wait(child, order["seconds"])
        except BaseException:
            os.killpg(child, signal.SIGKILL)
            raise
        print(json.dumps(code), flush=True)


def _run(folder: str, arguments: list[str]) -> NoReturn:
    code = 3
    try:
        os.setsid()  # a group of its own, so that what the tests start ends with them
        os.chdir(folder)
        with open("output.txt", "wb") as output, open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        sys.path.insert(0, folder)  # before an editable installation, here and in the processes that tests start
        os.environ["PYTHONPATH"] = folder
        sys.dont_write_bytecode = False
        import pytest

        code = int(pytest.main(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(child: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


if __name__ == "__main__":
    main()
