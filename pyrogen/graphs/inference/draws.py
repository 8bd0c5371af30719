"""Exact draws from a discrete network: down the arrows, or, where there is evidence, down a junction tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pyrogen.graphs.inference.explanations import Places, numbered, rows
from pyrogen.graphs.inference.propagation import Upwards
from pyrogen.graphs.inference.rings import Table

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
            index = numbered((drawn[parent] for parent in parents), table.shape[1:], count)
            columns = table.reshape(len(table), -1).T
            for seen, members in _groups(index, len(table)):
                drawn[node][np.concatenate(members)] = _choose(columns[seen], members, generator)
    return drawn


def backward(up: Upwards, count: int, generator: np.random.Generator) -> dict[int, Places]:
    """Draw each clique's own nodes given its separator, roots first."""
    drawn: dict[int, Places] = {}
    for number, clique in enumerate(up.schedule.cliques):
        own = clique.axes[clique.shared :]
        drawn.update((node, np.empty(count, dtype=np.intp)) for node in own)
        index = numbered((drawn[node] for node in clique.separator), clique.shape, count)
        for seen, members in _groups(index, clique.size // clique.rows):
            weights = up.ring.leave(rows(up, number, seen), axis=1)
            chosen = np.unravel_index(_choose(weights, members, generator), clique.shape[clique.shared :])
            for node, place in zip(own, chosen, strict=True):
                drawn[node][np.concatenate(members)] = place
    return drawn


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
