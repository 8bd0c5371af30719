"""2,000 hostile calls of the public callables: a right result, or an error that our own checks raise."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import pyrogen as pg
from fuzz.calls import Call, of, stale, ways, without_entry
from fuzz.entries import ENTRIES, SLOW
from fuzz.judge import judge

NAMES = [name for name in ENTRIES if name not in SLOW]
WAYS: dict[str, dict[str, list[str]]] = {}


@st.composite
def calls(draw) -> Call:
    name = draw(st.sampled_from(NAMES))
    found = WAYS.setdefault(name, ways(name))
    arguments = draw(st.lists(st.sampled_from(sorted(found)), min_size=1, max_size=2, unique=True)) if found else []
    return Call(name, tuple((argument, draw(st.sampled_from(found[argument]))) for argument in arguments))


@settings(
    max_examples=2000,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(calls())
def test_a_hostile_call_is_right_or_refused_in_a_sentence(call):
    said = judge(of(call.name), call.arguments())
    assert not said, f"{call} ended in {said}: mend the check of that argument, for all functions that take its kind"


@pytest.mark.parametrize(
    ("name", "argument", "way"),
    [
        ("evaluate", "importance_samples", "nan"),
        ("evaluate", "batch_size", "10**30"),
        ("evaluate", "progress", "empty array"),
        ("evaluate", "data", "class"),
        ("datasets.DSprites", "path", "long text"),
        ("explore.View", "data", "meta tensor"),
        ("testing.check", "progress", "empty array"),
        ("training.lightning_module", "optimizer", "1e308"),
        ("fit", "steps", "10**30"),
        ("fit", "seed", "10**30"),
        ("fit", "resume", "structured array"),
        ("fit", "optimizer", "class"),
        ("fit", "lr_schedule", "function"),
        ("sweep", "build", "class"),
        ("sweep", "train", "sparse tensor"),
        ("sweep", "train", "array of dates"),
        ("sweep", "steps", "10**30"),
        ("sweep", "workers", "10**30"),
        ("sweep", "metrics", "lambda"),
        ("sweep", "evaluation", "{'a': 1}"),
        ("testing.against_nuts", "args", "[[1]]"),
        ("testing.assert_sound", "args", "[[1]]"),
        ("testing.calibrate", "train", "np.int64(3)"),
        ("testing.calibrate", "lr", "1e308"),
    ],
)
def test_slow_callables_refuse_too(name, argument, way):
    call = Call(name, ((argument, way),))
    assert not judge(of(name), call.arguments())


def test_every_public_callable_has_an_entry():
    missing = without_entry()
    assert not missing, (
        f"{', '.join(missing)}: public, and unknown to the fuzzer. Add a line with sound arguments to ENTRIES in "
        "tests/fuzz/entries.py, or the name to RECORDS if it is only what functions return"
    )
    assert not stale(), f"{', '.join(stale())} in tests/fuzz/entries.py: public no more, so remove the entry"


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (lambda x: int(x), {"x": "a"}, "ValueError not ours"),
        (lambda x: x["a"], {"x": {}}, "KeyError"),
        (lambda x: x * math.nan, {"x": 1.0}, "silent NaN"),
        (lambda x: np.array([x]) * np.nan, {"x": 1.0}, "silent NaN"),
        (lambda x: {"a": [torch.tensor([math.nan])]}, {"x": 1.0}, "silent NaN"),
        (lambda x: x, {"x": math.nan}, ""),
        (lambda x: x, {"x": 1.0}, ""),
        (lambda x: pg.checks.whole("x", x), {"x": "a"}, ""),
        (lambda x: pg.load(x), {"x": "absent"}, ""),
    ],
)
def test_the_judge_tells_what_is_allowed(function, arguments, said):
    assert judge(function, arguments).startswith(said)
    assert bool(judge(function, arguments)) == bool(said)


KL = pg.oracles.gaussian.kl_diagonal


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, True, "1", None, 1j, [[1.0], [1.0, 2.0]]])
@pytest.mark.parametrize("name", ["scale_q", "scale_p"])
def test_scales_that_are_no_scales_are_refused_by_name(name, scale):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must "):
        KL(**{"loc_q": 1.0, "scale_q": 0.5, "scale_p": 1.0} | {name: scale})


def test_a_number_is_one_in_any_container():
    expected = KL(1.0, 0.5, 0.0, 2.0)
    for make in (np.float32, np.float64, np.array, torch.tensor, lambda v: torch.tensor(v).bfloat16()):
        assert KL(make(1.0), make(0.5), make(0.0), make(2.0)) == expected
    assert KL(np.ma.masked_array([1.0], mask=[False]), 0.5, 0.0, 2.0) == expected
    with pytest.raises(ValueError, match="loc_q must have no masked entries"):
        KL(np.ma.masked_array([1.0, 2.0], mask=[False, True]), 0.5)


def test_an_argument_of_another_kind_is_converted_or_refused():
    encoder, book = pg.nn.MLPEncoder((2, 2), 2, hidden=(4,)), pg.nn.Codebook(5, 3)
    vae, x = pg.models.VAE(encoder, pg.nn.MLPDecoder((2, 2), 2, hidden=(4,))), torch.tensor([[[0, 1], [1, 0]]])
    for same in (x, x.double(), x.numpy(), x.to(torch.uint8)):
        assert torch.equal(encoder(same).mean, encoder(x.float()).mean)
    normal = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(4, 2), 1.0), 1)
    other = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(1), 1.0), 1)
    codes = pg.distributions.UniformCodes(book, (2,))
    for call, message in (
        (lambda: encoder(x * math.nan), "x must be finite"),
        (lambda: encoder(np.ma.masked_array(x, mask=x == 1)), "masked"),
        (lambda: vae.model(x[:0]), "at least one image"),
        (lambda: pg.training.elbo_terms(vae, (x, x)), r"x must be a batch, or a tuple \(x\), got a tuple of 2"),
        (lambda: pg.training.elbo_terms(vae, x + 1), "'x' must be a value that its distribution can take"),
        (lambda: book.lookup([5]), "from 0 to 4, got 5"),
        (lambda: codes.log_prob(torch.zeros(3)), r"value must have shape \(\*batch, 2, 3\)"),
        (lambda: pg.distributions.decompose(normal, other, torch.zeros(4, 2)), "p must be one distribution"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
