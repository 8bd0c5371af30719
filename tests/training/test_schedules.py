"""Schedules of the learning rate and of β, with feedback and without."""

import json
from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from helpers.small import binary, make_pair, quiet, same, weights
from torch.optim import lr_scheduler as torchs

import pyrogen as pg
from pyrogen.training import Cyclical, Geometric, HoldKL, LinearWarmup, TargetKL
from pyrogen.training.checkpoints.packing import pack, unpack

SCHEDULERS = {
    "OneCycleLR": lambda o: torchs.OneCycleLR(o, max_lr=0.1, total_steps=60),
    "CosineAnnealingLR": lambda o: torchs.CosineAnnealingLR(o, T_max=40),
    "MultiStepLR": lambda o: torchs.MultiStepLR(o, [3, 9, 21], gamma=0.5),
    "LambdaLR": lambda o: torchs.LambdaLR(o, lambda t: 1 / (1 + t)),
    "SequentialLR": lambda o: torchs.SequentialLR(
        o, [torchs.LinearLR(o, 0.1, total_iters=5), torchs.ExponentialLR(o, 0.9)], milestones=[5]
    ),
    "CyclicLR": lambda o: torchs.CyclicLR(o, 0.001, 0.1, step_size_up=7, cycle_momentum=False),
    "CosineAnnealingWarmRestarts": lambda o: torchs.CosineAnnealingWarmRestarts(o, T_0=9),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_moves_the_rate_and_is_resumed_bit_for_bit(name, tmp_path):
    whole, parts, make = make_pair(), make_pair(), SCHEDULERS[name]
    one = quiet(whole, binary(), steps=40, lr_schedule=make)
    quiet(parts, binary(), steps=17, lr_schedule=make, checkpoint=tmp_path)
    two = quiet(parts, binary(), steps=40, lr_schedule=make, checkpoint=tmp_path, resume=True)
    assert same(whole, parts)
    assert (one.history["lr"] == two.history["lr"]).all()
    optimizer = torch.optim.Adam(make_pair().parameters(), lr=1e-3)
    scheduler, rates = make(optimizer), []
    for _ in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert one.history["lr"].tolist() == pytest.approx(rates, rel=1e-12)
    assert len(set(rates)) > 3


def test_reduce_on_plateau_sees_the_held_out_objective(tmp_path):
    settings = {
        "lr_schedule": lambda o: torchs.ReduceLROnPlateau(o, factor=0.1, patience=1),
        "validation": binary(20),
        "validate_every": 5,
    }
    settings["optimizer"] = lambda p: torch.optim.SGD(p, lr=1e-12)
    rates = quiet(make_pair(), binary(), steps=40, **settings).history["lr"]
    assert rates[:15].tolist() == [1e-12] * 15  # the best, one validation of patience, then the fall
    assert rates[15] == pytest.approx(1e-13)
    quiet(make_pair(), binary(), steps=12, checkpoint=tmp_path, **settings)
    again = quiet(make_pair(), binary(), steps=40, checkpoint=tmp_path, resume=True, **settings).history["lr"]
    assert (rates == again).all()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr_schedule": lambda o: None}, TypeError, "lr_schedule must return a torch scheduler, got None"),
        ({"lr_schedule": 3}, TypeError, "lr_schedule must be a callable of the optimizer"),
        ({"lr_schedule": lambda o: o}, TypeError, "lr_schedule must return a scheduler"),
        ({"lr_schedule": torchs.ReduceLROnPlateau}, ValueError, "validation must be given"),
    ],
)
def test_what_is_not_a_scheduler_is_refused(settings, error, message):
    pair, mine = make_pair(), make_pair()
    with pytest.raises(error, match=message):
        quiet(pair, binary(), steps=5, **settings)
    assert same(pair, mine)


def test_a_scheduler_of_another_optimizer_is_refused():
    other = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    with pytest.raises(TypeError, match="lr_schedule must be a callable of the optimizer"):
        quiet(make_pair(), binary(), steps=5, lr_schedule=torchs.ExponentialLR(other, 0.9))
    with pytest.raises(TypeError, match="scheduler of the optimizer that it is called with"):
        quiet(make_pair(), binary(), steps=5, lr_schedule=lambda o: torchs.ExponentialLR(other, 0.9))


def test_another_scheduler_is_another_run_unless_the_caller_says_so(tmp_path):
    slow, fast = (lambda o, g=g: torchs.ExponentialLR(o, g) for g in (0.99, 0.9))
    quiet(make_pair(), binary(), steps=10, lr_schedule=slow, checkpoint=tmp_path)
    before = weights(pg.load(tmp_path))
    with pytest.raises(pg.CheckpointError, match=r"gamma is 0\.99, and now it is 0\.9"):
        quiet(make_pair(), binary(), steps=20, lr_schedule=fast, checkpoint=tmp_path, resume=True)
    with pytest.raises(pg.CheckpointError, match=r"lr is 0\.001, and now it is 0\.01"):
        quiet(make_pair(), binary(), steps=20, lr_schedule=slow, lr=0.01, checkpoint=tmp_path, resume=True)
    pair, seen = make_pair(beta=5.0, seed=7), []
    fit = quiet(
        pair,
        binary(),
        steps=20,
        lr=0.01,
        batch_size=20,
        lr_schedule=fast,
        checkpoint=tmp_path,
        resume="weights",
        callbacks=[lambda state: seen.append(state.step)],
    )
    assert seen == list(range(11, 21))
    assert fit.history["lr"][10:].tolist() == pytest.approx([0.01 * 0.9**t for t in range(10)])
    assert fit.history["beta"].tolist() == [2.0] * 10 + [5.0] * 10
    assert pair.beta.item() == 5.0
    moved = [(a - b).abs().max() for a, b in zip(before, weights(pair), strict=True)]
    assert 0 < max(moved) < 0.11  # it went on from there: ten steps of Adam at 0.01 at most
    again = quiet(make_pair(beta=5.0), binary(), steps=20, lr=0.01, batch_size=20, lr_schedule=fast,
                  checkpoint=tmp_path, resume=True)  # fmt: skip
    assert same(again.pair, pair)


def test_a_gradient_is_clipped_to_its_norm():
    pair, before, largest = make_pair(), make_pair(), 1e-3
    quiet(pair, binary(), steps=1, clip_norm=largest, optimizer=lambda p: torch.optim.SGD(p, lr=1.0))
    moved = torch.cat([(a - b).flatten() for a, b in zip(weights(pair), weights(before), strict=True)])
    assert moved.norm().item() == pytest.approx(largest, rel=1e-4)
    free, loose = make_pair(), make_pair()
    quiet(free, binary(), steps=5)
    quiet(loose, binary(), steps=5, clip_norm=1e6)
    assert same(free, loose)


def test_a_geometric_fall_starts_above_one_and_stays_at_its_end():
    fall = Geometric(100.0, steps=4)
    assert [fall(t) for t in range(6)] == pytest.approx([100, 100**0.75, 10, 100**0.25, 1, 1])
    history = quiet(make_pair(beta=2.0), binary(), steps=6, schedule=fall).history
    assert history["beta"].tolist() == pytest.approx([2 * fall(t) for t in range(6)])
    gap = history["objective"] - history["reconstruction"] - history["beta"] * history["kl"]
    assert (abs(gap) < 1e-3).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (partial(Geometric, 0.0, 5), ValueError, "start must be"),
        (partial(Geometric, 2.0, 0), ValueError, "steps must be a whole number of at least 1"),
        (partial(Geometric, 2.0, 5, end=0.0), ValueError, "end must be"),
        (partial(LinearWarmup, "3"), TypeError, "steps must be a whole number"),
        (partial(Cyclical, True), TypeError, "period must be a whole number"),
        (partial(TargetKL, -1.0, 5), ValueError, "end must be"),
        (partial(TargetKL, 1.0, 5, gamma=0.0), ValueError, "gamma must be"),
        (partial(HoldKL, float("nan")), ValueError, "target must be"),
        (partial(HoldKL, 1.0, lowest=2.0, highest=1.0), ValueError, "highest must be"),
    ],
)
def test_wrong_settings_of_schedules_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
    assert LinearWarmup(np.int64(3)).steps == 3


def test_a_target_kl_charges_the_distance_from_a_rising_target():
    schedule = TargetKL(end=2.0, steps=10, gamma=3.0)
    assert [schedule.target(t) for t in (0, 5, 10, 20)] == [0.0, 1.0, 2.0, 2.0]
    history = quiet(make_pair(beta=1.0), binary(), steps=30, lr=0.01, schedule=schedule).history
    above = history["kl"][:-1] > [schedule.target(t) for t in range(1, 30)]
    assert history["beta"][0] == 3.0
    assert history["beta"][1:].tolist() == [3.0 if a else -3.0 for a in above]
    long = quiet(make_pair(beta=1.0), binary(), steps=1500, lr=3e-3, schedule=TargetKL(1.5, 200, gamma=20.0)).history
    assert long["kl"][-300:].mean() == pytest.approx(1.5, abs=0.15)


def test_a_controller_holds_the_kl_at_its_set_point():
    free = quiet(make_pair(beta=1.0), binary(), steps=1500, lr=3e-3).history["kl"][-300:].mean()
    hold = HoldKL(free + 1.0, integral=0.01)
    held = quiet(make_pair(beta=1.0), binary(), steps=1500, lr=3e-3, schedule=hold).history
    assert held["kl"][-300:].mean() == pytest.approx(free + 1.0, abs=0.15)
    assert held["beta"].min() >= 0


def test_the_controller_is_the_recursion_of_its_paper():
    hold, total = HoldKL(3.0, proportional=0.5, integral=0.1, lowest=0.0, highest=1.0), 0.0
    for kl in (1.0, 2.0, 5.0, 9.0, 9.0, 30.0, 1.0):
        error = 3.0 - kl
        wanted = 0.5 / (1 + np.exp(error)) + total - 0.1 * error
        if not ((wanted > 1 and error < 0) or (wanted < 0 and error > 0)):
            total -= 0.1 * error
        assert hold.factor(1, torch.tensor(kl, dtype=torch.float64)).item() == pytest.approx(min(1, max(0, wanted)))


@pytest.mark.parametrize("make", [lambda: TargetKL(2.0, 30), lambda: HoldKL(2.0)])
def test_schedules_with_feedback_are_resumed_bit_for_bit(make, tmp_path):
    whole, parts = make_pair(), make_pair()
    one = quiet(whole, binary(), steps=90, schedule=make())
    quiet(parts, binary(), steps=53, schedule=make(), checkpoint=tmp_path)
    two = quiet(parts, binary(), steps=90, schedule=make(), checkpoint=tmp_path, resume=True)
    assert same(whole, parts)
    assert (one.history["beta"] == two.history["beta"]).all()
    used = make()
    quiet(make_pair(), binary(), steps=90, schedule=used)
    again = make_pair()
    quiet(again, binary(), steps=90, schedule=used)  # an object that has been used starts anew
    assert same(whole, again)


def test_a_point_has_no_kl_to_follow():
    pair = pg.models.Autoencoder(pg.nn.MLPEncoder((4, 4), 3, hidden=(8,), point=True), pg.nn.MLPDecoder((4, 4), 3))
    with pytest.raises(ValueError, match="must be left out for a guide that is a point"):
        quiet(pair, binary(), steps=5, schedule=HoldKL(1.0))


def test_packing_gives_back_what_it_was_given():
    state = {"a": (1, 2.5, None), 3: [True, "x", {"t": torch.arange(3)}], "c": Counter([1, 1, 2]), "n": np.ones(2)}
    tensors, rest = pack(state, "state")
    back = unpack(json.loads(json.dumps(rest)), tensors)
    assert back["a"] == (1, 2.5, None)
    assert back[3][:2] == [True, "x"]
    assert torch.equal(back[3][2]["t"], torch.arange(3))
    assert back["c"] == Counter([1, 1, 2])
    assert isinstance(back["c"], Counter)
    assert (back["n"] == 1).all()
    with pytest.raises(TypeError, match="leave it out of state_dict"):
        pack({"f": print}, "mine")
