"""The planted faults of the command."""

from faults.fault import Fault

FAULTS = [
    Fault(
        "an array that is explored may run code",
        "cli.py",
        "allow_pickle=False",
        "allow_pickle=True",
        "test_cli.py::test_an_array_that_is_explored_runs_no_code",
    ),
    Fault(
        "no time limit is a limit of nothing",
        "cli.py",
        "time_limit=args.time_limit or None",
        "time_limit=args.time_limit",
        "test_cli.py::test_no_time_limit_is_none",
    ),
    Fault(
        "a missing extra ends the command in a traceback",
        "cli.py",
        "OSError, ImportError, PyrogenError",
        "OSError, PyrogenError",
        "test_cli.py::test_a_missing_extra_is_one_line",
    ),
    Fault(
        "missing and unreadable answers change their signs",
        "cli.py",
        '"missing": "–", "not readable": "?"}',
        '"missing": "?", "not readable": "–"}',
        "test_cli.py::test_marks_have_their_signs",
    ),
    Fault(
        "the drawing of a claim marks one of its sides",
        "cli.py",
        'ends=[*claim["x"], *claim["y"]]',
        'ends=[*claim["x"]]',
        "test_cli.py::test_the_drawing_of_a_claim_marks_both_of_its_sides",
    ),
]
