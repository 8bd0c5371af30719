"""The broadcast decoder against its definition: one network, asked at every place."""

import pytest
import torch
from torch import nn

import pyrogen as pg


def at_one_place(decoder, z, u, v):
    """The network's output for one code at one place, from the concatenated input as Watters et al. write it."""
    x = torch.cat((z, torch.tensor([u, v], dtype=z.dtype)))
    for layer in (decoder.first, *decoder.network):
        x = layer(x)
    return x


@pytest.mark.parametrize("patch", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_pixel_is_the_network_of_the_code_and_its_place(patch, channels):
    height, width = 6, 12
    decoder = pg.nn.BroadcastDecoder((channels, height, width), 4, hidden=(5, 7), patch=patch).double()
    z = torch.randn(2, 4, dtype=torch.float64)
    output = decoder.output_of(z)
    for row, column in [(0, 0), (0, 11), (5, 0), (3, 7)]:
        u = (2 * (column // patch) + 1) * patch / width - 1  # the center of the patch, along the width
        v = (2 * (row // patch) + 1) * patch / height - 1
        pixels = at_one_place(decoder, z[1], u, v).view(channels, patch, patch)
        torch.testing.assert_close(output[1, :, row, column], pixels[:, row % patch, column % patch])


def test_it_is_a_convolution_of_the_broadcast_code():
    decoder = pg.nn.BroadcastDecoder((1, 8, 6), 3, hidden=(5, 4), patch=1).double()
    z = torch.randn(2, 3, dtype=torch.float64)
    u, v = ((2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1 for n in (6, 8))
    places = torch.stack((u.expand(8, 6), v[:, None].expand(8, 6))).expand(2, 2, 8, 6)
    x = torch.cat((z[:, :, None, None].expand(2, 3, 8, 6), places), 1)
    for layer in (decoder.first, *decoder.network):
        x = (
            nn.functional.conv2d(x, layer.weight[:, :, None, None], layer.bias)
            if isinstance(layer, nn.Linear)
            else layer(x)
        )
    torch.testing.assert_close(decoder.output_of(z), x, rtol=1e-6, atol=1e-6)  # the places are float32


def test_it_has_the_layers_that_were_asked_for():
    decoder = pg.nn.BroadcastDecoder((3, 8, 8), 4, hidden=(5, 7), patch=2)
    linear = [layer for layer in decoder.modules() if isinstance(layer, nn.Linear)]
    assert [(f.in_features, f.out_features) for f in linear] == [(6, 5), (5, 7), (7, 12)]
    assert not isinstance(decoder.network[-1], nn.ReLU)


def test_a_pair_with_it_is_saved_and_loaded(tmp_path):
    decoder = pg.nn.BroadcastDecoder((1, 8, 8), 2, hidden=(4,), patch=4)
    pair = pg.models.VAE(pg.nn.MLPEncoder((1, 8, 8), 2, hidden=(4,), pool=2), decoder)
    pg.save(pair, tmp_path / "pair.safetensors")
    z = torch.randn(3, 2)
    torch.testing.assert_close(pg.load(tmp_path / "pair.safetensors").decode(z).mean, pair.decode(z).mean)


def test_a_latent_can_learn_a_position():
    """A bar that moves along the width: one latent is enough, and the reconstruction follows it."""
    x = torch.zeros(12, 1, 8, 16)
    for i in range(12):
        x[i, :, :, i : i + 4] = 1.0
    torch.manual_seed(0)
    encoder = pg.nn.MLPEncoder((1, 8, 16), 1, hidden=(32,))
    pair = pg.models.VAE(encoder, pg.nn.BroadcastDecoder((1, 8, 16), 1, hidden=(16, 16)))
    pg.fit(pair, x, steps=600, batch_size=12, lr=1e-2, progress=False)
    assert ((pair.reconstruct(x) > 0.5) == x.bool()).float().mean() > 0.97  # 0.75 are zero


@pytest.mark.parametrize("hidden", [(), 64, (0,), (16, -1), ("a",), None])
def test_hidden_widths_must_be_positive(hidden):
    with pytest.raises((TypeError, ValueError), match=r"^hidden.* must be "):
        pg.nn.BroadcastDecoder((1, 8, 8), 2, hidden=hidden)


@pytest.mark.parametrize(("shape", "patch"), [((1, 8, 7), 2), ((1, 9, 8), 2), ((8, 8), 2), ((1, 1, 8, 8), 1)])
def test_a_patch_that_does_not_divide_the_image_is_refused(shape, patch):
    with pytest.raises(ValueError, match=rf"shape must be \(channels, .* divisible by patch={patch}, got"):
        pg.nn.BroadcastDecoder(shape, 2, patch=patch)


@pytest.mark.parametrize("patch", [0, -2, 1.5, True, "2", None])
def test_a_patch_that_is_no_size_is_refused(patch):
    with pytest.raises((TypeError, ValueError), match="patch must be a whole number of at least 1, got"):
        pg.nn.BroadcastDecoder((1, 8, 8), 2, patch=patch)
