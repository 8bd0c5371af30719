r"""Graphs as a person draws them: observed nodes shaded, an active trail colored, cliques outlined."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.trails import blocker, draw_trail
from pyrogen.graphs.structure.validation import Node
from pyrogen.plots.canvas.style import COLORS, figure, styled
from pyrogen.plots.graphs import outlines
from pyrogen.plots.graphs.layout import GAP, HEIGHT, Point, layout, widths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = "#444444"
SHADE = "#C9CDD2"
TRAIL = COLORS[1]
RING = COLORS[0]
STOP = "#B00020"
MARGIN = 0.3  # inches
LARGEST = 600  # nodes


@styled
def graph(
    graph: Any,
    given: Any = (),
    trail: Sequence[Node] = (),
    cliques: Iterable[Iterable[Node]] = (),
    title: str = "",
    positions: Mapping[Node, Point] | None = None,
    shaded: str = "observed",
    ends: Any = (),
    blocking: Any = (),
    dashed: Iterable[Iterable[Node]] = (),
    dashes: str = "dashed",
) -> "Figure":
    r"""Draw a directed graph in layers, all arrows pointing down, or an undirected one with edges of like length.

    Args:
        graph: A graph of pgmpy or networkx, directed without cycles or undirected.
        given: The observed nodes, one name or several: they are shaded.
        trail: The nodes of a trail or path in order (see `pyrogen.graphs.active_trail`), or of a cycle, its first node
            again at the end: it is colored. The legend says whether it is active given `given`, or where it is
            blocked.
        cliques: Sets of nodes: each is outlined and hatched. A maximal clique of an undirected graph has the same
            color in every drawing of it.
        title: Above the graph.
        positions: The center of each node, in any unit, such as Graphviz or networkx finds them; None for the layout
            described in `pyrogen.plots.graphs.layout`.
        shaded: What the legend calls the nodes in `given`.
        ends: The nodes that a question is about: each gets a ring.
        blocking: Nodes that block the trails between these: their rim is dotted.
        dashed: Edges to be drawn dashed, such as those that moralizing adds.
        dashes: What the legend calls these.

    Returns:
        A figure as large as the graph needs.

    Raises:
        TypeError: If `graph` is of another kind.
        ValueError: For a cycle, an empty graph, more than 600 nodes, or an unknown name. Also for a trail or a dashed
            edge that does not follow the graph's edges, and positions that leave out a node or are not finite.

    Example:
        >>> import networkx as nx
        >>> from pyrogen.plots import graph
        >>> fig = graph(nx.DiGraph([("A", "C"), ("B", "C")]), given="C", trail=["A", "C", "B"])
        >>> [text.get_text() for text in fig.legends[0].get_texts()]
        ['observed', 'active trail A → C ← B']
    """
    from matplotlib.patches import Ellipse

    validation.either(graph)
    if len(graph) > LARGEST:
        raise ValueError(f"graph must have at most {LARGEST} nodes, as more cannot be read, got {len(graph)}")
    observed = validation.names(graph, given, "given", empty=True)
    way = tuple(trail)
    drawn = _called(graph, way, observed)
    asked = validation.names(graph, ends, "ends", empty=True)
    stops = validation.names(graph, blocking, "blocking", empty=True)
    broken = {frozenset(validation.names(graph, list(edge), "a dashed edge")) for edge in dashed}
    for edge in broken - {frozenset(edge) for edge in graph.edges}:
        raise ValueError(f"dashed must name edges of the graph, got {' and '.join(map(repr, edge))}")
    groups = [validation.names(graph, list(clique), "a clique") for clique in cliques]
    at, bends = layout(graph) if positions is None else (_scaled(graph, positions), {})

    layered = graph.is_directed() and positions is None
    wide = widths(graph)
    pad = max([MARGIN, *(outlines.reach(number) + 0.12 for number in range(len(groups)))])  # room for each outline
    points = [point for path in bends.values() for point in path]
    left = min([*(at[node][0] - wide[node] / 2 for node in graph), *(x for x, _ in points)]) - pad
    right = max([*(at[node][0] + wide[node] / 2 for node in graph), *(x for x, _ in points)]) + pad
    low = min(y for _, y in at.values()) - HEIGHT / 2 - pad
    high = max(y for _, y in at.values()) + HEIGHT / 2 + pad
    colors = outlines.numbers(graph, groups)
    handles = _handles(shaded if observed else "", drawn, dashes if broken else "", asked, stops, groups, colors)
    width = max(
        right - left, 0.082 * len(title) + 0.4, *(0.085 * len(handle.get_label()) + 0.9 for handle in handles), 2
    )
    longest = max((0.085 * len(handle.get_label()) + 0.75 for handle in handles), default=1.0)
    columns = max(1, min(len(handles), int(width / longest)))
    below = 0.24 * -(-len(handles) // columns) + 0.12 if handles else 0.0
    above = 0.4 if title else 0.0
    total = high - low + below + above
    fig = figure(width, total, layout=None)
    ax = fig.add_axes((0.0, below / total, 1.0, (high - low) / total))
    spare = (width - (right - left)) / 2
    ax.set(xlim=(left - spare, right + spare), ylim=(low, high))
    ax.set_axis_off()
    for number, group in enumerate(groups):
        outlines.draw(ax, [at[node] for node in group], [wide[node] for node in group], number, colors[number])
    on_trail = {frozenset(step) for step in pairwise(way)}
    for a, b in graph.edges:
        points = [at[a], *bends.get((a, b), []), at[b]]
        style = "--" if {a, b} in broken else "-"
        _edge(ax, graph.is_directed(), not layered, points, wide[a], wide[b], {a, b} in on_trail, style)
    for node in graph:
        _node(ax, node, at[node], wide[node], node in observed, node in way, node in stops)
        if node in asked:
            ax.add_patch(
                Ellipse(
                    at[node], wide[node] + 0.13, HEIGHT + 0.13, facecolor="none", edgecolor=RING, linewidth=1.6,
                    zorder=3.5, gid=f"ring {node}",
                )
            )  # fmt: skip
    if title:
        fig.text(0.5, 1 - 0.2 / total, title, ha="center", va="center", fontsize=11)
    if handles:
        fig.legend(handles=handles, loc="lower center", ncols=columns, borderaxespad=0.3)
    return fig


def _node(ax: "Axes", node: Node, at: Point, wide: float, observed: bool, on_trail: bool, stops: bool) -> None:
    from matplotlib.patches import Ellipse

    color, line, style = (TRAIL, 2.2, "-") if on_trail else (LINE, 1.2, "-")
    if stops:
        color, line, style = STOP, 2.4, ":"
    face = SHADE if observed else "white"
    ax.add_patch(
        Ellipse(
            at, wide, HEIGHT, facecolor=face, edgecolor=color, linewidth=line, linestyle=style, zorder=4,
            gid=f"node {node}",
        )
    )  # fmt: skip
    ax.text(*at, str(node), ha="center", va="center_baseline", fontsize=10, zorder=5)


def _edge(
    ax: "Axes",
    directed: bool,
    free: bool,
    points: list[Point],
    start: float,
    end: float,
    on_trail: bool,
    dashes: str = "-",
) -> None:
    from matplotlib.patches import FancyArrowPatch

    points = [_border(points[0], points[1], start, free), *points[1:-1], _border(points[-1], points[-2], end, free)]
    color, line = (TRAIL, 2.4) if on_trail else (LINE, 1.1)
    style = "-|>" if directed else "-"
    ax.add_patch(
        FancyArrowPatch(
            path=_smooth(points), arrowstyle=style, mutation_scale=15 if on_trail else 12, color=color, linewidth=line,
            shrinkA=0, shrinkB=0, joinstyle="miter", linestyle=dashes,
            zorder=3 if on_trail else 2,
        )
    )  # fmt: skip


def _border(center: Point, towards: Point, wide: float, free: bool) -> Point:
    r"""Return where the line to a point leaves the node's ellipse, with a hair of space.

    A flat line to another layer leaves it near the top or the bottom, or it would run over the node's neighbors.
    """
    dx, dy = towards[0] - center[0], towards[1] - center[1]
    if not free:
        dx = float(np.clip(dx, -0.7 * abs(dy) * wide / HEIGHT, 0.7 * abs(dy) * wide / HEIGHT))
    scale = 1 / np.hypot(dx / (wide / 2 + 0.02), dy / (HEIGHT / 2 + 0.02))
    return center[0] + dx * scale, center[1] + dy * scale


def _smooth(points: list[Point]) -> Any:
    r"""Return a path through the points: straight for two, and else a cubic that turns softly at each."""
    from matplotlib.path import Path

    if len(points) == 2:
        return Path(points)
    at = np.array(points)
    steps = np.diff(at, axis=0)
    lengths = np.hypot(*steps.T)
    steps /= lengths[:, None]
    slopes = np.concatenate([steps[:1], steps[1:] + steps[:-1], steps[-1:]])
    slopes /= np.maximum(np.hypot(*slopes.T), 1e-9)[:, None]
    vertices, codes = [at[0]], [Path.MOVETO]
    for i, length in enumerate(lengths):  # handles as short as the piece, so that no curve overshoots
        vertices += [at[i] + slopes[i] * length / 3, at[i + 1] - slopes[i + 1] * length / 3, at[i + 1]]
        codes += [Path.CURVE4] * 3
    return Path(np.array(vertices), codes)


def _called(graph: Any, way: Sequence[Node], observed: Sequence[Node]) -> str:
    r"""Return what the legend calls a trail: active only if it is."""
    drawn = draw_trail(graph, tuple(way))
    if len(way) < 2:
        return ""
    if way[0] == way[-1]:
        return f"cycle {drawn}"
    stop = blocker(graph, tuple(way), list(observed))
    if graph.is_directed():
        return f"active trail {drawn}" if stop is None else f"trail {drawn}, blocked at {stop}"
    return f"path {drawn}" if stop is None else f"path {drawn}, cut at {stop}"


def _handles(
    shaded: str,
    trail: str,
    dashes: str,
    asked: Sequence[Node],
    stops: Sequence[Node],
    groups: Sequence[Sequence[Node]],
    colors: Sequence[int],
) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    if asked:
        handles.append(Patch(facecolor="none", edgecolor=RING, linewidth=1.6, label="asked about"))
    if shaded:
        handles.append(Patch(facecolor=SHADE, edgecolor=LINE, label=shaded))
    if stops:
        handles.append(Patch(facecolor="none", edgecolor=STOP, linewidth=2.2, linestyle=":", label="blocks a trail"))
    if trail:
        handles.append(Line2D([], [], color=TRAIL, linewidth=2.4, label=trail))
    if dashes:
        handles.append(Line2D([], [], color=LINE, linewidth=1.1, linestyle="--", label=dashes))
    return handles + [outlines.handle(group, color) for group, color in zip(groups, colors, strict=True)]


def _scaled(graph: Any, positions: Mapping[Node, Point]) -> dict[Node, Point]:
    r"""Return positions in inches, as near to each other as the nodes' sizes allow."""
    missing = [node for node in graph if node not in positions]
    if missing:
        raise ValueError(f"positions must place all nodes, got none for {missing[0]!r}")
    at = np.array([positions[node] for node in graph], dtype=np.float64)
    if at.shape != (len(graph), 2) or not np.isfinite(at).all():
        raise ValueError(f"positions must be two finite numbers for each node, got shape {at.shape}")
    wide = np.array(list(widths(graph).values()))
    gap = np.abs(at[:, None] - at[None])
    need = np.stack([(wide[:, None] + wide[None]) / 2 + GAP, np.full((len(at), len(at)), HEIGHT + GAP)], axis=-1)
    with np.errstate(divide="ignore"):
        factor = (need / gap).min(axis=-1)  # apart in one direction is enough
    np.fill_diagonal(factor, 0)
    for one, other in np.argwhere(np.isinf(factor)):
        both = f"{list(graph)[one]!r} and {list(graph)[other]!r}"
        raise ValueError(f"positions must be different for different nodes, got the same for {both}")
    scale = max(float(factor.max()), 1e-9) if len(at) > 1 else 1.0
    return dict(zip(graph, map(tuple, (at * scale).tolist()), strict=True))
