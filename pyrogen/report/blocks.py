r"""What a report is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    r"""A heading of level 2 or 3."""

    text: str
    level: int


@dataclass(frozen=True)
class Text:
    r"""Paragraphs and lists in the marks that `to_html` and `to_markdown` read."""

    text: str


@dataclass(frozen=True)
class Table:
    r"""A table of cells that are written already, with the columns to set right."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]  # a column
    caption: str


@dataclass(frozen=True)
class Picture:
    r"""A figure as the bytes of its PNG."""

    name: str
    png: bytes
    caption: str
    alt: str


Block = Heading | Text | Table | Picture
