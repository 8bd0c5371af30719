"""The figure of a prior under codes: what is shaded, what is drawn, and what is refused."""

import numpy as np
import pytest

from pyrogen import plots
from pyrogen.plots.codes.prior_plane import MASS, region_levels

Z = np.random.default_rng(0).standard_normal((60, 2))
MODELS = {"N(0, I)": Z, "wide": 3 * Z}
DENSITIES = {"N(0, I)": lambda z: -0.5 * (z**2).sum(1), "wide": lambda z: -0.5 * (z**2).sum(1) / 9}


def test_the_regions_of_a_normal_hold_their_mass():
    """{p ≥ c} of N(0, I) in the plane is ‖z‖² ≤ r², of mass 1 − exp(−r²/2): log p there is log(1 − mass). A cell of the
    grid at the edge moves it by at most r · step."""
    side, step = np.linspace(-6, 6, 401, retstep=True)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    levels = region_levels(-0.5 * (grid**2).sum(-1))
    for level, mass in zip(levels, MASS, strict=True):
        assert abs(level - np.log(1 - mass)) < np.sqrt(-2 * np.log(1 - mass)) * step
    assert levels == sorted(levels)


@pytest.mark.parametrize("labels", [None, np.arange(60) % 10])
def test_each_model_has_a_panel_with_its_codes_on_its_prior(labels):
    figure = plots.prior_plane(MODELS, DENSITIES, labels)
    assert [ax.get_title() for ax in figure.axes] == list(MODELS)
    for ax, z in zip(figure.axes, MODELS.values(), strict=True):
        drawn = ax.collections[-1].get_offsets()
        np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(z, axis=0))
        assert (z > [ax.get_xlim()[0], ax.get_ylim()[0]]).all()
        assert (z < [ax.get_xlim()[1], ax.get_ylim()[1]]).all()
        assert [text.get_text() for text in ax.texts] == ([] if labels is None else [str(v) for v in range(10)])
        if labels is not None:
            np.testing.assert_allclose(ax.texts[3].xy, np.median(z[labels == 3], axis=0))
    legend = figure.legends[0]
    entries = [text.get_text() for text in legend.get_texts()]
    assert entries == ["99% of the prior", "90% of the prior", "50% of the prior", "z ~ q(z | x)"]
    assert legend.get_title().get_text() == ("" if labels is None else "numbers: digit of x")


@pytest.mark.parametrize(
    ("codes", "densities", "labels", "message"),
    [
        ({}, {}, None, "the same labels"),
        (MODELS, {"N(0, I)": DENSITIES["wide"]}, None, "the same labels"),
        ({"a": np.zeros((5, 3))}, {"a": DENSITIES["wide"]}, None, r"must lie in a plane, \(N, 2\)"),
        ({"a": Z}, {"a": DENSITIES["wide"]}, np.arange(60), "at most 10 values"),
        ({"a": Z}, {"a": DENSITIES["wide"]}, np.zeros(59), "one row each, got 60 and 59"),
        ({"a": Z}, {"a": lambda z: np.full(len(z), np.nan)}, None, "must be finite"),
    ],
)
def test_what_is_no_plane_is_refused(codes, densities, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.prior_plane(codes, densities, labels)
