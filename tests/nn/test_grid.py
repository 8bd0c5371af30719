"""Networks over grids of features: shapes, places and refusals."""

import math

import pytest
import torch
from pyro.distributions import Delta

import pyrogen as pg

NETWORKS = {
    "conv": lambda: (
        pg.nn.ConvGridEncoder((2, 16, 8), dim=3, channels=(4, 6)),
        pg.nn.ConvGridDecoder((2, 16, 8), dim=3, channels=(4, 6)),
        (4, 2),
    ),
    "mlp": lambda: (
        pg.nn.MLPGridEncoder((2, 16, 8), grid=(5,), dim=3, hidden=(7,)),
        pg.nn.MLPGridDecoder((2, 16, 8), grid=(5,), dim=3, hidden=(7,)),
        (5,),
    ),
}


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_shapes_follow_the_batch_and_each_image_is_on_its_own(kind, batch):
    encoder, decoder, grid = NETWORKS[kind]()
    x = torch.rand(*batch, 2, 16, 8)
    q = encoder(x)
    p = decoder(q.mean)
    assert (encoder.grid, encoder.dim, encoder.latent) == (grid, 3, 3 * math.prod(grid))
    assert (encoder.shape, encoder.latent) == (decoder.shape, decoder.latent)
    assert (q.batch_shape, q.event_shape) == (batch, (*grid, 3))
    assert isinstance(q.base_dist, Delta)
    assert (p.batch_shape, p.event_shape) == (batch, (2, 16, 8))
    if batch == (2, 3):
        torch.testing.assert_close(encoder(x[1, 2]).mean, q.mean[1, 2])
        torch.testing.assert_close(decoder(q.mean[1, 2]).mean, p.mean[1, 2])


def test_a_convolutional_feature_sees_its_part_of_the_image_alone():
    """And z's row and column are the image's: a change at the top left moves what is there."""
    encoder = pg.nn.ConvGridEncoder((1, 32, 32), dim=2, channels=(4, 4)).double()
    x = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    changed = x.clone()
    changed[..., :4, 24:] = 0  # the top right corner
    moved = (encoder(changed).mean - encoder(x).mean).abs().sum(-1)[0] > 0  # (8, 8)
    assert moved[0, 7]
    assert not moved[4:].any()
    assert not moved[:, :4].any()
    decoder = pg.nn.ConvGridDecoder((1, 32, 32), dim=2, channels=(4, 4)).double()
    z = torch.randn(1, 8, 8, 2, dtype=torch.float64)
    other = z.clone()
    other[:, 0, 7] += 1
    moved = (decoder(other).mean - decoder(z).mean).abs()[0, 0] > 0
    assert moved[:4, 28:].any()
    assert not moved[16:].any()
    assert not moved[:, :16].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pg.nn.ConvGridEncoder((1, 10, 8), dim=2), "divisible by 8"),
        (lambda: pg.nn.ConvGridEncoder((8, 8), dim=2), r"shape must be \(channels, height, width\)"),
        (
            lambda: pg.nn.ConvGridDecoder((1, 8, 8), dim=2, channels=()),
            "channels must be the widths of",
        ),
        (lambda: pg.nn.ConvGridDecoder((1, 8, 8), dim=0, channels=(4,)), "dim must be a whole number of at least 1"),
        (lambda: pg.nn.MLPGridEncoder((8,), grid=(), dim=2), "shape must be positive sizes"),
        (lambda: pg.nn.MLPGridEncoder((8,), grid=(2,), dim=2)(torch.zeros(3, 7)), r"x must have shape \(\*batch, 8\)"),
        (lambda: pg.nn.MLPGridDecoder((8,), grid=(2,), dim=2)(torch.zeros(4)), r"z must have shape \(\*batch, 2, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Features(pg.nn.GridEncoder):
    """Returns `output`."""

    def __init__(self, output):
        super().__init__((8,), grid=(5,), dim=3)
        self.output = output

    def features_of(self, x):
        return self.output


class Images(pg.nn.GridDecoder):
    """Returns `output`."""

    def __init__(self, output):
        super().__init__((2, 4), grid=(5,), dim=3)
        self.output = output

    def output_of(self, z):
        return self.output


@pytest.mark.parametrize("batch", [(6,), (2, 3)])
def test_a_network_of_ones_own_that_gives_another_shape_is_refused(batch):
    """(B, D, T) has as many values as (B, T, D): reshaped, the features would be scrambled."""
    for shape in ((6, 3, 5), (6, 15), (6, 5, 2)):
        with pytest.raises(ValueError, match=r"what features_of returns must have shape \(6, 5, 3\), got \(6, "):
            Features(torch.zeros(shape))(torch.zeros(*batch, 8))
    for shape in ((6, 4, 2), (6, 8), (1, 2, 4)):
        with pytest.raises(ValueError, match=r"what output_of returns must have shape \(6, 2, 4\), got \(\d, "):
            Images(torch.zeros(shape))(torch.zeros(*batch, 5, 3))
    assert Features(torch.zeros(6, 5, 3))(torch.zeros(*batch, 8)).mean.shape == (*batch, 5, 3)
    assert Images(torch.zeros(6, 2, 4))(torch.zeros(*batch, 5, 3)).mean.shape == (*batch, 2, 4)
