"""What a check found, and the report that carries it to the terminal, to JSON and to pytest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Literal

Level = Literal["fault", "warning"]
Outcome = Literal["passed", "fault", "warning", "unjudged", "measured", "skipped", "inapplicable"]
_MARK = {
    "passed": "ok",
    "fault": "FAULT",
    "warning": "warn",
    "unjudged": "??",
    "measured": "",
    "skipped": "skip",
    "inapplicable": "–",
}
_COLOR = {"passed": "#1a7f37", "fault": "#b42318", "warning": "#9a6700", "unjudged": "#b42318"}
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
        outcome: ``"passed"``, ``"fault"`` or ``"warning"``. Or ``"measured"`` (a number without a verdict),
            ``"skipped"`` (not answered), ``"inapplicable"`` (nothing to ask) or ``"unjudged"``. The last means that the
            call's own question could not be answered. The report is then not ok.
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
        lines = [f"{_MARK[self.outcome]:>5}  {self.check:<{widest}}  {self.question}".rstrip()]
        indent = " " * (9 + max(widest, len(self.check)))
        for text in ([self.detail] if self.detail else []) + [f"→ {one.message}" for one in self.findings]:
            hanging = indent + "  " * text.startswith("→")
            lines += textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=hanging)
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


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
        return {
            "ok": self.ok,
            "checks": [
                {
                    "check": result.check,
                    "question": result.question,
                    "outcome": result.outcome,
                    "detail": result.detail,
                    "figures": dict(result.figures),
                    "findings": [
                        {"site": one.site, "level": one.level, "message": one.message, "figures": dict(one.figures)}
                        for one in result.findings
                    ],
                }
                for result in self.results
            ],
        }

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
            said = [escape(result.detail)] if result.detail else []
            said += [f"<b>{escape(one.message)}</b>" for one in result.findings]
            mark = f'<td style="color:{_COLOR.get(result.outcome, "#656d76")}">{_MARK[result.outcome] or "&nbsp;"}</td>'
            cells = "".join(
                f'<td style="text-align:left">{text}</td>'
                for text in (escape(result.check), escape(result.question), "<br>".join(said))
            )
            rows.append(f"<tr>{mark}{cells}</tr>")
        return f"<table>{''.join(rows)}</table><p>{escape(self._verdict)}</p>"
