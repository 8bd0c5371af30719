"""The recorded step is the pair's own programs, operation for operation."""

import pytest
import torch
from helpers.small import SHAPE, binary, make_pair
from pyro import distributions as dist

import pyrogen as pg
from pyrogen.training.step import PairObjective, RecordedStep, record


def mixture() -> dist.TorchDistribution:
    components = dist.Normal(torch.tensor([[-1.0], [1.0]]).double().expand(2, 3), 1.0).to_event(1)
    return dist.MixtureSameFamily(dist.Categorical(torch.ones(2).double()), components)


def convolutional() -> pg.models.VAE:
    torch.manual_seed(2)
    return pg.models.VAE(
        pg.nn.ConvEncoder((1, 4, 4), 3, (4, 5), 6), pg.nn.ConvDecoder((1, 4, 4), 3, channels=(4, 5), hidden=6)
    )


class Residual(pg.nn.Encoder):
    """Reads what goes into its ReLU a second time, so that the ReLU must not overwrite it."""

    def __init__(self) -> None:
        super().__init__(SHAPE, 3)
        self.first, self.last = torch.nn.Linear(16, 8), torch.nn.Linear(8, 6)

    def parameters_of(self, x):
        h = self.first(x.flatten(1))
        return self.last(h.relu() + h).chunk(2, -1)


def pairs() -> dict[str, pg.models.VAE]:
    gaussian = make_pair(likelihood=pg.nn.Gaussian(0.5, learned=True))
    with_mixture = make_pair()
    return {
        "bernoulli": make_pair(),
        "β = 0": make_pair(beta=0.0),
        "learned noise": gaussian,
        "continuous Bernoulli": make_pair(likelihood="continuous_bernoulli"),
        "convolutions": convolutional(),
        "a ReLU beside its input": pg.models.VAE(Residual(), make_pair().decoder),
        "Monte Carlo KL": pg.models.VAE(with_mixture.encoder, with_mixture.decoder, beta=3.0, prior=mixture),
    }


@pytest.mark.parametrize("name", pairs())
def test_the_recording_equals_the_programs(name):
    pair = pairs()[name].double()
    x = binary(12).double().reshape(12, *pair.shape)
    objective = PairObjective(pair, 100)
    step = RecordedStep(record(objective, x[:6]), x.device)
    for batch in (x[:6], x[6:]):
        torch.manual_seed(5)
        row, recorded = step(batch, float(pair.beta))
        torch.manual_seed(5)
        expected, gradients = objective(batch, pair.beta)
        torch.testing.assert_close(row, expected, rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(recorded, gradients, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def recorded(pair: pg.models.VAE, x: torch.Tensor) -> RecordedStep:
    return RecordedStep(record(PairObjective(pair, 6), x), x.device)


def test_each_replay_draws_new_noise():
    pair, x = make_pair(), binary(6)
    step = recorded(pair, x)
    rows = [step(x, 2.0)[0] for _ in range(2)]
    assert rows[0][1] != rows[1][1]  # the reconstruction is sampled
    assert rows[0][2] == rows[1][2]  # the KL is not


def test_beta_is_an_input_of_the_recording():
    pair, x = make_pair(beta=2.0), binary(6)
    row = recorded(pair, x)(x, 10.0)[0]
    torch.testing.assert_close(row[0], row[1] + 10 * row[2])


def test_frozen_parameters_stay():
    pair = make_pair()
    for parameter in pair.encoder.parameters():
        parameter.requires_grad_(False)
    before = [p.clone() for p in pair.encoder.parameters()]
    pg.fit(pair, binary(), steps=5, batch_size=10, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(before, pair.encoder.parameters(), strict=True))


def test_nothing_idle_is_recorded():
    targets = [node.target for node in recorded(make_pair(), binary(6)).module.graph.nodes]
    assert torch.ops.aten.detach.default not in targets
    assert torch.ops.aten.arange.default not in targets
