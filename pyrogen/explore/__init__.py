"""A page on which a trained pair is touched: sliders for its latents, its data, and what they know of each other.

It needs the extra `explore` (``pip install 'pyrogen[explore]'``), which is Panel. `View` is the page's arithmetic and
needs nothing.
"""

from pyrogen.explore.server import explore, explorer
from pyrogen.explore.view import View

__all__ = ["View", "explore", "explorer"]
