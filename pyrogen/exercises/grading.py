"""Grading: the answers of many students to one exercise, each judged as a stated answer is."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyrogen import checks
from pyrogen.exercises.exercise import DRAWS, Exercise, Written, judge, read_exercise
from pyrogen.exercises.kinds import checked_claim
from pyrogen.graphs.files.content import read_text, short, shown
from pyrogen.graphs.files.json_form import parse_json
from pyrogen.graphs.files.networks import JSON_LARGEST
from pyrogen.progress import progress_bar

if TYPE_CHECKING:
    import pandas as pd

RIGHT, WRONG, MISSING, UNREADABLE = "right", "wrong", "missing", "not readable"


@dataclass(frozen=True)
class Mark:
    """What one student's answer to one claim is worth.

    Attributes:
        verdict: ``"right"``, ``"wrong"``, ``"missing"`` or ``"not readable"``.
        answer: as the student gave it, "" if it is missing.
        reason: why it is not right, in one sentence; a remark such as "not minimal" where it is.
    """

    verdict: str
    answer: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Grades:
    """Who got what, and why not.

    Attributes:
        title: the exercise's.
        claims: each claim in words, in the file's order.
        computed: the answer computed for each.
        marks: for each student a mark a claim.
        notes: files and answers that belong to nothing, a sentence each.
    """

    title: str
    claims: tuple[str, ...]
    computed: tuple[str, ...]
    marks: Mapping[str, tuple[Mark, ...]]
    notes: tuple[str, ...] = field(default=())

    def right(self, student: str) -> int:
        """Return how many of a student's answers are right."""
        return sum(mark.verdict == RIGHT for mark in self.marks[student])

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each student and claim: student, number, claim, computed, answer, verdict, reason."""
        import pandas as pd

        rows = [
            (student, number, claim, computed, mark.answer, mark.verdict, mark.reason)
            for student, marks in self.marks.items()
            for number, (claim, computed, mark) in enumerate(zip(self.claims, self.computed, marks, strict=True), 1)
        ]
        return pd.DataFrame(rows, columns=["student", "number", "claim", "computed", "answer", "verdict", "reason"])

    def to_csv(self) -> str:
        """Return the rows of `to_dataframe` as CSV, with a header."""
        return str(self.to_dataframe().map(_harmless).to_csv(index=False, lineterminator="\n"))

    def __str__(self) -> str:
        lines = [self.title, ""]
        width = max(map(len, self.marks), default=0)
        for student, marks in self.marks.items():
            lines.append(f"{student:{width}}  {self.right(student)} of {len(marks)}")
            for number, mark in enumerate(marks, 1):
                if mark.verdict != RIGHT:
                    why = f": {mark.reason}" if mark.reason else ""
                    lines.append(f"{'':{width}}  {number}. {self.claims[number - 1]}: {mark.verdict}{why}")
        return "\n".join([*lines, *self.notes])


def grade(
    path: str | os.PathLike[str],
    answers: str | os.PathLike[str],
    draws: int = 5,
    seed: int = 0,
    progress: bool = True,
) -> Grades:
    """Grade a folder of students' answers to an exercise.

    Each student has a file in the folder. A JSON file is an object such as ``{"student": "Ada", "answers": {"1": true,
    "2": "P(A) P(B | A)"}}``; a CSV file has the columns ``claim`` and ``answer``, the answers written as in JSON or as
    plain text. Claims are named by their number in the exercise's file, from 1. Without a name the file's is taken.

    Args:
        path: the exercise's file; see `check_exercise`. The answers stated in it do not matter.
        answers: the folder, files other than ``.json`` and ``.csv`` in it are left out.
        draws: how many random networks decide.
        seed: of these.
        progress: whether a bar is shown.

    Returns:
        The marks. An answer that cannot be read is marked so, with the reason; it stops nothing.

    Raises:
        FileNotFoundError: if the exercise or the folder does not exist, or the folder holds no answers.
        TypeError, ValueError: as `check_exercise`.
    """
    draws, seed = checks.whole("draws", draws, least=1, most=DRAWS), checks.seed("seed", seed)
    progress = checks.flag("progress", progress)
    folder = checks.path("answers", answers)
    exercise = read_exercise(path)
    if not folder.is_dir():
        raise FileNotFoundError(f"{shown(folder)}: there is no such folder of answers")
    files = sorted(file for file in folder.iterdir() if file.suffix in (".json", ".csv") and file.is_file())
    if not files:
        raise FileNotFoundError(f"{shown(folder)}: expected a .json or .csv file for each student, got none")
    bare = exercise._replace(claims=tuple({**claim, "stated": None} for claim in exercise.claims))
    own = judge(bare, draws, seed)
    marks: dict[str, tuple[Mark, ...]] = {}
    notes: list[str] = []
    with progress_bar(total=len(files), desc="answers", unit="student", shown=progress) as bar:
        for file in files:
            name, given, wrong = _read(file, len(exercise.claims))
            notes += [f"{file.name}: {sentence}" for sentence in wrong]
            while name in marks:
                name += f" ({file.name})"
            marks[name] = _marked(exercise, given, draws, seed)
            bar.update()
    return Grades(
        exercise.title,
        tuple(row.claim for row in own),
        tuple(row.computed for row in own),
        marks,
        tuple(notes),
    )


def _marked(exercise: Exercise, given: Mapping[int, Any], draws: int, seed: int) -> tuple[Mark, ...]:
    found: dict[int, Mark] = {}
    claims, numbers = [], []
    for number, raw in enumerate(exercise.raw, 1):
        if given.get(number) is None:
            found[number] = Mark(MISSING)
            continue
        plain = {key: value for key, value in raw.items() if key != "witness"}
        try:
            claims.append(checked_claim({**plain, "stated": given[number]}, exercise.network))
            numbers.append(number)
        except (ValueError, TypeError) as error:
            found[number] = Mark(UNREADABLE, _text(given[number]), short(str(error)))
    rows = judge(exercise._replace(claims=tuple(claims)), draws, seed).rows if claims else ()
    for number, row in zip(numbers, rows, strict=True):
        found[number] = Mark(RIGHT if row.agrees else WRONG, row.stated, row.remark if row.agrees else row.reason)
    return tuple(found[number] for number in sorted(found))


def _read(file: Path, claims: int) -> tuple[str, dict[int, Any], list[str]]:
    """Return a student's name and answers by number, and what is wrong with the file."""
    name, wrong, pairs = file.stem, [], []
    try:
        text = read_text(file, JSON_LARGEST)
        if file.suffix == ".csv":
            pairs = [(row.get("claim"), _plain(row.get("answer"))) for row in csv.DictReader(io.StringIO(text))]
        else:
            content = parse_json(text, Written)
            if not isinstance(content, Mapping) or not isinstance(content.get("answers"), Mapping):
                raise ValueError('it must be an object such as {"student": "Ada", "answers": {"1": true}}')
            name = str(content.get("student", name))[:80]
            pairs = list(content["answers"].items())
    except (ValueError, csv.Error) as error:
        return name, {}, [short(str(error))]
    given = {}
    for key, value in pairs:
        number = str(key or "").strip().rstrip(".")
        if not (number.isascii() and number.isdigit() and len(number) < 6 and 1 <= int(number) <= claims):
            wrong.append(f"the claims are 1 to {claims}, got {checks.shown(key)}")
        else:
            given[int(number)] = value
    return name, given, wrong


def _plain(cell: str | None) -> Any:
    """Return a cell of a CSV file: what it says in JSON, or else its text."""
    text = (cell or "").strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return parse_json(text, Written)
    except ValueError:
        return text or None


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))[:200]


def _harmless(cell: Any) -> Any:
    """Return a cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell
