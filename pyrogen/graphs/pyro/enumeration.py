"""How a Pyro program walks a discrete network: in which order, under which names, in which tensor dimensions."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from pyro import distributions as dist
from pyro import poutine
from pyro.ops import packed
from pyro.ops.contract import contract_to_tensor
from pyro.ops.indexing import Vindex
from pyro.ops.rings import LogRing
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from pyrogen.graphs.structure.moral import neighbors
from pyrogen.graphs.structure.validation import Node

RESERVED = ("data", "particles", "volume")  # plates and sites of the program's own


def site_names(nodes: Iterable[Node], reserved: Iterable[str] = ()) -> dict[Node, str]:
    """Return a Pyro site for each node: the node itself if it is a string, else its repr; ``" #2"`` … where that is
    taken.

    The name with ``" seen"`` behind it is the node's too.

    Example:
        >>> site_names(["rain", 3, ("rain", 3), "3", "data"])
        {'rain': 'rain', 3: '3', ('rain', 3): "('rain', 3)", '3': '3 #2', 'data': 'data #2'}
    """
    taken, named = {*RESERVED, *reserved}, {}
    for node in nodes:
        plain = node if isinstance(node, str) else repr(node)
        name, number = plain, 2
        while {name, f"{name} seen"} & taken:
            name, number = f"{plain} #{number}", number + 1
        taken |= {name, f"{name} seen"}
        named[node] = name
    return named


class Plan:
    """The walk over the variables of a network with cliques (families, or the scopes of factors).

    Pyro gives each enumerated variable a tensor dimension of its own, and a tensor has at most 64. Two variables need
    different dimensions only if some table holds both. So each is told to avoid those of its neighbors alone, in the
    form that ``pyro.markov`` uses inside Pyro. Dimensions are then reused, and hundreds of variables fit.

    Args:
        order: the variables, parents before children.
        sizes: the number of states of each.
        cliques: the variables that share a table.
        limit: the most entries that a table may have while Pyro sums out the enumerated variables.
    """

    def __init__(
        self, order: Sequence[Node], sizes: Mapping[Node, int], cliques: Iterable[Sequence[Node]], limit: int
    ) -> None:
        self.order = tuple(order)
        self.sizes = dict(sizes)
        self.cliques = [tuple(clique) for clique in cliques]
        self.sites = site_names(self.order, [f"factor {place}" for place in range(len(self.cliques))])
        self.limit = limit
        near = neighbors(self.cliques)
        place = {node: index for index, node in enumerate(self.order)}
        self._avoid = {
            node: sorted((other for other in near[node] if place[other] < place[node]), key=place.__getitem__)
            for node in self.order
        }
        self._fits: set[frozenset[Node]] = set()

    def scope(self, uses: Iterable[Node]) -> dict[str, Any]:
        """Pyro's inference settings of a site that reads the values of these variables."""
        return {"_markov_scope": Counter({self.sites[node]: 0 for node in uses}), "_markov_depth": 0}

    def sample(self, node: Node, logits: Tensor, uses: Sequence[Node], seen: Tensor | None) -> Tensor:
        """Return the variable's own site, and where it was seen in some rows only a second one, ``"<site> seen"``.

        Args:
            node: the variable.
            logits: ``(…, states)``.
            uses: the variables that the logits depend on.
            seen: nothing, or the places of the observed states, −1 for what is missing.

        Returns:
            The value, as Pyro gives it.
        """
        # Two neighbors of the node may share a dimension, but no two that it uses do: these come last and prevail.
        earlier = [other for other in self._avoid[node] if other not in uses]
        fn, infer = dist.Categorical(logits=logits), {"enumerate": "parallel", **self.scope([*earlier, *uses])}
        if self.sizes[node] == 1:
            seen = torch.zeros((), dtype=torch.int64)  # missing or not; Pyro cannot enumerate a single state
        if seen is None or not bool((seen < 0).any()):
            return pyro.sample(self.sites[node], fn, obs=seen, infer=infer)
        value = pyro.sample(self.sites[node], fn, infer=infer)
        agrees = (value == seen) | (seen < 0)
        weigh(f"{self.sites[node]} seen", torch.where(agrees, 0.0, -math.inf).to(logits), self.scope([node]))
        return value

    def walk(
        self, parents: Mapping[Node, Sequence[Node]], logits: Mapping[Node, Tensor], seen: Mapping[Node, Tensor]
    ) -> dict[Node, Tensor]:
        """Ancestral sampling from conditional tables, each ``(…, rows, states)`` with a row for each state of the
        parents, the last parent's running fastest; returns the value of each variable."""
        values: dict[Node, Tensor] = {}
        for node in self.order:
            row = torch.zeros((), dtype=torch.int64)
            for parent in parents[node]:
                row = row * self.sizes[parent] + values[parent]
            values[node] = self.sample(node, Vindex(logits[node])[..., row, :], parents[node], seen.get(node))
        self.check_size(values)
        return values

    def log_prob(self, program: Callable[[], Any], plates: int) -> Tensor:
        """Return what a program of this plan's sites says of each row: log Σ over the enumerated variables of its
        joint.

        `TraceEnum_ELBO` does the same and then adds up the rows, which leaves no place for their weights.

        Args:
            program: its sites are all in the same plates, the last of which is dimension −1.
            plates: how many of them.

        Returns:
            The shape of the plates.
        """
        trace = poutine.trace(poutine.enum(program, first_available_dim=-1 - plates)).get_trace()
        trace.compute_log_prob()
        trace.pack_tensors()
        sites = [site for site in trace.nodes.values() if site["type"] == "sample" and not site_is_subsample(site)]
        terms = [site["packed"]["log_prob"] for site in sites]
        summed = {site["infer"]["_enumerate_symbol"] for site in sites if "_enumerate_dim" in site["infer"]}
        frames = {frame for site in sites for frame in site["cond_indep_stack"]}
        lengths = {trace.plate_to_symbol[frame.name]: frame.size for frame in frames}  # packing forgets length 1
        ordinal = frozenset(lengths)
        tree, ring = OrderedDict([(ordinal, terms)]), LogRing(dim_to_size=lengths)
        term = contract_to_tensor(tree, summed, target_ordinal=ordinal, ring=ring)
        output: Tensor = packed.unpack(term, trace.symbol_to_dim)
        return output

    def check_size(self, values: Mapping[Node, Tensor]) -> None:
        """Refuse, before Pyro begins to sum, an enumeration whose largest table would go beyond the limit."""
        enumerated = frozenset(node for node, value in values.items() if hasattr(value, "_pyro_categorical_support"))
        if enumerated and enumerated not in self._fits:
            largest = self.largest_table(enumerated)
            if largest > self.limit:
                raise ValueError(
                    f"the largest table must have at most limit={self.limit:,} entries, got {largest:,} from "
                    f"enumerating {len(enumerated)} variables: observe more, raise the limit, or use pg.graphs.query"
                )
            self._fits.add(enumerated)

    def largest_table(self, enumerated: Iterable[Node]) -> int:
        """Return the entries of the largest table (for each row of data) on the way that opt_einsum plans for Pyro."""
        import opt_einsum

        kept = {node: opt_einsum.get_symbol(place) for place, node in enumerate(self.order) if node in set(enumerated)}
        terms = {clique: tuple(node for node in clique if node in kept) for clique in self.cliques}
        inputs = [term for term in terms.values() if term]
        equation = ",".join("".join(kept[node] for node in term) for term in inputs) + "->"
        shapes = [tuple(self.sizes[node] for node in term) for term in inputs]
        _, path = opt_einsum.contract_path(equation, *shapes, shapes=True)
        return max(int(path.largest_intermediate), *(math.prod(shape) for shape in shapes))


def matrix(table: NDArray[np.float64]) -> Tensor:
    """Return a conditional table, its own axis first, as ``(rows, states)``: a row for each state of the parents."""
    return torch.tensor(table.reshape(len(table), -1).T.copy())


def weigh(site: str, log_weight: Tensor, infer: Mapping[str, Any]) -> None:
    """What `pyro.factor` does, with inference settings: adds `log_weight` to the log joint."""
    unit = dist.Unit(log_weight)
    pyro.sample(site, unit, obs=unit.sample(), infer={"is_auxiliary": True, **infer})
