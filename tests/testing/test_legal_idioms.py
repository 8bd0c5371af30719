"""Legal idioms that `pg.testing.check` must not call faults, each rewritten in a few lines; several members a kind."""

import importlib

import pyro
import pytest
import torch
from helpers.reports.base import POSITIVE, X, mean_of, normal
from pyro import distributions as dist
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import EnergyDistance, Trace_ELBO, TraceEnum_ELBO, TraceGraph_ELBO, config_enumerate
from pyro.infer.autoguide import AutoDelta, AutoMultivariateNormal, AutoNormal
from torch import nn

import pyrogen as pg

ONE = torch.Size()


def report(model, guide, args=(X,), **settings):
    return pg.testing.check(model, guide, args, progress=False, **settings)


def faults(*args, **settings):
    return [finding.message for finding in report(*args, **settings).findings if finding.level == "fault"]


class TestSubsampling:
    @staticmethod
    def local(x, size=None, rows=5):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x), subsample_size=rows) as i:
            z = pyro.sample("z", dist.Normal(mu, 1.0))
            pyro.sample("x", dist.Normal(z, 1.0), obs=x[i])

    @pytest.mark.parametrize(("size", "rows"), [(20, 5), (20, 3), (7, 2), (12, 11)])
    def test_a_fresh_autoguide_with_local_latents(self, size, rows):
        def model(x):
            self.local(x, rows=rows)

        assert report(model, AutoNormal(model), (torch.randn(size),)).findings == ()

    @pytest.mark.parametrize("kind", [AutoNormal, AutoDelta])
    def test_an_autoguide_with_plates_of_its_own(self, kind):
        guide = kind(self.local, create_plates=lambda x: pyro.plate("data", len(x), subsample_size=5))
        assert faults(self.local, guide) == []

    def test_local_parameters_that_start_equal(self):
        def guide(x):
            pyro.sample("mu", dist.Normal(pyro.param("mu_loc", torch.tensor(0.1)), 1.0))
            with pyro.plate("data", len(x), subsample_size=5):
                pyro.sample("z", dist.Normal(pyro.param("locs", torch.zeros(len(x)), event_dim=0), 1.0))

        assert faults(self.local, guide) == []

    def test_two_plates_that_are_both_subsampled(self):
        def model(x):
            mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
            with pyro.plate("rows", 12, 4, dim=-2) as i, pyro.plate("columns", 10, 3, dim=-1) as j:
                z = pyro.sample("z", dist.Normal(mu, 1.0))
                pyro.sample("x", dist.Normal(z, 1.0), obs=x[i][:, j])

        assert faults(model, AutoNormal(model), (torch.randn(12, 10),)) == []

    def test_as_many_groups_as_rows_in_a_batch(self):
        def model(x):
            group = torch.arange(len(x)) % 4
            with pyro.plate("groups", 4):
                mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
            with pyro.plate("data", len(x), subsample_size=4) as i:
                pyro.sample("x", dist.Normal(mean[group[i]], 1.0), obs=x[i])

        assert faults(model, AutoNormal(model), size=len(X)) == []

    def test_a_subsample_in_the_guide_alone(self):
        def model(x):
            with pyro.plate("data", len(x)) as i:
                z = pyro.sample("z", dist.Normal(0.0, 1.0))
                pyro.sample("x", dist.Normal(z, 1.0), obs=x[i])

        def guide(x):
            a = pyro.param("a", torch.tensor(0.4))
            with pyro.plate("data", len(x), subsample_size=8) as i:
                pyro.sample("z", dist.Normal(a * x[i], 0.7))

        assert faults(model, guide) == []

    def test_a_loop_whose_names_carry_the_index(self):
        def model(x):
            mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
            for i in pyro.plate("data", len(x), subsample_size=4):
                pyro.sample(f"x_{i}", dist.Normal(mean, 1.0), obs=x[i])

        assert faults(model, normal) == []

    def test_a_plate_without_a_size(self):
        def model(x):
            mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
            with pyro.plate("data"):
                pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

        assert faults(model, normal) == []

    @pytest.mark.parametrize("noise", ["dequantized", "binarized"])
    def test_noise_that_is_added_to_the_data(self, noise):
        images = torch.rand(12, 30)

        def model(x):
            x = x + torch.rand_like(x) / 256 if noise == "dequantized" else torch.bernoulli(x)
            with pyro.plate("data", len(x)):
                z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 30), 1.0).to_event(1))
                fn = dist.Normal(z, 1.0) if noise == "dequantized" else dist.Bernoulli(logits=z)
                pyro.sample("x", fn.to_event(1), obs=x)

        def guide(x):
            a = pyro.param("a", torch.tensor(0.4))
            with pyro.plate("data", len(x)):
                pyro.sample("z", dist.Normal(a * x, 0.7).to_event(1))

        assert faults(model, guide, (images,)) == []


class TestWhatDependsOnALatent:
    @pytest.mark.parametrize("seed", range(4))
    def test_masks(self, seed):
        def masked(x, probs, a):
            with pyro.plate("data", len(x)):
                s = pyro.sample("s", dist.Bernoulli(probs))
                with poutine.mask(mask=s.bool()):
                    return s, pyro.sample("z", dist.Normal(a * x, 1.0))

        def model(x):
            s, z = masked(0 * x, torch.tensor(0.5), 0.0)
            with pyro.plate("again", len(x)):
                pyro.sample("x", dist.Normal(z * s, 1.0), obs=x)

        def guide(x):
            masked(x, torch.sigmoid(pyro.param("logit", torch.tensor(0.2)) + x), pyro.param("a", torch.tensor(0.3)))

        assert faults(model, guide, loss=TraceGraph_ELBO(), seed=seed) == []

    @pytest.mark.parametrize("seed", range(4))
    def test_branches_on_a_latent_that_is_enumerated_one_by_one(self, seed):
        def model(x):
            k = pyro.sample("k", dist.Bernoulli(0.5))
            if k:
                z = pyro.sample("z", dist.Normal(1.0, 1.0))
            else:
                z = pyro.sample("other", dist.Normal(-1.0, 1.0))
            with pyro.plate("data", len(x)):
                pyro.sample("x", dist.Normal(z, 1.0), obs=x)

        @config_enumerate(default="sequential")
        def guide(x):
            k = pyro.sample(
                "k", dist.Bernoulli(pyro.param("p", torch.tensor(0.4), constraint=constraints.unit_interval))
            )
            name = "z" if k else "other"
            pyro.sample(name, dist.Normal(pyro.param(f"{name}_loc", torch.tensor(0.1)), 0.5))

        assert faults(model, guide, loss=TraceEnum_ELBO(max_plate_nesting=1), seed=seed) == []

    def test_observations(self):
        def residual(x):
            mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
            with pyro.plate("t", len(x)):
                pyro.sample("residual", dist.Normal(0.0, 1.0), obs=x - mean)

        assert report(residual, normal).findings == ()


class TestShapes:
    def test_a_sequence_whose_length_is_left_open(self):
        def model(x):
            drift = pyro.sample("mean", dist.Normal(0.0, 0.3))
            eye, zero = torch.eye(1), torch.zeros(1)
            noise = dist.MultivariateNormal(zero, eye)
            hmm = dist.GaussianHMM(noise, (0.5 + drift.tanh() / 4) * eye, noise, eye, noise)
            assert hmm.event_shape[0] == 1
            pyro.sample("x", hmm, obs=x[:, None])

        assert faults(model, normal) == []

    def test_a_discrete_sequence(self):
        states = torch.tensor([0, 1, 1, 0, 1, 1, 1, 0])

        def model(x):
            stay = pyro.sample("mean", dist.Normal(0.0, 1.0))
            p = torch.sigmoid(stay)
            transition = torch.stack([torch.stack([p, 1 - p]), torch.stack([1 - p, p])]).log()
            emit = dist.Categorical(torch.tensor([[0.8, 0.2], [0.3, 0.7]]))
            pyro.sample("x", dist.DiscreteHMM(torch.zeros(2), transition, emit), obs=x)

        assert faults(model, normal, (states,)) == []

    def test_a_dimension_between_the_plates(self):
        """Pyro's own validation leaves free what stands to the right of a site's plates."""

        def model(x):
            with pyro.plate("rows", 4, dim=-2):
                z = pyro.sample("z", dist.Normal(torch.zeros(4, 6), 1.0))
            with pyro.plate("data", 4, dim=-2):
                pyro.sample("x", dist.Normal(z, 1.0), obs=x.reshape(4, 6))

        def guide(x):
            with pyro.plate("rows", 4, dim=-2):
                pyro.sample("z", dist.Normal(pyro.param("loc", torch.zeros(4, 6)), 1.0))

        assert faults(model, guide) == []

    def test_dimensions_beyond_the_nesting_that_a_loss_declares(self):
        def model(x):
            mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(mean, 1.0), obs=x)

        assert faults(model, normal, loss=Trace_ELBO(max_plate_nesting=0)) == []


class TestDiscrete:
    @staticmethod
    def mixture(x):
        with pyro.plate("data", len(x)):
            k = pyro.sample("k", dist.Categorical(torch.ones(2) / 2))
            pyro.sample("x", dist.Normal(torch.tensor([-1.0, 1.0])[k], 1.0), obs=x)

    def guide(self, x):
        logits = pyro.param("logits", torch.zeros(len(x), 2))
        with pyro.plate("data", len(x)):
            pyro.sample("k", dist.Categorical(logits=logits))

    @pytest.mark.parametrize("loss", [None, Trace_ELBO(), TraceGraph_ELBO()])
    def test_one_warning_of_noise(self, loss):
        (finding,) = report(self.mixture, self.guide, loss=loss).findings
        assert (finding.check, finding.level) == ("enumeration", "warning")
        assert "noisy" in finding.message

    def test_a_program_that_runs_under_enumeration_alone(self):
        @config_enumerate
        def model(x):
            scale = pyro.sample("mean", dist.LogNormal(0.0, 1.0))
            with pyro.plate("data", len(x)):
                k = pyro.sample("k", dist.Categorical(torch.ones(3) / 3))
                assert k.shape == (3, 1)
                pyro.sample("x", dist.Normal(torch.tensor([-1.0, 0.0, 1.0])[k], scale), obs=x)

        def guide(x):
            pyro.sample("mean", dist.LogNormal(pyro.param("loc", torch.tensor(0.1)), 0.3))

        assert report(model, guide, loss=TraceEnum_ELBO(max_plate_nesting=1)).findings == ()


class TestIdleParameters:
    class Labelled:
        """A classifier that unlabelled calls alone use, and a dummy of no entries."""

        def __init__(self):
            torch.manual_seed(0)
            self.classifier, self.encoder = nn.Linear(1, 2), nn.Linear(1, 2)

        def model(self, x):
            with pyro.plate("data", len(x)):
                z = pyro.sample("z", dist.Normal(0.0, 1.0))
                pyro.sample("x", dist.Normal(z, 1.0), obs=x)

        def guide(self, x):
            pyro.module("classifier", self.classifier)
            pyro.module("encoder", self.encoder)
            pyro.param("dummy", torch.zeros(0))
            loc, log_scale = self.encoder(x[:, None]).unbind(-1)
            with pyro.plate("data", len(x)):
                pyro.sample("z", dist.Normal(loc, log_scale.exp()))

    def test_one_warning_a_module(self):
        half = self.Labelled()
        (finding,) = report(half.model, half.guide).findings
        assert (finding.check, finding.level) == ("gradient reach", "warning")
        assert "'classifier' (2 parameters) has no part in the loss of this call" in finding.message


class TestLosses:
    def test_one_that_is_a_number(self):
        def loss(model, guide, *args):
            return Trace_ELBO().loss(model, guide, *args)

        told = report(mean_of, normal, loss=loss)
        assert told.ok
        assert told["gradient"].outcome == "skipped"

    def test_a_bound_method_of_an_elbo(self):
        told = report(mean_of, normal, loss=Trace_ELBO().differentiable_loss)
        assert told.findings == ()
        assert told["gradient"].outcome == "passed"

    def test_a_loss_of_pyro_that_is_no_elbo(self):
        loss = EnergyDistance(beta=1.0, num_particles=4)
        assert faults(mean_of, AutoNormal(mean_of), loss=loss) == []

    def test_a_mean_over_the_data_is_a_warning(self):
        def loss(model, guide, x):
            return Trace_ELBO().differentiable_loss(model, guide, x) / len(x)

        told = report(mean_of, normal, loss=loss)
        assert told.ok
        assert "its weights are 0.0417 on" in told.findings[0].message

    def test_one_of_your_own_that_lets_the_guide_observe(self):
        class WithLabels(Trace_ELBO):
            def differentiable_loss(self, model, guide, *args):
                guide_trace = poutine.trace(guide).get_trace(*args)
                trace = poutine.trace(poutine.replay(model, trace=guide_trace)).get_trace(*args)
                names = [n for n, s in guide_trace.nodes.items() if s["type"] == "sample" and not s["is_observed"]]
                labels = [n for n, s in guide_trace.nodes.items() if s["type"] == "sample" and s["is_observed"]]
                guide_trace.compute_log_prob()
                log_q = sum(guide_trace.nodes[n]["log_prob_sum"] for n in names)
                known = sum(guide_trace.nodes[n]["log_prob_sum"] for n in labels)
                return log_q - trace.log_prob_sum() - known

            loss = differentiable_loss

            def loss_and_grads(self, model, guide, *args):
                loss = self.differentiable_loss(model, guide, *args)
                loss.backward()
                return float(loss)

        def guide(x):
            normal(x)
            with pyro.plate("data", len(x)):
                pyro.sample("x", dist.Normal(pyro.param("m", torch.tensor(0.2)), 1.0), obs=x)

        assert faults(mean_of, guide, loss=WithLabels()) == []


class OnlyPaths(dist.TorchDistribution):
    """A base distribution with rsample alone."""

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real
    has_rsample = True

    def __init__(self, loc):
        self.loc = loc
        super().__init__(loc.shape, validate_args=False)

    def expand(self, batch_shape, _instance=None):
        return OnlyPaths(self.loc.expand(batch_shape))

    def sample(self, sample_shape=ONE):
        raise NotImplementedError

    def rsample(self, sample_shape=ONE):
        return self.loc + torch.randn(sample_shape + self.loc.shape)

    def log_prob(self, value):
        return dist.Normal(self.loc, 1.0).log_prob(value)


@pytest.mark.parametrize("transformed", [False, True])
def test_a_distribution_with_paths_alone(transformed):
    def guide(x):
        fn = OnlyPaths(pyro.param("loc", torch.tensor(0.2)))
        transform = dist.transforms.AffineTransform(0.1, pyro.param("scale", torch.tensor(0.5), constraint=POSITIVE))
        pyro.sample("mean", dist.TransformedDistribution(fn, [transform]) if transformed else fn)

    assert report(mean_of, guide, fitted=True)["runs"].outcome == "passed"
    assert faults(mean_of, guide) == []


def test_an_error_in_a_question_is_not_the_programs_fault(monkeypatch):
    def broken(*args):
        raise RuntimeError("reshape() missing 1 required positional argument")

    monkeypatch.setattr(importlib.import_module("pyrogen.testing.check"), "jacobian", broken)
    told = report(mean_of, normal)
    assert told.ok
    assert told["jacobian"].outcome == "skipped"
    assert "reshape() missing" in told["jacobian"].detail


def test_plates_that_cannot_be_whole_are_a_warning():
    """A number stands where the plate's size belongs."""

    def model(x):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x), subsample_size=5) as i:
            pyro.sample("x", dist.Normal(mean.expand(5), 1.0), obs=x[i])

    (finding,) = report(model, normal).findings
    assert finding.level == "warning"
    assert "Trace Shapes" not in finding.message


def test_sentences_name_what_the_user_wrote():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.decoder = nn.Linear(1, 1)

        def model(self, x):
            with pyro.plate("data", len(x)):
                z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 1), 1.0).to_event(1))
                pyro.sample("x", dist.Normal(self.decoder(z), 1.0).to_event(1), obs=x[:, None])

        def guide(self, x):
            with pyro.plate("data", len(x)):
                pyro.sample("z", dist.Normal(pyro.param("loc", torch.zeros(len(x), 1)), 1.0).to_event(1))

    net = Net()
    (message,) = faults(net.model, net.guide)
    assert "'Net'" in message
    assert "pair" not in message


@pytest.mark.parametrize("local", [False, True])
def test_a_batch_that_is_an_argument_need_not_follow_indices(local):
    def model(x, size):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("data", size, subsample_size=len(x)):
            if local:
                mu = pyro.sample("z", dist.Normal(mu, 1.0))
            pyro.sample("x", dist.Normal(mu, 1.0), obs=x)

    def guide(x, size):
        scale = pyro.param("scale", torch.tensor(0.5), constraint=POSITIVE)
        pyro.sample("mu", dist.Normal(pyro.param("loc", torch.tensor(0.2)), scale))
        if local:
            with pyro.plate("data", size, subsample_size=len(x)):
                pyro.sample("z", dist.Normal(0.5 * x, scale))

    assert report(model, guide, (X, 1000), size=1000).findings == ()
    assert report(model, guide, (X, 1000)).findings == ()


def test_support_is_judged_by_values_that_have_a_density():
    def model(x):
        z = pyro.sample("z", dist.RelaxedOneHotCategorical(torch.tensor(0.7), probs=torch.ones(3) / 3))
        pyro.sample("x", dist.Normal(z[0], 1.0), obs=x)

    def guide(x):
        pyro.sample("z", dist.RelaxedOneHotCategorical(torch.tensor(0.7), logits=pyro.param("l", torch.zeros(3))))

    assert report(model, guide, (torch.tensor(1.0),)).findings == ()


def test_autoguides_carry_their_jacobian():
    def model(y):
        a = pyro.sample("a", dist.Gamma(2.0, 1.0))
        p = pyro.sample("p", dist.Beta(2.0, 1.0))
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Normal(p, a), obs=y)

    assert report(model, AutoMultivariateNormal(model)).findings == ()
    told = report(mean_of, AutoMultivariateNormal(mean_of))
    assert told.findings == ()
    assert told["jacobian"].outcome == "passed"


def test_names_may_follow_the_rows_that_a_plate_draws():
    def model(y):
        for i in pyro.plate("data", len(y), subsample_size=2):
            z = pyro.sample(f"z_{i}", dist.Normal(0.0, 1.0))
            pyro.sample(f"y_{i}", dist.Normal(z, 1.0), obs=y[i])

    def guide(y):
        for i in pyro.plate("data", len(y), subsample_size=2):
            pyro.sample(f"z_{i}", dist.Normal(pyro.param(f"loc_{i}", torch.tensor(0.2)), 0.5))

    assert faults(model, guide) == []


def test_a_flow_without_an_inverse():
    torch.manual_seed(0)
    flow = dist.transforms.Planar(2)

    def model(y):
        z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Normal(z[0] * z[1], 1.0), obs=y)

    def guide(y):
        pyro.module("flow", flow)
        pyro.sample("z", dist.TransformedDistribution(dist.Normal(torch.zeros(2), 1.0).to_event(1), [flow]))

    assert report(model, guide).findings == ()


def test_a_guide_that_is_made_anew_does_train():
    def guide(y):
        return AutoNormal(mean_of)(y)

    assert report(mean_of, guide).findings == ()
