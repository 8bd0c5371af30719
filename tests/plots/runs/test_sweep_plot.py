"""Mean and spread over seeds, against a swept value."""

import numpy as np
import pandas as pd
import pytest

from pyrogen import plots
from pyrogen.plots import sweep

TABLE = pd.DataFrame(
    {
        "beta": [1.0, 1.0, 4.0, 4.0, 8.0],
        "seed": [0, 1, 0, 1, 0],
        "kl": [9.0, 7.0, 4.0, 5.0, None],
        "error": ["", "", "", "", "RuntimeError: no"],
    }
)


def test_a_point_is_the_mean_over_seeds_and_its_bar_their_deviation():
    (axes,) = sweep(TABLE, terms=["kl"]).axes
    line = axes.containers[0].lines[0]
    assert line.get_xdata().tolist() == [1.0, 4.0]
    assert line.get_ydata().tolist() == [8.0, 4.5]
    (bars,) = axes.containers[0].lines[2]
    low, high = bars.get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(2**0.5)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(TypeError, match="DataFrame"):
        sweep([1])
    with pytest.raises(ValueError, match="table must have a column 'elbo'"):
        sweep(TABLE)
    with pytest.raises(ValueError, match="a run that succeeded"):
        sweep(TABLE.iloc[4:], terms=["kl"])


def test_the_bar_of_a_sweep_is_a_standard_deviation_over_seeds():
    values = [float(beta) for beta in range(8)]
    rows = [{"beta": beta, "seed": seed, "kl": 2.0 * seed, "error": ""} for beta in values for seed in (0, 1)]
    axes = plots.sweep(pd.DataFrame(rows), terms=["kl"]).axes[0]
    low, high = axes.collections[0].get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(np.sqrt(2.0))
    assert axes.get_xticks().tolist() == values
