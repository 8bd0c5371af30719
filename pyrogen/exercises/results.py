"""The table of an exercise: each claim with the answer stated and the one computed, whether they agree, and why."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GLUED = re.compile(r"\w*\([^()]{,24}\)|\{[^{}]{,24}\}|\S+ [–→←] \S+(?: [–→←] \S+)?|\S+ ⊥ \S+")
OTHER_FORM = "right, in another form"
DISAGREE, ALONE = "THE WAYS DISAGREE", "ONE WAY ALONE"
WIDTH = 118  # characters of the evidence's lines


@dataclass(frozen=True)
class Row:
    """A claim, judged.

    Args:
        kind: of the claim, as in the file.
        claim: in words.
        stated: the answer stated, "" if none is.
        computed: the answer computed.
        agrees: whether they are the same; None if none is stated.
        evidence: what a person can follow, a line each.
        ways: what each way of computing it gives; None for a way that this graph is too large for.
        reason: in one sentence why the answer stated is wrong; "" if it is not.
        remark: on how it agrees, such as ``"not minimal"``, or what the agreement is called where it does not.
    """

    kind: str
    claim: str
    stated: str
    computed: str
    agrees: bool | None
    evidence: tuple[str, ...]
    ways: Mapping[str, Any]
    reason: str = ""
    remark: str = ""

    @property
    def sound(self) -> bool:
        """Whether the ways that give an answer, two of them at least, give the same one."""
        given = [way for way in self.ways.values() if way is not None]
        return len(given) > 1 and all(way == given[0] for way in given)

    @property
    def agreement(self) -> str:
        """``yes``, ``NO``, ``not stated``, or loudly that the ways of computing it disagree, or only one could.

        ``yes, not minimal`` and ``yes, other arrows`` are of products that hold and are not the graph's own;
        ``right, in another form`` of products with conditionals of several nodes; ``right, wrong reason`` of a right
        answer with a witness or number that is wrong, which is not agreement.
        """
        if not self.sound:
            return DISAGREE if len([way for way in self.ways.values() if way is not None]) > 1 else ALONE
        if self.agrees is None:
            return "not stated"
        if self.remark == OTHER_FORM and self.agrees:
            return OTHER_FORM
        return (f"yes, {self.remark}" if self.remark else "yes") if self.agrees else self.remark or "NO"


@dataclass(frozen=True)
class Verdicts:
    """All claims of an exercise, judged; printed as a table with the evidence under it.

    Args:
        title: the exercise's.
        rows: one for each claim, in the file's order.
    """

    title: str
    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sound(self) -> bool:
        """Whether for every claim all ways of computing it agree with each other."""
        return all(row.sound for row in self.rows)

    @property
    def wrong(self) -> tuple[Row, ...]:
        """The claims whose stated answer is not the one computed."""
        return tuple(row for row in self.rows if row.agrees is False)

    @property
    def table(self) -> str:
        """Claim, stated, computed and agreement in aligned columns, without the evidence."""
        head = ("", "claim", "stated", "computed", "agreement")
        cells = [(str(number), *_cells(row)) for number, row in enumerate(self.rows, 1)]
        limits = (4, 44, 30, 30, 19)
        widths = [
            min(limit, max(len(row[column]) for row in [head, *cells]))
            for column, limit in zip(range(len(head)), limits, strict=True)
        ]
        lines = [*_aligned(head, widths), "  ".join("─" * width for width in widths)]
        return "\n".join([*lines, *(line for row in cells for line in _aligned(row, widths))])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("", "claim", "stated", "computed", "agreement", "why"))
        rows = [
            "".join(f"<td>{html.escape(cell)}</td>" for cell in (str(number), *_cells(row), row.reason))
            for number, row in enumerate(self.rows, 1)
        ]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        caption = f"<caption>{html.escape(self.title)}</caption>"
        return f"<table>{caption}<tr>{head}</tr>{body}</table><p>{html.escape(self.summary)}</p>"

    def __str__(self) -> str:
        lines = [self.title, "", self.table, ""]
        for number, row in enumerate(self.rows, 1):
            lines.append(details(row, number))
        return "\n".join([*lines, "", self.summary])

    @property
    def summary(self) -> str:
        """How many claims agree, which do not and why, in a line each."""
        stated = [row for row in self.rows if row.agrees is not None]
        lines = [f"{len(stated) - len(self.wrong)} of {len(stated)} stated answers are right."]
        lines += [f"Wrong: {row.claim}, stated {row.stated}: {row.reason}" for row in self.wrong]
        lines += [f"{row.claim}: {_ways(row)}" for row in self.rows if not row.sound]
        return "\n".join(part for line in lines for part in _filled(line, "", "  "))

    def to_markdown(self) -> str:
        """Return the table in Markdown, the evidence in a column of it."""
        lines = ["| claim | stated | computed | agreement | evidence |", "|---|---|---|---|---|"]
        for row in self.rows:
            evidence = "<br>".join([*([f"**{row.reason}**"] if row.reason else []), *_further(row), _ways(row)])
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (*_cells(row), evidence)) + " |")
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Everything, of the kinds that JSON has."""
        return {
            "title": self.title,
            "sound": self.sound,
            "right": sum(row.agrees is True for row in self.rows),
            "wrong": len(self.wrong),
            "rows": [
                {
                    **vars(row),
                    "agreement": row.agreement,
                    "evidence": list(row.evidence),
                    "ways": {way: None if value is None else shown(value) for way, value in row.ways.items()},
                    "sound": row.sound,
                }
                for row in self.rows
            ],
        }


def details(row: Row, number: int) -> str:
    """Return a claim with its two answers and its evidence, as text of several lines."""
    stated = f"stated {row.stated}, computed {row.computed}" if row.stated else f"computed {row.computed}"
    agreement = "THEY DIFFER" if row.agreement == "NO" else re.sub("^yes", "agree", row.agreement)
    lines = _filled(f"{number}. {row.claim}: {stated}: {agreement}", "", "   ")
    if row.reason:
        lines += _filled(f"Why: {row.reason}", "   ", "   ")
    for line in (*_further(row), _ways(row)):
        lines += _filled(line, "   - ", "     ")
    return "\n".join(lines)


def shown(value: Any) -> str:
    """Return a truth value, a set of nodes, a set of sets, or anything else as text, the same for equal values."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(shown, value)))}}}"
    return str(value)


def _further(row: Row) -> list[str]:
    """Return the evidence that the reason does not hold already."""
    return [line for line in row.evidence if line not in row.reason]


def _ways(row: Row) -> str:
    asked = {way: value for way, value in row.ways.items() if value is not None}
    left = [way for way, value in row.ways.items() if value is None]
    too_large = f"; too large for {', '.join(left)}" if left else ""
    if row.sound:
        return f"the same by {', '.join(asked)}{too_large}"
    return f"{row.agreement}: " + "; ".join(f"{way}: {shown(value)}" for way, value in asked.items()) + too_large


def _cells(row: Row) -> tuple[str, str, str, str]:
    return row.claim, row.stated or "–", row.computed, row.agreement


def _filled(text: str, first: str, following: str) -> list[str]:
    return _wrapped(text, WIDTH, initial_indent=first, subsequent_indent=following)


def _wrapped(text: str, width: int, **indents: str) -> list[str]:
    """Lines of that width, not broken inside of brackets or of an edge if that can be."""
    glued = GLUED.sub(lambda match: match.group().replace(" ", "\N{NO-BREAK SPACE}"), text)
    lines = textwrap.wrap(glued, width, break_on_hyphens=False, **indents)  # type: ignore[arg-type]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    wrapped = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, wrapped))
    return [
        "  ".join(
            (column[line] if line < len(column) else "").ljust(width)
            for column, width in zip(wrapped, widths, strict=True)
        ).rstrip()
        for line in range(height)
    ]
