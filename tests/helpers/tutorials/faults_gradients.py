"""Mistakes in what is computed: gradients cut or biased, values outside a support, shapes that broadcast, bad fits."""

import helpers.tutorials.deep as deep
import helpers.tutorials.globals as few
import pyro
import torch
from pyro import distributions as dist
from pyro.infer.autoguide import AutoDiagonalNormal
from torch import nn

# gradient reach


class EncoderDetached(deep.VAE):
    def guide(self, x):
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", x.shape[0]):
            loc, scale = self.encoder(x)
            pyro.sample("z", dist.Normal(loc.detach(), scale.detach()).to_event(1))


class EncoderWithoutGrad(deep.VAE):
    def guide(self, x):
        pyro.module("encoder", self.encoder)
        with torch.no_grad():
            loc, scale = self.encoder(x)
        with pyro.plate("data", x.shape[0]):
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))


class DecoderWithoutGrad(deep.VAE):
    def model(self, x):
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", x.shape[0]):
            z = pyro.sample("z", dist.Normal(x.new_zeros(x.shape[0], self.latent), 1.0).to_event(1))
            with torch.no_grad():
                logits = self.decoder(z)
            pyro.sample("x", dist.Bernoulli(logits=logits).to_event(1), obs=x)


class UnusedParameter(few.EightSchools):
    """A scale of its own for mu is registered, but the guide takes tau's."""

    def guide(self, y, sigma):
        loc, _ = self.place("mu")
        tau_loc, tau_scale = self.place("log_tau")
        pyro.sample("mu", dist.Normal(loc, tau_scale))
        pyro.sample("tau", dist.LogNormal(tau_loc, tau_scale))
        with pyro.plate("schools", len(y)):
            pyro.sample("eta", dist.Normal(*self.place("eta")))


class UnusedLayer(deep.VAE):
    def __init__(self):
        super().__init__()
        self.encoder.second = nn.Linear(8, 8)


# gradient


class LatentDetached(deep.VAE):
    """The encoder hears of the prior only."""

    def model(self, x):
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", x.shape[0]):
            z = pyro.sample("z", dist.Normal(x.new_zeros(x.shape[0], self.latent), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z.detach())).to_event(1), obs=x)


class WideNormal(dist.Normal):
    """Draws have twice the scale that their density has.

    The path derivative is that of the draws, so finite differences of the sampled loss agree with it. The score
    function's gradient does not. E ∇log q is 3/scale, and it would be 0 for draws from q.
    """

    def rsample(self, sample_shape=()):
        return self.loc + 2 * self.scale * torch.randn(self._extended_shape(sample_shape))


class HalfPathNormal(dist.Normal):
    """Draws are right, but their derivative in the location is nil."""

    def rsample(self, sample_shape=()):
        return self.loc.detach() + self.scale * torch.randn(self._extended_shape(sample_shape))


class NoPathGamma(dist.Gamma):
    """Claims has_rsample, and draws without derivatives."""

    def rsample(self, sample_shape=()):
        with torch.no_grad():
            return super().rsample(torch.Size(sample_shape))


class WideDraws(few.EightSchools):
    normal = WideNormal

    def guide(self, y, sigma):
        pyro.sample("mu", self.normal(*self.place("mu")))
        pyro.sample("tau", dist.LogNormal(*self.place("log_tau")))
        with pyro.plate("schools", len(y)):
            pyro.sample("eta", self.normal(*self.place("eta")))


class HalfPath(WideDraws):
    normal = HalfPathNormal


class NoPath(deep.GammaDEF):
    def gamma(self, shape, mean):
        return NoPathGamma(shape, shape / mean)


# support


class NormalForPositive(few.EightSchools):
    def guide(self, y, sigma):
        pyro.sample("mu", dist.Normal(*self.place("mu")))
        loc, scale = self.place("log_tau")
        pyro.sample("tau", dist.Normal(loc.exp(), scale))
        with pyro.plate("schools", len(y)):
            pyro.sample("eta", dist.Normal(*self.place("eta")))


class NormalForProbability(few.Coin):
    """Nearly always within [0, 1]."""

    def guide(self, data):
        loc = pyro.param("loc_q", lambda: self.start[0] / self.start.sum())
        scale = pyro.param("scale_q", lambda: torch.tensor(0.1), constraint=few.constraints.positive)
        pyro.sample("fairness", dist.Normal(loc, scale))


class ScaleOfAnySign(deep.VAE):
    def guide(self, x):
        pyro.module("encoder", self.encoder)
        h = self.encoder.body(x)
        with pyro.plate("data", x.shape[0]):
            pyro.sample("z", dist.Normal(self.encoder.loc(h), self.encoder.scale(h)).to_event(1))


class ScaleUnconstrained(few.EightSchools):
    """Starts positive; a step too long makes it negative."""

    def place(self, name):
        scale = pyro.param(f"scale_{name}", lambda: self.width[name].clone())
        return pyro.param(f"loc_{name}", lambda: self.start[name].clone()), scale


# shape


class ColumnModel(few.RegressionModel):
    """The mean stays a column (B, 1): with y (B,) every observation is scored against every mean."""

    def forward(self, x, y=None):
        sigma = pyro.sample("sigma", dist.Uniform(0.0, 10.0))
        mean = pyro.deterministic("mean", self.linear(x))
        with pyro.plate("data", x.shape[0]):
            return pyro.sample("obs", dist.Normal(mean, sigma).to_event(1), obs=y)


class Column(few.Regression):
    def __init__(self):
        self.model = ColumnModel(2)
        self.guide = AutoDiagonalNormal(self.model, init_loc_fn=few.near)


class NoEvent(deep.VAE):
    def guide(self, x):
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", x.shape[0]):
            loc, scale = self.encoder(x)
            pyro.sample("z", dist.Normal(loc, scale))


# fit


class Overconfident(few.EightSchools):
    """Scales fixed and far too small."""

    def place(self, name):
        return pyro.param(f"loc_{name}", lambda: self.start[name].clone()), 0.02


class Elsewhere(few.Coin):
    """Concentrations that nothing learns: sure of a fairness that the throws speak against."""

    def guide(self, data):
        share = pyro.param("share", lambda: torch.tensor(0.9), constraint=few.constraints.interval(0.85, 0.95))
        pyro.sample("fairness", dist.Beta(300 * share, 300 * (1 - share)))
