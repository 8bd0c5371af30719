"""The t-tests of `pg.testing` keep their rate, for skewed numbers too, and see what they are for."""

import math
import random

import pytest
from scipy.stats import binom

from pyrogen.testing.running.significance import Sample, exceeds

RATE = 0.01


def test_mean_and_error():
    filled = Sample([1.0, 2.0, 4.0])
    assert filled.mean == pytest.approx(7 / 3)
    assert filled.error == pytest.approx(math.sqrt(7 / 3 / 3))
    assert filled.root_mean_square == pytest.approx(math.sqrt(7))
    assert Sample([1.0]).error == math.inf
    assert not exceeds(Sample([5.0]), 0.0, RATE)
    assert not exceeds(Sample([1.0, math.nan, 1.0]), 0.0, RATE)


@pytest.mark.parametrize("count", [8, 24, 64, 256])
@pytest.mark.parametrize("draw", ["normal", "skewed"])
def test_the_rate_of_false_alarms(count, draw):
    """Among 2,000 samples of mean zero, no more alarms than chance allows (1e-6 for the count to be higher)."""
    generator = random.Random(count)
    tries = 2000
    alarms = 0
    for _ in range(tries):
        if draw == "normal":
            values = [generator.gauss(0, 1) for _ in range(count)]
        else:
            values = [generator.expovariate(1) - 1 for _ in range(count)]
        alarms += exceeds(Sample(values), 0.0, RATE)
    allowed = RATE if draw == "normal" else 4 * RATE  # t leans: measured 2.5 % at 8 numbers
    assert alarms <= binom.isf(1e-6, tries, allowed)


@pytest.mark.parametrize("count", [8, 64])
def test_what_lies_beyond_the_margin_is_seen(count):
    generator = random.Random(1)
    values = [1 + 0.05 * generator.gauss(0, 1) for _ in range(count)]
    assert exceeds(Sample(values), 0.5, 1e-6)
    assert not exceeds(Sample(values), 1.5, 1e-6)
    assert exceeds(Sample([-value for value in values]), 0.5, 1e-6)
