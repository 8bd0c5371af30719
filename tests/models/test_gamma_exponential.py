"""The gamma–exponential pair against its closed form: `pytest -k gamma` is a first look at the package.

A fit averages T iterates of log θ, each step with P samples. At θ* the gradient of the one-sample ELBO in log θ has
standard deviation (n + 1) / √2, and the ELBO has curvature n + 1. So the mean is off by a standard error of 1 / √(2PT),
here 0.082 %, plus 0.02 % of bias from the optimizer. The demand of 0.5 % is then 5.8 standard errors away: a false
alarm has probability below 1e-8 a fit. Other tests compare with Z = 5.5 standard errors (below 4e-8 for a normal mean,
and below 1e-6 with the skewness that these means have).
"""

import copy
import math
import pickle

import pyro
import pytest
import torch
from pyro.infer import SVI, RenyiELBO, Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO

import pyrogen as pg
from pyrogen.oracles import gamma_exponential as exact

Z = 5.5
PARTICLES, STEPS, AVERAGED = 5000, 300, 150
STANDARD_ERROR = 1 / math.sqrt(2 * PARTICLES * AVERAGED)
OPTIMIZER = {"lr": 0.1, "betas": (0.8, 0.9), "clip_norm": 1.0}


def fitted(x, elbo=Trace_ELBO, **arguments):
    """θ after SVI from θ = 1."""
    g = pg.models.GammaExponential().double()
    loss = elbo(num_particles=PARTICLES, vectorize_particles=True, max_plate_nesting=1, **arguments)
    svi = SVI(g.model, g.guide, pyro.optim.ClippedAdam(OPTIMIZER), loss)
    total = 0.0
    for step in range(STEPS):
        svi.step(x)
        total += g.log_theta.item() * (step >= STEPS - AVERAGED)
    return math.exp(total / AVERAGED)


@pytest.mark.parametrize("x", [0.0, 1000.0])
def test_gamma_svi_finds_x_plus_one(x):
    assert fitted(x) == pytest.approx(x + 1, rel=0.005)


@pytest.mark.parametrize(("x", "elbo"), [(30.0, TraceMeanField_ELBO), (0.01, TraceGraph_ELBO)])
def test_gamma_every_elbo_finds_x_plus_one(x, elbo):
    assert fitted(x, elbo) == pytest.approx(x + 1, rel=0.005)


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_gamma_renyi_bounds_have_the_same_optimum_where_the_guide_can_be_exact(alpha):
    """Their curvature is α times that of the ELBO while the noise is the same, so the standard error is 1/α of it.

    α = 0, the importance-weighted bound, is left out: its curvature falls as 1 / P, so that samples make it no sharper.
    """
    bound = Z * STANDARD_ERROR / alpha + 2e-4  # the optimizer's bias
    assert fitted(3.0, RenyiELBO, alpha=alpha) == pytest.approx(4.0, rel=bound)


def test_gamma_svi_finds_the_optimum_of_several_observations():
    x = torch.tensor([0.0, 5.0, 1.0, 1.0], dtype=torch.float64)
    theta = fitted(x)
    assert theta == pytest.approx(2 * (x.sum().item() + 1) / (len(x) + 1), rel=0.005)
    gap = exact.evidence(x) - exact.elbo(theta, x)
    assert gap > 0.01
    assert gap.item() == pytest.approx(exact.kl(theta, x).item(), rel=1e-12)


@pytest.mark.parametrize(
    ("elbo", "theta", "x"),
    [(Trace_ELBO, 0.7, [1.0, 0.2, 4.0]), (TraceMeanField_ELBO, 2.5, 3.0), (TraceGraph_ELBO, 0.7, [1.0, 0.2, 4.0])],
)
def test_gamma_losses_of_single_steps_average_to_minus_the_closed_form(elbo, theta, x):
    g, draws = pg.models.GammaExponential().double(), 400
    x = torch.as_tensor(x, dtype=torch.float64)
    loss = elbo(num_particles=10, vectorize_particles=True, max_plate_nesting=1)
    svi = SVI(g.model, g.guide, pyro.optim.SGD({"lr": 0.1}), loss)
    losses = torch.empty(draws, dtype=torch.float64)
    for i in range(draws):
        g.theta = theta
        losses[i] = svi.step(x)
        assert g.theta != theta
    assert abs(losses.mean() + exact.elbo(theta, x)) < Z * losses.std() / math.sqrt(draws)


def test_gamma_under_the_exact_posterior_every_single_draw_is_the_evidence():
    g = pg.models.GammaExponential().double()
    g.theta = 4.0
    losses = [Trace_ELBO().loss(g.model, g.guide, 3.0) for _ in range(20)]
    assert losses == pytest.approx([2 * math.log(4.0)] * 20, abs=1e-12)


def test_gamma_the_gradient_averages_to_the_closed_form():
    g, x, draws = pg.models.GammaExponential(theta=0.7).double(), torch.tensor([1.0, 0.2, 4.0]).double(), 400
    gradients = torch.empty(draws, dtype=torch.float64)
    for i in range(draws):
        g.zero_grad()
        Trace_ELBO(num_particles=10, vectorize_particles=True, max_plate_nesting=1).loss_and_grads(g.model, g.guide, x)
        gradients[i] = -g.log_theta.grad / g.theta  # dELBO/dθ
    assert abs(gradients.mean() - exact.elbo_gradient(0.7, x)) < Z * gradients.std() / math.sqrt(draws)


def step(g, x=3.0, n=1):
    svi = SVI(g.model, g.guide, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO())
    for _ in range(n):
        svi.step(x)


def test_gamma_objects_and_copies_never_share_theta():
    g = pg.models.GammaExponential(theta=2.0)
    step(g)
    others = [pg.models.GammaExponential(2.0), copy.deepcopy(g), copy.copy(g), pickle.loads(pickle.dumps(g))]
    before = [other.theta.item() for other in others]
    assert before[1:] == [g.theta.item()] * 3
    assert len({o.name for o in [g, *others]}) == 5
    step(g, n=5)
    assert [other.theta.item() for other in others] == before
    kept = g.theta.item()
    for other in others:
        step(other)
    assert g.theta.item() == kept
    assert all(other.theta.item() != b for other, b in zip(others, before, strict=True))


def test_gamma_theta_outlives_the_parameter_store():
    g = pg.models.GammaExponential(theta=2.0)
    step(g)
    theta = g.theta.item()
    assert theta != pytest.approx(2.0, rel=1e-3)
    pyro.clear_param_store()
    assert g.theta.item() == theta
    step(g)
    assert g.theta.item() != theta
    other = pg.models.GammaExponential()
    other.load_state_dict(g.state_dict())
    assert other.theta == g.theta


def test_gamma_theta_is_a_positive_tensor_that_can_be_set():
    g = pg.models.GammaExponential(theta=2.5)
    assert isinstance(g.theta, torch.Tensor)
    assert not g.theta.requires_grad
    assert g.theta.item() == pytest.approx(2.5, rel=1e-6)
    g.theta = 7.0
    assert g.log_theta.item() == pytest.approx(math.log(7.0), rel=1e-6)
    assert [name for name, _ in g.named_parameters()] == ["log_theta"]


@pytest.mark.parametrize("theta", [0.0, -1.0, math.nan, math.inf, [1.0, 2.0]])
def test_gamma_a_rate_that_is_none_is_refused(theta):
    with pytest.raises(ValueError, match="theta must be the rate of the guide, one positive finite number"):
        pg.models.GammaExponential(theta)
    g = pg.models.GammaExponential()
    with pytest.raises(ValueError, match="theta must be the rate of the guide"):
        g.theta = theta


@pytest.mark.parametrize("x", [-1.0, math.nan, math.inf, [1.0, -0.5]])
def test_gamma_observations_that_cannot_be_are_refused(x):
    g = pg.models.GammaExponential()
    for program in (g.model, g.guide):
        with pytest.raises(ValueError, match=r"^x must be finite and at least 0, got 1 of "):
            program(x if isinstance(x, float) else torch.tensor(x))


@pytest.mark.parametrize("shape", [(0,), (2, 3), (1, 1)])
def test_gamma_observations_come_as_one_number_or_a_vector(shape):
    with pytest.raises(ValueError, match=r"x must be one observation or n of them, \(n,\), got shape"):
        pg.models.GammaExponential().model(torch.ones(shape))


@pytest.mark.parametrize("x", [3, 3.0, torch.tensor(3), torch.tensor([3.0]), [3.0]])
def test_gamma_one_observation_may_be_any_number(x):
    g = pg.models.GammaExponential(theta=4.0)
    assert Trace_ELBO().loss(g.model, g.guide, x) == pytest.approx(2 * math.log(4.0), abs=1e-4)
