"""Exact draws from a discrete network: down the arrows, or, where there is evidence, down a junction tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrogen.graphs.inference.explanations import rows
from pyrogen.graphs.inference.problem import floats
from pyrogen.graphs.inference.propagation import Upwards
from pyrogen.graphs.inference.rings import Ring, Table
from pyrogen.graphs.inference.schedule import Schedule

Places = NDArray[np.intp]

AT_ONCE = 2**20  # entries of the rows from which is drawn at once


def forward(
    scopes: Sequence[Sequence[int]],
    tables: Sequence[Table],
    fixed: dict[int, int],
    count: int,
    generator: np.random.Generator,
) -> dict[int, Places]:
    """Draw each node given its parents, parents first.

    Args:
        scopes: for each node itself and its parents.
        tables: its conditional table, its own axis first.
        fixed: states that are set and not drawn.
        count: the number of draws.
        generator: the source of randomness.
    """
    drawn: dict[int, Places] = {node: np.full(count, place) for node, place in fixed.items()}
    waiting = {scope[0]: (scope[1:], table) for scope, table in zip(scopes, tables, strict=True)}
    while waiting:
        ready = [node for node, (parents, _) in waiting.items() if all(parent in drawn for parent in parents)]
        for node in ready:
            parents, table = waiting.pop(node)
            if node in drawn:
                continue
            drawn[node] = np.empty(count, dtype=np.intp)
            for part in _parts(count, len(table)):
                index: Any = (slice(None), *(drawn[parent][part] for parent in parents))
                given = table[index]
                given = np.broadcast_to(given.reshape(len(table), -1).T, (len(drawn[node][part]), len(table)))
                drawn[node][part] = _choose(given, generator)
    return drawn


def backward(
    schedule: Schedule,
    operands: Sequence[Sequence[Table]],
    ring: Ring,
    up: Upwards,
    count: int,
    generator: np.random.Generator,
) -> dict[int, Places]:
    """Draw each clique's own nodes given its separator, roots first."""
    drawn: dict[int, Places] = {}
    for number, clique in enumerate(schedule.cliques):
        own = clique.axes[clique.shared :]
        sizes = clique.shape[clique.shared :]
        for node in own:
            drawn[node] = np.empty(count, dtype=np.intp)
        for part in _parts(count, clique.size // clique.rows):
            states = {node: drawn[node][part] for node in clique.separator}
            size = len(range(*part.indices(count)))
            table = floats_by_row(rows(schedule, operands, ring, up, number, states, size), ring)
            places = np.unravel_index(_choose(table, generator), sizes)
            for node, place in zip(own, places, strict=True):
                drawn[node][part] = place
    return drawn


def floats_by_row(table: Table, ring: Ring) -> Table:
    """Rows of numbers, each up to a constant."""
    return np.exp(table - table.max(axis=1, keepdims=True)) if ring.logarithms else floats(table, ring)


def _choose(weights: Table, generator: np.random.Generator) -> Places:
    """For each row a place drawn in proportion to its weights; never one of weight zero."""
    bounds = np.cumsum(weights, axis=1)
    drawn = generator.random(len(weights)) * bounds[:, -1]
    places = (bounds <= drawn[:, None]).sum(axis=1)
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(axis=1)  # rounding may carry a draw past the end
    return np.asarray(np.minimum(places, last))


def _parts(count: int, width: int) -> list[slice]:
    step = max(1, AT_ONCE // max(1, width))
    return [slice(begin, min(count, begin + step)) for begin in range(0, count, step)]
