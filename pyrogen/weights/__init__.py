"""Trained pairs that ship with the package, each with a model card: no network is needed to load them.

A card is a JSON file beside the weights. It says which data, networks and recipe a pair was trained with, what it
scores on held-out images, and how to train it again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, overload

from pyrogen import checks
from pyrogen.models import Pair
from pyrogen.training import load

FOLDER = Path(__file__).parent


@overload
def pretrained(name: None = None) -> list[str]: ...


@overload
def pretrained(name: str) -> Pair: ...


def pretrained(name: str | None = None) -> Pair | list[str]:
    """Return a trained pair that ships with the package, or the names of all of them.

    The weights are kept in half precision and returned in single precision. `card` says how the pair was trained and
    what it scores.

    Args:
        name: one of the names; None asks for the list of them.

    Returns:
        The pair, in evaluation mode on the CPU; without a name a list of names.

    Raises:
        ValueError: if no pair has that name.

    Example:
        >>> import pyrogen as pg
        >>> pair = pg.pretrained("dsprites-vae-beta4")
        >>> float(pair.beta), pair.sample(2).shape
        (4.0, torch.Size([2, 1, 64, 64]))
    """
    if name is None:
        return names()
    return load(FOLDER / f"{_known(name)}.safetensors").float().eval()


def card(name: str) -> dict[str, Any]:
    """Return the model card of a pretrained pair.

    Args:
        name: one of ``pg.pretrained()``.

    Returns:
        ``title``, ``data``, ``networks``, ``recipe``, ``held_out`` scores, ``check`` (scores of a few images, which
        a test repeats), ``limits``, ``license``, and ``again``, how to train the pair again.

    Raises:
        ValueError: if no pair has that name.

    Example:
        >>> card("dsprites-vae-beta4")["held_out"]["images"]
        10000
    """
    found: dict[str, Any] = json.loads((FOLDER / f"{_known(name)}.json").read_text(encoding="utf-8"))
    return found


def names() -> list[str]:
    """Return the names of the pretrained pairs."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def _known(name: str) -> str:
    known: str = checks.one_of("name", name, names())
    return known
