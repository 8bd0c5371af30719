"""What a planted fault is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class StaleFault(ValueError):
    """The text that a fault replaces is not in its file exactly once: the source has changed, so must the fault."""


@dataclass(frozen=True)
class Fault:
    """A small fault, and the tests that should fail because of it.

    Attributes:
        name: what is wrong, as a sentence in the present tense: "the guide forgets beta".
        file: the source, inside of ``pyrogen/``.
        old: a text that occurs in it exactly once.
        new: what stands in its place.
        tests: the few tests that concern it, inside of ``tests/``: ``"models/test_vae.py::test_the_loss_is_…"``, or a
            whole file. Name the test that is there for this fault, so that the fault also proves that test.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, package: Path) -> str:
        """The text of the faulty source.

        Raises:
            StaleFault: if `old` does not occur exactly once.
        """
        path = package / self.file
        source = path.read_text(encoding="utf-8") if path.is_file() else ""
        found = source.count(self.old)
        if found != 1:
            where = f"{found} times in" if path.is_file() else "in no file"
            raise StaleFault(
                f"the fault {self.name!r} no longer applies: its text occurs {where} pyrogen/{self.file}, and it "
                "should occur once"
            )
        return source.replace(self.old, self.new)
