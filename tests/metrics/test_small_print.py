"""Of the metrics: what is counted over all factors."""

import inspect

import numpy as np

from pyrogen.metrics import explicitness


def test_fits_that_did_not_converge_are_counted_over_all_factors(monkeypatch):
    module, failures = inspect.getmodule(explicitness), iter([2, 0])
    original = module._scores
    monkeypatch.setattr(module, "_scores", lambda *args, **kw: (*original(*args, **kw)[:2], next(failures)))
    factors = np.random.default_rng(0).integers(0, 2, (60, 2))
    assert explicitness(factors * 1.0, factors).details["not_converged"] == 2
