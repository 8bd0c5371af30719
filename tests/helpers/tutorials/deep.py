"""Tutorials of deep generative models: networks in the model, amortized local latents in a plate."""

import pyro
import torch
from helpers.tutorials.base import Tutorial, data_generator
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import nn
from torch.nn.functional import softmax, softplus


def pictures(n=8, pixels=6):
    """n rows of black and white pixels in two kinds."""
    generator = data_generator()
    kind = torch.rand(n, 1, generator=generator) < 0.5
    ink = torch.where(kind, torch.linspace(0.1, 0.9, pixels), torch.linspace(0.9, 0.1, pixels))
    return torch.bernoulli(ink, generator=generator)


class Halves(nn.Module):
    """A network whose output is a location and a positive scale."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, hidden), nn.Softplus())
        self.loc, self.scale = nn.Linear(hidden, outputs), nn.Linear(hidden, outputs)

    def forward(self, x):
        h = self.body(x)
        return self.loc(h), softplus(self.scale(h)) + 1e-3


class VAE(Tutorial, nn.Module):
    """The variational autoencoder: networks registered by pyro.module, one in the model and one in the guide."""

    note = "vae"
    pixels, latent = 6, 2

    def __init__(self):
        super().__init__()
        self.encoder = Halves(self.pixels, 8, self.latent)
        self.decoder = nn.Sequential(nn.Linear(self.latent, 8), nn.Softplus(), nn.Linear(8, self.pixels))

    def args(self):
        return (pictures(pixels=self.pixels),)

    def model(self, x):
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", x.shape[0]):
            z = pyro.sample("z", dist.Normal(x.new_zeros(x.shape[0], self.latent), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=x)

    def guide(self, x):
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", x.shape[0]):
            loc, scale = self.encoder(x)
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))


class BetaVAE(VAE):
    """The VAE with a latent scaled by β in both programs, and the Kullback-Leibler divergence in closed form."""

    note = "vae, with the scale of dmm"
    beta = 3.0

    def loss(self):
        return TraceMeanField_ELBO()

    def model(self, x):
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", len(x)):
            with poutine.scale(scale=self.beta):
                z = pyro.sample("z", dist.Normal(x.new_zeros(len(x), self.latent), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=x)

    def guide(self, x):
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", len(x)), poutine.scale(scale=self.beta):
            loc, scale = self.encoder(x)
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))


class BetaVAESampled(BetaVAE):
    """The same with the divergence by samples."""

    def loss(self):
        return Trace_ELBO()


class DMM(Tutorial, nn.Module):
    """A deep Markov model: ragged sequences by masks, annealing by a scale, a recurrent network in the guide."""

    note = "dmm"
    pixels, latent, steps = 3, 2, 3
    masked = ("model", "guide")
    annealed = ("model", "guide")

    def __init__(self):
        super().__init__()
        self.emitter = nn.Sequential(nn.Linear(self.latent, 6), nn.ReLU(), nn.Linear(6, self.pixels))
        self.transition = Halves(self.latent, 6, self.latent)
        self.rnn = nn.RNN(self.pixels, 6, batch_first=True)
        self.carry, self.combine = nn.Linear(self.latent, 6), Halves(6, 6, self.latent)
        self.z_0 = nn.Parameter(0.1 * torch.randn(self.latent))
        self.z_q_0 = nn.Parameter(0.1 * torch.randn(self.latent))

    def args(self):
        shape = (4, self.steps, self.pixels)
        x = torch.bernoulli(torch.full(shape, 0.4), generator=data_generator())
        return x, torch.tensor([3, 2, 3, 1])

    def kwargs(self):
        return {"annealing": 0.6}

    def site(self, t, normal, side, lengths, annealing):
        if side in self.masked:
            normal = normal.mask((t < lengths)[:, None])
        with poutine.scale(scale=annealing if side in self.annealed else 1.0):
            return pyro.sample(f"z_{t}", normal.to_event(1))

    def model(self, x, lengths, annealing=1.0):
        pyro.module("dmm", self)
        with pyro.plate("sequences", len(x)):
            z = self.z_0.expand(len(x), -1)
            for t in range(self.steps):
                z = self.site(t, dist.Normal(*self.transition(z)), "model", lengths, annealing)
                pixel = dist.Bernoulli(logits=self.emitter(z)).mask((t < lengths)[:, None]).to_event(1)
                pyro.sample(f"x_{t}", pixel, obs=x[:, t])

    def guide(self, x, lengths, annealing=1.0):
        pyro.module("dmm", self)
        memory = self.rnn(x.flip(1))[0].flip(1)
        with pyro.plate("sequences", len(x)):
            z = self.z_q_0.expand(len(x), -1)
            for t in range(self.steps):
                h = 0.5 * (torch.tanh(self.carry(z)) + memory[:, t])
                z = self.site(t, dist.Normal(*self.combine(h)), "guide", lengths, annealing)


class GammaDEF(Tutorial):
    """A sparse gamma deep exponential family: all latents are Gamma, with gradients by implicit reparametrization."""

    note = "examples/sparse_gamma_def"
    top, bottom, pixels, size = 2, 3, 4, 5

    def __init__(self):
        shapes = {"w_top": self.top * self.bottom, "w_bottom": self.bottom * self.pixels}
        shapes |= {"z_top": (self.size, self.top), "z_bottom": (self.size, self.bottom)}
        self.start = {name: (1 + 0.3 * torch.randn(shape), 0.3 * torch.randn(shape)) for name, shape in shapes.items()}

    def args(self):
        return (torch.poisson(torch.full((self.size, self.pixels), 3.0), generator=data_generator()),)

    def loss(self):
        return TraceMeanField_ELBO()

    def model(self, x):
        with pyro.plate("w_top_plate", self.top * self.bottom):
            w_top = pyro.sample("w_top", dist.Gamma(1.0, 1.0)).reshape(self.top, self.bottom)
        with pyro.plate("w_bottom_plate", self.bottom * self.pixels):
            w_bottom = pyro.sample("w_bottom", dist.Gamma(1.0, 1.0)).reshape(self.bottom, self.pixels)
        with pyro.plate("data", len(x)):
            z_top = pyro.sample("z_top", dist.Gamma(1.0, 1.0).expand([self.top]).to_event(1))
            z_bottom = pyro.sample("z_bottom", dist.Gamma(1.0, 1.0 / (z_top @ w_top)).to_event(1))
            pyro.sample("x", dist.Poisson(z_bottom @ w_bottom).to_event(1), obs=x)

    def place(self, name):
        shape = pyro.param(f"shape_{name}", lambda: self.start[name][0].clone())
        mean = pyro.param(f"mean_{name}", lambda: self.start[name][1].clone())
        return self.gamma(softplus(shape), softplus(mean))

    def gamma(self, shape, mean):
        return dist.Gamma(shape, shape / mean)

    def guide(self, x):
        with pyro.plate("w_top_plate", self.top * self.bottom):
            pyro.sample("w_top", self.place("w_top"))
        with pyro.plate("w_bottom_plate", self.bottom * self.pixels):
            pyro.sample("w_bottom", self.place("w_bottom"))
        with pyro.plate("data", len(x)):
            pyro.sample("z_top", self.place("z_top").to_event(1))
            pyro.sample("z_bottom", self.place("z_bottom").to_event(1))


class ProdLDA(Tutorial, nn.Module):
    """Topics by networks with batch normalization and dropout: each call draws noise and moves running averages."""

    note = "prodlda"
    words, topics, size = 6, 2, 8

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(self.words, 6), nn.Softplus(), nn.Dropout(0.2))
        self.loc = nn.Sequential(nn.Linear(6, self.topics), nn.BatchNorm1d(self.topics, affine=False))
        self.log_variance = nn.Sequential(nn.Linear(6, self.topics), nn.BatchNorm1d(self.topics, affine=False))
        self.beta = nn.Sequential(
            nn.Linear(self.topics, self.words, bias=False), nn.BatchNorm1d(self.words, affine=False)
        )

    def args(self):
        words = torch.randint(self.words, (self.size, 10), generator=data_generator())
        return (nn.functional.one_hot(words, self.words).sum(1).float(),)

    def loss(self):
        return TraceMeanField_ELBO()

    def model(self, counts):
        pyro.module("decoder", self.beta)
        with pyro.plate("documents", len(counts)):
            logits = pyro.sample("logtheta", dist.Normal(counts.new_zeros(len(counts), self.topics), 1.0).to_event(1))
            share = softmax(self.beta(softmax(logits, -1)), -1)
            pyro.sample("counts", dist.Multinomial(10, share), obs=counts)

    def guide(self, counts):
        pyro.module("encoder", nn.ModuleList([self.body, self.loc, self.log_variance]))
        with pyro.plate("documents", len(counts)):
            h = self.body(counts)
            pyro.sample("logtheta", dist.Normal(self.loc(h), (0.5 * self.log_variance(h)).exp()).to_event(1))
