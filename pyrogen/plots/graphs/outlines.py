r"""Outlines of sets of nodes: hulls, hatched, of a color that stays with a set from one drawing to the next."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen.plots.canvas.style import COLORS
from pyrogen.plots.graphs.layout import HEIGHT, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUTLINES = (COLORS[0], COLORS[2], COLORS[3], COLORS[5], COLORS[4], "#7A5C2E", "#6A4C93")
HATCHES = ("///", "\\\\\\", "...", "|||", "---", "xxx", "+++")
SMALL = 60  # nodes of the largest graph whose cliques are looked for


def numbers(graph: Any, groups: Sequence[Sequence[Hashable]]) -> list[int]:
    r"""Return the color of each set: its place among the graph's maximal cliques, or one that none of them has.

    Where there are more sets than colors, those that are left are given out in turn.
    """
    from pyrogen.graphs import maximal_cliques

    known: dict[frozenset[Hashable], int] = {}
    if groups and not graph.is_directed() and len(graph) <= SMALL:
        known = {frozenset(clique): place for place, clique in enumerate(maximal_cliques(graph))}
    found: list[int] = []
    fresh = len(known)
    for group in groups:
        number = known.get(frozenset(group), fresh)
        fresh += number == fresh
        free = [one for one in range(len(OUTLINES)) if one not in {other % len(OUTLINES) for other in found}]
        if number % len(OUTLINES) not in free and free:
            number = free[0]
        found.append(number)
    return found


def reach(number: int) -> float:
    r"""Return how far a clique's outline runs from its nodes, in inches: neighbors in the list differ."""
    return 0.09 + 0.055 * (number % 5)


def draw(ax: "Axes", centers: list[Point], wide: list[float], number: int, color: int) -> None:
    r"""Draw the convex hull of the nodes' ellipses, each clique's a little larger than the one before."""
    from matplotlib.patches import Polygon
    from scipy.spatial import ConvexHull

    more = reach(number)
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    rim = np.concatenate(
        [
            np.stack([x + (w / 2 + more) * np.cos(angle), y + (HEIGHT / 2 + more) * np.sin(angle)], axis=1)
            for (x, y), w in zip(centers, wide, strict=True)
        ]
    )
    corners = rim[ConvexHull(rim).vertices]
    line, hatch = OUTLINES[color % len(OUTLINES)], HATCHES[color % len(HATCHES)]
    ax.add_patch(Polygon(corners, facecolor=line, alpha=0.10, linewidth=0, zorder=0))
    ax.add_patch(Polygon(corners, facecolor="none", edgecolor=(line, 0.28), hatch=hatch, linewidth=0, zorder=0.5))
    ax.add_patch(Polygon(corners, facecolor="none", edgecolor=line, linewidth=1.6, zorder=1))


def handle(group: Sequence[Hashable], color: int) -> Any:
    r"""Return the legend's patch for a set."""
    from matplotlib.patches import Patch

    line, hatch = OUTLINES[color % len(OUTLINES)], HATCHES[color % len(HATCHES)]
    label = f"{{{', '.join(map(str, group))}}}"
    return Patch(facecolor=(line, 0.12), edgecolor=line, hatch=hatch, label=label)
