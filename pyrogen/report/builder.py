r"""Building a report, and writing it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyrogen.files import check_writable, write_atomically
from pyrogen.report.blocks import Block, Heading, Picture, Table, Text
from pyrogen.report.markdown import render_markdown
from pyrogen.report.numbers import format_column, is_number, to_plain
from pyrogen.report.page import render_page
from pyrogen.signatures import checked

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure


class Report:
    r"""A report of headings, texts, tables and figures in the order they are added, with scores for machines.

    Texts may hold paragraphs (apart by an empty line), lists (lines that start with "- "), `code`, **strong**,
    *emphasis* and [links](https://pyro.ai); everything else is escaped. The same calls give the same bytes: the files
    hold a time only if a date is given.

    Args:
        title: The title.
        summary: What the reader should know who reads nothing else; a text as described.
        date: A line under the title, such as a date.

    Example:
        >>> import tempfile
        >>> from pyrogen.report import Report
        >>> report = Report("β-VAE on dSprites", summary="A larger β gives **up** detail.")
        >>> report.heading("Scores").table(["model", "MIG"], [["β = 1", 0.1642], ["β = 4", 0.1529]], "By histogram.")
        Report('β-VAE on dSprites', 1 table, 0 figures)
        >>> report.scores({"mig": {"β = 1": 0.1642}}).save(tempfile.mkdtemp()).name
        'report.html'
    """

    @checked
    def __init__(self, title: str, summary: str = "", date: str = "") -> None:
        if not title.strip():
            raise ValueError(f"title must be a text that is not empty, got {title!r}")
        self.title = title
        self.summary = summary
        self.date = date
        self._blocks: list[Block] = []
        self._scores: dict[str, Any] = {}

    def __repr__(self) -> str:
        tables = sum(isinstance(block, Table) for block in self._blocks)
        figures = sum(isinstance(block, Picture) for block in self._blocks)
        counted = f"{tables} table{'s' * (tables != 1)}, {figures} figure{'s' * (figures != 1)}"
        return f"Report({self.title!r}, {counted})"

    def heading(self, text: str, level: int = 2) -> Report:
        r"""Add a heading of level 2 or 3 (1 is the title's)."""

        if level not in (2, 3):
            raise ValueError(f"level must be 2 or 3, got {level}")
        self._blocks.append(Heading(text, level))
        return self

    def text(self, text: str) -> Report:
        r"""Add paragraphs and lists."""

        self._blocks.append(Text(text))
        return self

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "") -> Report:
        r"""Add a table; numbers are written with four significant digits (see `format_column`) and set right.

        Args:
            headers: The columns' names, with units where they have them.
            rows: The cells, one sequence a row; strings stay as they are and None is an absent value.
            caption: What the table shows.

        Raises:
            ValueError: If `headers` is empty, or a row has not one cell a column.
        """

        headers = tuple(map(str, headers))
        cells = [tuple(row) for row in rows]
        if not headers:
            raise ValueError("headers must name at least one column, got none")
        for i, row in enumerate(cells):
            if len(row) != len(headers):
                raise ValueError(f"row {i} must have one cell a column, expected {len(headers)}, got {len(row)}")
        numeric = tuple(bool(cells) and all(is_number(row[c]) for row in cells) for c in range(len(headers)))
        columns = [format_column(column) for column in zip(*cells, strict=True)]
        written = tuple(zip(*columns, strict=True))
        self._blocks.append(Table(headers, written, numeric, caption))
        return self

    def figure(self, figure: Figure, name: str, caption: str = "", alt: str = "") -> Report:
        r"""Add a figure, as it looks now.

        Args:
            figure: A matplotlib figure; anything with its `savefig`.
            name: The name of its file without `.png`: letters, digits, "-" and "_", different from all others.
            caption: What the figure shows.
            alt: The figure in words, for those who cannot see it; by default the caption.

        Raises:
            TypeError: If it has no `savefig`.
            ValueError: If the name is taken or cannot name a file.
        """

        if not hasattr(figure, "savefig"):
            raise TypeError(f"figure must be a matplotlib figure, got {type(figure).__name__}")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise ValueError(f"name must be letters, digits, '-' and '_', got {name!r}")
        if any(isinstance(block, Picture) and block.name.lower() == name.lower() for block in self._blocks):
            raise ValueError(f"name must be new, got {name!r}, which another figure has: choose another")
        file = io.BytesIO()
        figure.savefig(
            file, format="png", metadata={"Software": None}
        )  # else the bytes change with matplotlib's version
        self._blocks.append(Picture(name, file.getvalue(), caption, alt or caption or name))
        return self

    def scores(self, scores: Mapping[str, Any]) -> Report:
        r"""Add scores for `scores.json`: numbers, strings, arrays, mappings, and objects with
        a `to_dict()` or `to_json()`.

        NaN and infinity, which JSON does not know, become null.

        Raises:
            TypeError: If a value is of another kind.
            ValueError: If a score of that name is there already.
        """

        twice = [key for key in map(str, scores) if key in self._scores]
        if twice:
            raise ValueError(f"scores must have new names, got {', '.join(map(repr, twice))} again: choose others")
        self._scores.update(to_plain(scores))
        return self

    def save(self, folder: str | os.PathLike[str]) -> Path:
        r"""Write `report.html`, `report.md` with its figures as PNG, and `scores.json`; returns the page's path.

        Every file is written beside its place and then renamed into it, so that none is ever half there and what was
        there stays until it is replaced. Other files in the folder are left alone. The folder is made if it is missing;
        a script calls `check_writable(folder)` first, to learn of a wrong one before its work and not after.

        Raises:
            ValueError: If the folder cannot be written.
        """

        folder = check_writable(folder)
        parts = (self.title, self.summary, self.date, self._blocks)
        files = {f"{block.name}.png": block.png for block in self._blocks if isinstance(block, Picture)}
        files["scores.json"] = (json.dumps(self._scores, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
        files["report.md"] = render_markdown(*parts).encode()
        files["report.html"] = render_page(*parts).encode()  # last: where it is new, all is new
        for name, content in files.items():
            write_atomically(folder / name, content)
        return folder / "report.html"
