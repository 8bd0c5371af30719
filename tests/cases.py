"""The pairs that the contract suite in tests/models runs over: one line each at the end.

Each is float64. It states its images, log p(z) in closed form, the kind of its guide, and what it charges its guide.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from pyro import distributions as dist

import pyrogen as pg

LATENT = 3
RATE = 0.8  # of the sparse pairs
CENTERS = torch.tensor([[-1.0, 0.0, 1.0], [2.0, 0.5, -0.5]], dtype=torch.float64)


@dataclass(frozen=True)
class Case:
    """A pair's maker, what its images are, and `analytic`: whether p(z) is N(0, I), with the closed KL(q ‖ p)."""

    name: str
    make: Callable[[], pg.models.Pair]
    shape: tuple[int, ...]
    pixels: str  # "binary", "gray" or "real"
    log_prior: Callable[[torch.Tensor], torch.Tensor]
    analytic: bool = True
    guide: str = "normal"  # or "point" (a Delta) or "code" (from a finite set): then z is the guide's mean
    code_shape: tuple[int, ...] = (LATENT,)
    # name → (weight, nats (B,)) of what the guide is charged, by hand from (pair, x, z, N)
    charges: Callable[[pg.models.Pair, torch.Tensor, torch.Tensor, int], dict] = lambda pair, x, z, size: {}
    weight: Callable[[pg.models.Pair], float] = lambda pair: pair.beta.item()  # of the KL, or of the penalty
    additive: bool = True  # whether the loss of the whole is the mean of its batches'
    proper: bool = True  # whether the prior can be drawn from

    def codes(self, pair: pg.models.Pair, n: int) -> torch.Tensor:
        """n codes (n, *code_shape) that the prior knows."""
        if self.guide == "code":
            return pair.prior().sample((n,))
        return torch.randn(n, *self.code_shape, dtype=torch.float64)

    def images(self, n: int, seed: int = 1) -> torch.Tensor:
        """n images (n, *shape), float64."""
        generator = torch.Generator().manual_seed(seed)
        draw = torch.randn if self.pixels == "real" else torch.rand
        x = draw(n, *self.shape, generator=generator, dtype=torch.float64)
        return (x < 0.4).double() if self.pixels == "binary" else x


class LearnedMixture(pg.Described, torch.nn.Module):
    """Two unit Gaussians in equal parts, with centers that are learned: a prior whose KL has no closed form."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.centers = torch.nn.Parameter(torch.zeros(2, latent))

    def forward(self) -> dist.TorchDistribution:
        parts = dist.Normal(self.centers, 1.0).to_event(1)
        return dist.MixtureSameFamily(dist.Categorical(logits=torch.zeros_like(self.centers[:, 0])), parts)


def normal_log_density(z, loc, scale):
    """log N(z; loc, diag scale²) over the last dimension."""
    return (-0.5 * ((z - loc) / scale) ** 2 - torch.log(scale) - 0.5 * math.log(2 * math.pi)).sum(-1)


def standard_log_density(z):
    """log N(z; 0, I)."""
    return -0.5 * (z**2).sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)


def flat_log_density(z):
    """0 everywhere, the log of the density of no distribution."""
    return z.new_zeros(z.shape[:-1])


def mixture_log_density(z):
    """log of the equal mixture of N(c, I) over the rows c of CENTERS."""
    return torch.stack([standard_log_density(z - center) for center in CENTERS]).logsumexp(0) - math.log(2)


def _mlp(likelihood="bernoulli", beta=1.0):
    encoder = pg.nn.MLPEncoder((4, 4), LATENT, hidden=(16,))
    return pg.models.VAE(encoder, pg.nn.MLPDecoder((4, 4), LATENT, likelihood, hidden=(16,)), beta=beta).double()


def _conv():
    size = {"channels": (4, 8), "hidden": 16}
    encoder = pg.nn.ConvEncoder((2, 8, 8), LATENT, **size)
    return pg.models.VAE(encoder, pg.nn.ConvDecoder((2, 8, 8), LATENT, **size)).double()


def _linear(beta=1.0):
    decoder = pg.nn.LinearDecoder((5,), LATENT, pg.nn.Gaussian(scale=0.7, learned=True))
    return pg.models.VAE(pg.nn.LinearEncoder((5,), LATENT), decoder, beta=beta).double()


def _autoencoder():
    encoder = pg.nn.MLPEncoder((4, 4), LATENT, hidden=(16,), point=True)
    return pg.models.Autoencoder(encoder, pg.nn.MLPDecoder((4, 4), LATENT, hidden=(16,))).double()


def _tc_vae():
    encoder = pg.nn.MLPEncoder((4, 4), LATENT, hidden=(16,))
    decoder = pg.nn.MLPDecoder((4, 4), LATENT, hidden=(16,))
    return pg.models.TCVAE(encoder, decoder, beta=4.0, alpha=0.5, gamma=2.0).double()


def _tc_charges(pair, x, z, size):
    """The parts of log q(z | x) − log p(z), from sums of densities."""
    q, batch = pair.encode(x), len(x)
    densities = torch.exp(-0.5 * ((z[:, None] - q.mean) / q.stddev) ** 2) / (q.stddev * math.sqrt(2 * math.pi))
    weights = torch.full((batch, batch), (size - 1) / (size * (batch - 1)), dtype=torch.float64)
    weights[range(batch), range(batch)] = 1 / size
    own = densities[range(batch), range(batch)].prod(-1).log()
    joint, product = (weights * densities.prod(-1)).sum(1).log(), torch.einsum("ij,ijl->il", weights, densities).log()
    return {
        "total_correlation": (3.0, joint - product.sum(1)),
        "mutual_information": (-0.5, own - joint),
        "dimension_wise_kl": (1.0, product.sum(1) - standard_log_density(z)),
    }


TC = {"charges": _tc_charges, "weight": lambda pair: 1.0, "additive": False}


def _dip_vae():
    encoder = pg.nn.MLPEncoder((4, 4), LATENT, hidden=(16,))
    decoder = pg.nn.MLPDecoder((4, 4), LATENT, hidden=(16,))
    return pg.models.DIPVAE(encoder, decoder, off_diagonal=3.0, diagonal=2.0, beta=4.0).double()


def _dip_charges(pair, x, z, size):
    """The squares of the covariance of the mixture of the batch's posteriors, entry by entry."""
    q = pair.encode(x)
    second = q.variance.mean(0).diag() + torch.einsum("ni,nj->ij", q.mean, q.mean) / len(x)
    covariance = second - q.mean.mean(0)[:, None] * q.mean.mean(0)
    inside, eye = torch.eye(LATENT, dtype=torch.bool), torch.eye(LATENT, dtype=torch.float64)
    return {
        "off_diagonal": (3.0, covariance[~inside].square().sum().repeat(len(x))),
        "diagonal": (2.0, (covariance - eye)[inside].square().sum().repeat(len(x))),
    }


DIP = {"charges": _dip_charges, "additive": False}


def _factor_vae():
    encoder = pg.nn.MLPEncoder((4, 4), LATENT, hidden=(16,))
    decoder = pg.nn.MLPDecoder((4, 4), LATENT, hidden=(16,))
    return pg.models.FactorVAE(encoder, decoder, gamma=3.0, beta=4.0, hidden=(8, 8)).double()


def _factor_charges(pair, x, z, size):
    """The logit at each code, and the cross-entropy of codes against rows whose entry l is of the image l places on."""
    places = (torch.arange(len(z))[:, None] + torch.arange(LATENT)) % len(z)
    mine, other = pair.discriminator(z).squeeze(-1), pair.discriminator(z.gather(0, places)).squeeze(-1)
    loss = -0.5 * torch.sigmoid(mine).log() - 0.5 * torch.sigmoid(-other).log()
    return {"total_correlation": (3.0, mine), "discriminator": (1.0, loss)}


FACTOR = {"charges": _factor_charges, "additive": False}


def _sparse(beta=1.0):
    dictionary = pg.nn.Dictionary(16, atoms=24)
    encoder = pg.nn.SparseLinearEncoder((4, 4), pg.nn.FISTA(dictionary, steps=6))
    decoder = pg.nn.SparseLinearDecoder((4, 4), dictionary, pg.nn.Gaussian(0.5, learned=True))
    return _with_rate(pg.models.SCVAE(encoder, decoder, beta=beta))


def _sparse_conv():
    dictionary = pg.nn.Dictionary(5, atoms=8)
    coder = pg.nn.LISTA(dictionary, steps=3)
    encoder = pg.nn.SparseConvEncoder((2, 8, 8), coder, channels=(4, 8), scale=0.5)
    return _with_rate(pg.models.SCVAE(encoder, pg.nn.SparseConvDecoder((2, 8, 8), dictionary, channels=(4, 8))))


def _with_rate(pair):
    pair = pair.double()
    pair.log_rate.fill_(math.log(RATE))
    return pair


def _sparse_charges(pair, x, z, size):
    """½‖f − b − Dz‖² / σ² by an explicit sum over the positions."""
    f, d = pair.encoder.features(x), pair.dictionary
    unit = d.weight / d.weight.square().sum(0).sqrt()
    left = f - d.bias - torch.einsum("bhwa,na->bhwn", z, unit)
    return {"features": (1.0, 0.5 * left.square().sum((1, 2, 3)) / 0.5**2)}


def laplace_log_density(z):
    """log of the product of Laplace(0, 1 / RATE) over all entries of a code, here of one or three dimensions."""
    entries = math.log(RATE / 2) - RATE * z.abs()
    return entries.sum(-1) if z.shape[-1] == 24 else entries.sum((-3, -2, -1))


SPARSE = {"guide": "point", "code_shape": (24,)}
SPARSE_CONV = {"guide": "point", "code_shape": (2, 2, 8), "charges": _sparse_charges}


def _mixture(beta=1.0):
    decoder = pg.nn.MLPDecoder((4, 4), LATENT, hidden=(16,))
    encoder, prior = pg.nn.MLPEncoder((4, 4), LATENT, hidden=(16,)), LearnedMixture(LATENT)
    pair = pg.models.VAE(encoder, decoder, beta=beta, prior=prior).double()
    prior.centers.data.copy_(CENTERS)
    return pair


def _vamp(beta=1.0):
    """The posteriors at its two pseudo-inputs are N(c, I) at the rows c of CENTERS."""
    encoder, decoder = pg.nn.LinearEncoder((4, 4), LATENT), pg.nn.MLPDecoder((4, 4), LATENT, hidden=(16,))
    diagonal = torch.eye(4, dtype=torch.float64)
    inputs = 0.25 + 0.5 * torch.stack((diagonal, 1 - diagonal))  # no gradient is one-sided here, as at the bounds
    prior = pg.distributions.VampPrior(encoder, inputs)
    pair = pg.models.VAE(encoder, decoder, beta=beta, prior=prior).double()
    with torch.no_grad():
        rest = CENTERS - encoder.loc(inputs.flatten(1))  # (2, L)
        encoder.loc.weight += (torch.linalg.pinv(inputs.flatten(1)) @ rest).T
    return pair


PARTS = {"weights": (0.2, 0.8), "scales": (0.5, 1.5)}


def _gaussian_mixture():
    encoder, decoder = pg.nn.MLPEncoder((4, 4), LATENT, hidden=(16,)), pg.nn.MLPDecoder((4, 4), LATENT, hidden=(16,))
    prior = pg.distributions.GaussianMixture(2, LATENT)
    pair = pg.models.VAE(encoder, decoder, prior=prior).double()
    with torch.no_grad():
        prior.logits.copy_(torch.tensor(PARTS["weights"]).double().log() + 3.0)
        prior.locs.copy_(CENTERS)
        prior.log_scales.copy_(torch.tensor(PARTS["scales"]).double().log()[:, None].expand(2, LATENT))
    return pair


def unequal_log_density(z):
    """log Σ π N(c, s² I) over the rows c of CENTERS, with the π and s of PARTS (as float32 holds them)."""
    weights, scales = (torch.tensor(PARTS[name]).double() for name in ("weights", "scales"))
    parts = zip(weights / weights.sum(), CENTERS, scales, strict=True)
    return torch.stack([w.log() + normal_log_density(z, c, s.expand(LATENT)) for w, c, s in parts]).logsumexp(0)


def _quantized(update):
    """A decoder far off and a strong commitment, for straight-through gradients lower the loss of noise at first only
    then. With "ema" the codes' memory is so long that a step moves them by rounding."""
    codebook = pg.nn.Codebook(5, 3, update=update, revive=0.0)
    encoder = pg.nn.ConvGridEncoder((1, 4, 4), dim=3, channels=(8,))
    decoder = pg.nn.ConvGridDecoder((1, 4, 4), dim=3, channels=(8,))
    pair = pg.models.VQVAE(encoder, decoder, codebook, commitment=8.0).double()
    with torch.no_grad():
        decoder.network[-1].bias.add_(2.0)
        x = (torch.rand(64, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.4).double()
        codebook.initialize(encoder(x).mean)
        codebook.counts.fill_(1e18)
        if update == "ema":
            codebook.sums.copy_(1e18 * codebook.vectors)
    return pair


def _quantized_charges(pair, x, z, size):
    squares = ((pair.encoder(x).mean - z) ** 2).flatten(1).sum(1)
    charges = {"commitment": (8.0, squares)}
    return charges | ({"codebook": (1.0, squares)} if pair.codebook.update == "loss" else {})


def uniform_log_mass(z):
    """log 5^-T for T tokens, whatever the codes."""
    return torch.full(z.shape[:-3], -z.shape[-3] * z.shape[-2] * math.log(5), dtype=torch.float64)


QUANTIZED = {"guide": "code", "code_shape": (2, 2, 3), "charges": _quantized_charges}

CASES = [
    Case("mlp", _mlp, (4, 4), "binary", standard_log_density),
    Case("beta 4", lambda: _mlp(beta=4.0), (4, 4), "binary", standard_log_density),
    Case("beta 0", lambda: _mlp(beta=0.0), (4, 4), "binary", standard_log_density),
    Case("conv", _conv, (2, 8, 8), "binary", standard_log_density),
    Case("linear", _linear, (5,), "real", standard_log_density),
    Case("linear, beta 0.5", lambda: _linear(beta=0.5), (5,), "real", standard_log_density),
    Case("gray", lambda: _mlp("continuous_bernoulli"), (4, 4), "gray", standard_log_density),
    Case("mixture", _mixture, (4, 4), "binary", mixture_log_density, analytic=False),
    Case("mixture, beta 4", lambda: _mixture(beta=4.0), (4, 4), "binary", mixture_log_density, analytic=False),
    Case("vamp", _vamp, (4, 4), "binary", mixture_log_density, analytic=False),
    Case("vamp, beta 4", lambda: _vamp(beta=4.0), (4, 4), "binary", mixture_log_density, analytic=False),
    Case("gaussian mixture", _gaussian_mixture, (4, 4), "binary", unequal_log_density, analytic=False),
    Case("autoencoder", _autoencoder, (4, 4), "binary", flat_log_density, guide="point", proper=False),
    Case("sparse", _sparse, (4, 4), "real", laplace_log_density, **SPARSE),
    Case("sparse, beta 4", lambda: _sparse(beta=4.0), (4, 4), "real", laplace_log_density, **SPARSE),
    Case("sparse, conv", _sparse_conv, (2, 8, 8), "binary", laplace_log_density, **SPARSE_CONV),
    Case("total correlation", _tc_vae, (4, 4), "binary", standard_log_density, **TC),
    Case("density ratio", _factor_vae, (4, 4), "binary", standard_log_density, **FACTOR),
    Case("covariance", _dip_vae, (4, 4), "binary", standard_log_density, **DIP),
    Case("quantized, by loss", lambda: _quantized("loss"), (1, 4, 4), "binary", uniform_log_mass, **QUANTIZED),
    Case("quantized, moving", lambda: _quantized("ema"), (1, 4, 4), "binary", uniform_log_mass, **QUANTIZED),
]

every_pair = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@dataclass(frozen=True)
class Other:
    """A pair with several latents or with labels: its maker, and a batch of n rows as its programs take it."""

    name: str
    make: Callable[[], pg.models.Pair]
    batch: Callable[[int], tuple[torch.Tensor, ...]]
    latents: tuple[str, ...]
    fixed: tuple[str, ...] = ()  # parameters without a gradient on such a batch


def _binary(n):
    return ((torch.rand(n, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.4).double(),)


def _labels(n, missing=False):
    y = torch.arange(n) % 3
    return (*_binary(n), torch.where(torch.arange(n) % 2 == 0, -1, y) if missing else y)


def _two_layer(beta=1.0):
    bottom = pg.nn.MLPEncoder((4, 4), LATENT, hidden=(16,)), pg.nn.MLPDecoder((4, 4), LATENT, hidden=(16,))
    top = pg.nn.MLPEncoder((LATENT,), 2, hidden=(8,)), pg.nn.MLPEncoder((2,), LATENT, hidden=(8,))
    return pg.models.TwoLayerVAE(*bottom, *top, beta=beta).double()


def _conditional():
    networks = pg.nn.MLPEncoder((16 + 3,), LATENT, hidden=(16,)), pg.nn.MLPDecoder((4, 4), LATENT + 3, hidden=(16,))
    return pg.models.ConditionalVAE(*networks, classes=3, beta=2.0).double()


def _semi_supervised():
    networks = pg.nn.MLPEncoder((16 + 3,), LATENT, hidden=(16,)), pg.nn.MLPDecoder((4, 4), LATENT + 3, hidden=(16,))
    return pg.models.SemiSupervisedVAE(*networks, pg.nn.MLPClassifier((4, 4), 3, hidden=(8,)), alpha=2.0).double()


OTHERS = [
    Other("two layers", _two_layer, _binary, ("z2", "z")),
    Other("two layers, beta 4", lambda: _two_layer(4.0), _binary, ("z2", "z")),
    Other("conditional", _conditional, _labels, ("z",)),
    Other("no labels", _semi_supervised, _binary, ("y", "z")),
    Other("some labels", _semi_supervised, lambda n: _labels(n, missing=True), ("y", "z")),
]

every_other = pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.name)
