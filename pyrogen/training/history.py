"""What happened at each step of a training run."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import ItemsView, Iterator, KeysView, Sequence, ValuesView
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyrogen import checks
from pyrogen.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    import xarray

Column = NDArray[np.float64]

CLOCK = ("step", "epoch", "beta", "seconds")


def check_clock(rows: NDArray[np.float64], last: int) -> None:
    """Refuse rows of a file whose clock is not that of a run up to step `last`.

    Raises:
        ValueError: if a clock is not finite, or the steps do not rise from at least 1 to at most `last`.
    """
    clock = checks.array("rows", rows)[:, : len(CLOCK)]
    steps = clock[:, 0]
    if not np.isfinite(clock).all() or (steps % 1).any() or (np.diff(steps, prepend=0) <= 0).any():
        raise ValueError("the clock of its history must be finite and rise step by step")
    if len(steps) and steps[-1] > last:
        raise ValueError(f"its history must end at step {last}, got {steps[-1]:g}")


class History(dict[str, Column]):
    """A table with one row a step; ``history["kl"]`` is a column, ``history["kl_per_latent"]`` an array (T, L).

    It is a mapping from names to columns, so that ``dict(history)`` and ``pandas.DataFrame(history)`` work. Its length
    is the number of rows.

    Columns: step (1, 2, ...), epoch (fractions of one), beta (the β in force), seconds (of training, over all
    resumptions), objective, reconstruction and kl. Where the KL splits over latents, kl_0 ... kl_{L-1} follow. Terms
    are in nats per image of that step's batch. A pair whose guide is a point has ``penalty``, −log p(z), and no kl.
    What a pair charges its guide beside these follows, such as a commitment, then what it only watches, such as a
    perplexity. Where several sites are of one kind, each has a column too, such as ``kl_z1`` (and ``kl_z1_0``, ...) or
    ``reconstruction_x``. The rows of ``pg.models.Programs`` are in nats, as their loss is; ``history["loss"]`` is the
    objective under SVI's name. With a learning-rate schedule the last column is ``lr``. The clock is read with the
    terms, every 50 steps or so.

    Args:
        columns: the names of the terms, after the four of the clock.
        monitored: those among them that are not terms in nats.
        per_latent: those among them that are the KL of single latents; by default kl_0, kl_1, ...
        units: of the terms.

    Attributes:
        validation: the held-out terms, a History with one row a validation, or None. Its ``objective`` is at the pair's
            own β, whatever the schedule; ``elbo`` is at β = 1.
    """

    def __init__(
        self,
        columns: Sequence[str],
        monitored: Sequence[str] = (),
        per_latent: Sequence[str] | None = None,
        units: str = "nats per image",
    ) -> None:
        super().__init__()
        columns = checks.names("columns", columns)
        self.columns, self.monitored = (*CLOCK, *columns), checks.names("monitored", monitored)
        if per_latent is None:
            per_latent = [name for name in columns if re.fullmatch(r"kl_\d+", name)]
        self.per_latent, self.units = checks.names("per_latent", per_latent), units
        self.validation: History | None = None
        self._blocks: list[Column] = []

    def __len__(self) -> int:
        return sum(len(block) for block in self._blocks)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __contains__(self, column: object) -> bool:
        return column in self.columns or column == "kl_per_latent" or (column == "loss" and self.units == "nats")

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Return the names of the columns; a view's length is their number, a history's that of its steps."""
        return self._columns().keys()

    def values(self) -> ValuesView[Column]:  # type: ignore[override]
        """Return the columns."""
        return self._columns().values()

    def items(self) -> ItemsView[str, Column]:  # type: ignore[override]
        """Return the columns with their names."""
        return self._columns().items()

    def get(self, column: str, default: Any = None) -> Any:
        """Return a column, or `default` where the history has none of that name."""
        try:
            return self[column]
        except KeyError:
            return default

    def _columns(self) -> dict[str, Column]:
        return {name: self[name] for name in self.columns}

    def __setitem__(self, column: str, value: Any) -> None:
        raise TypeError("a history is read only: change a copy, such as history.to_dataframe()")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"_blocks": [self.array], "validation": self.validation}
        return History, (self.columns[len(CLOCK) :], self.monitored, self.per_latent, self.units), state

    def __getitem__(self, column: str) -> Column:
        if column == "kl_per_latent":
            return self.array[:, [self.columns.index(name) for name in self.per_latent]]
        if column == "loss" and self.units == "nats":  # the name under which SVI has it
            return self["objective"]
        if column not in self.columns:
            raise KeyError(f"the history has no column {column!r}; it has {', '.join(self.columns)}")
        return self.array[:, self.columns.index(column)]

    def __repr__(self) -> str:
        if not len(self):
            return "History(no steps)"
        terms = ", ".join(f"{name} {value:.2f}" for name, value in self._last().items())
        return f"History({len(self)} steps; mean of the last {min(100, len(self))}: {terms} {self.units})"

    def _repr_html_(self) -> str:
        """Return a small table: the mean of the last 100 steps, and the last validation, in nats per image."""
        held_out = self.validation._last(1) if self.validation is not None and len(self.validation) else {}
        head = f"<tr><th>{self.units}</th><th>last {min(100, len(self))} steps</th>" + "<th>held out</th>" * bool(
            held_out
        )
        rows = [f"{head}</tr>"]
        last = self._last()
        for name in {**last, **held_out}:
            values = [last.get(name), *([held_out.get(name)] if held_out else [])]
            cells = "".join(f"<td>{'' if value is None else f'{value:.2f}'}</td>" for value in values)
            rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
        return f"<table><caption>{len(self)} steps</caption>{''.join(rows)}</table>"

    def _last(self, rows: int = 100) -> dict[str, float]:
        """Return the terms, averaged over the last rows."""
        hidden = (*self.per_latent, *self.monitored)
        names = [name for name in self.columns[len(CLOCK) :] if name not in hidden]
        return {name: float(self[name][-rows:].mean()) for name in names} if len(self) else {}

    @property
    def array(self) -> NDArray[np.float64]:
        """The whole table, (T, columns)."""
        if len(self._blocks) != 1:
            self._blocks = [np.concatenate(self._blocks) if self._blocks else np.empty((0, len(self.columns)))]
        return self._blocks[0]

    def append(self, rows: NDArray[np.float64]) -> None:
        """Add rows (n, columns) at the end."""
        rows = checks.array("rows", rows)
        if rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise ValueError(f"rows must be (n, {len(self.columns)}), got {rows.shape}")
        self._blocks.append(rows.astype(np.float64, copy=False))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV with a header line; numbers in full precision."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([int(row[0]), *map(repr, row[1:].tolist())] for row in self.array)
        write_atomically(path, text.getvalue().encode())

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame with one row a step, indexed by step."""
        import pandas as pd

        frame = pd.DataFrame(dict(self))
        return frame.astype({"step": np.int64}).set_index("step", drop=False)

    def to_xarray(self) -> xarray.Dataset:
        """Return an xarray data set over ``step`` (and ``latent`` for kl_per_latent), with units in the attributes."""
        import xarray

        units = {"epoch": "epochs", "beta": "1", "seconds": "s"}
        variables: dict[str, tuple[Any, ...]] = {
            name: ("step", self[name], {} if name in self.monitored else {"units": units.get(name, self.units)})
            for name in self.columns[1:]
            if name not in self.per_latent
        }
        per_latent = self["kl_per_latent"]
        if per_latent.shape[1]:
            variables["kl_per_latent"] = (("step", "latent"), per_latent, {"units": "nats per image"})
        coordinates = {"step": self["step"].astype(np.int64), "latent": np.arange(per_latent.shape[1])}
        return xarray.Dataset(variables, coordinates)
