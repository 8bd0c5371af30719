"""Encoders and decoders: a network takes a tensor and returns a distribution."""

from pyrogen.nn.base import Decoder, Encoder
from pyrogen.nn.conv import ConvDecoder, ConvEncoder
from pyrogen.nn.likelihoods import Bernoulli, ContinuousBernoulli, Gaussian, Likelihood
from pyrogen.nn.linear import LinearDecoder, LinearEncoder
from pyrogen.nn.mlp import MLPDecoder, MLPEncoder

__all__ = [
    "Bernoulli",
    "ContinuousBernoulli",
    "ConvDecoder",
    "ConvEncoder",
    "Decoder",
    "Encoder",
    "Gaussian",
    "Likelihood",
    "LinearDecoder",
    "LinearEncoder",
    "MLPDecoder",
    "MLPEncoder",
]
