"""The planted faults, one text file for each part of the package: ``nn.txt``, ``graphs.txt``, and so on.

A heading names the source inside of ``pyrogen/``. Below it stand its faults. Each says what is wrong, as a sentence in
the present tense. Then come the text to replace, which occurs exactly once in that source, the text in its place, and
the few tests that concern it, inside of ``tests/``::

    # distributions/vamp_prior.py

    the pseudo-inputs are detached
    - self.encoder(self.pseudo_inputs)
    + self.encoder(self.pseudo_inputs.detach())
    > distributions/test_vamp_prior.py::test_the_pseudo_inputs_are_trained

A text of several lines has as many ``-`` or ``+``, and an empty last one where it ends with a newline. Without a ``+``
the text is deleted. Name the test that is there for this fault: the fault also proves that test.

See it caught: ``python tests/planted_faults.py --only "pseudo-inputs are detached"``. A fault that no test catches is a
test that is wanting; one that changes no behavior at all does not belong here.
"""

from collections.abc import Iterator
from pathlib import Path

from faults.fault import Fault, StaleFault

__all__ = ["Fault", "StaleFault", "all_faults", "read_faults"]


def all_faults() -> list[Fault]:
    """Every fault of every file here."""
    files = sorted(Path(__file__).parent.glob("*.txt"))
    return [fault for file in files for fault in read_faults(file.read_text(encoding="utf-8"))]


def read_faults(text: str) -> Iterator[Fault]:
    """The faults of one file."""
    source = ""
    for paragraph in text.split("\n\n")[1:]:  # the first says what the file is about
        name, *lines = paragraph.strip("\n").split("\n")
        if name.startswith("# "):
            source = name[2:]
            continue
        marked = {mark: [line[2:] for line in lines if line[:1] == mark] for mark in "-+>"}
        if not source or not marked["-"] or not marked[">"] or sum(map(len, marked.values())) < len(lines):
            raise ValueError(f"a fault must have a source, a text and a test, got {paragraph!r}")
        yield Fault(name, source, "\n".join(marked["-"]), "\n".join(marked["+"]), tuple(marked[">"]))
