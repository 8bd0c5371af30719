r"""The figure of ranks: bars and curves are the data, bands have their stated probability."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import binom

from pyrogen import plots
from pyrogen.plots.runs.ranks import _band

RNG = np.random.default_rng(0)
UNIFORM = RNG.integers(0, 100, 300)
SITES = {"theta": UNIFORM, "z": RNG.integers(0, 100, (300, 2, 3)), "low": np.minimum(UNIFORM, UNIFORM[::-1])}


def test_a_row_for_each_site_with_the_counts_of_all_ranks():
    fig = plots.ranks(SITES, draws=99)
    assert len(fig.axes) == 6
    assert [ax.get_title() for ax in fig.axes[::2]] == [
        "theta: 300 ranks",
        "z: 300 ranks of 6 elements",
        "low: 300 ranks",
    ]
    bars = fig.axes[0].patches
    assert sum(bar.get_height() for bar in bars) == 300
    assert len(bars) == 20
    assert [bar.get_height() for bar in bars] == [(i == UNIFORM // 5).sum() for i in range(20)]
    fig.savefig(io.BytesIO())


def test_curves_are_the_distribution_functions_less_uniform():
    fig = plots.ranks(SITES, draws=99)
    x, y = fig.axes[1].lines[1].get_data()
    assert y == pytest.approx(np.array([(round(100 * c) > UNIFORM).mean() - c for c in x]))
    assert len(fig.axes[3].lines) == 7
    assert fig.axes[1].get_title() == "inside the band"
    assert fig.axes[5].get_title() == "1 of 1 outside the band"


def test_the_bar_s_band_is_binomial():
    band = plots.ranks(SITES, draws=99, prob=0.9, bins=10).axes[0].collections[0].get_paths()[0].vertices
    assert set(binom.interval(0.9, 300, 0.1)) <= set(band[:, 1])


def test_the_curve_s_band_holds_what_it_says():
    """2000 sets of uniform ranks, some 5 % outside: a binomial test at 1e-6 either way, 1 % for rounding."""
    x, low, high = _band(200, 99, 0.95)
    sets = np.sort(RNG.integers(0, 100, (2000, 200)), axis=1)
    cuts = np.round(x * 100).astype(int) - 1
    curves = np.stack([np.searchsorted(row, cuts, side="right") for row in sets]) / 200
    outside = int(((curves < low - 1e-9) | (curves > high + 1e-9)).any(1).sum())
    assert binom.ppf(1e-6, 2000, 0.04) <= outside <= binom.isf(1e-6, 2000, 0.06)


def test_a_calibration_brings_its_draws():
    result = SimpleNamespace(ranks={"z": torch.arange(50) % 10}, draws=9)
    fig = plots.ranks(result)
    assert fig.axes[0].get_xlabel() == "rank of the truth among 9 draws"
    assert len(plots.ranks({str(i): UNIFORM for i in range(12)}, 99).axes) == 16


@pytest.mark.parametrize(
    ("ranks", "settings", "words"),
    [
        (UNIFORM, {}, "draws must be the number"),
        ({}, {"draws": 9}, "ranks must hold at least one"),
        (UNIFORM, {"draws": 9}, r"lie in 0 … 9"),
        (UNIFORM / 3, {"draws": 99}, "whole numbers"),
        (np.zeros((0, 3)), {"draws": 9}, "not empty"),
        (UNIFORM, {"draws": 99, "prob": 1.0}, "prob"),
        (UNIFORM, {"draws": 99, "bins": 1}, "bins"),
    ],
)
def test_bad_input_is_refused(ranks, settings, words):
    with pytest.raises(ValueError, match=words):
        plots.ranks(ranks, **settings)
