"""The autoregressive network: each logit depends on all earlier indices and on no other, and it normalizes."""

import itertools

import pytest
import torch

import pyrogen as pg

GRIDS = [(4, 4), (3, 5), (1, 6), (6,)]


def network(grid, codes=5, layers=4, **settings):
    torch.manual_seed(0)
    return pg.nn.PixelCNN(grid, codes, **{"channels": 8, "layers": layers, "reach": 2} | settings).double()


@pytest.mark.parametrize("grid", GRIDS)
def test_a_logit_depends_on_all_earlier_indices_and_no_later_one(grid):
    """Not a bit of it changes with an index at its place or after; something does with each one before."""
    net = network(grid)
    tokens = torch.Size(grid).numel()
    torch.manual_seed(1)
    indices = torch.randint(5, (1, *grid))
    logits = net.logits_of(indices).reshape(tokens, 5)
    depends = torch.zeros(tokens, tokens, dtype=torch.bool)  # of t on s
    for s in range(tokens):
        changed = indices.clone()
        changed.view(-1)[s] = (changed.view(-1)[s] + 1) % 5
        depends[:, s] = (net.logits_of(changed).reshape(tokens, 5) != logits).any(1)
    assert torch.equal(depends, torch.ones(tokens, tokens).tril(-1).bool())


def test_no_gradient_comes_from_later_indices():
    net = network((3, 3))
    inputs = []
    net.embedding.register_forward_hook(lambda module, args, output: inputs.append(output))
    net(torch.randint(5, (1, 3, 3)))  # builds nothing yet but shows the shape
    logits = net.logits_of(torch.randint(5, (1, 3, 3)))
    for t, (i, j) in enumerate(itertools.product(range(3), repeat=2)):
        if t == 0:
            continue
        (gradient,) = torch.autograd.grad(logits[0, i, j].sum(), inputs[-1], retain_graph=True)
        reached = (gradient[0].abs().sum(-1) > 0).flatten()
        assert reached.tolist() == [s < t for s in range(9)]


def test_places_differ():
    """Away from the borders all that one layer of reach 1 sees is equal; what differs is the embedding of the place."""
    logits = network((5, 6), layers=1, reach=1).logits_of(torch.zeros(1, 5, 6, dtype=torch.int64))[0]
    assert len(torch.unique(logits[2:, 2:-1].reshape(-1, 5), dim=0)) == 9


def test_the_probabilities_of_all_grids_sum_to_one():
    net = network((2, 2), codes=3, layers=2)
    grids = torch.tensor(list(itertools.product(range(3), repeat=4))).reshape(81, 2, 2)
    p = net(grids)
    assert (p.batch_shape, p.event_shape) == ((81,), (2, 2))
    assert p.log_prob(grids).exp().sum().item() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_shapes_follow_the_batch(batch):
    net = network((2, 3))
    indices = torch.randint(5, (*batch, 2, 3))
    assert net(indices).log_prob(indices).shape == batch


class OfOwnMake(pg.nn.Autoregressive):
    """Returns `output`."""

    def __init__(self, output):
        super().__init__((3,), codes=5)
        self.output = output

    def logits_of(self, indices):
        return self.output


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: network((2, 2, 2)), r"one or two dimensions, got \(2, 2, 2\)"),
        (lambda: network((2, 2), codes=0), "codes must be a whole number of at least 1"),
        (lambda: network((2, 2), reach=0), "reach must be a whole number of at least 1"),
        (lambda: network((2, 2), layers=0), "layers must be a whole number from 1 to 1000, got 0"),
        (lambda: network((2, 2), codes=-2), "codes must be a whole number of at least 1, got -2"),
        (lambda: network((2, 2), layers=-2), "layers must be a whole number from 1 to 1000, got -2"),
        (
            lambda: OfOwnMake(torch.zeros(4, 5, 3))(torch.zeros(4, 3).long()),
            r"what logits_of returns must have shape \(4, 3, 5\), got",
        ),
        (lambda: network((2, 2))(torch.zeros(4, 4, dtype=torch.int64)), r"indices must have shape \(\*batch, 2, 2\)"),
        (lambda: pg.nn.PixelCNN((4, 4), 8, channels=1800), "must have at most 268,435,456 weights"),
        (lambda: pg.nn.PixelCNN((4, 4), 8, channels=1, layers=1001), "layers must be a whole number from 1 to 1000"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
