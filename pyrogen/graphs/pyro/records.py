"""Records: many observations of a network's variables, by name or by number, with gaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from pyrogen import checks
from pyrogen.graphs.structure import validation
from pyrogen.graphs.structure.validation import Node, State

Indices: TypeAlias = dict[Node, Tensor]  # int64 (N,) for each node, −1 where nothing was seen


def columns(data: Any) -> dict[Node, Any]:
    """Return the columns of a pandas DataFrame, or of a mapping from names to sequences of one length, as pandas
    Series.

    Raises:
        TypeError: for anything else.
        ValueError: for a column that is there twice, columns of several lengths, or no rows.
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        found: dict[Node, Any] = {}
        for place, name in enumerate(data.columns):
            if name in found:
                raise ValueError(f"data must have each column once, got {name!r} twice")
            found[name] = data.iloc[:, place]
    elif isinstance(data, Mapping):
        for name, values in data.items():
            if not isinstance(values, Iterable):
                raise TypeError(f"data[{name!r}] must be a column of entries, got {checks.shown(values)}")
        found = {
            name: pd.Series(values)
            if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype)
            else pd.Series(list(values), dtype=object)
            for name, values in data.items()
        }
    else:
        raise TypeError(f"data must be a pandas DataFrame or map names to columns, got {type(data).__name__}")
    lengths = {len(column) for column in found.values()}
    if len(lengths) > 1:
        raise ValueError(f"data must have columns of one length, got lengths {sorted(lengths)}")
    if lengths in (set(), {0}):
        raise ValueError("data must have at least one row, got none")
    return found


def encode(found: Mapping[Node, Any], states: Mapping[Node, Sequence[State]]) -> Indices:
    """Return each column's states as their places in `states`, −1 where the entry is None, NaN or NA.

    Raises:
        ValueError: for a column that is not a variable, or an entry outside its variable's states.

    Example:
        >>> encode(columns({"rain": ["no", None, "yes"]}), {"rain": ("no", "yes")})
        {'rain': tensor([ 0, -1,  1])}
    """
    import pandas as pd

    for name in found:
        if name not in states:
            raise ValueError(
                f"data must have columns named after the variables ({validation.listed(states)}), got {name!r}"
            )
    encoded: Indices = {}
    for name, column in found.items():
        codes, seen = pd.factorize(column, use_na_sentinel=True)
        places = {state: place for place, state in enumerate(states[name])}
        for state in seen:
            if state not in places:
                known = validation.listed(states[name])
                raise ValueError(f"data must give {name!r} one of its states ({known}), got {state!r}")
        table = torch.tensor([*(places[state] for state in seen), -1])
        encoded[name] = table[torch.as_tensor(codes.copy(), dtype=torch.int64)]  # a missing one has the code −1
    return encoded


def observed_states(found: Mapping[Node, Any]) -> dict[Node, tuple[State, ...]]:
    """Return the states that each column shows, sorted (by their text where they cannot be compared)."""
    import pandas as pd

    shown: dict[Node, tuple[State, ...]] = {}
    for name, column in found.items():
        values = [value.item() if hasattr(value, "item") else value for value in pd.factorize(column)[1]]
        try:
            shown[name] = tuple(sorted(values))
        except TypeError:
            shown[name] = tuple(sorted(values, key=str))
    return shown
