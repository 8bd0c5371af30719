"""Figures of codes: what the codebook does in training, and rate against distortion."""

import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from pyrogen import plots

RUN = {"step": np.arange(5), "perplexity": np.array([1.0, 3, 6, 7, 7.5]), "usage": np.array([0.2, 0.5, 0.9, 1, 1])}


def test_perplexity_and_usage_are_drawn_as_they_are():
    fig = plots.codebook_use({"ema": RUN, "loss": RUN | {"usage": RUN["usage"] / 2}}, codes=8)
    perplexity, usage = fig.axes
    np.testing.assert_array_equal(perplexity.lines[0].get_xydata(), np.stack([RUN["step"], RUN["perplexity"]], 1))
    np.testing.assert_array_equal(usage.lines[1].get_ydata(), RUN["usage"] / 2)
    assert [ax.lines[-1].get_ydata()[0] for ax in fig.axes] == [8, 1]
    assert [text.get_text() for text in usage.get_legend().texts] == ["ema", "loss"]


def test_the_steps_of_a_short_run_are_whole_numbers():
    short = {"step": [1, 2], "perplexity": [1.0, 2.0], "usage": [0.5, 1.0]}
    for ax in plots.codebook_use({"a": short}, 8).axes:
        assert all(tick == round(tick) for tick in ax.get_xticks())


def test_rates_and_distortions_are_drawn_as_they_are():
    fig = plots.rate_distortion({"VAE": [(9.0, 2.0), (5.0, 4.0)], "VQ": [(7.0, 1.0)]}, {"VAE": ["β = 1", "β = 4"]})
    ax = fig.axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["VAE"].get_xydata(), [[5.0, 4.0], [9.0, 2.0]])
    np.testing.assert_array_equal(lines["VQ"].get_xydata(), [[7.0, 1.0]])
    assert [(note.get_text(), *note.xy) for note in ax.texts][:2] == [("β = 4", 5.0, 4.0), ("β = 1", 9.0, 2.0)]
    FigureCanvasAgg(fig).draw()
    (bits,) = ax.child_axes
    assert bits.get_xlim()[1] == pytest.approx(ax.get_xlim()[1] / math.log(2))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.codebook_use({}, 8), "histories must hold at least one"),
        (lambda: plots.codebook_use({"a": RUN}, 0), "codes must be a whole number of at least 1, got 0"),
        (lambda: plots.codebook_use({"a": RUN | {"usage": [1.0]}}, 8), "one value a step, got 1 values of 5"),
        (lambda: plots.rate_distortion({}), "at least one label"),
        (lambda: plots.rate_distortion({"a": [(1.0, 2.0, 3.0)]}), "must be a tuple of 2, got 3"),
        (lambda: plots.rate_distortion({"a": [(1.0, math.nan)]}), "must be a finite number, got nan"),
        (lambda: plots.rate_distortion({"a": [(1.0, 2.0)]}, {"a": []}), "a note for each of its 1 points, got 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_points_have_the_colors_of_their_labels_and_the_prior_its_place():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    codes = rng.normal(size=(60, 2)) * [0.1, 0.01] + np.where(labels == 0, -3.0, 5.0)[:, None] * [1.0, 0.0]
    axes = plots.latent_space(codes, labels, gaussians=True).axes[0]
    points, colors = axes.collections[0].get_offsets(), axes.collections[0].get_facecolors()
    sides = {(bool(x > 0), to_hex(color)) for (x, _), color in zip(points, colors, strict=True)}
    assert len(sides) == 2
    assert axes.patches[0].center[0] == pytest.approx(-codes.mean(0)[0], abs=0.01)
