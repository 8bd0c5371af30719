r"""A report as Markdown, its figures in files beside it."""

from collections.abc import Sequence

from pyrogen.report.blocks import Block, Heading, Picture, Table, Text
from pyrogen.report.text import escape_markdown, to_markdown


def render_markdown(title: str, summary: str, date: str, blocks: Sequence[Block]) -> str:
    r"""Return the report as Markdown; the figure called `name` is expected in `name.png`."""

    out = [f"# {escape_markdown(title)}"]
    if date:
        out.append(escape_markdown(date))
    if summary:
        out.append(to_markdown(summary))
    figure = table = 0
    for block in blocks:
        if isinstance(block, Heading):
            out.append(f"{'#' * block.level} {escape_markdown(block.text)}")
        elif isinstance(block, Text):
            out.append(to_markdown(block.text))
        elif isinstance(block, Table):
            table += 1
            out.append(_table(block, table))
        else:
            figure += 1
            out.append(_figure(block, figure))
    return "\n\n".join(out) + "\n"


def _table(block: Table, number: int) -> str:
    rule = ["---:" if numeric else "---" for numeric in block.numeric]
    rows = [block.headers, *block.rows]
    lines = [f"| {' | '.join(map(escape_markdown, row))} |" for row in rows]
    lines.insert(1, f"| {' | '.join(rule)} |")
    caption = f"Table {number}. {escape_markdown(block.caption)}".rstrip()
    return "\n".join([caption, "", *lines])


def _figure(block: Picture, number: int) -> str:
    caption = f"Figure {number}. {escape_markdown(block.caption)}".rstrip()
    return f"![{escape_markdown(block.alt)}]({block.name}.png)\n\n{caption}"
