r"""What the ELBO's figures draw."""

import io

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from torch.distributions import Gamma, Normal

from pyrogen import plots


def curve(theta):
    return -2 * theta.log() - 8 / theta + 2


PATH = [1.0, 2.0, 3.5, 4.0]


def test_elbo_paths_draws_the_curve_its_path_and_its_maximum():
    fig = plots.elbo_paths({"a": curve, "b": curve}, {"a": PATH, "b": torch.tensor(PATH)}, {"a": 4.0, "b": 4.0}, 2)
    left, right = fig.axes
    line, dots, star = left.lines[:3]
    np.testing.assert_allclose(line.get_ydata(), curve(torch.tensor(line.get_xdata())))
    np.testing.assert_allclose(dots.get_ydata(), curve(torch.tensor(PATH, dtype=torch.float64)))
    assert star.get_xdata() == [4.0]
    assert star.get_ydata()[0] == pytest.approx(-2 * np.log(4))
    assert right.lines[1].get_xdata().tolist() == [1, 2, 3, 4]
    assert right.lines[1].get_ydata().tolist() == [0.25, 0.5, 0.875, 1.0]
    assert left.get_ylabel() == "ELBO (nats)"
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["a", "b"]
    assert [text.get_text() for text in right.texts] == ["averaged"]
    FigureCanvasAgg(fig).print_png(io.BytesIO())


def test_guide_and_posterior_draws_both_densities_inside_their_support():
    fig = plots.guide_and_posterior(
        {"n = 3": (Gamma(2.0, 2.0), Gamma(4.0, 4.0)), "real": (Normal(0.0, 1.0), Normal(0.5, 1.0))},
        {"n = 3": 0.1736, "real": 0.125},
    )
    first, second = fig.axes
    assert [ax.get_title() for ax in fig.axes] == ["n = 3, KL 0.1736 nats", "real, KL 0.1250 nats"]
    z, density = first.lines[0].get_data()
    assert z.min() > 0
    np.testing.assert_allclose(density, 4 * z * np.exp(-2 * z), rtol=1e-5)
    (edge,) = first.collections[0].get_paths()
    for z, height in edge.vertices[1 : len(density) + 1]:  # the shade's upper or lower side, first to last
        assert height in (0, pytest.approx(4**4 / 6 * z**3 * np.exp(-4 * z), rel=1e-5))
    assert edge.vertices[:, 1].max() == pytest.approx(4**4 / 6 * 0.75**3 * np.exp(-3), rel=1e-3)
    line, shade = fig.legends[0].legend_handles
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["guide q(z)", "exact posterior p(z | x)"]
    assert line.get_color() == first.lines[0].get_color()
    assert (shade.get_facecolor()[:3] == first.collections[0].get_facecolor()[0, :3]).all()
    assert second.lines[0].get_xdata().min() == pytest.approx(-5)
    FigureCanvasAgg(fig).print_png(io.BytesIO())


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plots.elbo_paths({}, {}, {}), "same labels, one at least"),
        (lambda: plots.elbo_paths({"a": curve}, {"b": PATH}, {"a": 4.0}), "same labels"),
        (lambda: plots.elbo_paths({"a": curve}, {"a": []}, {"a": 4.0}), "path of 'a' must not be empty"),
        (lambda: plots.elbo_paths({"a": curve}, {"a": [0.0, 1.0]}, {"a": 4.0}), "theta of 'a' must be positive"),
        (lambda: plots.elbo_paths({"a": curve}, {"a": PATH}, {"a": -4.0}), "theta of 'a' must be positive"),
        (lambda: plots.guide_and_posterior({}), "at least one guide"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()
