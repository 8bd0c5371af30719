"""Tutorials with discrete latents: summed out in the model, summed out in the guide, or sampled."""

import pyro
import torch
from helpers.tutorials.base import Tutorial, data_generator
from helpers.tutorials.deep import Halves, pictures
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import TraceEnum_ELBO, TraceGraph_ELBO, config_enumerate
from pyro.infer.autoguide import AutoDelta, AutoNormal, init_to_uniform
from torch import nn
from torch.distributions import constraints

near = init_to_uniform(radius=1.0)


def two_heaps(n=12):
    """n numbers about −2 and 2."""
    generator = data_generator()
    side = torch.where(torch.rand(n, generator=generator) < 0.4, -2.0, 2.0)
    return side + 0.7 * torch.randn(n, generator=generator)


def beside(x, label):
    """Columns of both, with the dimensions in front that enumeration gives a label."""
    shape = torch.broadcast_shapes(x.shape[:-1], label.shape[:-1])
    return torch.cat([x.expand(*shape, -1), label.expand(*shape, -1)], -1)


class GMM(Tutorial):
    """A Gaussian mixture: assignments summed out in the model, a point for all that is global."""

    note = "gmm"

    def __init__(self):
        self.guide = AutoDelta(poutine.block(self.model, hide=["assignment"]), init_loc_fn=near)

    def args(self):
        return (two_heaps(),)

    def loss(self):
        return TraceEnum_ELBO(max_plate_nesting=1)

    @config_enumerate
    def model(self, x):
        weights = pyro.sample("weights", dist.Dirichlet(torch.full((2,), 0.5)))
        scale = pyro.sample("scale", dist.LogNormal(0.0, 2.0))
        with pyro.plate("components", 2):
            locs = pyro.sample("locs", dist.Normal(0.0, 10.0))
        with pyro.plate("data", len(x)):
            assignment = pyro.sample("assignment", dist.Categorical(weights))
            pyro.sample("obs", dist.Normal(locs[assignment], scale), obs=x)


class GMMNormal(GMM):
    """The same mixture under AutoNormal."""

    def __init__(self):
        self.guide = AutoNormal(poutine.block(self.model, hide=["assignment"]), init_loc_fn=near)


class HMM(Tutorial):
    """A hidden Markov model on sequences of unequal length: states summed out step by step in pyro.markov."""

    note = "examples/hmm, model 1"

    def __init__(self):
        self.guide = AutoDelta(
            poutine.block(self.model, hide_fn=lambda site: site["name"][:2] == "s_"), init_loc_fn=near
        )

    def args(self):
        return torch.randn(4, 5, generator=data_generator()), torch.tensor([5, 4, 3, 5])

    def loss(self):
        return TraceEnum_ELBO(max_plate_nesting=1)

    @config_enumerate
    def model(self, x, lengths):
        with pyro.plate("states", 2):
            moves = pyro.sample("moves", dist.Dirichlet(torch.tensor([1.0, 1.0])))
            locs = pyro.sample("locs", dist.Normal(0.0, 2.0))
        with pyro.plate("sequences", len(x)):
            state = torch.zeros((), dtype=torch.long)
            for t in pyro.markov(range(x.shape[1])):
                with poutine.mask(mask=t < lengths):
                    state = pyro.sample(f"s_{t}", dist.Categorical(moves[state]))
                    pyro.sample(f"x_{t}", dist.Normal(locs[state], 1.0), obs=x[:, t])


class SSVAE(Tutorial, nn.Module):
    """The semi-supervised VAE on pictures without labels: the label is summed out in the guide."""

    note = "ss-vae"
    pixels, latent, labels = 6, 2, 3

    def __init__(self):
        super().__init__()
        self.classifier = nn.Sequential(nn.Linear(self.pixels, 8), nn.Softplus(), nn.Linear(8, self.labels))
        self.encoder = Halves(self.pixels + self.labels, 8, self.latent)
        self.decoder = nn.Sequential(nn.Linear(self.latent + self.labels, 8), nn.Softplus(), nn.Linear(8, self.pixels))

    def args(self):
        return (pictures(6, self.pixels),)

    def loss(self):
        return TraceEnum_ELBO(max_plate_nesting=1)

    def model(self, x, label=None):
        pyro.module("ss_vae", self)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(x.new_zeros(len(x), self.latent), 1.0).to_event(1))
            label = pyro.sample("label", dist.OneHotCategorical(x.new_ones(len(x), self.labels)), obs=label)
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(beside(z, label))).to_event(1), obs=x)

    @config_enumerate
    def guide(self, x, label=None):
        with pyro.plate("data", len(x)):
            if label is None:
                label = pyro.sample("label", dist.OneHotCategorical(logits=self.classifier(x)))
            loc, scale = self.encoder(beside(x, label))
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))


class Reinforce(Tutorial):
    """Sampled assignments of a mixture: score-function gradients with a running average as baseline."""

    note = "svi_part_iii"

    def __init__(self):
        self.locs, self.logits = 2 * torch.randn(2), torch.randn(12, 2)

    def args(self):
        return (two_heaps(),)

    def loss(self):
        return TraceGraph_ELBO()

    def model(self, x):
        locs = pyro.param("locs", lambda: self.locs.clone())
        with pyro.plate("data", len(x)):
            assignment = pyro.sample("assignment", dist.Categorical(torch.tensor([0.4, 0.6])))
            pyro.sample("obs", dist.Normal(locs[assignment], 1.0), obs=x)

    def guide(self, x):
        logits = pyro.param("logits", lambda: self.logits.clone())
        baseline = {"use_decaying_avg_baseline": True, "baseline_beta": 0.9}
        with pyro.plate("data", len(x)):
            pyro.sample("assignment", dist.Categorical(logits=logits), infer={"baseline": baseline})


class LDA(Tutorial):
    """Topics of subsampled documents: words' topics summed out, documents' topics amortized and points."""

    note = "examples/lda"
    topics, words, documents, length, batch = 2, 5, 8, 4, 4

    def __init__(self):
        self.predictor = nn.Sequential(
            nn.Linear(self.words, 6), nn.Sigmoid(), nn.Linear(6, self.topics), nn.Softmax(-1)
        )
        self.weights = torch.exp(0.3 * torch.randn(self.topics))
        self.table = 0.5 + torch.exp(0.3 * torch.randn(self.topics, self.words))

    def args(self):
        return (torch.randint(self.words, (self.length, self.documents), generator=data_generator()),)

    def loss(self):
        return TraceEnum_ELBO(max_plate_nesting=2)

    def model(self, words):
        with pyro.plate("topics", self.topics):
            weights = pyro.sample("topic_weights", dist.Gamma(1.0 / self.topics, 1.0))
            table = pyro.sample("topic_words", dist.Dirichlet(torch.ones(self.words) / self.words))
        with pyro.plate("documents", self.documents, self.batch) as index:
            mixture = pyro.sample("doc_topics", dist.Dirichlet(weights))
            with pyro.plate("words", self.length):
                topic = pyro.sample("word_topics", dist.Categorical(mixture), infer={"enumerate": "parallel"})
                pyro.sample("doc_words", dist.Categorical(table[topic]), obs=words[:, index])

    def guide(self, words):
        weights = pyro.param("weights_q", lambda: self.weights.clone(), constraint=constraints.positive)
        table = pyro.param("table_q", lambda: self.table.clone(), constraint=constraints.greater_than(0.5))
        with pyro.plate("topics", self.topics):
            pyro.sample("topic_weights", dist.Gamma(weights, 1.0))
            pyro.sample("topic_words", dist.Dirichlet(table))
        pyro.module("predictor", self.predictor)
        with pyro.plate("documents", self.documents, self.batch) as index:
            counts = nn.functional.one_hot(words[:, index], self.words).sum(0).float()
            pyro.sample("doc_topics", dist.Delta(self.predictor(counts), event_dim=1))
