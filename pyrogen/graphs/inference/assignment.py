"""One joint state of several variables, and how probable it is."""

from __future__ import annotations

from typing import NamedTuple

from pyrogen.graphs.structure.validation import Node, State


class Assignment(NamedTuple):
    """A most probable assignment.

    Args:
        states: the state of each variable asked for.
        log_probability: log P(states | evidence), in nats.
    """

    states: dict[Node, State]
    log_probability: float
