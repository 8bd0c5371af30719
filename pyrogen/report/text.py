r"""The little Markdown that a report's text may use, and escaping for both outputs."""

import html
import re

_CODE = re.compile(r"(`[^`\n]+`)")
_LINK = re.compile(r"\[([^\]\n]+)\]\((https?://[^\s()]+)\)")
_STRONG = re.compile(r"\*\*(\S(?:[^*\n]*\S)?)\*\*")
_EMPHASIS = re.compile(r"(?<![*\w])\*(\S(?:[^*\n]*\S)?)\*(?![*\w])")
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&])")


def paragraphs(text: str) -> list[list[str]]:
    r"""Returns the paragraphs of a text as lists of lines, in which all lines of a list start with "- "."""

    parts: list[list[str]] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        for line in map(str.strip, block.splitlines()):
            fresh = not parts or parts[-1] == [] or line.startswith("- ") != parts[-1][0].startswith("- ")
            if fresh:
                parts.append([])
            parts[-1].append(line)
        parts.append([])
    return [part for part in parts if part]


def to_html(text: str) -> str:
    r"""Returns a text as HTML: paragraphs, lists, `code`, **strong**, *emphasis* and links; all else escaped."""

    out = []
    for part in paragraphs(text):
        if part[0].startswith("- "):
            items = "".join(f"<li>{_inline(line[2:])}</li>" for line in part)
            out.append(f"<ul>{items}</ul>")
        else:
            out.append(f"<p>{_inline(' '.join(part))}</p>")
    return "\n".join(out)


def to_markdown(text: str) -> str:
    r"""Returns a text as Markdown in which HTML is not live."""

    out = []
    for part in paragraphs(text):
        lines = [
            "".join(
                piece if i % 2 else piece.replace("&", "&amp;").replace("<", "&lt;")
                for i, piece in enumerate(_CODE.split(line))
            )
            for line in part
        ]
        out.append("\n".join(lines))
    return "\n\n".join(out)


def escape_html(text: str) -> str:
    r"""Returns a plain text with nothing that HTML would read."""

    return html.escape(text, quote=True)


def escape_markdown(text: str) -> str:
    r"""Returns a plain text (a heading, a cell, a caption) on one line, with nothing that Markdown would read."""

    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _inline(text: str) -> str:
    pieces = _CODE.split(text)
    return "".join(
        f"<code>{escape_html(piece[1:-1])}</code>" if i % 2 else _marks(escape_html(piece))
        for i, piece in enumerate(pieces)
    )


def _marks(text: str) -> str:
    text = _LINK.sub(r'<a href="\2">\1</a>', text)
    text = _STRONG.sub(r"<strong>\1</strong>", text)
    return _EMPHASIS.sub(r"<em>\1</em>", text)
