"""Exact draws from a discrete network: down the arrows, or, where there is evidence, down a junction tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
            shape = table.shape[1:]
            index = np.zeros(count, dtype=np.intp)
            for parent, size in zip(parents, shape, strict=True):
                index = index * size + drawn[parent]
            columns = table.reshape(len(table), -1).T
            for seen, members in _groups(index, len(table)):
                drawn[node][np.concatenate(members)] = _choose(columns[seen], members, generator)
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
        index = np.zeros(count, dtype=np.intp)
        for node, size in zip(clique.separator, clique.shape, strict=False):
            index = index * size + drawn[node]
        for seen, members in _groups(index, clique.size // clique.rows):
            places = np.unravel_index(seen, clique.shape[: clique.shared]) if clique.shared else ()
            states = dict(zip(clique.separator, places, strict=True))
            weights = floats_by_row(rows(schedule, operands, ring, up, number, states, len(seen)), ring)
            chosen = np.unravel_index(_choose(weights, members, generator), sizes)
            for node, place in zip(own, chosen, strict=True):
                drawn[node][np.concatenate(members)] = place
    return drawn


def floats_by_row(table: Table, ring: Ring) -> Table:
    """Rows of numbers, each up to a constant."""
    return np.exp(table - table.max(axis=1, keepdims=True)) if ring.logarithms else floats(table, ring)


def _choose(weights: Table, members: Sequence[Places], generator: np.random.Generator) -> Places:
    """For each row as many places as it has members, drawn in proportion to its weights; never one of weight zero."""
    chosen = []
    for row, those in zip(weights, members, strict=True):
        possible = np.flatnonzero(row > 0)
        bounds = np.cumsum(row[possible])
        drawn = generator.random(len(those)) * bounds[-1]
        places = np.searchsorted(bounds, drawn, side="right")
        chosen.append(possible[np.minimum(places, len(possible) - 1)])  # rounding may carry a draw past the end
    return np.concatenate(chosen)


def _groups(index: Places, width: int) -> Iterator[tuple[Places, list[Places]]]:
    """Yield the different values of `index`, so many at once that their rows are not too large, and where each
    stands."""
    order = np.argsort(index, kind="stable")
    values, begins = np.unique(index[order], return_index=True)
    members = np.split(order, begins[1:])
    step = max(1, AT_ONCE // max(1, width))
    for begin in range(0, len(values), step):
        yield values[begin : begin + step], members[begin : begin + step]
