"""Reports about sites, plates and shapes."""

import pyro
import torch
from helpers.reports.base import IMAGES, ISSUE, POSITIVE, PULL, THREAD, Programs, X, mean_of, normal, report
from pyro import distributions as dist
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO, config_enumerate
from pyro.infer.autoguide import AutoNormal

FORUM_1110 = THREAD + "traceenum-elbo-reference/1110"


@report("the guide draws what is observed", "leave data out of the guide", THREAD + "beginner-question-on-svi/3953")
def _(faulty):
    def model(x):
        mean = 0.0 if faulty else pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

    def guide(x):
        loc = pyro.param("loc", torch.tensor(0.1))
        if not faulty:
            pyro.sample("mean", dist.Normal(loc, 1.0))
            return
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(loc, 1.0))

    return Programs(model, guide)


@report("obs= in the guide too", "'a', which only the model may: drop obs=", THREAD + "svi-normal-in-model/4859")
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("a", dist.Normal(mean, 1.0), obs=x)

    def guide(x):
        normal(x)
        if faulty:
            with pyro.plate("data", len(x)):
                pyro.sample("a", dist.Normal(pyro.param("q", torch.tensor(0.0)), 1.0), obs=x)

    return Programs(model, guide)


@report("a latent with another name in the guide", "the guide draws 'avg', which the model does not have", PULL + "358")
def _(faulty):
    def guide(x):
        pyro.sample("avg" if faulty else "mean", dist.Normal(pyro.param("loc", torch.tensor(0.1)), 1.0))

    return Programs(mean_of, guide)


@report(
    "a latent that an automatic guide was not shown", "the model draws 'scale' and the guide does not", PULL + "358"
)
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean, scale), obs=x)

    return Programs(model, AutoNormal(poutine.block(model, expose=["mean"] if faulty else ["mean", "scale"])))


@report("the data are not passed on", "the model observes nothing with these arguments", level="warning")
def _(faulty):
    def model(x, y=None):
        slope = pyro.sample("slope", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("y", dist.Normal(slope * x, 1.0), obs=y)

    return Programs(model, AutoNormal(model), (X,) if faulty else (X, 2 * X))


def components(x):
    scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
    with pyro.plate("data", len(x)):
        k = pyro.sample("k", dist.Categorical(torch.ones(2) / 2))
        pyro.sample("x", dist.Normal(torch.tensor([-1.0, 1.0])[k], scale), obs=x)


def of_scale(x):
    pyro.sample("scale", dist.LogNormal(pyro.param("loc", torch.tensor(0.1)), 0.3))


def of_assignments(x):
    of_scale(x)
    logits = pyro.param("logits", torch.zeros(len(x), 2))
    with pyro.plate("data", len(x)):
        pyro.sample("k", dist.Categorical(logits=logits))


@report("assignments drawn under Trace_ELBO", "the noisy score-function gradient", FORUM_1110, "warning")
def _(faulty):
    if faulty:
        return Programs(components, of_assignments, settings={"loss": Trace_ELBO()})
    return Programs(components, config_enumerate(of_assignments), settings={"loss": TraceEnum_ELBO()})


@report("config_enumerate forgotten", "the guide draws the discrete 'k'", FORUM_1110)
def _(faulty):
    guide = of_assignments if faulty else config_enumerate(of_assignments)
    return Programs(components, guide, settings={"loss": TraceEnum_ELBO(max_plate_nesting=1)})


@report(
    "enumeration with a loss that does not enumerate", "which Trace_ELBO does not do: use TraceEnum_ELBO", PULL + "1023"
)
def _(faulty):
    loss = Trace_ELBO() if faulty else TraceEnum_ELBO(max_plate_nesting=1)
    return Programs(config_enumerate(components), of_scale, settings={"loss": loss})


@report(
    "nobody draws or sums out the assignments",
    "enumerate it in the model (config_enumerate and TraceEnum_ELBO)",
    PULL + "2673",
)
def _(faulty):
    return Programs(components if faulty else config_enumerate(components), of_scale)


@report(
    "an enumerated latent outside of a subsampled plate",
    "take the whole plate, without subsample_size",
    "https://github.com/pyro-ppl/funsor/pull/606",
)
def _(faulty):
    @config_enumerate
    def model(x):
        scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
        k = pyro.sample("k", dist.Bernoulli(0.5))
        with pyro.plate("data", len(x), subsample_size=6 if faulty else None) as i:
            pyro.sample("x", dist.Normal(k, scale), obs=x[i])

    return Programs(model, of_scale, settings={"loss": TraceEnum_ELBO(max_plate_nesting=1)})


@report("a branch on an enumerated latent", 'mark that latent "sequential"', THREAD + "clarification/757")
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        k = pyro.sample("k", dist.Bernoulli(torch.tensor(0.5)))
        shift = (1.0 if k else -1.0) if faulty else 2 * k - 1
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean + shift, 1.0), obs=x)

    return Programs(config_enumerate(model), normal, settings={"loss": TraceEnum_ELBO(max_plate_nesting=1)})


@report("a mean-field ELBO with a discrete latent", "TraceMeanField_ELBO needs latents with rsample", ISSUE + "1710")
def _(faulty):
    loss = TraceMeanField_ELBO() if faulty else TraceEnum_ELBO()
    return Programs(components, of_assignments if faulty else config_enumerate(of_assignments), settings={"loss": loss})


@report("targets in a column, predictions in a row", "look for an unwanted broadcast", PULL + "913")
def _(faulty):
    def model(x, y):
        slope = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("y", dist.Normal(slope * x, 1.0), obs=y)

    return Programs(model, normal, (X, X[:, None] if faulty else X))


@report("independent data without a plate", "declare independent entries by pyro.plate", PULL + "913")
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

    return Programs(model if faulty else mean_of, normal)


@report("to_event on one side", "make .to_event agree", PULL + "418")
def _(faulty):
    def model(x):
        w = pyro.sample("w", dist.Normal(torch.zeros(3), 1.0).to_event(1))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(w.sum(), 1.0), obs=x)

    def guide(x):
        fn = dist.Normal(pyro.param("loc", torch.zeros(3)), 0.5)
        pyro.sample("w", fn if faulty else fn.to_event(1))

    return Programs(model, guide)


@report("one image for a plate of images", "all 12 elements", THREAD + "forward-pass-in-vae-tutorial/1006", "warning")
def _(faulty):
    def model(x):
        with pyro.plate("data", 12):
            z = pyro.sample("z", dist.Normal(torch.zeros(12, 6), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=z).to_event(1), obs=x[:1] if faulty else x)

    def guide(x):
        with pyro.plate("data", 12):
            loc = pyro.param("loc", torch.tensor(0.2)) * x
            pyro.sample("z", dist.Normal(loc, 1.0).to_event(1))

    return Programs(model, guide, (IMAGES,))


@report("the plates of the guide are the other way round", "enter the same plates", THREAD + "nested-plates/2270")
def _(faulty):
    def program(fn, dims, **settings):
        rows, columns = (pyro.plate(name, size, dim=dim) for (name, size), dim in zip(SIZES, dims, strict=True))
        with rows, columns:
            return pyro.sample("z", fn, **settings)

    def model(x):
        z = program(dist.Normal(0.0, 1.0), (-1, -2))
        with pyro.plate("data", 3, dim=-1), pyro.plate("again", 3, dim=-2):
            pyro.sample("x", dist.Normal(z, 1.0), obs=torch.ones(3, 3))

    def guide(x):
        program(dist.Normal(pyro.param("loc", torch.tensor(0.2)), 1.0), (-2, -1) if faulty else (-1, -2))

    return Programs(model, guide)


SIZES = (("rows", 3), ("columns", 3))


@report(
    "a joint normal in the guide for a plate of normals", "make .to_event agree", THREAD + "svi-normal-in-model/4859"
)
def _(faulty):
    def model(x):
        with pyro.plate("components", 3):
            a = pyro.sample("a", dist.Normal(0.0, 1.0)) if faulty else None
        if not faulty:
            a = pyro.sample("a", dist.Normal(torch.zeros(3), 1.0).to_event(1))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(a.sum(), 1.0), obs=x)

    def guide(x):
        root = pyro.param("root", torch.eye(3), constraint=dist.constraints.lower_cholesky)
        pyro.sample("a", dist.MultivariateNormal(pyro.param("loc", torch.zeros(3)), scale_tril=root))

    return Programs(model, guide)


@report("the guide forgets the plate", "stands in plate 'data' (24, dim -1) in the model and in no plate in the guide")
def _(faulty):
    def model(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        fn = dist.Normal(pyro.param("a", torch.tensor(0.4)) * x, 0.7)
        if faulty:
            pyro.sample("z", fn)
        else:
            with pyro.plate("data", len(x)):
                pyro.sample("z", fn)

    return Programs(model, guide)


@report("a normal guide for a positive latent", "LogNormal", THREAD + "setting-constraints-and-guides/742")
def _(faulty):
    def model(x):
        sigma = pyro.sample("sigma", dist.HalfNormal(1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(0.0, sigma), obs=x)

    def guide(x):
        loc = pyro.param("loc", torch.tensor(0.6))
        scale = pyro.param("scale", torch.tensor(0.2), constraint=POSITIVE)
        pyro.sample("sigma", (dist.Normal if faulty else dist.LogNormal)(loc, scale))

    return Programs(model, guide)


@report("a normal guide for a uniform latent", "where the model's Uniform has no mass", ISSUE + "2047")
def _(faulty):
    def model(x):
        p = pyro.sample("p", dist.Uniform(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(p, 1.0), obs=x)

    def guide(x):
        a = pyro.param("a", torch.tensor(2.0), constraint=POSITIVE)
        pyro.sample("p", dist.Normal(0.5, 0.2 * a / 2) if faulty else dist.Beta(a, 2.0))

    return Programs(model, guide)
