"""Reports about parameters and gradients."""

import pyro
import torch
from helpers.reports.base import IMAGES, ISSUE, POSITIVE, PULL, THREAD, TORCH, Programs, X, mean_of, normal, report
from pyro import distributions as dist
from pyro.distributions import constraints
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroModule
from torch import nn


class Nets:
    """A variational autoencoder on 6 pixels; `faulty` ones differ in one way."""

    register, outside, wrap = ("encoder", "decoder"), (), lambda self, z: z

    def __init__(self):
        torch.manual_seed(5)
        self.encoder, self.decoder = nn.Linear(6, 2), nn.Linear(1, 6)
        for name in self.outside:
            pyro.module(name, getattr(self, name))

    def model(self, x):
        if "decoder" in self.register:
            pyro.module("decoder", self.decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 1), 1.0).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=x)

    def guide(self, x):
        if "encoder" in self.register:
            pyro.module("encoder", self.encoder)
        loc, log_scale = self.wrap(self.encoder(x)).chunk(2, -1)
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))


def of(nets, faulty, **changes):
    made = type("Own", (nets,), changes if faulty else {})()
    return Programs(made.model, made.guide, (IMAGES,))


@report("an encoder that nobody registered", "is used and not registered, so SVI leaves its 2 parameter(s)")
def _(faulty):
    return of(Nets, faulty, register=("decoder",))


@report("modules registered once, before training", "is registered only outside of model and guide", ISSUE + "995")
def _(faulty):
    return of(Nets, faulty, register=("encoder",), outside=("decoder",))


@report(
    "an encoder's output is detached",
    "no gradient of the loss reaches 'encoder' (2 parameters)",
    "https://github.com/showlab/Olaf-World/issues/8",
)
def _(faulty):
    return of(Nets, faulty, wrap=lambda self, z: z.detach())


@report(
    "an encoder's output through numpy",
    "no gradient of the loss reaches 'encoder' (2 parameters)",
    TORCH + "125532",
)
def _(faulty):
    return of(Nets, faulty, wrap=lambda self, z: torch.tensor(z.detach().numpy()))


@report("layers in a plain list", "that Pyro does not know, so SVI does not train it", TORCH + "715")
def _(faulty):
    torch.manual_seed(0)

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [nn.Linear(1, 4), nn.Linear(4, 2)]
            self.layers = layers if faulty else nn.ModuleList(layers)
            self.shift = nn.Parameter(torch.zeros(2))

        def forward(self, x):
            return self.layers[1](torch.tanh(self.layers[0](x))) + self.shift

    encoder = Encoder()

    def model(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        pyro.module("encoder", encoder)
        loc, log_scale = encoder(x[:, None]).unbind(-1)
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(loc, log_scale.exp()))

    return Programs(model, guide)


@report("a tensor that requires a gradient in place of a parameter", "register it by pyro.param")
def _(faulty):
    free = torch.tensor(0.3, requires_grad=True)

    def guide(x):
        loc = free if faulty else pyro.param("loc", torch.tensor(0.3))
        pyro.sample("mean", dist.Normal(loc, pyro.param("scale", torch.tensor(0.4), constraint=POSITIVE)))

    return Programs(mean_of, guide)


@report("a network made anew on each call", "make it once, outside")
def _(faulty):
    kept = nn.Linear(1, 1)

    def guide(x):
        net = nn.Linear(1, 1) if faulty else pyro.module("net", kept)
        pyro.sample(
            "mean", dist.Normal(net(x.mean()[None])[0], pyro.param("s", torch.tensor(0.4), constraint=POSITIVE))
        )

    return Programs(mean_of, guide)


@report("a parameter with a new name on each call", "give a parameter one name, or it starts anew each time")
def _(faulty):
    calls = []

    def guide(x):
        calls.append(x)
        name = f"loc_{len(calls)}" if faulty else "loc"
        pyro.sample("mean", dist.Normal(pyro.param(name, torch.tensor(0.3)), 1.0))

    return Programs(mean_of, guide)


@report("the store is cleared inside of the model", "is set back on each call")
def _(faulty):
    def model(x):
        if faulty:
            pyro.clear_param_store()
        mean_of(x)

    return Programs(model, normal)


@report("a parameter that is assigned on each call", "is set back on each call")
def _(faulty):
    def guide(x):
        loc = pyro.param("loc", torch.tensor(0.3))
        if faulty:
            loc.data.fill_(0.3)
        pyro.sample("mean", dist.Normal(loc, 1.0))

    return Programs(mean_of, guide)


class Module(PyroModule):
    """A regression whose prior mean is a parameter."""

    def __init__(self, name, trained=True):
        super().__init__()
        setattr(self, name, nn.Parameter(torch.tensor(0.5), requires_grad=trained))
        self.own, self.slope = name, nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        mean = pyro.sample("mean", dist.Normal(getattr(self, self.own) + self.slope, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x)


@report(
    "one name for two parameters",
    "under a name of its own",
    "https://github.com/ciemss/pyciemss/pull/261",
)
def _(faulty):
    return Programs(Module("loc" if faulty else "prior"), normal)


@report("a frozen parameter of a PyroModule", "SVI trains it", PULL + "1779")
def _(faulty):
    return Programs(Module("prior", trained=not faulty), normal)


def guided(make):
    """A report whose guide draws the mean at `make(faulty)`'s location and scale."""

    def programs(faulty):
        def guide(x):
            loc, scale = make(faulty)
            pyro.sample("mean", dist.Normal(loc, scale))

        return Programs(mean_of, guide)

    return programs


@report("the item of a parameter", "no gradient of the loss reaches 'loc', on which the loss depends")
@guided
def _(faulty):
    loc = pyro.param("loc", torch.tensor(0.3))
    return (loc.item() if faulty else loc), pyro.param("scale", torch.tensor(0.4), constraint=POSITIVE)


@report(
    "a parameter under no_grad",
    "no gradient of the loss reaches 'log_scale', on which the loss depends",
    "https://github.com/scverse/scvi-tools/issues/214",
)
@guided
def _(faulty):
    log_scale = pyro.param("log_scale", torch.tensor(-1.0))
    with torch.set_grad_enabled(not faulty):
        scale = log_scale.exp()
    return pyro.param("loc", torch.tensor(0.3)), scale


@report("a scale without a constraint", "give it a constraint, such as constraints.positive", TORCH + "18133")
@guided
def _(faulty):
    settings = {} if faulty else {"constraint": POSITIVE}
    return pyro.param("loc", torch.tensor(0.3)), pyro.param("scale", torch.tensor(0.4), **settings)


@report("a parameter that nothing uses", "has no part in the loss of this call", PULL + "2388", "warning")
@guided
def _(faulty):
    if faulty:
        pyro.param("old_scale", torch.tensor(0.3))
    return pyro.param("loc", torch.tensor(0.3)), pyro.param("scale", torch.tensor(0.4), constraint=POSITIVE)


@report("concentrations without a constraint", "give it a constraint, such as constraints.positive")
def _(faulty):
    def model(x):
        p = pyro.sample("p", dist.Beta(2.0, 2.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Bernoulli(p), obs=x)

    def guide(x):
        settings = {} if faulty else {"constraint": POSITIVE}
        a, b = (pyro.param(name, torch.tensor(3.0), **settings) for name in "ab")
        pyro.sample("p", dist.Beta(a, b))

    return Programs(model, guide, ((X > 0).float(),))


@report("a point estimate of a scale that may turn negative", "give it a constraint, such as constraints.positive")
def _(faulty):
    def model(x):
        scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(0.0, scale), obs=x)

    def guide(x):
        settings = {} if faulty else {"constraint": POSITIVE}
        pyro.sample("scale", dist.Delta(pyro.param("map", torch.tensor(0.8), **settings)))

    return Programs(model, guide)


@report("a simplex along the wrong axis", "'weights' cannot move")
def _(faulty):
    def model(x):
        shape = (3, 1) if faulty else (1, 3)
        weights = pyro.param("weights", torch.ones(shape), constraint=constraints.simplex).flatten()
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean + (weights * torch.arange(3.0)).sum(), 1.0), obs=x)

    return Programs(model, normal)


@report("the prior for a guide", "from the model's prior, whatever its parameters", THREAD + "understanding/2088")
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean, pyro.param("s", torch.tensor(1.0), constraint=POSITIVE)), obs=x)

    def guide(x):
        if faulty:
            pyro.sample("mean", dist.Normal(0.0, 1.0))
        else:
            normal(x)

    return Programs(model, guide)


@report(
    "parameters in place of latents",
    "neither the model nor the guide draws",
    THREAD + "model-side-param/4338",
    "warning",
)
def _(faulty):
    def model(x):
        m = pyro.param("m", torch.tensor(0.1)) if faulty else pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(m, 1.0), obs=x)

    return Programs(model, (lambda x: None) if faulty else normal)


class Own(dist.TorchDistribution):
    """A normal distribution as a user writes it, whose draws or density may be wrong."""

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, detached=False, normalized=True):
        self.loc, self.scale = torch.broadcast_tensors(torch.as_tensor(loc), torch.as_tensor(scale))
        self.detached, self.normalized = detached, normalized
        super().__init__(self.loc.shape, validate_args=False)

    def expand(self, batch_shape, _instance=None):
        return type(self)(self.loc.expand(batch_shape), self.scale.expand(batch_shape), self.detached, self.normalized)

    def rsample(self, sample_shape=()):
        shape = (*sample_shape, *self.loc.shape)
        if self.detached:
            return torch.normal(self.loc.expand(shape), self.scale.expand(shape))
        return self.loc + self.scale * torch.randn(shape)

    def log_prob(self, value):
        return -0.5 * ((value - self.loc) / self.scale) ** 2 - self.scale.log() * self.normalized


@report("an rsample that draws by torch.normal", "have a wrong derivative", TORCH + "4620")
def _(faulty):
    def guide(x):
        scale = pyro.param("scale", torch.tensor(0.4), constraint=POSITIVE)
        pyro.sample("mean", Own(pyro.param("loc", torch.tensor(0.3)), scale, detached=faulty))

    return Programs(mean_of, guide)


@report(
    "a likelihood of one's own without its normalizer",
    "do not follow its log_prob",
    "https://github.com/pyro-ppl/numpyro/issues/1489",
)
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        scale = pyro.param("s", torch.tensor(1.0), constraint=POSITIVE)
        with pyro.plate("data", len(x)):
            pyro.sample("x", Own(mean, scale, normalized=not faulty), obs=x)

    return Programs(model, normal)


@report("a latent is detached before the likelihood", "look for detach")
def _(faulty):
    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(mean.detach() if faulty else mean, 1.0), obs=x)

    return Programs(model, normal)


@report("a guide that was trained and is far too wide", "nats below a tighter bound")
def _(faulty):
    def guide(x):
        width = pyro.param("width", torch.tensor(16.0 if faulty else 1.0), constraint=POSITIVE)
        pyro.sample("mean", dist.Normal(x.mean(), width / len(x) ** 0.5))

    return Programs(mean_of, guide, settings={"fitted": True})


@report(
    "a mean-field guide that was trained and is far too narrow",
    "no reweighting helps",
    "https://discourse.pymc.io/t/how-to-interpret-the-different-variances-result-from-advi-and-nuts-mcmc/1224",
)
def _(faulty):
    def model(x):
        w = pyro.sample("w", dist.Normal(torch.zeros(6), 1.0).to_event(1))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(w.sum(), 1.0), obs=x)

    def guide(x):
        n = len(x)
        covariance = torch.eye(6) - n / (1 + 6 * n) * torch.ones(6, 6)
        mean = (x.sum() / (1 + 6 * n)) * torch.ones(6)
        factor = pyro.param("factor", torch.tensor(1.0), constraint=POSITIVE)
        if faulty:  # the factors that the ELBO is highest for
            pyro.sample("w", dist.Normal(mean, factor * (1 + n) ** -0.5).to_event(1))
        else:
            pyro.sample("w", dist.MultivariateNormal(mean, covariance * factor**2))

    return Programs(model, guide, settings={"fitted": True})


@report(
    "the store still holds an earlier model's modules", "'encoder' and 'decoder' from before this call, and SVI would"
)
def _(faulty):
    if faulty:
        earlier = Nets()
        for name in earlier.register:
            pyro.module(name, getattr(earlier, name))
    return of(Nets, False)


def sized(guide, size):
    """A model of `size` latents, in the store of another with two."""
    pyro.param("loc", torch.zeros(2))

    def own(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0).expand([size]).to_event(1))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(z.sum(), 1.0), obs=x)

    return Programs(own, guide or AutoNormal(own))


@report("the store still holds a parameter of another size", "'loc' from before this call, and with that 'z' is an")
def _(faulty):
    size = 3 if faulty else 2
    return sized(lambda x: pyro.sample("z", dist.Normal(pyro.param("loc", torch.zeros(size)), 1.0).to_event(1)), size)


@report("the store still holds an earlier AutoGuide", "which may be the cause of what follows", level="warning")
def _(faulty):
    if faulty:
        sized(None, 2).guide(X)
    return sized(None, 3)
