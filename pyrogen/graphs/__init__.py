"""Graphical models: what a graph says, whether it is so, and exact answers; graphs are pgmpy's or networkx's objects.

A student may start at `pyrogen.graphs.structure.separation`, which asks when two variables are independent.

- **Separation:** `d_separated`, `separated`, `active_trail`, `path`, `blocked_trails`, `draw_trail`,
  `minimum_d_separator`, `conditional_mutual_information` and `generic_network` for the same in numbers.
- **Maps:** `markov_blanket`, `moral_graph`, `is_i_map`, `is_perfect_map`, `minimal_i_map`, `disagreement`,
  `markov_equivalent`, `v_structures`, `cpdag`.
- **Cliques:** `maximal_cliques`, `is_chordal`, `chordless_cycle`, `chords`, `triangulate`, `elimination_order`,
  `junction_tree`, `factorization`.
- **Files:** `read_network`, `write_network`, `network_from_dict`, `network_to_dict`, `bundled`, `bundled_names`.
- **Inference:** `query`, `marginals`, `map_assignment`, `most_probable`, `sample`, `evidence_probability`,
  `log_partition`; `compile` for many questions to one network.
- **Pyro and learning:** `to_pyro`, `learn`, `expectation_maximization`.
"""

from pyrogen.graphs.files.networks import (
    bundled,
    bundled_names,
    network_from_dict,
    network_to_dict,
    read_network,
    write_network,
)
from pyrogen.graphs.inference.compiled import CompiledNetwork
from pyrogen.graphs.inference.compiled import compile_network as compile
from pyrogen.graphs.inference.dependence import Dependence, conditional_mutual_information, generic_network
from pyrogen.graphs.inference.posterior import Assignment, Posterior
from pyrogen.graphs.inference.queries import (
    evidence_probability,
    log_partition,
    map_assignment,
    marginals,
    most_probable,
    query,
    sample,
)
from pyrogen.graphs.pyro.em import Maximized, expectation_maximization
from pyrogen.graphs.pyro.learn import Learned, learn
from pyrogen.graphs.pyro.to_pyro import PyroNetwork, to_pyro
from pyrogen.graphs.structure.cliques import chordless_cycle, chords, is_chordal, maximal_cliques
from pyrogen.graphs.structure.equivalence import cpdag, markov_equivalent, v_structures
from pyrogen.graphs.structure.factorization import Factorization, factorization
from pyrogen.graphs.structure.maps import Independence, disagreement, is_i_map, is_perfect_map, minimal_i_map
from pyrogen.graphs.structure.moral import markov_blanket, moral_graph
from pyrogen.graphs.structure.separation import active_trail, d_separated, path, separated
from pyrogen.graphs.structure.separators import minimum_d_separator
from pyrogen.graphs.structure.trails import BlockedTrail, blocked_trails, draw_trail
from pyrogen.graphs.structure.triangulation import elimination_order, junction_tree, triangulate

__all__ = [
    "Assignment",
    "BlockedTrail",
    "CompiledNetwork",
    "Dependence",
    "Factorization",
    "Independence",
    "Learned",
    "Maximized",
    "Posterior",
    "PyroNetwork",
    "active_trail",
    "blocked_trails",
    "bundled",
    "bundled_names",
    "chordless_cycle",
    "chords",
    "compile",
    "conditional_mutual_information",
    "cpdag",
    "d_separated",
    "disagreement",
    "draw_trail",
    "elimination_order",
    "evidence_probability",
    "expectation_maximization",
    "factorization",
    "generic_network",
    "is_chordal",
    "is_i_map",
    "is_perfect_map",
    "junction_tree",
    "learn",
    "log_partition",
    "map_assignment",
    "marginals",
    "markov_blanket",
    "markov_equivalent",
    "maximal_cliques",
    "minimal_i_map",
    "minimum_d_separator",
    "moral_graph",
    "most_probable",
    "network_from_dict",
    "network_to_dict",
    "path",
    "query",
    "read_network",
    "sample",
    "separated",
    "to_pyro",
    "triangulate",
    "v_structures",
    "write_network",
]
