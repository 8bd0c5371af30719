"""Latent spaces and rows of images: what is drawn is what was given."""

import matplotlib
import numpy as np
import pytest
from matplotlib.patches import Ellipse
from sklearn.decomposition import PCA

from pyrogen import plots
from pyrogen.plots.canvas.montage import GAP

RNG = np.random.default_rng(0)
CODES = RNG.standard_normal((200, 4)) @ np.diag([5.0, 2.0, 0.5, 0.1]) + [3.0, -4.0, 1.0, 0.0]
DIGITS = np.arange(200) % 10


def test_the_ellipses_are_two_standard_deviations_of_the_prior_and_of_the_codes():
    """Projected, N(0, I) is a unit circle's Gaussian around minus the codes' mean."""
    (ax,) = plots.latent_space({"autoencoder": CODES}, DIGITS, gaussians=True).axes
    normal, fitted = (patch for patch in ax.patches if isinstance(patch, Ellipse))
    assert (normal.width, normal.height) == (4, 4)
    pca = PCA(2).fit(CODES)
    origin = pca.transform(np.zeros((1, 4)))[0]
    np.testing.assert_allclose(np.abs(normal.center), np.abs(origin), atol=1e-9)
    np.testing.assert_allclose([fitted.width, fitted.height], 4 * np.sqrt(pca.explained_variance_), rtol=1e-9)
    assert fitted.center == (0, 0)
    point = np.asarray(ax.collections[0].get_offsets())
    inside = ((point / [fitted.width / 2, fitted.height / 2]) ** 2).sum(1) < 1
    assert abs(inside.mean() - (1 - np.exp(-2))) < 5.5 * np.sqrt(0.865 * 0.135 / 200)  # as the legend says: 86%
    assert normal.get_linestyle() == "solid"
    assert fitted.get_linestyle() == "--"
    assert [text.get_text() for text in ax.texts] == [str(digit) for digit in range(10)]
    assert len({tuple(color) for color in ax.collections[0].get_facecolors()}) == 10


def test_rows_are_the_images_given_and_labels_stand_beside_them():
    rows = {"data": RNG.random((5, 1, 8, 6)), "two\nlines": RNG.random((5, 8, 6))}
    fig = plots.image_rows(rows)
    (ax,) = fig.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["data", "two\nlines"]
    picture = ax.images[0].get_array()
    for i, images in enumerate(rows.values()):
        for j, image in enumerate(images.reshape(5, 8, 6)):
            top, left = i * (8 + GAP), j * (6 + GAP)
            np.testing.assert_allclose(picture[top : top + 8, left : left + 6, 0], image)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.image_rows({}), "rows must hold at least one"),
        (
            lambda: plots.image_rows({"a": np.zeros((2, 8, 8)), "b": np.zeros((3, 8, 8))}),
            "'b' must have 2 images of 8 × 8",
        ),
        (lambda: plots.latent_space(CODES[:, :1], DIGITS), "at least three rows and two latents"),
        (lambda: plots.latent_space(CODES, DIGITS[1:]), "must have one row each, got 200 and 199"),
        (lambda: plots.latent_space(CODES, np.arange(200) % 11), "at most 10 values, one a color"),
        (lambda: plots.latent_space(CODES, DIGITS, names=["a"]), "names must have one name a label, 10 of them, got 1"),
        (lambda: plots.latent_space(CODES, DIGITS - 0.5), "labels must be integers of at least 0"),
    ],
)
def test_bad_input_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_figures_leave_matplotlib_as_it_was_and_can_be_written(tmp_path):
    before = dict(matplotlib.rcParams)
    plots.latent_space({"VAE": CODES, "autoencoder": 9 * CODES}, DIGITS, gaussians=True).savefig(tmp_path / "a.png")
    plots.image_rows({"a": RNG.random((12, 8, 8)), "b": RNG.random((12, 8, 8))}).savefig(tmp_path / "b.png")
    assert dict(matplotlib.rcParams) == before
