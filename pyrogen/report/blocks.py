r"""What a report is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    text: str
    level: int


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Table:
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]  # a column
    caption: str


@dataclass(frozen=True)
class Picture:
    name: str
    png: bytes
    caption: str
    alt: str


Block = Heading | Text | Table | Picture
