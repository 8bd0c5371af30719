"""Sound model/guide pairs after Pyro's own tutorials, one line each: what `pg.testing` must not complain of."""

import tutorial_deep as deep
import tutorial_globals as few
from tutorial_base import Case, Pair

__all__ = ["CASE", "CASES", "Case", "Pair"]

CASES = [
    Case("coin", few.Coin),
    Case("regression", few.Regression),
    Case("subsampled", few.Subsampled),
    Case("vae", deep.VAE),
]

CASE = {case.name: case for case in CASES}
