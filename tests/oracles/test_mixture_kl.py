"""The KL of Gaussians to a mixture against scipy's quadrature, one Gaussian's closed form, and its limits."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from pyrogen.oracles import gaussian, mixture_kl

LOCS, SCALES = np.array([-2.0, 0.3, 1.0, 4.0]), np.array([0.5, 1.0, 0.2, 2.0])
WEIGHTS = np.array([0.1, 0.4, 0.3, 0.2])


def test_the_kl_to_a_mixture_is_scipys():
    m, s = np.array([0.0, 3.0]), np.array([1.5, 0.4])

    def integrand(z, i):
        return norm.pdf(z, m[i], s[i]) * (norm.logpdf(z, m[i], s[i]) - math.log(WEIGHTS @ norm.pdf(z, LOCS, SCALES)))

    expected = [quad(integrand, m[i] - 12 * s[i], m[i] + 12 * s[i], args=(i,), limit=200)[0] for i in (0, 1)]
    np.testing.assert_allclose(mixture_kl.kl(m, s, WEIGHTS, LOCS, SCALES), expected, rtol=1e-8)


def test_the_kl_to_a_mixture_of_one_is_that_of_two_gaussians():
    found = mixture_kl.kl(LOCS, SCALES, [1.0], [0.7], [1.3])
    np.testing.assert_allclose(found, gaussian.kl_diagonal(LOCS, SCALES, 0.7, 1.3), rtol=1e-9)


def test_the_mutual_information_goes_from_none_to_log_n():
    assert mixture_kl.mutual_information([1.0] * 5, [0.3] * 5) == pytest.approx(0, abs=1e-12)
    assert mixture_kl.mutual_information(np.arange(5) * 50.0, [1.0] * 5) == pytest.approx(math.log(5), rel=1e-12)
    near, far = (mixture_kl.mutual_information(np.arange(5) * step, [1.0] * 5) for step in (1.0, 2.0))
    assert 0 < near < far < math.log(5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0], [1.0], [0.5], [0.0], [1.0]), "weights must be at least 0 with sum 1"),
        (([0.0], [1.0], [1.0], [0.0], [0.01]), "at least 0.02 s"),
        (([0.0], [0.0], [1.0], [0.0], [1.0]), "scale must be positive"),
        (([0.0, 1.0], [1.0], [1.0], [0.0], [1.0]), r"scale must be of shape \(N\) with N = 2, as loc has"),
        (([np.nan], [1.0], [1.0], [0.0], [1.0]), "finite"),
    ],
)
def test_what_is_no_mixture_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        mixture_kl.kl(*arguments)
