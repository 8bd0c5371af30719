"""Encoders and decoders: shapes, architectures and the sentences of their errors."""

import math

import pytest
import torch
from torch import nn

import pyrogen as pg

ENCODERS = {
    "mlp": lambda: pg.nn.MLPEncoder((2, 8, 8), 3, hidden=(12,)),
    "mlp of a smaller image": lambda: pg.nn.MLPEncoder((2, 8, 8), 3, hidden=(12,), pool=2),
    "conv": lambda: pg.nn.ConvEncoder((2, 8, 8), 3, channels=(4, 6), hidden=12),
    "linear": lambda: pg.nn.LinearEncoder((2, 8, 8), 3),
}
DECODERS = {
    "mlp": lambda likelihood: pg.nn.MLPDecoder((2, 8, 8), 3, likelihood, hidden=(12,)),
    "broadcast": lambda likelihood: pg.nn.BroadcastDecoder((2, 8, 8), 3, likelihood, hidden=(6, 5)),
    "conv": lambda likelihood: pg.nn.ConvDecoder((2, 8, 8), 3, likelihood, channels=(4, 6), hidden=12),
    "linear": lambda likelihood: pg.nn.LinearDecoder((2, 8, 8), 3, likelihood),
}
LIKELIHOODS = ["bernoulli", "gaussian", "continuous_bernoulli"]
BATCHES = [(), (1,), (5,), (2, 3), (2, 1, 2)]
every_encoder = pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)
every_decoder = pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS)


@every_encoder
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_encoder_takes_any_batch_dimensions(make, batch, dtype):
    q = make().to(dtype)(torch.rand(*batch, 2, 8, 8, dtype=dtype))
    assert (q.batch_shape, q.event_shape) == (batch, (3,))
    assert q.mean.dtype == q.stddev.dtype == q.rsample().dtype == dtype
    assert q.has_rsample


@every_decoder
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("batch", BATCHES)
def test_a_decoder_takes_any_batch_dimensions(make, likelihood, batch):
    p = make(likelihood).double()(torch.randn(*batch, 3, dtype=torch.float64))
    assert (p.batch_shape, p.event_shape) == (batch, (2, 8, 8))
    assert p.mean.dtype == p.sample().dtype == torch.float64
    assert p.log_prob(p.sample()).shape == batch


@every_encoder
def test_images_are_encoded_one_by_one(make):
    encoder, x = make().double(), torch.rand(2, 3, 2, 8, 8, dtype=torch.float64)
    q = encoder(x)
    for i, j in [(0, 0), (0, 2), (1, 1)]:
        torch.testing.assert_close(q.mean[i, j], encoder(x[i, j]).mean, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(q.stddev[i, j], encoder(x[i, j]).stddev, rtol=1e-12, atol=1e-12)


@every_decoder
def test_codes_are_decoded_one_by_one(make):
    decoder, z = make("gaussian").double(), torch.randn(2, 3, 3, dtype=torch.float64)
    for i, j in [(0, 0), (0, 2), (1, 1)]:
        torch.testing.assert_close(decoder(z).mean[i, j], decoder(z[i, j]).mean, rtol=1e-12, atol=1e-12)


@every_encoder
def test_the_scale_is_the_exponential_of_half_the_second_output(make):
    encoder, x = make().double(), torch.rand(4, 2, 8, 8, dtype=torch.float64)
    loc, log_variance = encoder.parameters_of(x)
    torch.testing.assert_close(encoder(x).mean, loc, rtol=0, atol=0)
    torch.testing.assert_close(encoder(x).variance, torch.exp(log_variance).expand(4, 3), rtol=1e-12, atol=0)


@pytest.mark.parametrize("network", [pg.nn.MLPEncoder, pg.nn.ConvEncoder])
def test_the_last_layer_gives_the_means_and_then_the_log_variances(network):
    encoder = network((1, 16, 16), latent=3)
    x = torch.rand(4, 1, 16, 16)
    output = encoder.network(x.flatten(1) if network is pg.nn.MLPEncoder else x)
    torch.testing.assert_close(encoder(x).mean, output[:, :3])
    torch.testing.assert_close(encoder(x).variance.log(), output[:, 3:])


def layers(network, kind):
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def test_the_convolutional_encoder_is_that_of_the_literature():
    encoder = pg.nn.ConvEncoder((1, 64, 64), latent=10)
    convolutions = layers(encoder, nn.Conv2d)
    assert [c.in_channels for c in convolutions] == [1, 32, 32, 64]
    assert [c.out_channels for c in convolutions] == [32, 32, 64, 64]
    assert {(c.kernel_size, c.stride) for c in convolutions} == {((4, 4), (2, 2))}
    assert [(f.in_features, f.out_features) for f in layers(encoder, nn.Linear)] == [(64 * 4 * 4, 256), (256, 20)]
    assert len(layers(encoder, nn.ReLU)) == 5
    assert sum(p.numel() for p in encoder.parameters()) == (
        (16 + 1) * 32 + (32 * 16 + 1) * 32 + (32 * 16 + 1) * 64 + (64 * 16 + 1) * 64 + 1025 * 256 + 257 * 20
    )


def test_the_convolutional_decoder_mirrors_the_encoder():
    decoder = pg.nn.ConvDecoder((1, 64, 64), latent=10)
    convolutions = layers(decoder, nn.ConvTranspose2d)
    assert [c.in_channels for c in convolutions] == [64, 64, 32, 32]
    assert [c.out_channels for c in convolutions] == [64, 32, 32, 1]
    assert {(c.kernel_size, c.stride) for c in convolutions} == {((4, 4), (2, 2))}
    assert [(f.in_features, f.out_features) for f in layers(decoder, nn.Linear)] == [(10, 256), (256, 64 * 4 * 4)]
    assert len(layers(decoder, nn.ReLU)) == 5
    assert isinstance(decoder.network[-1], nn.ConvTranspose2d)  # nothing squashes the likelihood's parameters


def test_images_need_not_be_square():
    q = pg.nn.ConvEncoder((3, 16, 8), 2, channels=(4, 4))(torch.rand(5, 3, 16, 8))
    p = pg.nn.ConvDecoder((3, 16, 8), 2, channels=(4, 4))(torch.rand(5, 2))
    assert (q.mean.shape, p.mean.shape) == ((5, 2), (5, 3, 16, 8))


def test_the_mlp_has_the_layers_that_were_asked_for():
    encoder, decoder = pg.nn.MLPEncoder((4, 5), 3, hidden=(7, 6)), pg.nn.MLPDecoder((4, 5), 3, hidden=(6, 7))
    assert [(f.in_features, f.out_features) for f in layers(encoder, nn.Linear)] == [(20, 7), (7, 6), (6, 6)]
    assert [(f.in_features, f.out_features) for f in layers(decoder, nn.Linear)] == [(3, 6), (6, 7), (7, 20)]
    assert [len(layers(network, nn.ReLU)) for network in (encoder, decoder)] == [2, 2]
    assert not isinstance(encoder.network[-1], nn.ReLU)
    assert not isinstance(decoder.network[-1], nn.ReLU)


@pytest.mark.parametrize("shape", [(6, 4), (1, 6, 4), (2, 6, 4)])
def test_a_pooled_image_has_the_means_of_its_blocks(shape):
    encoder, x = pg.nn.MLPEncoder(shape, 3, hidden=(7,), pool=2).double(), torch.rand(5, *shape, dtype=torch.float64)
    blocks = x.reshape(5, -1, 3, 2, 2, 2).mean((3, 5)).flatten(1)
    torch.testing.assert_close(encoder(x).mean, encoder.network(blocks)[:, :3], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("shape", "pool"), [((5, 4), 2), ((4, 6), 4), ((8,), 2), ((1, 8, 7), 2)])
def test_a_pool_that_does_not_divide_the_image_is_refused(shape, pool):
    with pytest.raises(ValueError, match=rf"pool must divide the height and width of shape, got pool={pool}"):
        pg.nn.MLPEncoder(shape, 2, pool=pool)


@pytest.mark.parametrize("pool", [0, -1, 1.5, True, "2", None])
def test_a_pool_that_is_no_size_is_refused(pool):
    with pytest.raises((TypeError, ValueError), match="pool must be a whole number of at least 1, got"):
        pg.nn.MLPEncoder((8, 8), 2, pool=pool)


def test_the_linear_networks_are_affine_and_their_variance_is_the_same_for_every_image():
    encoder, decoder = pg.nn.LinearEncoder((2, 3), 2).double(), pg.nn.LinearDecoder((2, 3), 2).double()
    x, z = torch.randn(4, 2, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    torch.testing.assert_close(encoder(x).mean, x.flatten(1) @ encoder.loc.weight.T + encoder.loc.bias)
    torch.testing.assert_close(decoder(z).mean.flatten(1), z @ decoder.loc.weight.T + decoder.loc.bias)
    encoder.log_variance.data.copy_(torch.tensor([0.0, math.log(4.0)]))
    torch.testing.assert_close(encoder(x).stddev, torch.tensor([1.0, 2.0], dtype=torch.float64).expand(4, 2))


@every_encoder
def test_a_tensor_of_another_shape_is_refused(make):
    for wrong in [(5, 2, 8, 4), (5, 1, 8, 8), (8, 8), (5, 128), ()]:
        with pytest.raises(ValueError, match=r"x must have shape \(\*batch, 2, 8, 8\), got"):
            make()(torch.zeros(wrong))


@every_decoder
def test_codes_of_another_size_are_refused(make):
    for wrong in [(5, 4), (3, 1), ()]:
        with pytest.raises(ValueError, match=r"z must have shape \(\*batch, 3\), got"):
            make("bernoulli")(torch.zeros(wrong))


NETWORKS = [pg.nn.MLPEncoder, pg.nn.MLPDecoder, pg.nn.LinearEncoder, pg.nn.LinearDecoder]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", [(), 64, (0, 4), (-1,), (2.5, 4), (math.nan,), ("a",), "a", None])
def test_a_shape_that_is_none_is_refused(network, shape):
    with pytest.raises((TypeError, ValueError), match=r"^shape.* must be "):
        network(shape, 2)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("latent", [0, -3, 2.5, math.nan, math.inf, "a", None, [2], True])
def test_a_latent_that_is_no_size_is_refused(network, latent):
    with pytest.raises((TypeError, ValueError), match="latent must be a whole number of at least 1, got"):
        network((4,), latent)


@pytest.mark.parametrize("network", [pg.nn.MLPEncoder, pg.nn.MLPDecoder])
@pytest.mark.parametrize("hidden", [64, (0,), (16, -1), (2.5,), ("a",), "a", None])
def test_hidden_widths_of_an_mlp_must_be_positive(network, hidden):
    with pytest.raises((TypeError, ValueError), match=r"^hidden.* must be a .*whole number"):
        network((4,), 2, hidden=hidden)


@pytest.mark.parametrize("network", [pg.nn.ConvEncoder, pg.nn.ConvDecoder])
class TestConvolutionsThatDoNotFit:
    @pytest.mark.parametrize("hidden", [0, -1, 2.5, "a"])
    def test_a_hidden_layer_without_units(self, network, hidden):
        with pytest.raises((TypeError, ValueError), match="hidden must be a whole number of at least 1, got"):
            network((1, 64, 64), 2, hidden=hidden)

    @pytest.mark.parametrize("channels", [(), (32, 0), 32, (2.5,), ("a",), None])
    def test_channels_that_are_no_widths(self, network, channels):
        with pytest.raises((TypeError, ValueError), match=r"^channels.* must be "):
            network((1, 64, 64), 2, channels=channels)

    @pytest.mark.parametrize("shape", [(1, 28, 28), (1, 64, 60), (64, 64), (1, 1, 64, 64)])
    def test_sizes_that_cannot_be_halved_often_enough(self, network, shape):
        with pytest.raises(ValueError, match=r"divisible by 16 to be halved 4 times, .* fewer channels"):
            network(shape, 2)

    def test_fewer_channels_fit_smaller_images(self, network):
        assert network((1, 28, 28), 2, channels=(8, 8)).shape == (1, 28, 28)


class OfOwnMake(pg.nn.Encoder):
    """Returns `output`."""

    def __init__(self, output):
        super().__init__((4,), latent=2)
        self.output = output

    def parameters_of(self, x):
        return self.output


class OfOwnMakeToo(pg.nn.Decoder):
    """Returns `output`, for images (2, 3)."""

    def __init__(self, output):
        super().__init__((2, 3), latent=2)
        self.output = output

    def output_of(self, z):
        return self.output


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ((torch.zeros(2, 6), None), r"the μ of parameters_of must have shape \(6, 2\), got \(2, 6\)"),
        ((torch.zeros(12), torch.zeros(6, 2)), r"the μ of .* must have shape \(6, 2\), got \(12,\)"),
        ((torch.zeros(6, 2), torch.zeros(2, 6)), r"the log σ² of .* must have shape \(6, 2\), got \(2, 6\)"),
        ((torch.zeros(6, 2), torch.zeros(6, 1)), r"the log σ² of .* must have shape \(6, 2\), got \(6, 1\)"),
    ],
)
@pytest.mark.parametrize("batch", [(6,), (2, 3)])
def test_an_encoder_that_gives_another_shape_is_refused(output, message, batch):
    """With the same number of values it could be reshaped: codes and images would be mixed up."""
    with pytest.raises(ValueError, match=message):
        OfOwnMake(output)(torch.zeros(*batch, 4))


@pytest.mark.parametrize("batch", [(6,), (2, 3)])
@pytest.mark.parametrize("shape", [(6, 3, 2), (6, 6), (1, 2, 3), (5, 2, 3)])
def test_a_decoder_that_gives_another_shape_is_refused(shape, batch):
    with pytest.raises(ValueError, match=r"what output_of returns must have shape \(6, 2, 3\), got \(\d, "):
        OfOwnMakeToo(torch.zeros(shape))(torch.zeros(*batch, 2))


def test_a_network_that_gives_no_tensor_is_refused():
    with pytest.raises(TypeError, match=r"what output_of returns must be a tensor of shape \(6, 2, 3\), got a tu"):
        OfOwnMakeToo((torch.zeros(6, 2, 3),))(torch.zeros(6, 2))


@pytest.mark.parametrize(
    ("decoder", "z"),
    [
        (pg.nn.MLPDecoder((8, 8), 3, hidden=(4,)), torch.zeros(2, 3)),
        (pg.nn.ConvGridDecoder((1, 8, 8), 4, channels=(4,)), torch.zeros(2, 4, 4, 4)),
        (pg.nn.SparseConvDecoder((1, 8, 8), pg.nn.Dictionary(4, 6), channels=(4,)), torch.zeros(2, 4, 4, 6)),
    ],
)
def test_a_likelihood_has_the_digits_of_float32_under_autocast(decoder, z):
    with torch.autocast("cpu", torch.bfloat16):
        assert decoder(z).mean.dtype == torch.float32
