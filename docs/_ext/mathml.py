"""TeX formulas as MathML, which browsers draw themselves: a page with formulas needs no script and no network.

The converter is docutils' own, so it comes with Sphinx. What it cannot read is a warning, which fails the build.
"""

import html
import itertools
import re
import xml.etree.ElementTree as ET
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

SPACE = "http://www.w3.org/1998/Math/MathML"
ROWS = {f"{{{SPACE}}}{tag}" for tag in ("math", "mrow", "mtd", "msqrt")}
FUNCTIONS = {"log", "exp", "Var", "diag", "KL"}
APPLIED = "\u2061"  # the invisible operator between a function and what it is of
ET.register_namespace("", SPACE)


def convert(node: nodes.Element, block: bool) -> str:
    """The node's formula as a ``<math>`` element."""
    text = node.astext()
    try:
        return spaced(tex2mathml(text, as_block=block))
    except MathError as error:
        logger.warning("the formula %r cannot be written as MathML: %s", text, error, location=node)
        return f"<code>{text}</code>"


def symbol(element: ET.Element) -> str | None:
    """The text of an operator or bracket, None for anything else."""
    return (element.text or "").strip() if element.tag == f"{{{SPACE}}}mo" else None


def is_function(element: ET.Element) -> bool:
    """Whether it is log or the like."""
    return (element.text or "").strip() in FUNCTIONS


def spaced(mathml: str) -> str:
    """What the converter leaves undone: thin spaces around log and the like, and bars of KL(q ‖ p) that stay small."""
    named = re.sub(r"&(?!lt;|gt;|amp;|#)\w+;", lambda entity: html.unescape(entity[0]), mathml)
    tree = ET.fromstring(named)
    for row in tree.iter():
        if (row.text or "").strip() in {"∥", "‖", "∣"}:
            row.set("stretchy", "false")
        if row.tag not in ROWS:
            continue
        for before, child in itertools.pairwise(list(row)):
            ahead = is_function(child) and symbol(before) in {None, ")", "]"}
            after = symbol(child) is None and (symbol(before) == APPLIED or is_function(before))
            if ahead or after:
                row.insert(list(row).index(child), ET.Element(f"{{{SPACE}}}mspace", width="0.17em"))
    return ET.tostring(tree, encoding="unicode")


def inline(translator: Any, node: nodes.Element) -> None:
    """Write an inline formula."""
    translator.body.append(convert(node, block=False))
    raise nodes.SkipNode


def block(translator: Any, node: nodes.Element) -> None:
    """Write a displayed formula, which scrolls where the page is narrower than it is."""
    translator.body.append(f'<div class="formula">{convert(node, block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
