"""The state of a page in its address, so that a link brings it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

Kept = Mapping[str, tuple[Callable[[], str], Callable[[str], None]]]


class Address:
    """What the address of a page keeps.

    Args:
        location: Panel's; it learns of the address only once the page is there.
        kept: name → how its text is made, and how it is set from a text; a text that does not fit raises ValueError.
    """

    def __init__(self, location: Any, kept: Kept) -> None:
        self.location, self.kept, self.settled = location, kept, False
        location.param.watch(self.read, "search")
        self.read()

    def write(self) -> None:
        """Put the state into the address."""
        self.settled = True
        self.location.update_query(**{name: make() for name, (make, _) in self.kept.items()})

    def read(self, *_: Any) -> None:
        """Take the state from the address, once; leave aside what does not fit."""
        query = dict(self.location.query_params)
        if self.settled or not query:
            return
        self.settled = True
        for name, (_make, put) in self.kept.items():
            if name in query:
                with suppress(ValueError):
                    put(str(query[name]))


def whole(text: str, most: int) -> int:
    """Return the number from 0 to `most` that a text is."""
    if not text.isdigit() or len(text) > 11 or int(text) > most:
        raise ValueError(f"text must be a number from 0 to {most}")
    return int(text)
