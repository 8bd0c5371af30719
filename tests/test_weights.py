"""The pretrained pairs: what their cards state is what `evaluate` measures, and they are small."""

import pytest
import torch

import pyrogen as pg

NAMES = pg.pretrained()
KINDS = {"vampprior": "vae"}  # where the class has another name
every_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def held_out():
    """The held-out images of a pair, by its name."""
    sprites = pg.datasets.DSprites(cache=None)  # the same images as from a cache
    test = sprites.split(len(sprites) - 10_000, 10_000, seed=0)[1]

    def of(name):
        if name.startswith("dsprites"):
            return test
        return pg.datasets.Digits(pg.weights.card(name)["check"]["levels"]).split(1_297, 500, seed=0)[1]

    return of


def test_at_most_five_draw_sprites_and_all_take_at_most_six_megabytes():
    assert 3 <= sum(name.startswith("dsprites") for name in NAMES) <= 5
    assert {"dsprites-vae-beta4", "digits-vampprior", "digits-vqvae", "digits-scvae"} <= set(NAMES)
    assert sum(file.stat().st_size for file in pg.weights.FOLDER.iterdir() if file.is_file()) <= 6e6


@every_name
def test_evaluate_repeats_what_the_card_states(name, held_out):
    """Both are of the same draws, so that they differ by rounding alone: 0.01 nats are far above it."""
    stated = pg.weights.card(name)["check"]
    sizes = {"images": stated["images"], "nll_images": 1, "importance_samples": 1, "seed": 0}
    scores = pg.evaluate(pg.pretrained(name), held_out(name), [], **sizes)
    terms = [term for term in ("elbo", "reconstruction", "kl", "objective") if term in stated]
    assert "reconstruction" in terms
    for term in terms:
        assert getattr(scores, term) == pytest.approx(stated[term], abs=0.01)


@every_name
def test_a_pair_is_as_its_name_says(name, held_out):
    pair, data = pg.pretrained(name), held_out(name)
    kind = name.split("-")[1]
    assert type(pair).__name__.lower() == KINDS.get(kind, kind)
    if "beta" in name:
        assert pair.beta.item() == float(name.partition("beta")[2])
    assert not pair.training
    assert {parameter.dtype for parameter in pair.parameters()} == {torch.float32}
    images = data.images([0, 1])
    assert pair.reconstruct(images).shape == images.shape


@every_name
def test_a_card_has_all_its_parts(name):
    card = pg.weights.card(name)
    parts = ("title", "data", "networks", "recipe", "hardware", "held_out", "check", "limits", "license", "again")
    assert all(card[part] for part in parts)
    assert card["held_out"]["images"] == (10_000 if name.startswith("dsprites") else 500)


@every_name
def test_half_precision_changes_a_pair_by_less_than_a_tenth_of_a_nat(name):
    half = pg.weights.card(name)["half_precision"]
    if name.startswith("dsprites"):
        assert half["elbo_moves_by"] < 0.1
        assert abs(half["kl"] - half["kl_of_single"]) < 0.02
        assert abs(half["mig"] - half["mig_of_single"]) < 0.005
    else:
        assert abs(half["objective"] - half["objective_of_single"]) < 0.1


def test_another_name_is_refused():
    with pytest.raises(ValueError, match=r"name must be one of 'digits-.*, got 'vae'"):
        pg.pretrained("vae")
    with pytest.raises(TypeError, match=r"name must be one of .*, got 3"):
        pg.pretrained(3)
    with pytest.raises(ValueError, match="name must be one of"):
        pg.weights.card("../fit")
