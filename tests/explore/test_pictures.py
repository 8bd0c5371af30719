"""Pictures for a page: their pixels are the array's, and vectors are bars."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from pyrogen.explore import pictures, tables
from pyrogen.explore.pictures import picture, strip


def pixels(html):
    """The pixels of the one PNG in a piece of HTML."""
    (text,) = re.findall(r"data:image/png;base64,([^\"]+)", html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (3, 4, 5)])
def test_the_pixels_are_those_of_the_array(shape):
    values = np.random.default_rng(0).random(shape)
    values.flat[:2] = -1.0, 2.0  # shown as black and white
    wanted = (np.clip(values, 0, 1) * 255).round().astype(int)
    wanted = np.moveaxis(wanted, 0, -1) if shape[0] == 3 else wanted.reshape(4, 5)
    assert (pixels(picture(values, "a picture")) == wanted).all()
    assert 'alt="a picture"' in picture(values, "a picture")


def test_a_strip_sets_images_side_by_side():
    values = np.random.default_rng(0).random((3, 4, 5))
    drawn = pixels(strip(values, "three"))
    assert drawn.shape == (4, 3 * 5 + 2)
    assert (drawn[:, 12:] == (values[2] * 255).round()).all()


def test_a_vector_is_bars_from_zero():
    html = picture(np.array([2.0, -2.0]), "bars")
    narrow = strip(np.array([[1.0, 2.0], [2.0, 4.0]]), "two")  # on one axis, whatever the window's width
    assert narrow.count("min-width:0") == 2
    (first, _) = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", narrow)
    assert 'y="50.00"' in base64.b64decode(first).decode()
    (text,) = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", html)
    bars = re.findall(
        r'<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', base64.b64decode(text).decode()
    )
    assert [tuple(map(float, bar)) for bar in bars] == [(0, 0, 50), (100, 50, 50)]
    assert strip(np.ones((3, 4)), "three").count("<img") == 3


def test_pixels_are_not_smoothed_and_a_meter_is_full_at_one():
    assert "image-rendering:pixelated" in pictures.picture(np.zeros((2, 2)), "a picture")
    assert "image-rendering:auto" in pictures.picture(np.zeros(5), "bars")
    assert "value='1.000'" in tables.answers([2.0], [0])
