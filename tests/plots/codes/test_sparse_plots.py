"""Figures of sparse codes: what they draw and what they refuse."""

import numpy as np
import pytest

from pyrogen.plots import atoms, convergence, error_by_active


def test_atoms_are_red_where_positive_and_blue_where_negative_each_at_its_own_scale():
    small, large = np.zeros((2, 1, 4, 4))
    small[0, 0, 0], large[0, 3, 3] = 0.01, -5.0
    picture = atoms(np.stack((small, large)), columns=2).axes[0].images[0].get_array()
    assert picture.shape == (6, 14, 3)  # two of 4 and a frame of 1, with the gap of a montage
    red, blue, white = picture[1, 1], picture[4, 12], picture[2, 2]
    assert red[0] > 2 * red[2]
    assert blue[2] > 2 * blue[0]
    assert (white > 0.9).all()


def test_convergence_is_drawn_with_its_bounds_on_log_scales():
    fig = convergence({"a": ([1, 2, 4], [1.0, 0.5, 0.0]), "b": ([1, 2], [1, 2])}, {"a": ([1, 2], [2.0, 1.0])})
    ax = fig.axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [line.get_label() for line in ax.lines] == ["a", "bound of a", "b"]
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 2, 2]  # 0 has no logarithm


def test_errors_are_drawn_by_active_entries():
    ax = error_by_active({"a": ([2, 4], [1.0, 0.5])}, ylabel="nats").axes[0]
    assert ax.get_ylabel() == "nats"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1.0, 0.5])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: atoms(np.zeros((2, 3, 4, 4))), "3 dimensions"),
        (lambda: atoms({}), "images must hold at least one"),
        (lambda: atoms(np.full((2, 4, 4), np.nan)), "finite"),
        (lambda: convergence({}), "at least one curve"),
        (lambda: convergence({"a": ([1], [1])}, {"b": ([1], [1])}), "bounds only labels of gaps"),
        (lambda: convergence({"a": ([1, 2], [1])}), "a value for each step"),
        (lambda: error_by_active({}), "at least one"),
    ],
)
def test_figures_of_sparse_codes_refuse_in_one_sentence(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
