r"""The Markdown that a report's text may use, and escaping for both outputs."""

import functools
import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_CODE = re.compile(r"(`[^`\n]+`)")
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&])")


def to_html(text: str) -> str:
    r"""Return a text as HTML: paragraphs, lists, `code`, **strong**, *emphasis* and links; all else escaped."""
    rendered: str = _parser().render(text)
    return rendered.strip()


@functools.cache
def _parser() -> "MarkdownIt":
    """CommonMark with these marks alone; HTML stays text, and links go to the web only."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("zero").enable(["list", "backticks", "emphasis", "link", "newline"])
    parser.validateLink = lambda url: url.startswith(("https://", "http://"))  # type: ignore[method-assign]
    return parser


def to_markdown(text: str) -> str:
    r"""Return a text as Markdown in which HTML is not live."""
    return "".join(
        piece if i % 2 else piece.replace("&", "&amp;").replace("<", "&lt;")
        for i, piece in enumerate(_CODE.split(text.strip()))
    )


def escape_html(text: str) -> str:
    r"""Return a plain text with nothing that HTML would read."""
    return html.escape(text, quote=True)


def escape_markdown(text: str) -> str:
    r"""Return a plain text (a heading, a cell, a caption) on one line, with nothing that Markdown would read."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
