"""A network of pgmpy as BIF, which `parse_bif` reads back to the last digit."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from typing import Any

from pyrogen.graphs.inference.factors import tables

PLAIN = re.compile(r"(?!(property|type|table|default)\b)([^\s,;|(){}\[\]\"/]|/(?![/*]))+")


def bif_text(network: Any) -> str:
    """Return the text of a BIF file.

    Names and states become text, as a BIF file has no other; names that are not words are quoted.

    Raises:
        TypeError: for anything but a DiscreteBayesianNetwork with tables.
        ValueError: for tables that are not sound, and for names that BIF cannot hold: empty ones, those with quotes or
            line ends, and two that are the same as text.
    """
    known = tables(network)
    if not known.directed:
        raise TypeError("network must be a Bayesian network for BIF, got a Markov network: write it as JSON")
    names = {node: _written(node, "node") for node in known.states}
    _check_different(names.values(), "nodes")
    states = {node: [_written(state, f"state of {node!r}") for state in own] for node, own in known.states.items()}
    lines = [f"network {_written(getattr(network, 'name', None) or 'unknown', 'network')} {{", "}"]
    for node, own in states.items():
        _check_different(own, f"states of {node!r}")
        lines += [
            f"variable {names[node]} {{",
            f"  type discrete [ {len(own)} ] {{ {', '.join(own)} }};",
            "}",
        ]
    for (node, *parents), values in known.printed:
        given = f" | {', '.join(names[parent] for parent in parents)}" if parents else ""
        lines.append(f"probability ( {names[node]}{given} ) {{")
        joints = product(*(states[parent] for parent in parents))
        for joint, row in zip(joints, values.reshape(len(states[node]), -1).T.tolist(), strict=True):
            head = f"({', '.join(joint)})" if parents else "table"
            lines.append(f"  {head} {', '.join(map(repr, row))};")  # repr reads back as the same float
        lines.append("}")
    return "\n".join(lines) + "\n"


def _written(name: Any, what: str) -> str:
    text = str(name)
    if PLAIN.fullmatch(text):
        return text
    if not text.strip() or text != text.strip() or '"' in text or "\n" in text or "\r" in text:
        raise ValueError(f"BIF cannot hold the {what} {text!r}: rename it, or write JSON")
    return f'"{text}"'


def _check_different(texts: Any, what: str) -> None:
    for text, times in Counter(texts).items():
        if times > 1:
            raise ValueError(f"the {what} must differ as text in a BIF file, got {text} twice: rename one")
