r"""BIF, the Interchange Format for Bayesian networks: read by its published grammar, and written.

A file holds blocks, in any order::

    network weather { property text; }
    variable rain { type discrete [ 2 ] { no, yes }; }
    variable wet { type discrete [ 2 ] { no, yes }; }
    probability ( rain ) { table 0.8, 0.2; }
    probability ( wet | rain ) { (no) 0.9, 0.1; default 0.3, 0.7; }

Blanks, commas and the comments ``// …`` and ``/* … */`` separate. ``table`` runs over the node's own states slowest and
over the last parent's fastest. ``default`` fills the entries that are not given. Names may be quoted, and may hold
brackets or commas where the number of states or the known names leave one reading.

Source: G. Hulten and P. Domingos, http://www.cs.washington.edu/dm/vfml/appendixes/bif.htm, after F. Cozman's grammar,
version 0.15, https://www.cs.cmu.edu/~fgcozman/Research/InterchangeFormat/.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.graphs.files.bif_source import Source, readings, unquoted
from pyrogen.graphs.files.rounding import beyond_rounding

LARGEST = 2**25  # entries of one table: 268 MB

KEYWORD = re.compile(r"(network|variable|probability|property|type|table|default)\b")
TYPE = re.compile(r"type\s+discrete\s*\[\s*(\d{1,9})\s*\]\s*\{")
TYPE_END = re.compile(r"\}\s*;")
FAMILY = re.compile(r"\s*\(")
FAMILY_END = re.compile(r"\)\s*\{")
BODY_END = re.compile(r"[;{]\s*\}")
ENTRY = re.compile(r"\s*\(([^()]*)\)([^;]*);")
WORD = re.compile("table|default")
SEPARATORS = re.compile(r"[\s,]*")
SPECIAL = re.compile(r'[,()";]')  # in a state's name: it is searched for, not split off

Entry = tuple[int, list[float]]  # its place in the text, and its numbers


@dataclass
class Content:
    """What a BIF file says.

    Args:
        name: the network's.
        states: the states of each variable, in the file's order.
        parents: the parents of each variable.
        tables: for each variable a table ``(states, joint states of the parents)``, the last parent's fastest.
    """

    name: str = ""
    states: dict[str, list[str]] = field(default_factory=dict)
    parents: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def parse_bif(text: str) -> Content:
    """Return the content of a BIF file.

    Raises:
        ValueError: with line and column, for what the grammar does not allow and an entry given twice or missing. Also
            for a wrong number of states, or probabilities that do not sum to one within the rounding of their digits.

    Example:
        >>> text = "network n {} variable A { type discrete [ 2 ] { y, n }; } probability (A) { table 0.2 0.8; }"
        >>> parse_bif(text).states
        {'A': ['y', 'n']}
    """
    return _Parser(text).content


class _Parser(Source):
    """One reading of one text; `content` holds the result."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.content = Content()
        self.places: dict[str, int] = {}
        families: list[tuple[int, int, int, int]] = []
        at, named = self.skip(0), False
        while at < len(self.text):
            keyword = KEYWORD.match(self.text, at)
            if keyword is not None and keyword[1] == "variable":
                at = self._variable(keyword.end())
            elif keyword is not None and keyword[1] == "probability":
                families.append(self._family(keyword.end()))
                at = families[-1][-1] + 1
            elif keyword is not None and keyword[1] == "network":
                if named:
                    self.fail(at, "expected one network block, got a second")
                at, named = self._network(keyword.end()), True
            else:
                self.fail(at, f"expected a network, variable or probability block, got {self.shown(at)}")
            at = self.skip(at)
        for family in families:
            self._table(*family)
        for name, place in self.places.items():
            if name not in self.content.tables:
                self.fail(place, f"expected a probability block for every variable, but {name!r} has none")

    def _network(self, at: int) -> int:
        self.content.name, at = self.head(at, "network")
        while not self.text.startswith("}", at := self.skip(at)):
            at = self.property(at, "a property or '}' in the network block")
        return at + 1

    def _variable(self, at: int) -> int:
        start = self.skip(at)
        name, at = self.head(at, "variable")
        if not name:
            self.fail(start, "expected a name after 'variable'")
        if name in self.content.states:
            self.fail(start, f"the variable {name!r} is declared twice, expected once")
        self.places[name] = start
        while not self.text.startswith("}", at := self.skip(at)):
            if not self.text.startswith("type", at):
                at = self.property(at, "'type', a property or '}' in the variable block")
                continue
            if name in self.content.states:
                self.fail(at, f"{name!r} has two types, expected one")
            at = self._type(at, name)
        if name not in self.content.states:
            self.fail(at, f"{name!r} has no type: expected type discrete [ number ] {{ states }};")
        return at + 1

    def _type(self, at: int, name: str) -> int:
        start = TYPE.match(self.text, at)
        if start is None:
            self.fail(at, "expected type discrete [ number ] { states };")
        end = TYPE_END.search(self.text, start.end())
        raw = self.text[start.end() : end.start()] if end else ""
        broken = raw.find("}")
        if end is None or (broken >= 0 and "\n" in raw[broken:]):
            closing = self.text.find("}", start.end())
            self.fail(len(self.text) if closing < 0 else closing, f"expected '}};' after the states of {name!r}")
        number, ways = int(start[1]), list(readings(raw))
        states = next((parts for parts in ways if len(parts) == number), None)
        if states is None:
            self.fail(start.start(1), f"{name!r} is said to have {number} states, but {len(ways[0])} are listed")
        if number == 0:
            self.fail(start.start(1), f"{name!r} must have at least one state")
        if twice := [state for state, times in Counter(states).items() if times > 1]:
            self.fail(start.end(), f"the states of {name!r} must differ, got {twice[0]!r} twice")
        self.content.states[name] = states
        return end.end()

    def _family(self, at: int) -> tuple[int, int, int, int]:
        """Return where the names of a probability block begin and end, and where its entries do."""
        start = FAMILY.match(self.text, at)
        names_end = FAMILY_END.search(self.text, start.end()) if start else None
        if start is None or names_end is None:
            self.fail(self.skip(at), "expected ( variable | parents ) { entries } after 'probability'")
        end = BODY_END.search(self.text, names_end.end() - 1)
        stop = end.end() - 1 if end else self.text.find("}", names_end.end())
        if stop < 0:
            self.fail(len(self.text), "expected '}' at the end of the last probability block")
        return start.end(), names_end.start(), names_end.end(), stop

    def _table(self, names_at: int, names_end: int, at: int, end: int) -> None:
        child, parents = self._names(names_at, names_end)
        if child in self.content.tables:
            self.fail(names_at, f"{child!r} has two probability blocks, expected one")
        own, known = len(self.content.states[child]), [self.content.states[parent] for parent in parents]
        rows = prod(map(len, known))
        if own * rows > LARGEST:
            self.fail(names_at, f"the table of {child!r} would have more than {LARGEST:,} entries")
        searched = any(SPECIAL.search(state) for states in known for state in states)
        places = [{state: place for place, state in enumerate(states)} for states in known]
        entries: dict[Any, Entry] = {}  # by the number of the row, or by the word that stands for it
        while (at := self.skip(at)) < end:
            start, word = at, WORD.match(self.text, at)
            row: Any
            if self.text[at] == "(":
                entry = None if searched else ENTRY.match(self.text, at, end)
                if entry is None:
                    row, at = self._searched(at, known)
                else:
                    row, at = self._row(entry, parents, places), entry.start(2)
            elif word:
                row, at = word[0], word.end()
            else:
                at = self.property(at, "an entry ( states ) numbers;, 'table' or 'default'")
                continue
            if row in entries:
                what = repr(word[0]) if word else "this entry"
                self.fail(start, f"the table of {child!r} gives {what} twice, expected once")
            values, at = self.numbers(at, end, own * rows if row == "table" else own)
            entries[row] = start, values
        table, starts = self._filled(child, known, entries, names_at)
        self._check(child, table, starts)
        self.content.parents[child] = parents
        self.content.tables[child] = table

    def _filled(
        self, child: str, known: Sequence[Sequence[str]], found: dict[Any, Entry], at: int
    ) -> tuple[NDArray[np.float64], list[int]]:
        """Return the table (states, rows) of these entries, and where each row is given."""
        own, sizes = len(self.content.states[child]), [len(states) for states in known]
        rows = prod(sizes)
        whole, default = found.pop("table", None), found.pop("default", None)
        if whole is not None:
            if found or default is not None:
                self.fail(whole[0], f"the table of {child!r} must be one 'table' or entries, got both")
            return np.array(whole[1]).reshape(own, rows), [whole[0]] * rows
        if len(found) < rows and default is None:
            missing = np.unravel_index(next(row for row in range(rows) if row not in found), sizes)
            given = ", ".join(states[int(place)] for states, place in zip(known, missing, strict=True))
            self.fail(at, f"the table of {child!r} has no entry for ({given}) and no default")
        start, values = default or (at, [0.0] * own)
        table, starts = np.tile(values, (rows, 1)), [start] * rows
        if found:
            table[list(found)] = [values for _, values in found.values()]
        for row, (start, _) in found.items():
            starts[row] = start
        return table.T, starts

    def _check(self, child: str, table: NDArray[np.float64], starts: Sequence[int]) -> None:
        wrong = ~((table >= 0) & (table <= 1)).all(axis=0)
        if wrong.any():
            at = starts[int(wrong.argmax())]
            self.fail(at, f"the table of {child!r} must hold probabilities from 0 to 1")
        for row, total in beyond_rounding(table):
            self.fail(starts[row], f"the table of {child!r} must sum to one, got a sum of {total:.6g}")

    def _names(self, at: int, end: int) -> tuple[str, list[str]]:
        """Return the variable of a probability block and its parents."""
        known = self.content.states
        own, bar, rest = self.text[at:end].partition("|")
        child = unquoted(own)
        ways = list(readings(rest)) if rest.strip() else [[]]
        if child not in known and not bar:  # without a bar, the first name is the variable
            for parts in readings(own):
                if parts and all(part in known for part in parts):
                    child, ways = parts[0], [parts[1:]]
                    break
        parents = next((parts for parts in ways if all(part in known for part in parts)), ways[0])
        for name in (child, *parents):
            if name not in known:
                like = [other for other in known if other.lower() == name.lower()]
                hint = f" (did you mean {like[0]!r}?)" if like else ""
                place = max(at, self.text.find(name, at))
                self.fail(place, f"a table must name variables of this file, got {name!r}{hint}")
        for place, name in enumerate(parents):
            if name == child or name in parents[:place]:
                self.fail(at, f"the parents of {child!r} must be other variables, each once, got {name!r}")
        return child, parents

    def _row(self, entry: re.Match[str], parents: Sequence[str], places: Sequence[dict[str, int]]) -> int:
        """Return the number of the joint state of the parents that an entry is for."""
        parts = entry[1].split(",")
        if '"' in entry[1]:
            parts = [unquoted(part) for part in parts]
        if len(parts) != len(parents):
            parts = entry[1].replace(",", " ").split()
        if len(parts) != len(parents):
            self.fail(entry.start(1) - 1, f"expected a state of each of the {len(parents)} parents, got {len(parts)}")
        row = 0
        for part, parent, known in zip(parts, parents, places, strict=True):
            place = known.get(part.strip())
            if place is None:
                known_states = ", ".join(list(known)[:8])
                self.fail(entry.start(1), f"{parent!r} has the states {known_states}, got {part.strip()!r}")
            row = row * len(known) + place
        return row

    def _searched(self, at: int, known: Sequence[Sequence[str]]) -> tuple[int, int]:
        """As `_row`, where names hold brackets or commas: at each place the longest state that stands there."""
        row, here = 0, at + 1
        for states in known:
            here = SEPARATORS.match(self.text, here).end()  # type: ignore[union-attr]
            for place in sorted(range(len(states)), key=lambda place: -len(states[place])):
                written = next(
                    (w for w in (f'"{states[place]}"', states[place]) if self.text.startswith(w, here)), None
                )
                if written is not None and self.text[here + len(written) : here + len(written) + 1] in {*" \t\r\n,)"}:
                    row, here = row * len(states) + place, here + len(written)
                    break
            else:
                self.fail(here, f"expected one of the states {', '.join(states[:8])}, got {self.shown(here)}")
        here = self.skip(here)
        if not self.text.startswith(")", here):
            self.fail(here, f"expected ')' after a state of each of the {len(known)} parents")
        return row, here + 1
