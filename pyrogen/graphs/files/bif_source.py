"""The text of a BIF file and the places in it: comments, names, numbers, and refusals with line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

COMMENT = re.compile(r'"[^"\n]*"|/\*.*?\*/|//[^\n]*|/\*', re.DOTALL)
HEAD = re.compile(r'\s*("[^"\n]*"|[^{}]*)\{')
SOLID = re.compile(r"\S")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Source:
    """A text whose comments are blanks; each method reads at a place and says where it stopped."""

    def __init__(self, text: str) -> None:
        self.text = text
        if "//" not in text and "/*" not in text:
            return

        def blank(found: re.Match[str]) -> str:
            if found[0] == "/*":
                self.fail(found.start(), "this comment has no end: expected */")
            return found[0] if found[0][0] == '"' else re.sub(r"[^\n]", " ", found[0])

        self.text = COMMENT.sub(blank, text)

    def numbers(self, at: int, end: int, number: int) -> tuple[list[float], int]:
        """So many numbers up to a semicolon, and the place after it."""
        stop = self.text.find(";", at, end)
        raw = self.text[at : stop if stop >= 0 else end]
        try:
            if stop < 0 or "_" in raw or not raw.isascii():
                raise ValueError
            values = [float(part) for part in raw.replace(",", " ").split()]
        except ValueError:
            for part in re.finditer(r"[^\s,]+", raw):
                if not NUMBER.fullmatch(part[0]):
                    self.fail(at + part.start(), f"expected a number or ';', got {part[0][:20]!r}")
            self.fail(end, "expected ';' after the numbers")
        if len(values) != number:
            self.fail(self.skip(at), f"expected {number} numbers, got {len(values)}")
        return values, stop + 1

    def head(self, at: int, what: str) -> tuple[str, int]:
        """Return the name of a block, and the place after its brace."""
        head = HEAD.match(self.text, at)
        if head is None or "\n" in head[1].strip() or ";" in head[1]:
            self.fail(self.skip(at), f"expected a name and '{{' after {what!r}")
        return unquoted(head[1]), head.end()

    def property(self, at: int, expected: str) -> int:
        """Return the place after a property; refuses anything else."""
        stop = self.text.find(";", at)
        if not self.text.startswith("property", at) or stop < 0:
            self.fail(at, f"expected {expected}, got {self.shown(at)}")
        return stop + 1

    def skip(self, at: int) -> int:
        """Return the place of the next letter that is not a blank, or the end."""
        found = SOLID.search(self.text, at)
        return found.start() if found else len(self.text)

    def shown(self, at: int) -> str:
        """Return what stands at a place, for a message."""
        return repr(self.text[at : at + 20].split("\n")[0]) if at < len(self.text) else "the end of the file"

    def fail(self, at: int, what: str) -> NoReturn:
        """Raise a ValueError that names line and column."""
        line = self.text.count("\n", 0, at) + 1
        raise ValueError(f"line {line}, column {at - self.text.rfind(chr(10), 0, at)}: {what}")


def readings(raw: str) -> Iterator[list[str]]:
    """Yield the ways to take a list of names apart: at commas outside brackets, at every comma, at commas and
    blanks."""
    parts, depth, quoted, begin = [], 0, False, 0
    for place, letter in enumerate(raw):
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "([{":
            depth += 1
        elif not quoted and letter in ")]}":
            depth -= 1
        elif letter == "," and not quoted and depth == 0:
            parts.append(raw[begin:place])
            begin = place + 1
    yield [name for part in [*parts, raw[begin:]] if (name := unquoted(part))]
    yield [name for part in raw.split(",") if (name := unquoted(part))]
    yield [unquoted(part) for part in re.findall(r'"[^"]*"|[^\s,]+', raw)]


def unquoted(name: str) -> str:
    """Return a name without blanks around it, and without the quotes around it if it has no others."""
    name = name.strip()
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' and '"' not in name[1:-1] else name
