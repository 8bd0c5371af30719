"""Of the explorer: who can reach it, what pictures are called, and addresses at their limits."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pyrogen.explore import pictures, tables
from pyrogen.explore.address import Address, whole
from pyrogen.explore.view import View, _Images


def test_factors_are_turned_only_where_every_combination_is_an_image():
    data = SimpleNamespace(
        images=lambda rows: torch.zeros(len(rows), 2, 2), index=None, factor_names=("a", "b"), factor_sizes=(2, 2)
    )
    for length, sizes in ((4, (2, 2)), (3, ())):
        kind = type("Data", (SimpleNamespace,), {"__len__": lambda self, n=length: n})
        assert _Images(kind(**vars(data))).factor_sizes == sizes


def test_a_factor_that_does_not_vary_is_left_out():
    view = object.__new__(View)
    factors = np.stack([np.arange(40) % 2, np.zeros(40, dtype=int)], 1)
    view.data = SimpleNamespace(factors=lambda index: factors[index], factor_names=("a", "b"))
    view.index, view.codes = np.arange(40), np.random.default_rng(0).normal(size=(40, 3))
    table, names = view.information
    assert (table.shape, names) == ((3, 1), ("a",))


def test_pixels_are_not_smoothed_and_a_meter_is_full_at_one():
    assert "image-rendering:pixelated" in pictures.picture(np.zeros((2, 2)), "a picture")
    assert "image-rendering:auto" in pictures.picture(np.zeros(5), "bars")
    assert "value='1.000'" in tables.answers([2.0], [0])


def test_an_interpolation_is_described_from_its_start_to_its_end():
    pytest.importorskip("panel")
    from pyrogen.explore.page import _Page

    view = SimpleNamespace(between=lambda *_: np.zeros((9, 2, 2)))
    pane = SimpleNamespace(HTML=lambda text, **_: text)
    page = SimpleNamespace(view=view, pn=SimpleNamespace(pane=pane))
    assert "from image 3 to image 8 in 9 steps" in _Page._between(page, 3, 8)


@pytest.mark.parametrize(("asked", "found"), [("2", 2), ("3", 0), ("-1", 0), ("x", 0), ("9" * 5000, 0)])
def test_an_address_names_an_image_that_is_there(asked, found):
    pick = SimpleNamespace(value=0)
    location = SimpleNamespace(query_params={"image": asked}, param=SimpleNamespace(watch=lambda *_: None))
    Address(location, {"image": (str, lambda text: setattr(pick, "value", whole(text, 2)))})
    assert pick.value == found


def test_latents_with_a_small_kl_are_folded():
    pytest.importorskip("panel")
    from pyrogen.explore.page import _Page

    cards = []
    pn = SimpleNamespace(Card=lambda *parts, **kw: cards.append((len(parts), kw)), Column=lambda *_, **__: None)
    _Page._codes(SimpleNamespace(pn=pn, view=SimpleNamespace(tokens=None), sliders=dict.fromkeys(range(12))))
    assert [(number, kw["collapsed"], kw["title"]) for number, kw in cards] == [(2, True, "2 more latents")]


def test_the_page_is_for_this_machine_alone(monkeypatch):
    panel = pytest.importorskip("panel")
    from helpers.small import make_pair

    from pyrogen.explore import explore

    served = []
    monkeypatch.setattr(panel, "serve", lambda page, **options: served.append(options))
    explore(make_pair(), show=False, wait=False)
    assert served[0]["address"] == "127.0.0.1"
