"""Tables of the explorer's page, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

SHADE = "background:rgba(11,95,165,{:.2f})"


def answers(moved: Any, latents: Iterable[int]) -> str:
    """Return how far some latents move as a factor turns, a bar each."""
    rows = "".join(
        f"<tr><td>z{latent}</td><td><meter min='0' max='1' value='{min(moved[latent], 1.0):.3f}'></meter> "
        f"{moved[latent]:.2f}</td></tr>"
        for latent in latents
    )
    return f"<table><tr><th>latent</th><th>standard deviation, in units of its slider</th></tr>{rows}</table>"


def information(table: Any, names: Sequence[str], latents: Iterable[int]) -> str:
    """Return the mutual information of some latents (rows) and the factors (columns), shaded by its size."""
    top = max(float(table.max()), 1e-9)
    rows = ""
    for latent in latents:
        cells = (f"<td style='{SHADE.format(value / top * 0.6)}'>{value:.2f}</td>" for value in table[latent])
        rows += f"<tr><th>z{latent}</th>{''.join(cells)}</tr>"
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def grid(codes: Any, chosen: tuple[int, ...]) -> str:
    """Return the numbers of a grid of codes, with a frame around that of the chosen place."""
    width, place = codes.shape[-1], int(np.ravel_multi_index(chosen, codes.shape))
    frame = "text-align:right;padding:2px 6px;outline:2px solid "
    cells = [
        f"<td style='{frame}{'#0b5fa5' if number == place else 'transparent'}'>{code}</td>"
        for number, code in enumerate(codes.reshape(-1).tolist())
    ]
    rows = ["".join(cells[start : start + width]) for start in range(0, len(cells), width)]
    return f"<table aria-label='codes'>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
