"""Faults of a run on several processes."""

from faults.fault import Fault

DISTRIBUTED, TESTS = "training/distributed.py", "training/test_distributed.py::"
HALVES = TESTS + "test_two_halves_of_a_batch_are_the_whole_and_what_goes_wrong_is_said_on_both"

FAULTS = [
    Fault("a process group is left open at exit", DISTRIBUTED, "        atexit.register(_leave)\n", "", HALVES),
    Fault("gradients of processes are summed", DISTRIBUTED, "flat /= self.size", "pass", HALVES),
    Fault(
        "each process takes the whole batch's first part",
        DISTRIBUTED,
        "index.chunk(self.parts)[self.rank]",
        "index.chunk(self.parts)[0]",
        TESTS + "test_the_shares_of_a_batch_are_disjoint_and_whole",
    ),
    Fault(
        "each process keeps its own first weights",
        "training/fit.py",
        "        team.spread(pair)\n        team.seed(settings.seed)",
        "        team.seed(settings.seed)",
        HALVES,
    ),
    Fault(
        "all processes draw the same noise after a resumption",
        DISTRIBUTED,
        'f"random.process {self.rank}" if self.rank else "random.cpu"',
        '"random.cpu"',
        TESTS + "test_a_run_on_two_processes_is_resumed_exactly_and_survives_a_kill",
    ),
    Fault(
        "processes with other data go on",
        DISTRIBUTED,
        "if other is not None:",
        "if False:",
        HALVES,
    ),
    Fault(
        "the other processes train on after a callback has raised",
        "training/run.py",
        "interrupted.is_set() or self._error is not None",
        "interrupted.is_set()",
        HALVES,
    ),
    Fault(
        "a callback's error on the first process is not raised on the others",
        "training/run.py",
        "if self.team.agree(self._error is not None):",
        "if self._error is not None:",
        HALVES,
    ),
    Fault(
        "processes without a checkpoint do not compare their data",
        "training/identity.py",
        "settings.checkpoint is not None or processes > 1",
        "settings.checkpoint is not None",
        HALVES,
    ),
]
