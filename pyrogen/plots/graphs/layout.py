r"""Where to draw the nodes of a graph, in inches: layers for a directed one, springs for an undirected one.

**Layers** (Sugiyama, Tagawa & Toda, 1981, https://doi.org/10.1109/TSMC.1981.4308636). A node's layer is the length of
the longest way to it, so that all arrows point down. An arrow over several layers gets a bend in each between. Layers
are ordered, sweeping down and up, by the mean place of each node's neighbors, and the order with the fewest crossings
is kept. Places are then pulled towards the neighbors' mean, order and gaps kept, which is isotonic regression.

**Springs.** Kamada and Kawai's places (1989, https://doi.org/10.1016/0020-0190(89)90102-6), made larger until no two
nodes touch, and nodes pushed off edges that are not theirs. Components stand side by side; single nodes in a column.
"""

from collections.abc import Mapping
from itertools import combinations, pairwise
from math import ceil, hypot, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.graphs.structure.making import graph_of
from pyrogen.graphs.structure.validation import Node

Point = tuple[float, float]
Places = dict[Node, Point]
Bends = dict[tuple[Node, Node], list[Point]]

GAP = 0.38  # inches between neighbors in a layer
DOWN = 1.05  # inches from layer to layer
HEIGHT = 0.44  # of a node
SWEEPS = 24


def widths(graph: Any) -> dict[Node, float]:
    r"""Return the width of each node, in inches, so that its name fits."""
    return {node: max(0.5, 0.26 + 0.088 * len(str(node))) for node in graph}


def layout(graph: Any) -> tuple[Places, Bends]:
    r"""Return the center of each node, and for edges that are not straight the points on their way, in inches.

    Args:
        graph: A graph of networkx or pgmpy, directed without cycles or undirected.
    """
    import networkx as nx

    wide = widths(graph)
    plain = graph_of(nx.Graph, graph, graph.edges())
    order = {node: place for place, node in enumerate(graph)}
    parts = [sorted(part, key=order.__getitem__) for part in nx.connected_components(plain)]
    parts.sort(key=lambda part: (-len(part), order[part[0]]))
    places: Places = {}
    bends: Bends = {}
    right, height = 0.0, 0.0
    for part in (part for part in parts if len(part) > 1):
        found, ways = (_layered if graph.is_directed() else _springs)(graph, part, wide)
        left = min(x - wide.get(node, 0.0) / 2 for node, (x, _) in found.items())
        top = max(y for _, y in found.values())
        shift = right - left
        places |= {node: (x + shift, y - top) for node, (x, y) in found.items()}
        bends |= {edge: [(x + shift, y - top) for x, y in way] for edge, way in ways.items()}
        right = max(x + wide.get(node, 0.0) / 2 for node, (x, _) in places.items()) + 2 * GAP
        right = max([right, *(x + 2 * GAP for way in bends.values() for x, _ in way)])
        height = max(height, top - min(y for _, y in found.values()))
    alone = [part[0] for part in parts if len(part) == 1]
    rows = max(1, int(height / (HEIGHT + GAP)) + 1, ceil(sqrt(len(alone) / 3)) if not places else 1)
    for first in range(0, len(alone), rows):
        column = alone[first : first + rows]
        widest = max(wide[node] for node in column)
        for row, node in enumerate(column):
            places[node] = (right + widest / 2, -row * (HEIGHT + GAP))
        right += widest + GAP
    return {node: places[node] for node in graph}, bends


def _layered(dag: Any, part: list[Node], wide: Mapping[Node, float]) -> tuple[Places, Bends]:
    import networkx as nx

    inside = dag.subgraph(part)
    layer: dict[Any, int] = {}
    for node in nx.topological_sort(inside):
        layer[node] = max((layer[parent] + 1 for parent in inside.predecessors(node)), default=0)
    for node in part:  # a root stands just above its nearest child
        if not list(inside.predecessors(node)):
            layer[node] = min(layer[child] for child in inside.successors(node)) - 1
    chains = {}
    for a, b in inside.edges:
        chains[a, b] = [a, *((a, b, level) for level in range(layer[a] + 1, layer[b])), b]
        layer |= dict(zip(chains[a, b][1:-1], range(layer[a] + 1, layer[b]), strict=True))
    up: dict[Any, list[Any]] = {node: [] for node in layer}
    down: dict[Any, list[Any]] = {node: [] for node in layer}
    for chain in chains.values():
        for a, b in pairwise(chain):
            down[a].append(b)
            up[b].append(a)
    levels: list[list[Any]] = [[] for _ in range(max(layer.values()) + 1)]
    for node, level in layer.items():
        levels[level].append(node)
    levels = _ordered(levels, up, down)
    x = _placed(levels, up, down, {node: wide.get(node, 0.12) for node in layer})
    down_by = min(max(DOWN, (max(x.values()) - min(x.values())) / 16), 2 * DOWN)  # lines in a wide graph lie flat
    points = {node: (x[node], -down_by * layer[node]) for node in layer}
    at = {node: points[node] for node in part}
    bends = {}
    for (a, b), chain in chains.items():
        if len(chain) > 2:  # straight down past the nodes of the layers between, and as few of these bends as will do
            way = [(x[bend], points[bend][1] + sign * HEIGHT / 2) for bend in chain[1:-1] for sign in (1, -1)]
            others = [node for node in part if node not in (a, b)]
            bends[a, b] = _pulled([at[a], *way, at[b]], [(at[node], wide[node]) for node in others])
    return at, bends


def _pulled(way: list[Point], obstacles: list[tuple[Point, float]]) -> list[Point]:
    r"""Return the inner points that a string along the way keeps if pulled tight without touching a node."""
    kept, last = [], 0
    while last < len(way) - 1:
        clear = (
            number
            for number in range(len(way) - 1, last, -1)
            if number == last + 1 or not any(_meets(way[last], way[number], *obstacle) for obstacle in obstacles)
        )
        last = next(clear)
        kept.append(way[last])
    return kept[:-1]


def _meets(start: Point, end: Point, center: Point, wide: float) -> bool:
    r"""Return whether a line comes closer to a node than a fifth of an inch: in units in which its rim is a circle."""
    size = np.array([wide / 2 + 0.2, HEIGHT / 2 + 0.2])
    a, b = ((np.array(point) - center) / size for point in (start, end))
    along = b - a
    t = np.clip(-(a @ along) / (along @ along), 0, 1)
    return bool(np.hypot(*(a + t * along)) < 1)


def _ordered(levels: list[list[Any]], up: Mapping[Any, list[Any]], down: Mapping[Any, list[Any]]) -> list[list[Any]]:
    r"""Order each layer by the mean place of the neighbors above, then below, and so on; keeps the best order."""
    best, fewest = levels, _crossings(levels, down)
    for sweep in range(SWEEPS):
        near = up if sweep % 2 == 0 else down
        levels = [list(level) for level in levels]
        for level in levels if sweep % 2 == 0 else reversed(levels):
            place = {node: i / max(len(row) - 1, 1) for row in levels for i, node in enumerate(row)}
            key = {
                node: sum(place[other] for other in near[node]) / len(near[node]) if near[node] else place[node]
                for node in level
            }
            level.sort(key=key.__getitem__)
        crossings = _crossings(levels, down)
        if crossings < fewest:
            best, fewest = levels, crossings
    return _swapped(best, down, fewest)


def _swapped(levels: list[list[Any]], down: Mapping[Any, list[Any]], fewest: int) -> list[list[Any]]:
    r"""Swap neighbors in a layer as long as that leaves fewer crossings."""
    better = sum(map(len, levels)) <= 60
    while better:
        better = False
        for level in levels:
            for i in range(len(level) - 1):
                level[i], level[i + 1] = level[i + 1], level[i]
                crossings = _crossings(levels, down)
                if crossings < fewest:
                    fewest, better = crossings, True
                else:
                    level[i], level[i + 1] = level[i + 1], level[i]
    return levels


def _crossings(levels: list[list[Any]], down: Mapping[Any, list[Any]]) -> int:
    total = 0
    for upper, lower in pairwise(levels):
        place = {node: i for i, node in enumerate(lower)}
        ends = [end for node in upper for end in sorted(place[other] for other in down[node])]
        total += sum(a > b for a, b in combinations(ends, 2))
    return total


def _placed(
    levels: list[list[Any]], up: Mapping[Any, list[Any]], down: Mapping[Any, list[Any]], wide: Mapping[Any, float]
) -> dict[Any, float]:
    from scipy.optimize import isotonic_regression

    gaps = ([(wide[a] + wide[b]) / 2 + GAP for a, b in pairwise(level)] for level in levels)
    starts = [np.concatenate([[0.0], np.cumsum(gap)]) for gap in gaps]
    x: dict[Any, float] = {}
    for level, start in zip(levels, starts, strict=True):
        x |= dict(zip(level, (start - start[-1] / 2).tolist(), strict=True))
    for sweep in range(SWEEPS):
        rows = range(len(levels)) if sweep % 2 == 0 else reversed(range(len(levels)))
        for row in rows:
            level = levels[row]
            wanted = [
                float(np.mean([x[other] for other in near])) if (near := up[node] + down[node]) else x[node]
                for node in level
            ]
            # The places nearest to those wanted, by squares, that keep the order and the gaps.
            places = isotonic_regression(np.array(wanted) - starts[row]).x + starts[row]
            x |= dict(zip(level, places.tolist(), strict=True))
    return x


def _springs(graph: Any, part: list[Node], wide: Mapping[Node, float]) -> tuple[Places, Bends]:
    import networkx as nx

    inside = graph_of(nx.Graph, part, graph.subgraph(part).edges())
    start = nx.circular_layout(inside)
    found = nx.kamada_kawai_layout(inside, pos=start) if len(part) > 2 else start
    at = np.array([found[node] for node in part], dtype=np.float64)
    at -= at.mean(axis=0)
    at = at @ np.linalg.svd(at, full_matrices=False)[2].T  # turned to be wider than high, as figures are read
    size = np.array([wide[node] for node in part])
    places = {node: place for place, node in enumerate(part)}
    edges = [(places[a], places[b]) for a, b in inside.edges]
    lengths = [hypot(*(at[a] - at[b])) for a, b in edges]
    at *= (float(size.mean()) + 0.75) / float(np.mean(lengths))
    _spread(at, size, edges)
    return {node: (float(x), float(y)) for node, (x, y) in zip(part, at, strict=True)}, {}


def _spread(at: NDArray[np.float64], size: NDArray[np.float64], edges: list[tuple[int, int]]) -> None:
    r"""Push nodes apart, and off edges that are not theirs, in place, until none touches."""
    number = len(at)
    ends = np.array(edges)
    for _ in range(300):
        push = np.zeros_like(at)
        gap = at[:, None] - at[None]
        near = np.maximum((size[:, None] + size[None]) / 2 + 0.22 - np.abs(gap[..., 0]), 0) * (
            np.abs(gap[..., 1]) < HEIGHT + 0.22
        )
        low = np.maximum(HEIGHT + 0.22 - np.abs(gap[..., 1]), 0) * (near > 0)
        np.fill_diagonal(near, 0)
        np.fill_diagonal(low, 0)
        sideways = near < low  # the shorter way out
        push[:, 0] += (np.where(sideways, near, 0) * np.where(gap[..., 0] >= 0, 1, -1)).sum(1) / 2
        push[:, 1] += (np.where(sideways, 0, low) * np.where(gap[..., 1] >= 0, 1, -1)).sum(1) / 2
        a, b = at[ends[:, 0]], at[ends[:, 1]]
        along = b - a
        square = (along**2).sum(1)
        for node in range(number):
            if number > 60:
                break  # too dense to keep every line off every node
            t = np.clip(((at[node] - a) * along).sum(1) / square, 0, 1)
            off = at[node] - (a + t[:, None] * along)
            distance = np.sqrt((off**2).sum(1))
            reach = HEIGHT / 2 + 0.16 + np.abs(along[:, 1]) / np.sqrt(square) * (size[node] - HEIGHT) / 2
            mine = (ends == node).any(1) | (t <= 0) | (t >= 1)
            for edge in np.flatnonzero((distance < reach) & ~mine):
                normal = np.array([-along[edge, 1], along[edge, 0]]) / sqrt(square[edge])
                side = 1.0 if off[edge] @ normal >= 0 else -1.0
                step = 0.3 * (reach[edge] - distance[edge]) * side * normal
                push[node] += step
                push[ends[edge]] -= step / 2
        if np.abs(push).max() < 1e-3:
            return
        at += push
