r"""Figures of models: functions that take arrays, callables or results and return a `matplotlib.figure.Figure`.

They are built with matplotlib's object interface: no pyplot state, no backend chosen, nothing shown. Matplotlib and
scikit-learn are imported when a figure is made, not when this package is. No function trains, or moves a generator.
"""

from pyrogen.plots.codebook_use import codebook_use
from pyrogen.plots.curves import loss_curves
from pyrogen.plots.elbo import elbo_paths, guide_and_posterior
from pyrogen.plots.graphs import graph
from pyrogen.plots.grids import reconstructions, samples
from pyrogen.plots.information import mutual_information
from pyrogen.plots.kl import kl_per_latent
from pyrogen.plots.latent_space import latent_space
from pyrogen.plots.prior_plane import prior_plane
from pyrogen.plots.ranks import ranks
from pyrogen.plots.rate_distortion import rate_distortion
from pyrogen.plots.rows import image_rows
from pyrogen.plots.sparse import atoms, convergence, error_by_active
from pyrogen.plots.sweep import sweep
from pyrogen.plots.tables import conditional_tables
from pyrogen.plots.traversal import traversals

__all__ = [
    "atoms",
    "codebook_use",
    "conditional_tables",
    "convergence",
    "elbo_paths",
    "error_by_active",
    "graph",
    "guide_and_posterior",
    "image_rows",
    "kl_per_latent",
    "latent_space",
    "loss_curves",
    "mutual_information",
    "prior_plane",
    "ranks",
    "rate_distortion",
    "reconstructions",
    "samples",
    "sweep",
    "traversals",
]
