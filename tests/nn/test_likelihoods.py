"""The likelihoods against closed forms, and what they say of data that cannot be theirs."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

import pyrogen as pg


@pytest.fixture
def output():
    return torch.randn(3, 2, 4, dtype=torch.float64)


def test_bernoulli_is_minus_the_cross_entropy_summed_over_pixels(output):
    x = torch.bernoulli(torch.full_like(output, 0.4))
    expected = -binary_cross_entropy_with_logits(output, x, reduction="none").sum((1, 2))
    torch.testing.assert_close(pg.nn.Bernoulli()(output, 2).log_prob(x), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(pg.nn.Bernoulli()(output, 2).mean, torch.sigmoid(output))


@pytest.mark.parametrize("logit", [-8.0, -1.0, 0.0, 1e-3, 0.3, 5.0])
def test_continuous_bernoulli_integrates_to_one(logit):
    x, weights = midpoints(20_000)
    density = pg.nn.ContinuousBernoulli()(torch.full_like(x, logit)[:, None], 1).log_prob(x[:, None]).exp()
    # The midpoint rule errs by at most (b − a) h² max|p''| / 24, and p'' <= logit² p.
    bound = logit**2 * density.max() * weights[0] ** 2 / 24
    assert abs((density * weights).sum() - 1) <= bound + 1e-11  # the normalizer loses five digits near λ = ½


def midpoints(n):
    return (torch.arange(n, dtype=torch.float64) + 0.5) / n, torch.full((n,), 1 / n, dtype=torch.float64)


def test_continuous_bernoulli_at_a_logit_is_the_tilted_uniform(output):
    # p(x) = a exp(a x) / (exp(a) − 1) with a the logit.
    x = torch.rand_like(output)
    expected = (torch.log(output / torch.expm1(output)) + output * x).sum((1, 2))
    torch.testing.assert_close(pg.nn.ContinuousBernoulli()(output, 2).log_prob(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("learned", [False, True])
def test_gaussian_is_squared_error_with_its_noise(output, scale, learned):
    x = torch.randn_like(output)
    likelihood = pg.nn.Gaussian(scale, learned).double()
    variance = math.exp(2 * likelihood.log_scale.item())
    assert math.sqrt(variance) == pytest.approx(scale, rel=1e-6)  # float32 when it was made
    expected = -((x - output) ** 2).sum((1, 2)) / (2 * variance) - 4 * math.log(2 * math.pi * variance)
    torch.testing.assert_close(likelihood(output, 2).log_prob(x), expected, rtol=1e-12, atol=1e-12)


def test_only_a_learned_scale_is_a_parameter_and_both_are_saved(output):
    fixed, learned = pg.nn.Gaussian(0.5), pg.nn.Gaussian(0.5, learned=True)
    assert list(fixed.parameters()) == []
    assert [name for name, _ in learned.named_parameters()] == ["log_scale"]
    assert fixed.state_dict().keys() == learned.state_dict().keys() == {"log_scale"}
    learned.double()(output, 2).log_prob(torch.zeros_like(output)).sum().backward()
    assert learned.log_scale.grad.abs() > 0


def test_a_name_gives_the_likelihood_and_an_object_stays_itself():
    kinds = {
        "bernoulli": pg.nn.Bernoulli,
        "continuous_bernoulli": pg.nn.ContinuousBernoulli,
        "gaussian": pg.nn.Gaussian,
    }
    for name, kind in kinds.items():
        assert type(pg.nn.MLPDecoder((4,), 2, name).likelihood) is kind
    own = pg.nn.Gaussian(0.1)
    assert pg.nn.MLPDecoder((4,), 2, own).likelihood is own
    assert type(pg.nn.MLPDecoder((4,), 2).likelihood) is pg.nn.Bernoulli
    assert type(pg.nn.LinearDecoder((4,), 2).likelihood) is pg.nn.Gaussian


@pytest.mark.parametrize("unknown", ["normal", "Bernoulli", "", None, 3])
def test_an_unknown_name_is_answered_with_those_there_are(unknown):
    with pytest.raises((ValueError, TypeError), match="likelihood must be one of 'bernoulli', 'contin"):
        pg.nn.MLPDecoder((4,), 2, likelihood=unknown)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_noise_must_be_positive_and_finite(scale):
    with pytest.raises(ValueError, match="scale must be a finite number above 0, got"):
        pg.nn.Gaussian(scale)


ALL: list[nn.Module] = [pg.nn.Bernoulli(), pg.nn.ContinuousBernoulli(), pg.nn.Gaussian()]
BOUNDED = ALL[:2]
of_all = pytest.mark.parametrize("likelihood", ALL, ids=lambda item: type(item).__name__)
of_the_bounded = pytest.mark.parametrize("likelihood", BOUNDED, ids=lambda item: type(item).__name__)


@of_all
@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.int64, torch.float32, torch.float64])
def test_binary_images_of_any_type_suit_all(likelihood, dtype):
    likelihood.check(torch.tensor([[0, 1], [1, 0]]).to(dtype))


def test_gray_pixels_suit_all_but_bernoulli_which_names_the_one_to_use():
    gray = torch.tensor([0.0, 0.25, 1.0, 1.0])
    pg.nn.ContinuousBernoulli().check(gray)
    pg.nn.Gaussian().check(gray)
    with pytest.raises(ValueError, match=r'pixels must be 0 or 1 .*, got 25.00% .*likelihood="continuous_bern'):
        pg.nn.Bernoulli().check(gray)


@of_the_bounded
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_8_bit_images_are_told_to_be_divided(likelihood, dtype):
    with pytest.raises(
        ValueError, match=r"pixels must be in \[0, 1\] .*, got values in \[0, 255\]: divide 8-bit images by 255"
    ):
        likelihood.check(torch.tensor([0, 17, 255]).to(dtype))
    pg.nn.Gaussian().check(torch.tensor([0, 17, 255]).to(dtype))


@of_the_bounded
@pytest.mark.parametrize("low", [-1.0, -1e-3])
def test_values_out_of_range_are_told_to_be_rescaled(likelihood, low):
    with pytest.raises(ValueError, match=r'rescale them, or use likelihood="gaussian" for unbounded data'):
        likelihood.check(torch.tensor([low, 0.0, 1.0]))


@of_all
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_counted(likelihood, bad):
    with pytest.raises(ValueError, match="x must be finite, got 2 NaN or infinite values: clean them"):
        likelihood.check(torch.tensor([bad, 0.0, bad, 1.0]))
