"""Graphical models: what a graph says, whether it is so, and exact answers; graphs are pgmpy's or networkx's objects.

A student may start at `pyrogen.graphs.separation`, which asks when two variables of a network are independent.
"""

from pyrogen.graphs.cliques import chordless_cycle, chords, is_chordal, maximal_cliques
from pyrogen.graphs.equivalence import cpdag, markov_equivalent, v_structures
from pyrogen.graphs.maps import Independence, disagreement, is_i_map, is_perfect_map, minimal_i_map
from pyrogen.graphs.moral import markov_blanket, moral_graph
from pyrogen.graphs.separation import active_trail, d_separated, path, separated
from pyrogen.graphs.separators import minimum_d_separator
from pyrogen.graphs.trails import BlockedTrail, blocked_trails, draw_trail
from pyrogen.graphs.triangulation import elimination_order, junction_tree, triangulate

__all__ = [
    "BlockedTrail",
    "Independence",
    "active_trail",
    "blocked_trails",
    "chordless_cycle",
    "chords",
    "cpdag",
    "d_separated",
    "disagreement",
    "draw_trail",
    "elimination_order",
    "is_chordal",
    "is_i_map",
    "is_perfect_map",
    "junction_tree",
    "markov_blanket",
    "markov_equivalent",
    "maximal_cliques",
    "minimal_i_map",
    "minimum_d_separator",
    "moral_graph",
    "path",
    "separated",
    "triangulate",
    "v_structures",
]
