"""Tutorials of deep generative models: networks in the model, amortised local latents in a plate."""

import pyro
import torch
from pyro import distributions as dist
from torch import nn
from torch.nn.functional import softplus
from tutorial_base import Tutorial, data_generator


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
