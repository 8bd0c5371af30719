r"""A report as one HTML page that needs nothing beside it."""

import base64
import struct
from collections.abc import Sequence

from pyrogen.report.blocks import Block, Heading, Picture, Table, Text
from pyrogen.report.text import escape_html, to_html

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #5a5a5a; --paper: #ffffff; --line: #d9d9d9; --shade: #f5f6f8;
  --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --soft: #a8a8a8; --paper: #16181c; --line: #3a3d44;
  --shade: #1f2228; --link: #7cb7f2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 0.25rem; }
h2 { font-size: 1.35rem; margin: 2.75rem 0 0.5rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 1.75rem 0 0.25rem; }
p, ul { max-width: 46rem; margin: 0.6rem 0; }
a { color: var(--link); }
.date { color: var(--soft); margin: 0; }
.summary { border-left: 4px solid var(--link); background: var(--shade); padding: 0.35rem 1.1rem; margin: 1.25rem 0;
  border-radius: 0 6px 6px 0; }
code { font: 0.9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--shade); padding: 0.1em 0.3em;
  border-radius: 4px; }
.table { overflow-x: auto; margin: 1.25rem 0; }
table { border-collapse: collapse; font-size: 0.95rem; }
caption { text-align: left; color: var(--soft); font-size: 0.9rem; padding-bottom: 0.5rem; }
th, td { padding: 0.4rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; }
thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
tbody th { font-weight: 600; }
tbody tr:hover { background: var(--shade); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
figure { margin: 1.5rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line);
  border-radius: 6px; padding: 6px; }
figcaption { color: var(--soft); font-size: 0.9rem; margin-top: 0.5rem; max-width: 46rem; }
@media print { main { max-width: none; } h2, h3 { break-after: avoid; } figure, tr { break-inside: avoid; } }
""".strip()

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # the page can load nothing, by its own word


def render_page(title: str, summary: str, date: str, blocks: Sequence[Block]) -> str:
    r"""Return the whole page; figures are inside it as base64."""

    body = [f"<h1>{escape_html(title)}</h1>"]
    if date:
        body.append(f'<p class="date">{escape_html(date)}</p>')
    if summary:
        body.append(f'<div class="summary">\n{to_html(summary)}\n</div>')
    figure = table = 0
    for block in blocks:
        if isinstance(block, Heading):
            body.append(f"<h{block.level}>{escape_html(block.text)}</h{block.level}>")
        elif isinstance(block, Text):
            body.append(to_html(block.text))
        elif isinstance(block, Table):
            table += 1
            body.append(_table(block, table))
        else:
            figure += 1
            body.append(_figure(block, figure))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape_html(POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape_html(title)}</title>",
            f"<style>\n{STYLE}\n</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _table(block: Table, number: int) -> str:
    kind = [' class="number"' if numeric else "" for numeric in block.numeric]
    head = "".join(f'<th scope="col"{k}>{escape_html(h)}</th>' for h, k in zip(block.headers, kind, strict=True))
    caption = f"Table {number}. {block.caption}" if block.caption else f"Table {number}."
    out = ['<div class="table">', "<table>", f"<caption>{escape_html(caption)}</caption>"]
    out += [f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for row in block.rows:
        first = f'<th scope="row"{kind[0]}>{escape_html(row[0])}</th>'
        rest = "".join(f"<td{k}>{escape_html(cell)}</td>" for cell, k in zip(row[1:], kind[1:], strict=True))
        out.append(f"<tr>{first}{rest}</tr>")
    return "\n".join([*out, "</tbody>", "</table>", "</div>"])


def _figure(block: Picture, number: int) -> str:
    width, height = struct.unpack(">II", block.png[16:24])  # of the PNG's first chunk; keeps the page still as it loads
    source = base64.b64encode(block.png).decode()
    caption = f"Figure {number}. {block.caption}" if block.caption else f"Figure {number}."
    return (
        f'<figure id="{escape_html(block.name)}">\n'
        f'<img alt="{escape_html(block.alt)}" width="{width}" height="{height}" src="data:image/png;base64,{source}">\n'
        f"<figcaption>{escape_html(caption)}</figcaption>\n</figure>"
    )
