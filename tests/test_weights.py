"""The pretrained pairs: what their cards state is what `evaluate` measures, and they are small."""

import pytest
import torch

import pyrogen as pg

NAMES = pg.pretrained()
every_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def held_out():
    data = pg.datasets.DSprites(cache=None)  # the same images as from a cache
    return data.split(len(data) - 10_000, 10_000, seed=0)[1]


def test_there_are_at_most_five_and_they_take_at_most_six_megabytes():
    assert 3 <= len(NAMES) <= 5
    assert "dsprites-vae-beta4" in NAMES
    assert sum(file.stat().st_size for file in pg.weights.FOLDER.iterdir() if file.is_file()) <= 6e6


@every_name
def test_evaluate_repeats_what_the_card_states(name, held_out):
    """Both are of the same draws, so that they differ by rounding alone: 0.01 nats are far above it."""
    stated = pg.weights.card(name)["check"]
    pair = pg.pretrained(name)
    scores = pg.evaluate(
        pair, held_out, [], images=stated["images"], nll_images=1, importance_samples=1, seed=0, progress=False
    )
    assert scores.elbo == pytest.approx(stated["elbo"], abs=0.01)
    assert scores.reconstruction == pytest.approx(stated["reconstruction"], abs=0.01)
    assert scores.kl == pytest.approx(stated["kl"], abs=0.01)


@every_name
def test_a_pair_is_as_its_name_says(name, held_out):
    pair = pg.pretrained(name)
    kind = name.split("-")[1]
    assert type(pair).__name__.lower() == kind
    if "beta" in name:
        assert pair.beta.item() == float(name.partition("beta")[2])
    assert not pair.training
    assert {parameter.dtype for parameter in pair.parameters()} == {torch.float32}
    assert pair.reconstruct(held_out.images([0, 1])).shape == (2, 1, 64, 64)


@every_name
def test_a_card_has_all_its_parts(name):
    card = pg.weights.card(name)
    parts = ("title", "data", "networks", "recipe", "hardware", "held_out", "check", "limits", "license", "again")
    assert all(card[part] for part in parts)
    assert card["held_out"]["images"] == 10_000
    half = card["half_precision"]
    assert abs(half["kl"] - half["kl_of_single"]) < 0.02
    assert abs(half["mig"] - half["mig_of_single"]) < 0.005


def test_another_name_is_refused():
    with pytest.raises(ValueError, match=r"name must be one of 'dsprites-.*, got 'vae'"):
        pg.pretrained("vae")
    with pytest.raises(TypeError, match=r"name must be one of .*, got 3"):
        pg.pretrained(3)
    with pytest.raises(ValueError, match="name must be one of"):
        pg.weights.card("../fit")
