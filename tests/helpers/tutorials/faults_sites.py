"""Mistakes in what the two programs say: sites, plates, scales, minibatches, enumeration, registered networks."""

import helpers.tutorials.deep as deep
import helpers.tutorials.discrete as discrete
import helpers.tutorials.globals as few
import helpers.tutorials.locals as local
import pyro
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoDelta, AutoNormal
from torch import nn
from torch.nn.functional import softplus

# sites


class Misspelt(few.Coin):
    def guide(self, data):
        alpha = pyro.param("alpha_q", lambda: self.start[0].clone(), constraint=few.constraints.positive)
        beta = pyro.param("beta_q", lambda: self.start[1].clone(), constraint=few.constraints.positive)
        pyro.sample("fairnes", dist.Beta(alpha, beta))


class Unobserved(deep.VAE):
    def model(self, x):
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", x.shape[0]):
            z = pyro.sample("z", dist.Normal(x.new_zeros(x.shape[0], self.latent), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z)).to_event(1))


class GuideObserves(deep.VAE):
    def guide(self, x):
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", x.shape[0]):
            loc, scale = self.encoder(x)
            z = pyro.sample("z", dist.Normal(loc, scale).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=x)


class NotAuxiliary(local.States):
    auxiliary = False


# plates


class NoPlate(deep.VAE):
    def guide(self, x):
        pyro.module("encoder", self.encoder)
        loc, scale = self.encoder(x)
        pyro.sample("z", dist.Normal(loc, scale).to_event(1))


class EventForPlate(few.EightSchools):
    def guide(self, y, sigma):
        pyro.sample("mu", dist.Normal(*self.place("mu")))
        pyro.sample("tau", dist.LogNormal(*self.place("log_tau")))
        pyro.sample("eta", dist.Normal(*self.place("eta")).to_event(1))


class OtherPlate(local.SubsampledLocal):
    """Each program draws indices of its own: the latents of some observations are scored on others."""

    def guide(self, x):
        pyro.sample("loc", dist.Normal(*self.place("loc")))
        z_loc, z_scale = self.place("z")
        with pyro.plate("observations", self.size, subsample_size=self.batch) as index:
            pyro.sample("z", dist.Normal(z_loc[index], z_scale[index]))


# scale and mask


class BetaInModel(deep.BetaVAE):
    guide = deep.VAE.guide


class BetaInGuide(deep.BetaVAESampled):
    """With TraceMeanField_ELBO, which asks the guide alone, this would do no harm."""

    model = deep.VAE.model


class AnnealedModel(deep.DMM):
    annealed = ("model",)


class AnnealedGuide(deep.DMM):
    annealed = ("guide",)


class MaskedModel(deep.DMM):
    masked = ("model",)


class MaskedGuide(deep.DMM):
    masked = ("guide",)


class MaskForgottenByAutoGuide(few.Missing):
    """obs_mask under an AutoGuide: its latents for known answers are in no density of the model; no bound is left."""

    def __init__(self):
        self.guide = AutoNormal(self.model, init_loc_fn=few.near)


class DataScaleInModel(deep.VAE):
    """A batch stands for 80 pictures, but only the model says so."""

    def model(self, x):
        with poutine.scale(scale=80 / len(x)):
            super().model(x)


class ScaledTwice(few.Subsampled):
    def model(self, x):
        loc = pyro.sample("loc", dist.Normal(0.0, 3.0))
        scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
        with pyro.plate("data", self.size, subsample_size=self.batch) as index:  # noqa: SIM117
            with poutine.scale(scale=self.size / self.batch):
                pyro.sample("x", dist.Normal(loc, scale), obs=x[index])


# subsampling and minibatches


class UnscaledMinibatch(few.Subsampled):
    def model(self, x):
        loc = pyro.sample("loc", dist.Normal(0.0, 3.0))
        scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
        index = torch.randperm(len(x))[: self.batch]
        with pyro.plate("data", self.batch):
            pyro.sample("x", dist.Normal(loc, scale), obs=x[index])


class FirstRows(few.Subsampled):
    def model(self, x):
        loc = pyro.sample("loc", dist.Normal(0.0, 3.0))
        scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
        with pyro.plate("data", self.size, subsample_size=self.batch):
            pyro.sample("x", dist.Normal(loc, scale), obs=x[: self.batch])


class FirstLatents(local.SubsampledLocal):
    def guide(self, x):
        pyro.sample("loc", dist.Normal(*self.place("loc")))
        z_loc, z_scale = self.place("z")
        with pyro.plate("data", self.size, subsample_size=self.batch):
            pyro.sample("z", dist.Normal(z_loc[: self.batch], z_scale[: self.batch]))


class OtherBatch(local.SubsampledLocal):
    def guide(self, x):
        pyro.sample("loc", dist.Normal(*self.place("loc")))
        z_loc, z_scale = self.place("z")
        with pyro.plate("data", self.size, subsample_size=self.batch - 1) as index:
            pyro.sample("z", dist.Normal(z_loc[index], z_scale[index]))


# enumeration


class LabelSampled(discrete.SSVAE):
    def guide(self, x, label=None):
        with pyro.plate("data", len(x)):
            label = pyro.sample("label", dist.OneHotCategorical(logits=self.classifier(x)))
            loc, scale = self.encoder(discrete.beside(x, label))
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))


class AssignmentSampled(discrete.GMM):
    """config_enumerate forgotten: assignments come from their prior."""

    def __init__(self):
        self.guide = AutoDelta(poutine.block(self.model, hide=["assignment"]), init_loc_fn=discrete.near)

    def model(self, x):
        weights = pyro.sample("weights", dist.Dirichlet(torch.full((2,), 0.5)))
        scale = pyro.sample("scale", dist.LogNormal(0.0, 2.0))
        with pyro.plate("components", 2):
            locs = pyro.sample("locs", dist.Normal(0.0, 10.0))
        with pyro.plate("data", len(x)):
            assignment = pyro.sample("assignment", dist.Categorical(weights))
            pyro.sample("obs", dist.Normal(locs[assignment], scale), obs=x)


class LossDoesNotEnumerate(discrete.GMM):
    def loss(self):
        return Trace_ELBO()


# registration


class EncoderNotRegistered(deep.VAE):
    def guide(self, x):
        with pyro.plate("data", x.shape[0]):
            loc, scale = self.encoder(x)
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))


class DecoderNotRegistered(deep.VAE):
    def model(self, x):
        with pyro.plate("data", x.shape[0]):
            z = pyro.sample("z", dist.Normal(x.new_zeros(x.shape[0], self.latent), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=x)


class ListOfLayers(deep.Halves):
    def __init__(self, inputs, hidden, outputs):
        super().__init__(inputs, hidden, outputs)
        del self.body
        self.layers = [nn.Linear(inputs, hidden), nn.Softplus()]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.loc(x), softplus(self.scale(x)) + 1e-3


class EncoderInList(deep.VAE):
    """A plain list where a ModuleList is meant: the module that is registered lacks its layers."""

    def __init__(self):
        super().__init__()
        self.encoder = ListOfLayers(self.pixels, 8, self.latent)


class FreshParameter(few.Coin):
    def guide(self, data):
        alpha = nn.Parameter(self.start[0].clone())
        beta = pyro.param("beta_q", lambda: self.start[1].clone(), constraint=few.constraints.positive)
        pyro.sample("fairness", dist.Beta(alpha, beta))


class FreshLayer(deep.VAE):
    def model(self, x):
        pyro.module("decoder", self.decoder)
        last = nn.Linear(self.pixels, self.pixels)
        with pyro.plate("data", x.shape[0]):
            z = pyro.sample("z", dist.Normal(x.new_zeros(x.shape[0], self.latent), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=last(self.decoder(z))).to_event(1), obs=x)
