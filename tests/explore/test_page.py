"""The page without a browser: sliders move the picture, buttons set the codes, and a bad address changes nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import pyrogen as pg
from pyrogen.explore.address import Address, whole

pytest.importorskip("panel")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Panel and Bokeh

from pyrogen.explore.page import _Page  # noqa: E402
from pyrogen.explore.view import View  # noqa: E402


@pytest.fixture
def page():
    torch.manual_seed(0)
    pair = pg.models.VAE(pg.nn.MLPEncoder((8, 8), 12), pg.nn.MLPDecoder((8, 8), 12))
    made = _Page(View(pair, torch.bernoulli(torch.full((30, 8, 8), 0.4))), "a pair")
    made.layout()
    return made


def test_a_slider_moves_the_picture(page):
    before = page.decoded.object
    slider = next(iter(page.sliders.values()))
    slider.value = slider.end
    assert page.decoded.object != before


def test_sliders_go_by_kl_and_all_are_there(page):
    assert list(page.sliders) == page.view.order.tolist()
    assert next(iter(page.sliders.values())).name.startswith(f"z{page.view.order[0]}  (")


def test_picking_an_image_sets_its_code(page):
    page.pick.value = 5
    np.testing.assert_allclose(page._code(), page.view.code(5), atol=0.05)
    assert "image 5 rebuilt" in page.rebuilt.object
    page._reset()
    assert (page._code() == 0).all()
    page._draw_prior()
    assert (page._code() != 0).any()


def test_every_tab_draws(page):
    page.other.value = 3
    for content in (page.traversed, page._samples(0), page._between(0, 3)):
        assert "<img" in content.object


def test_traversals_start_at_the_sliders_as_a_link_sets_them(page):
    before = page.traversed.object
    page._set_sliders("_".join(["1"] * 12))
    assert page.traversed.object != before
    with pytest.raises(ValueError, match="slider"):
        page._set_sliders("1_2")


@pytest.mark.parametrize("name", [name for name in pg.pretrained() if name.startswith("digits")])
def test_every_digits_pair_that_ships_has_a_page(name):
    """Vectors, codes on a grid, sparse codes, and an autoencoder, whose flat prior has no samples to show."""
    data = pg.datasets.Digits(pg.weights.card(name)["check"]["levels"])
    made = _Page(View(pg.pretrained(name), data, samples=50), name)
    made.layout()
    assert "<img" in made.decoded.object
    tabs = [title for title, _ in made._tabs()]
    assert ("Samples" in tabs) == (name != "digits-autoencoder")


def test_codes_on_a_grid_have_places(page):
    torch.manual_seed(0)
    networks = pg.nn.MLPGridEncoder((8, 8), grid=(2, 2), dim=3), pg.nn.MLPGridDecoder((8, 8), grid=(2, 2), dim=3)
    pair = pg.models.VQVAE(*networks, pg.nn.Codebook(codes=5, dim=3))
    made = _Page(View(pair, torch.bernoulli(torch.full((30, 8, 8), 0.4))), "codes")
    made.layout()
    before = made.decoded.object
    made.token.value = (made.token.value + 1) % 5
    assert made.tokens[0, 0] == made.token.value
    assert made.decoded.object != before
    made._set_tokens("1-2-3-4")
    made.place.value = (1, 0)
    assert made.token.value == 3, "the slider shows the code of the chosen place"
    assert len(made.view.swaps(made.tokens, (1, 0))) == 5
    np.testing.assert_allclose(made.view.swaps(made.tokens, (1, 0))[3], made.view.decode_tokens(made.tokens), atol=1e-6)
    path = made.view.between(0, 7, 5)
    for image, end in ((path[0], 0), (path[-1], 7)):
        np.testing.assert_allclose(image, made.view.decode_tokens(made.view.token_indices(end)), atol=1e-6)
    made._draw_prior()
    assert made.token.value == made.tokens[1, 0]
    made._reset()
    assert (made.tokens == 0).all()


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
