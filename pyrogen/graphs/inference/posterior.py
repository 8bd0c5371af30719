"""What a query answers: a normalized table over named variables with named states, or one joint state of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyrogen.graphs.structure.validation import Node, State

ROWS = 40  # rows printed


class Assignment(NamedTuple):
    """A most probable assignment.

    Args:
        states: the state of each variable asked for.
        log_probability: log P(states | evidence), in nats.
    """

    states: dict[Node, State]
    log_probability: float


@dataclass(frozen=True, eq=False)
class Posterior:
    """A joint distribution over a few discrete variables.

    Args:
        states: the states of each variable, by its name, in the order of the table's axes.
        table: probabilities that sum to one, float64, an axis for each variable.

    Example:
        >>> import numpy as np
        >>> states = {"rain": ("no", "yes"), "wet": ("no", "yes")}
        >>> posterior = Posterior(states, np.array([[0.75, 0.05], [0.0, 0.2]]))
        >>> posterior[{"rain": "yes", "wet": "yes"}], posterior[{"wet": "yes"}]
        (0.2, 0.25)
        >>> posterior.marginal("rain").as_dict()
        {'no': 0.8, 'yes': 0.2}
    """

    states: dict[Node, tuple[State, ...]]
    table: NDArray[np.float64]

    @property
    def variables(self) -> tuple[Node, ...]:
        """The variables, in the order of the axes."""
        return tuple(self.states)

    def __getitem__(self, assignment: Mapping[Node, State]) -> float:
        """Return the probability that the variables named are in these states; the others are summed out."""
        if not isinstance(assignment, Mapping):
            raise TypeError(
                f"the assignment must be a mapping from variables to states, got {type(assignment).__name__}"
            )
        index: list[int | slice] = [slice(None)] * self.table.ndim
        for name, state in assignment.items():
            axis = self._axis(name)
            if state not in self.states[name]:
                raise ValueError(f"{name!r} must be in one of its states, {list(self.states[name])}, got {state!r}")
            index[axis] = self.states[name].index(state)
        return float(self.table[tuple(index)].sum())

    def marginal(self, *names: Node) -> Posterior:
        """Return the distribution of some of the variables, the axes in the order of `names`."""
        axes = [self._axis(name) for name in names]
        if not names or len(set(axes)) != len(axes):
            raise ValueError(f"variables must be one or several different ones, got {list(names)}")
        rest = tuple(axis for axis in range(self.table.ndim) if axis not in axes)
        summed = self.table.sum(axis=rest)
        kept = sorted(axes)
        return Posterior(
            {name: self.states[name] for name in names}, summed.transpose([kept.index(axis) for axis in axes])
        )

    def as_dict(self) -> dict[State | tuple[State, ...], float]:
        """Return the probability of each state, or of each tuple of states where there are several variables."""
        first, *others = self.states.values()
        return dict(zip(product(first, *others) if others else first, self.table.ravel().tolist(), strict=True))

    def _rows(self) -> list[list[str]]:
        """Return the names and the probability's, then a row for each joint state, up to `ROWS`."""
        rows = [[*map(str, self.states), f"P({', '.join(map(str, self.states))})"]]
        for joint, probability in zip(product(*self.states.values()), self.table.ravel(), strict=True):
            if len(rows) > ROWS:
                rows.append([f"… ({self.table.size:,} rows in all)"])
                break
            rows.append([*map(str, joint), f"{probability:.4f}"])
        return rows

    def _repr_html_(self) -> str:
        head, *rows = [[escape(cell) for cell in row] for row in self._rows()]
        lines = ["".join(f"<th>{cell}</th>" for cell in head)]
        lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
        return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"

    def __str__(self) -> str:
        """Return a table: a column for each variable and the probability, a row for each joint state."""
        rows = self._rows()
        widths = [max(len(row[column]) for row in rows if len(row) > 1) for column in range(len(rows[0]))]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column + 1 == len(widths) else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=False))
            ).rstrip()
            for row in rows
        )

    def _axis(self, name: Node) -> int:
        for axis, known in enumerate(self.states):
            if known == name:
                return axis
        raise ValueError(f"the assignment must name variables of {list(self.states)}, got {name!r}")
