"""Of the plots: which color and number belongs to what, when there is a legend, and lines at their limits."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from pyrogen import plots
from pyrogen.plots.canvas.style import COLORS, FAINT
from pyrogen.training import History

STEP = np.arange(20.0)
RUN = {"step": STEP, "perplexity": 1 + STEP, "usage": STEP / 20}


def history(held_out=True):
    made = History(("objective",))
    made.append(np.column_stack([STEP, STEP, STEP, STEP, STEP]))
    made.validation = history(False) if held_out else None
    return made


def test_the_use_of_a_codebook_has_a_line_of_full_use_and_a_legend_for_two():
    figure = plots.codebook_use({"a": RUN, "b": RUN}, codes=64)
    assert [axes.lines[-1].get_ydata()[0] for axes in figure.axes] == [64, 1]
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["a", "b"]


def test_bars_of_the_kl_have_the_numbers_of_their_latents():
    axes = plots.kl_per_latent(np.array([0.01, 2.0, 0.5])).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "0"]
    assert [to_hex(bar.get_facecolor()) for bar in axes.patches] == [*[to_hex(COLORS[0])] * 2, to_hex(FAINT)]
    assert axes.get_title() == "2 of 3 active, 2.5 nats"  # at the threshold a latent is not active


def test_points_have_the_colors_of_their_labels_and_the_prior_its_place():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    codes = rng.normal(size=(60, 2)) * [0.1, 0.01] + np.where(labels == 0, -3.0, 5.0)[:, None] * [1.0, 0.0]
    axes = plots.latent_space(codes, labels, gaussians=True).axes[0]
    points, colors = axes.collections[0].get_offsets(), axes.collections[0].get_facecolors()
    sides = {(bool(x > 0), to_hex(color)) for (x, _), color in zip(points, colors, strict=True)}
    assert len(sides) == 2
    assert axes.patches[0].center[0] == pytest.approx(-codes.mean(0)[0], abs=0.01)


def test_held_out_terms_have_the_color_of_their_run_and_one_named_run_a_legend():
    figure = plots.loss_curves({"a": history(), "b": history()}, terms=["objective"])
    dashed = [to_hex(line.get_color()) for line in figure.axes[0].lines if line.get_gid() == "held out"]
    assert dashed == [to_hex(COLORS[0]), to_hex(COLORS[1])]
    assert len(plots.loss_curves({"a": history()}, terms=["objective"]).legends) == 1
    assert not plots.loss_curves(history(), terms=["objective"]).legends


def test_notes_stand_at_their_points_and_the_upper_axis_has_bits():
    figure = plots.rate_distortion({"VAE": [(14.0, 8.0), (5.0, 13.0)]}, {"VAE": ["β = 1", "β = 4"]})
    axes = figure.axes[0]
    assert {text.get_text(): text.xy[0] for text in axes.texts} == {"β = 1": 14.0, "β = 4": 5.0}
    figure.draw_without_rendering()
    upper = axes.child_axes[0].get_xlim()
    assert upper == pytest.approx(np.array(axes.get_xlim()) / np.log(2))


def test_the_bar_of_a_sweep_is_a_standard_deviation_over_seeds():
    values = [float(beta) for beta in range(8)]
    rows = [{"beta": beta, "seed": seed, "kl": 2.0 * seed, "error": ""} for beta in values for seed in (0, 1)]
    axes = plots.sweep(pd.DataFrame(rows), terms=["kl"]).axes[0]
    low, high = axes.collections[0].get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(np.sqrt(2.0))
    assert axes.get_xticks().tolist() == values


def test_a_grid_is_square_and_a_reconstruction_as_large_as_its_original():
    picture = plots.samples(torch.rand(5, 1, 4, 4)).axes[0].images[0].get_array()
    assert picture.shape[1] > picture.shape[0]  # three columns, two rows
    with pytest.raises(ValueError, match="4 × 4 pixels, got 5 of 4 × 5"):
        plots.reconstructions(torch.rand(5, 1, 4, 4), torch.rand(5, 1, 4, 5))
