"""Reports about batches, weights and masks."""

import pyro
import torch
from helpers.reports.base import IMAGES, ISSUE, POSITIVE, PULL, THREAD, Programs, X, mean_of, normal, report
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoDiagonalNormal, AutoNormal

DATA = 240
LOADER = "mini-batch-training-of-svi-models/895"


def batch(size):
    """Model of a batch that stands for so many."""

    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", size, subsample=torch.arange(len(x))):
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

    return model


@report("one datum a step", "weighs 1, and not as much as the 240", "forum: Scale of Normal Posterior (2 May 2020)")
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 10.0))
        with poutine.scale(scale=1.0 if faulty else float(DATA)):
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

    return Programs(model, normal, (X[0],), {"size": DATA})


@report("a batch from a loader counts as the data", "not for the 240 of the data", THREAD + LOADER)
def _(faulty):
    return Programs(batch(len(X) if faulty else DATA), normal, settings={"size": DATA})


@report("rows drawn by hand", "differ between two runs on the same arguments without a weight", ISSUE + "235")
def _(faulty):
    def rows(x):
        return torch.randperm(len(x))[:6]

    def model(x):
        mu = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", 6) if faulty else pyro.plate("data", len(x), subsample_size=6) as i:
            z = pyro.sample("z", dist.Normal(mu, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x[rows(x) if faulty else i])

    def guide(x):
        normal(x)
        a = pyro.param("a", torch.tensor(0.4))
        with pyro.plate("data", 6) if faulty else pyro.plate("data", len(x), subsample_size=6) as i:
            pyro.sample("z", dist.Normal(a * x[rows(x) if faulty else i], 0.7))

    return Programs(model, guide)


@report("the first rows whatever the plate draws", "take the rows that it gives")
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x), subsample_size=6) as i:
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x[:6] if faulty else x[i])

    return Programs(model, normal)


@report("columns that do not follow the plate", "index by them what it is computed from")
def _(faulty):
    columns = torch.sin(5 * X)

    def model(y):
        slope = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(y), subsample_size=6) as i:
            pyro.sample("y", dist.Normal(slope * columns[:6] if faulty else slope * columns[i], 1.0), obs=y[i])

    return Programs(model, normal)


@report("N/B twice", "weigh N/B twice", ISSUE + "531")
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x), subsample_size=6) as i, poutine.scale(scale=4.0 if faulty else 1.0):
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x[i])

    return Programs(model, normal)


def local(x):
    mu = pyro.sample("mean", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(x), subsample_size=6) as i:
        z = pyro.sample("z", dist.Normal(mu, 1.0))
        pyro.sample("x", dist.Normal(z, 1.0), obs=x[i])


@report("an automatic guide that cannot subsample", "holds 6 rows for 'z'", ISSUE + "2322")
def _(faulty):
    return Programs(local, (AutoDiagonalNormal if faulty else AutoNormal)(local))


@report("local parameters of the size of a batch", "the parameter 'locs' holds 6 rows for 'z'", ISSUE + "238")
def _(faulty):
    def guide(x):
        normal(x)
        with pyro.plate("data", len(x), subsample_size=6) as i:
            locs = pyro.param("locs", torch.zeros(6 if faulty else len(x)))
            pyro.sample("z", dist.Normal(locs if faulty else locs[i], 1.0))

    return Programs(local, guide)


@report("indices that a guide overrides", "the guide draws others, which Pyro uses silently", ISSUE + "3468")
def _(faulty):
    def model(x, rows):
        mu = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", DATA, subsample=rows):
            z = pyro.sample("z", dist.Normal(mu, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def plates(x, rows):
        return pyro.plate("data", DATA, subsample=rows)

    guide = AutoNormal(model) if faulty else AutoNormal(model, create_plates=plates)
    return Programs(model, guide, (X[:6], torch.arange(40, 46)))


@report("another batch size in the guide", "(6 of 24, dim -1) in the model and in", ISSUE + "328")
def _(faulty):
    def guide(x):
        normal(x)
        a = pyro.param("a", torch.tensor(0.4))
        with pyro.plate("data", len(x), subsample_size=8 if faulty else 6) as i:
            pyro.sample("z", dist.Normal(a * x[i], 0.7))

    return Programs(local, guide)


def vae(faulty, weigh_model, weigh_guide):
    """An encoder and a decoder of one number each, with weights around the latent."""

    def model(x):
        with pyro.plate("data", len(x)):
            with weigh_model(x):
                z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 6), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=z * pyro.param("d", torch.tensor(0.5))).to_event(1), obs=x)

    def guide(x):
        with pyro.plate("data", len(x)), (weigh_guide if faulty else weigh_model)(x):
            scale = pyro.param("s", torch.tensor(0.7), constraint=POSITIVE)
            pyro.sample("z", dist.Normal(pyro.param("e", torch.tensor(0.4)) * x, scale).to_event(1))

    return Programs(model, guide, (IMAGES,))


def scaled(value):
    return lambda x: poutine.scale(scale=value)


@report("beta in the model alone", "enter the same poutine.scale around it on both sides")
def _(faulty):
    return vae(faulty, scaled(4.0), scaled(1.0))


@report("annealing in the guide alone", "enter the same poutine.scale around it on both sides")
def _(faulty):
    return vae(faulty, scaled(1.0), scaled(0.1))


@report("a mask on one side", "give it the same mask on both sides", PULL + "2772")
def _(faulty):
    def masked(x):
        return poutine.mask(mask=x.sum(-1) > 1)

    return vae(faulty, masked, scaled(1.0))


@report("obs_mask with an automatic guide", "guide this site by hand", THREAD + "bayesian-imputation/3443")
def _(faulty):
    seen = torch.arange(len(X)) % 3 > 0

    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            if faulty:
                pyro.sample("x", dist.Normal(mean, 1.0), obs=x, obs_mask=seen)
            else:
                with poutine.mask(mask=seen):
                    pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

    return Programs(model, AutoNormal(model))


def terms(model, guide, *args, only_observed=False):
    drawn = poutine.trace(guide).get_trace(*args)
    joint = poutine.trace(poutine.replay(model, trace=drawn)).get_trace(*args)
    return joint.log_prob_sum(lambda _, site: site["is_observed"] or not only_observed), drawn.log_prob_sum()


@report("a loss of one's own whose value has the other sign", "has the wrong sign", ISSUE + "1982")
def _(faulty):
    def loss(*args):
        p, q = terms(*args)
        return (q - p) - 2 * faulty * (q - p).detach()

    return Programs(mean_of, normal, settings={"loss": loss})


@report("a loss of one's own without the prior", "log p(z) and log q(z) weigh differently", PULL + "205")
def _(faulty):
    def loss(*args):
        p, q = terms(*args, only_observed=faulty)
        return q - p

    return Programs(mean_of, normal, settings={"loss": loss})


@report("a missing value among the data", "NaN or infinite in 1 of 24 entries", PULL + "575")
def _(faulty):
    x = torch.where(torch.arange(24) == 3, torch.nan, X)

    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        seen = ~x.isnan()
        with pyro.plate("data", len(x)), poutine.mask(mask=seen | faulty):
            fn = dist.Normal(mean, 1.0, validate_args=False)
            pyro.sample("x", fn, obs=x if faulty else torch.where(seen, x, 0.0))

    return Programs(model, normal, (x,), {"loss": Trace_ELBO()})
