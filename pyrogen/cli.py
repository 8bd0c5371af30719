"""The `pyrogen` command: one subcommand for each thing that is done from a shell.

    pyrogen check FILE.py:function [--size N] [--fitted]
    pyrogen exercise FILE [--answers FOLDER] [--out FOLDER]
    pyrogen explore [NAME or FILE] [--data dsprites|digits|FILE.npy]

A subcommand is a function that adds its parser and names the function that runs it; `main` turns errors into one line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyrogen._version import __version__
from pyrogen.errors import PyrogenError

if TYPE_CHECKING:
    from pyrogen.exercises import Exercise, Grades, Verdicts


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code.

    Args:
        argv: the words after ``pyrogen``; by default those of the process.

    Returns:
        0, or what the subcommand says; 2 for wrong input, after one line on the standard error.
    """
    parser = argparse.ArgumentParser(prog="pyrogen", description="Deep generative models as Pyro pairs to be trusted.")
    parser.add_argument("--version", action="version", version=f"pyrogen {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except (ValueError, TypeError, OSError, ImportError, PyrogenError) as error:
        print(f"pyrogen: {error}", file=sys.stderr)
        return 2


def _add_check(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="check the Pyro model and guide that a function returns",
        description="Run FILE.py, call its function without arguments, and put the model and guide that it returns, as "
        "(model, guide, args), through pg.testing.check. The exit code is 1 where a fault is found, and 2 where the "
        "file cannot be run.",
    )
    parser.add_argument(
        "target", metavar="FILE.py:function", help="the file and the function that returns the programs"
    )
    parser.add_argument("--size", type=int, help="observations in the data set, if args are a batch of it")
    parser.add_argument("--fitted", action="store_true", help="the guide has been trained: is it near the posterior?")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds; 0 for none (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the report to this file too; missing folders are made")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    from pyrogen.files import write_atomically
    from pyrogen.testing.from_file import check_file

    given = {"size": args.size, "fitted": args.fitted or None}
    settings = {name: value for name, value in given.items() if value is not None}
    report = check_file(args.target, seed=args.seed, time_limit=args.time_limit or None, **settings)
    print(report)
    if args.json:
        write_atomically(args.json, (json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n").encode())
    return 0 if report.ok else 1


def _add_exercise(commands: Any) -> None:
    parser = commands.add_parser(
        "exercise",
        help="judge the answers stated in an exercise on graphical models, or grade a folder of students' answers",
        description="Compute every claim of an exercise's file and judge the answers stated there. With --answers, "
        "judge those of a folder that holds a JSON or CSV file for each student.",
    )
    parser.add_argument("file", type=Path, help="the exercise, a JSON file (docs: tutorials/exercises)")
    parser.add_argument("--answers", type=Path, help="a folder with a .json or .csv file for each student")
    parser.add_argument(
        "--out", type=Path, help="write report.html and a table (CSV or JSON) there; the folder is made"
    )
    parser.add_argument("--draws", type=int, default=5, help="random networks that decide (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of these networks (default: %(default)s)")
    parser.set_defaults(run=_exercise)


def _exercise(args: argparse.Namespace) -> int:
    from pyrogen.exercises import check_exercise, grade, read_exercise
    from pyrogen.files import check_writable, write_atomically

    if args.out:
        check_writable(args.out)
    if args.answers is None:
        verdicts = check_exercise(args.file, draws=args.draws, seed=args.seed)
        print(verdicts)
        if args.out:
            exercise = read_exercise(args.file)
            content = json.dumps(verdicts.to_dict(), indent=2, ensure_ascii=False) + "\n"
            write_atomically(args.out / "verdicts.json", content.encode())
            print(f"Open {_report_of_verdicts(verdicts, exercise, args.out)}")
        return 0
    grades = grade(args.file, args.answers, draws=args.draws, seed=args.seed)
    print(grades)
    if args.out:
        write_atomically(args.out / "grades.csv", grades.to_csv().encode())
        print(f"Open {_report_of_grades(grades, args.out)}")
    return 0


def _report_of_verdicts(verdicts: Verdicts, exercise: Exercise, folder: Path) -> Path:
    from pyrogen.graphs import active_trail
    from pyrogen.plots import graph
    from pyrogen.report import Report

    report = Report(verdicts.title, summary=verdicts.summary.splitlines()[0])
    report.table(
        ["claim", "stated", "computed", "agreement"],
        [[row.claim, row.stated or "–", row.computed, row.agreement] for row in verdicts],
    )
    report.figure(graph(exercise.network), "network", "The network.")
    for number, (row, claim) in enumerate(zip(verdicts, exercise.claims, strict=True), 1):
        report.heading(f"{number}. {row.claim}", 3)
        lines = [*([f"**{row.reason}**"] if row.reason else []), *row.evidence]
        report.text("\n".join(f"- {line}" for line in lines))
        if claim["kind"] == "independence" and claim["graph"] == "network" and exercise.network.is_directed():
            sides = claim["x"], claim["y"], claim["given"]
            trail = active_trail(exercise.network, *sides) or ()
            drawing = graph(exercise.network, given=claim["given"], trail=trail, ends=[*claim["x"], *claim["y"]])
            report.figure(drawing, f"claim_{number}", f"{row.claim}: {row.computed}.")
    return report.save(folder)


def _report_of_grades(grades: Grades, folder: Path) -> Path:
    from pyrogen.report import Report

    report = Report(f"Grades: {grades.title}", summary=f"{len(grades.marks)} students, {len(grades.claims)} claims.")
    signs = {"right": "✓", "wrong": "✗", "missing": "–", "not readable": "?"}
    report.table(
        ["student", "right", *(str(number) for number in range(1, len(grades.claims) + 1))],
        [
            [student, f"{grades.right(student)} of {len(marks)}", *(signs[mark.verdict] for mark in marks)]
            for student, marks in grades.marks.items()
        ],
        "✓ right, ✗ wrong, – missing, ? not readable; the claims' numbers are those of the next table.",
    )
    report.table(
        ["number", "claim", "computed"],
        [[str(number), *pair] for number, pair in enumerate(zip(grades.claims, grades.computed, strict=True), 1)],
    )
    for student, marks in grades.marks.items():
        report.heading(student, 3)
        rows = [
            [str(number), claim, mark.answer or "–", mark.verdict, mark.reason]
            for number, (claim, mark) in enumerate(zip(grades.claims, marks, strict=True), 1)
        ]
        report.table(["number", "claim", "answer", "verdict", "why"], rows)
    if grades.notes:
        report.heading("Notes", 3).text("\n".join(f"- {note}" for note in grades.notes))
    return report.save(folder)


def _add_explore(commands: Any) -> None:
    parser = commands.add_parser(
        "explore",
        help="open a page on which the latents of a trained pair are moved",
        description="Open a page with a slider for each latent, the decoded image, and the data beside it.",
    )
    parser.add_argument("pair", nargs="?", help="a name of pg.pretrained(), or a file that pg.save wrote; by default "
                        "dsprites-tcvae")  # fmt: skip
    parser.add_argument("--data", help="dsprites, digits, none, or an array (N, *shape) in a .npy file; by default "
                        "the data set that has the pair's shape")  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="of the page on this machine (default: a free one)")
    parser.add_argument("--no-show", action="store_true", help="print the address and open no browser")
    parser.set_defaults(run=_explore)


def _explore(args: argparse.Namespace) -> int:
    from pyrogen.explore import explore
    from pyrogen.training import load
    from pyrogen.weights import card, pretrained

    name = args.pair or "dsprites-tcvae"
    is_file = Path(name).is_file()
    if not is_file and (Path(name).suffix or Path(name).name != name):
        raise FileNotFoundError(f"there is no file {name}")
    pair = load(name) if is_file else pretrained(name)
    levels = "binary" if is_file else card(name)["check"].get("levels", "binary")
    explore(pair, _data_of(pair, args.data, levels), title=Path(name).stem, port=args.port, show=not args.no_show)
    return 0


def _data_of(pair: Any, named: str | None, levels: Any = "binary") -> Any:
    """Return the data set of this name, or of the pair's shape."""
    import numpy as np

    from pyrogen.datasets import Digits, DSprites

    sets: dict[str, Any] = {"dsprites": DSprites, "digits": partial(Digits, levels)}
    shapes = {(1, 64, 64): "dsprites", tuple(Digits("binary").images([0]).shape[1:]): "digits"}
    named = named or shapes.get(tuple(pair.shape), "none")
    if named == "none":
        return None
    if named in sets:
        return sets[named]()
    if not named.endswith(".npy"):
        raise ValueError(f"--data must be dsprites, digits, none or a .npy file, got {named!r}")
    return np.load(named, allow_pickle=False)


COMMANDS = (_add_check, _add_exercise, _add_explore)
