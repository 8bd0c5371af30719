"""What a check found, and the report that carries it to the terminal, to JSON and to pytest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from html import escape
from typing import Any, Literal

Level = Literal["fault", "warning"]
Outcome = Literal["passed", "fault", "warning", "unjudged", "skipped", "inapplicable"]
_MARKS = {  # each with its color in a notebook
    "passed": ("ok", "#1a7f37"),
    "fault": ("FAULT", "#b42318"),
    "warning": ("warn", "#9a6700"),
    "unjudged": ("??", "#b42318"),
    "skipped": ("skip", "#656d76"),
    "inapplicable": ("–", "#656d76"),
}
_WIDTH = 80


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong.

    Attributes:
        check: the name of the check that found it.
        message: one sentence: what is so, and what to do.
        site: the sample site, plate or parameter that it is about, if it is about one.
        level: a ``"fault"`` makes the report fail, a ``"warning"`` does not.
        figures: the numbers behind it.
    """

    check: str
    message: str
    site: str | None = None
    level: Level = "fault"
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One question that was asked of a pair, with its answer.

    Attributes:
        check: the check's name.
        question: what was asked, in a few words.
        outcome: ``"passed"``, ``"fault"``, ``"warning"``, ``"skipped"`` (not answered), ``"inapplicable"`` (nothing to
            ask) or ``"unjudged"``. The last is for the call's own question, and makes the report not ok.
        detail: the answer in a few words: the figure with its unit, or why the check was skipped.
        figures: the numbers, by name.
        findings: what is wrong; empty unless the outcome is a fault or a warning.
    """

    check: str
    question: str
    outcome: Outcome
    detail: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(
        cls,
        check: str,
        question: str,
        findings: Iterable[Finding] = (),
        detail: str = "",
        figures: Mapping[str, float] | None = None,
    ) -> Result:
        """Return the result whose outcome follows from its findings: passed without any."""
        found = tuple(_merged(findings))
        outcome: Outcome = "passed"
        if found:
            outcome = "fault" if any(one.level == "fault" for one in found) else "warning"
        return cls(check, question, outcome, detail, dict(figures or {}), found)

    def lines(self, widest: int = 0) -> list[str]:
        """Return the rows of a table, with the check's name in a column of that width."""
        lines = [f"{_MARKS[self.outcome][0]:>5}  {self.check:<{widest}}  {self.question}".rstrip()]
        indent = " " * (9 + max(widest, len(self.check)))
        for text in ([self.detail] if self.detail else []) + [f"→ {one.message}" for one in self.findings]:
            hanging = indent + "  " * text.startswith("→")
            lines += textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=hanging)
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(frozen=True)
class Question:
    """What is asked of a pair, by the name of its check; it makes the findings and the answer."""

    check: str
    text: str

    def fault(self, message: str, site: str | None = None, **figures: float) -> Finding:
        """Return what makes the report fail."""
        return Finding(self.check, message, site, "fault", figures)

    def warning(self, message: str, site: str | None = None, **figures: float) -> Finding:
        """Return what is shown and does not count."""
        return Finding(self.check, message, site, "warning", figures)

    def answer(
        self, findings: Iterable[Finding] = (), detail: str = "", figures: Mapping[str, float] | None = None
    ) -> Result:
        """Return the result that follows from what was found."""
        return Result.of(self.check, self.text, findings, detail, figures)

    def skipped(self, why: str) -> Result:
        """Return that it could not be answered."""
        return Result(self.check, self.text, "skipped", why)

    def inapplicable(self, why: str) -> Result:
        """Return that there is nothing to ask."""
        return Result(self.check, self.text, "inapplicable", why)


def _merged(findings: Iterable[Finding]) -> Iterator[Finding]:
    """One finding for all sites of which the same is to be said."""
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        alike.setdefault((one.check, one.level, one.message.replace(repr(one.site), "")), []).append(one)
    for first, *rest in alike.values():
        names = [textwrap.shorten(repr(one.site), 40, placeholder=" ...") for one in rest]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield replace(first, message=f"{first.message} (so it is with {', '.join(names[:3])}{more})") if rest else first


@dataclass(frozen=True)
class Report:
    """The answers to all questions asked of a pair. ``print(report)`` shows them as a table.

    Attributes:
        results: each question with its answer, in the order in which they were asked.
    """

    results: tuple[Result, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong or looks wrong, in the order found; empty for a sound pair."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def ok(self) -> bool:
        """Whether no check found a fault, and none was left unjudged (warnings are shown, and do not count)."""
        return not any(finding.level == "fault" for finding in self.findings) and not self._unjudged

    @property
    def _unjudged(self) -> list[Result]:
        return [result for result in self.results if result.outcome == "unjudged"]

    def __getitem__(self, check: str) -> Result:
        """Return the result of the check of that name; ``KeyError`` with the names that there are."""
        for result in self.results:
            if result.check == check:
                return result
        raise KeyError(
            f"the report has no check {check!r}; it has {', '.join(result.check for result in self.results)}"
        )

    def assert_ok(self) -> None:
        """For pytest: raise ``AssertionError`` with all faults and the table unless the pair is sound."""
        if not self.ok:
            faults = [f"{one.check}: {one.message}" for one in self.findings if one.level == "fault"]
            open_ones = [f"{one.check}: could not be judged, {one.detail}" for one in self._unjudged]
            raise AssertionError("\n".join([f"{self._verdict} in these programs", *faults, *open_ones, "", str(self)]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: ``ok``, and for each check its question, outcome, detail, figures, findings."""
        return {"ok": self.ok, "checks": [asdict(result) for result in self.results]}

    def __str__(self) -> str:
        widest = max((len(result.check) for result in self.results), default=0)
        lines = [line for result in self.results for line in result.lines(widest)]
        return "\n".join([*lines, self._verdict])

    @property
    def _verdict(self) -> str:
        faults = sum(one.level == "fault" for one in self.findings)
        warnings = len(self.findings) - faults
        verdict = "could not be judged" if self._unjudged else "sound, as far as was asked"
        if faults:
            verdict = f"{faults} fault{'s' * (faults != 1)}"
        return verdict + (f", {warnings} warning{'s' * (warnings != 1)}" if warnings else "")

    def _repr_html_(self) -> str:
        """Return a table for a notebook: a row for each question, with its answer and what was found."""
        rows = []
        for result in self.results:
            mark, color = _MARKS[result.outcome]
            said = [escape(result.detail)] * bool(result.detail)
            said += [f"<b>{escape(one.message)}</b>" for one in result.findings]
            texts = escape(result.check), escape(result.question), "<br>".join(said)
            cells = "".join(f'<td style="text-align:left">{text}</td>' for text in texts)
            rows.append(f'<tr><td style="color:{color}">{mark}</td>{cells}</tr>')
        return f"<table>{''.join(rows)}</table><p>{escape(self._verdict)}</p>"
