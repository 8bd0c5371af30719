"""The package's docstrings as they are written: formulas in indented blocks, names in single backticks."""

import re
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxRole

INTERNAL = {"ABC", "Described", "FactoredImages", "Named"}


class Name(SphinxRole):
    """A name in backticks: code, and a link if it is one of the package's objects; ``pg.`` is ``pyrogen.``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The reference, to be resolved when all objects are known."""
        target = re.sub(r"^pg\.", "pyrogen.", self.text)
        specific = re.fullmatch(r"pg\.\w+", self.text) is not None  # pg.fit is pyrogen.training.fit: its end is sought
        target = target.removeprefix("pyrogen.") if specific else target
        text = nodes.literal(self.rawtext, self.text, classes=["name"])
        if not re.fullmatch(r"[A-Za-z_][\w.]*", target):
            return [text], []
        options = {key: self.env.ref_context.get(key) for key in ("py:module", "py:class")}
        reference = addnodes.pending_xref(self.rawtext, text, refdomain="py", reftype="obj", reftarget=target)
        reference.attributes.update(options | {"maybe": True, "refdoc": self.env.docname})
        if specific:
            reference["refspecific"] = True
        return [reference], []


def unlinked(app: Sphinx, env: BuildEnvironment, node: nodes.Element, text: nodes.Node) -> nodes.Node | None:
    """Leave as plain code a backticked word that names something else, such as an argument."""
    return text if node.get("maybe") else None


def formulas(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Turn indented blocks after a paragraph into literal ones: reStructuredText would join their lines as a quote."""
    result: list[str] = []
    for number, line in enumerate(lines):
        if (
            line.startswith("    ")
            and number >= 2
            and not lines[number - 1].strip()
            and re.match(r"\S", before := next((one for one in reversed(lines[:number]) if one.strip()), ""))
            and not re.match(r"(\.\.|[-*] )|.*::$", before)
        ):
            result += [".. code-block:: none", "   :class: formula", ""]
        result.append(line)
    lines[:] = result


def plain_bases(app: Sphinx, name: str, value: Any, options: Any, bases: list[Any]) -> None:
    """Leave out of a class's bases what serves the package alone."""
    bases[:] = [base for base in bases if getattr(base, "__name__", "") not in INTERNAL] or [object]


def aliases(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write types by their names where Sphinx 9.0 does not: an alias in a tuple, and those of a dataclass."""
    plain = []
    for text in (signature, returns):
        text = text and re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"\1", text)
        plain.append(text and text.replace("<factory>", "..."))  # which would leave the rest unparsed
    return plain[0], plain[1]


def skipped(app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leave out a named tuple's fields, of which Python says only that they are fields."""
    return True if (getattr(value, "__doc__", None) or "").startswith("Alias for field number") else None


def no_bases(app: Sphinx, doctree: nodes.document) -> None:
    """Leave out that a class is an object."""
    for paragraph in list(doctree.findall(nodes.paragraph)):
        if paragraph.astext() == "Bases: object":
            paragraph.parent.remove(paragraph)


def bar(inliner: Inliner, match: re.Match[str], line: int) -> tuple[str, list[Any], str, list[Any]]:
    """Read the bars of p(x|z) and |z| as bars: reStructuredText's substitutions are not used here."""
    end = match.end("start")
    return match.string[:end], [], match.string[end:], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role, the reading of bars and the handlers."""
    app.add_role("name", Name())
    Inliner.dispatch["|"] = bar
    app.connect("missing-reference", unlinked)
    app.connect("autodoc-process-bases", plain_bases)
    app.connect("autodoc-process-signature", aliases)
    app.connect("autodoc-skip-member", skipped)
    app.connect("doctree-read", no_bases)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as the docstrings say
    app.connect("autodoc-process-docstring", formulas, priority=400)  # before napoleon, which has 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
