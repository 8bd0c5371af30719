"""The flat prior: log p(z) = 0 in the type of z, over any batch, and no draw."""

import pyro
import pytest
import torch
from pyro import distributions as dist

from pyrogen.distributions import Flat


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_log_density_is_zero_for_each_vector_in_the_type_of_z(dtype):
    prior = Flat(3)
    assert (prior.batch_shape, prior.event_shape) == ((), (3,))
    for batch in ((), (4,), (2, 4)):
        z = 100 * torch.randn(*batch, 3, dtype=dtype)
        torch.testing.assert_close(prior.log_prob(z), torch.zeros(batch, dtype=dtype), rtol=0, atol=0)
    assert prior.support.check(torch.randn(4, 3)).tolist() == [True] * 4


def test_it_expands_like_any_other():
    wide = Flat(3).expand((2, 1))
    assert isinstance(wide, Flat)
    assert (wide.batch_shape, wide.event_shape) == ((2, 1), (3,))
    assert wide.log_prob(torch.randn(4, 3)).shape == (2, 4)
    assert isinstance(Flat(3), dist.ImproperUniform)


def test_a_draw_is_refused_in_one_sentence():
    for draw in (lambda: Flat(3).sample(), lambda: Flat(3).sample((5,)), lambda: pyro.sample("z", Flat(3))):
        with pytest.raises(ValueError, match="a flat prior cannot be drawn from: choose the codes") as error:
            draw()
        assert "torch.randn(n, 3)" in str(error.value)


@pytest.mark.parametrize("latent", [0, -1, 2.5])
def test_a_size_that_is_none_is_refused(latent):
    with pytest.raises((ValueError, TypeError), match="latent must be a whole number"):
        Flat(latent)
