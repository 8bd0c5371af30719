r"""Figures of models: functions that take arrays, callables or results and return a `matplotlib.figure.Figure`.

They are built with matplotlib's object interface: no pyplot state, no backend chosen, nothing shown. Matplotlib and
scikit-learn are imported when a figure is made, not when this package is. No function trains, or moves a generator.
"""

from pyrogen.plots.codes.codebook_use import codebook_use
from pyrogen.plots.codes.information import mutual_information
from pyrogen.plots.codes.kl import kl_per_latent
from pyrogen.plots.codes.latent_space import latent_space
from pyrogen.plots.codes.prior_plane import prior_plane
from pyrogen.plots.codes.sparse import atoms, convergence, error_by_active
from pyrogen.plots.graphs.drawing import graph
from pyrogen.plots.graphs.tables import conditional_tables
from pyrogen.plots.images.grids import image_rows, reconstructions, samples
from pyrogen.plots.images.traversal import traversals
from pyrogen.plots.runs.curves import loss_curves
from pyrogen.plots.runs.elbo import elbo_paths, guide_and_posterior
from pyrogen.plots.runs.ranks import ranks
from pyrogen.plots.runs.rate_distortion import rate_distortion
from pyrogen.plots.runs.sweep import sweep

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
