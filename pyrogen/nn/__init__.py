"""Encoders and decoders: a network takes a tensor and returns a distribution."""

from pyrogen.nn.base import Decoder, Encoder
from pyrogen.nn.broadcast import BroadcastDecoder
from pyrogen.nn.classifier import MLPClassifier
from pyrogen.nn.codebook import Codebook
from pyrogen.nn.conv import ConvDecoder, ConvEncoder
from pyrogen.nn.dictionary import Dictionary
from pyrogen.nn.grid import ConvGridDecoder, ConvGridEncoder, GridDecoder, GridEncoder, MLPGridDecoder, MLPGridEncoder
from pyrogen.nn.ista import FISTA, ISTA, SparseCoder
from pyrogen.nn.likelihoods import Bernoulli, ContinuousBernoulli, Gaussian, Likelihood
from pyrogen.nn.linear import LinearDecoder, LinearEncoder
from pyrogen.nn.lista import LISTA
from pyrogen.nn.masked import Autoregressive, PixelCNN
from pyrogen.nn.mlp import MLPDecoder, MLPEncoder
from pyrogen.nn.sparse import (
    SparseConvDecoder,
    SparseConvEncoder,
    SparseDecoder,
    SparseEncoder,
    SparseLinearDecoder,
    SparseLinearEncoder,
)
from pyrogen.nn.two_heads import TwoHeads

__all__ = [
    "FISTA",
    "ISTA",
    "LISTA",
    "Autoregressive",
    "Bernoulli",
    "BroadcastDecoder",
    "Codebook",
    "ContinuousBernoulli",
    "ConvDecoder",
    "ConvEncoder",
    "ConvGridDecoder",
    "ConvGridEncoder",
    "Decoder",
    "Dictionary",
    "Encoder",
    "Gaussian",
    "GridDecoder",
    "GridEncoder",
    "Likelihood",
    "LinearDecoder",
    "LinearEncoder",
    "MLPClassifier",
    "MLPDecoder",
    "MLPEncoder",
    "MLPGridDecoder",
    "MLPGridEncoder",
    "PixelCNN",
    "SparseCoder",
    "SparseConvDecoder",
    "SparseConvEncoder",
    "SparseDecoder",
    "SparseEncoder",
    "SparseLinearDecoder",
    "SparseLinearEncoder",
    "TwoHeads",
]
