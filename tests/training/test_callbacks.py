"""Callbacks: what they see, what they do, and that a checkpoint keeps what they remember."""

import csv

import pytest
import torch
from helpers.small import binary, make_pair, quiet, same, weights

import pyrogen as pg
from pyrogen.training import CsvLog, EarlyStopping, KeepBest, MovingAverage, TensorBoard
from pyrogen.training.callbacks.state import State
from pyrogen.training.checkpoints.checkpoint import FILE_NAME, read_state

VALIDATED = {"validation": binary(20), "validate_every": 5}


def test_a_function_sees_each_step_and_can_stop_the_run(capsys):
    seen = []

    def watch(state):
        seen.append((state.step, state.validated, state.terms["kl"]))
        if state.step == 12:
            state.stop("enough")

    fit = quiet(make_pair(), binary(), steps=100, callbacks=[watch], **VALIDATED)
    assert [step for step, _, _ in seen] == list(range(1, 13))
    assert [step for step, validated, _ in seen if validated] == [5, 10]
    assert [kl for _, _, kl in seen] == fit.history["kl"].tolist()
    assert (fit.steps, fit.stopped, fit.reason) == (12, False, "enough")
    assert "stopped at step 12 of 100: enough" in capsys.readouterr().err


def test_a_callback_that_raises_stops_the_run_with_a_checkpoint(tmp_path):
    def fail(state):
        if state.step == 23:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        quiet(make_pair(), binary(), steps=100, callbacks=[fail], checkpoint=tmp_path)
    assert "at step 23" in caught.value.__notes__[0]
    kept = read_state(tmp_path / FILE_NAME)
    assert kept.facts["step"] == 23
    assert len(kept.tensors["history"]) == 23
    resumed, whole = make_pair(), make_pair()
    quiet(resumed, binary(), steps=40, checkpoint=tmp_path, resume=True)
    quiet(whole, binary(), steps=40)
    assert same(resumed, whole)


def test_early_stopping_waits_for_its_patience_and_is_resumed(tmp_path):
    settings = VALIDATED | {"optimizer": lambda p: torch.optim.SGD(p, lr=0.0)}  # nothing ever improves
    fit = quiet(make_pair(), binary(), steps=100, callbacks=[EarlyStopping(patience=3)], **settings)
    assert fit.steps == 5 * (1 + 3)
    assert "has not improved in 3 validations since step 5" in fit.reason
    quiet(make_pair(), binary(), steps=12, callbacks=[EarlyStopping(patience=3)], checkpoint=tmp_path, **settings)
    on = {"checkpoint": tmp_path, "resume": True} | settings
    stopping = EarlyStopping(patience=3)
    assert quiet(make_pair(), binary(), steps=100, callbacks=[stopping], **on).steps == 20
    assert (stopping.best_step, stopping.waited) == (5, 3)
    assert quiet(make_pair(), binary(), steps=100, callbacks=[EarlyStopping(patience=3)], **on).steps == 20


def test_early_stopping_counts_only_what_is_better_by_min_delta():
    fit = quiet(make_pair(), binary(), steps=100, lr=1e-5, callbacks=[EarlyStopping(2, min_delta=1.0)], **VALIDATED)
    assert fit.steps == 15
    fit = quiet(make_pair(), binary(), steps=100, lr=1e-3, callbacks=[EarlyStopping(2, monitor="elbo")], **VALIDATED)
    assert fit.steps > 15


def test_early_stopping_waits_anew_after_an_improvement():
    stopping, state = EarlyStopping(2), State(make_pair(), 100, None, None, True)
    for step, value in enumerate([5.0, 6.0, 4.0, 6.0]):
        state.step, state.validated, state.validation = step, True, {"objective": value}
        stopping(state)
        assert state.reason is None
    stopping(state)
    assert "in 2 validations since step 2" in state.reason


def test_the_best_weights_are_those_of_the_lowest_validation(tmp_path):
    snapshots = {}

    def snapshot(state):
        if state.validated:
            snapshots[state.step] = weights(state.pair)

    pair, best = make_pair(), KeepBest()
    # a step so large that the objective rises again
    fit = quiet(pair, binary(), steps=60, lr=0.3, callbacks=[best, snapshot], checkpoint=tmp_path, **VALIDATED)
    held_out = fit.history.validation
    assert best.best_step == held_out["step"][held_out["objective"].argmin()] != 60
    expected = snapshots[best.best_step]
    for kept in (pg.load(tmp_path / "best.safetensors"), best.load_into(make_pair(seed=5))):
        assert all(torch.equal(a, b) for a, b in zip(weights(kept), expected, strict=True))
    assert same(pg.load(tmp_path), pair)
    assert not same(best.load_into(make_pair()), pair)


def test_the_best_weights_can_be_put_back_and_are_resumed(tmp_path):
    whole, parts = make_pair(), make_pair()
    settings = VALIDATED | {"lr": 0.3}
    quiet(whole, binary(), steps=60, callbacks=[KeepBest(restore=True)], **settings)
    quiet(parts, binary(), steps=33, callbacks=[KeepBest(restore=True)], checkpoint=tmp_path, **settings)
    again = KeepBest(restore=True)
    quiet(parts, binary(), steps=60, callbacks=[again], checkpoint=tmp_path, resume=True, **settings)
    assert same(whole, parts)
    assert same(pg.load(tmp_path / "best.safetensors"), parts)


def test_the_moving_average_is_the_recursion_and_is_resumed(tmp_path):
    seen = []
    average = MovingAverage(decay=0.9, every=2)

    def look(state):
        seen.append(weights(state.pair))

    quiet(make_pair(), binary(), steps=20, lr=0.01, callbacks=[average, look])
    mean = seen[1]
    for now in seen[3::2]:
        mean = [0.81 * m + 0.19 * w for m, w in zip(mean, now, strict=True)]
    for mine, theirs in zip(weights(average.pair), mean, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert not average.pair.training
    again = MovingAverage(decay=0.9, every=2)
    quiet(make_pair(), binary(), steps=9, lr=0.01, callbacks=[MovingAverage(0.9, 2)], checkpoint=tmp_path)
    quiet(make_pair(), binary(), steps=20, lr=0.01, callbacks=[again], checkpoint=tmp_path, resume=True)
    assert same(again.pair, average.pair)


def test_the_log_grows_and_a_resumed_run_has_each_step_once(tmp_path):
    log = tmp_path / "log.csv"
    lengths = []

    def look(state):
        lengths.append(len(log.read_text().splitlines()) - 1)

    quiet(make_pair(), binary(), steps=33, callbacks=[CsvLog(every=10), look], checkpoint=tmp_path, **VALIDATED)
    assert lengths[9] == 10
    assert lengths[-1] >= 30
    fit = quiet(make_pair(), binary(), steps=50, callbacks=[CsvLog(every=10)], checkpoint=tmp_path, resume=True)
    with log.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 51))
    assert [float(row["kl"]) for row in rows] == fit.history["kl"].tolist()
    assert len((tmp_path / "log.validation.csv").read_text().splitlines()) == 7


def test_tensorboard_gets_the_terms(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit = quiet(make_pair(), binary(), steps=20, callbacks=[TensorBoard(tmp_path, every=10)], **VALIDATED)
    events = EventAccumulator(str(tmp_path)).Reload()
    train, held_out = events.Scalars("train/kl"), events.Scalars("validation/elbo")
    assert [event.step for event in train] == [10, 20]
    assert train[0].value == pytest.approx(fit.history["kl"][:10].mean(), rel=1e-6)
    assert [event.value for event in held_out] == pytest.approx(fit.history.validation["elbo"].tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("callback", "settings", "message"),
    [
        (EarlyStopping(), {}, "EarlyStopping must see held-out terms: pass validation="),
        (KeepBest(), {}, "KeepBest must see held-out terms: pass validation="),
        (EarlyStopping(monitor="loss"), VALIDATED, "monitor must be one of 'objective', 'elbo'.*got 'loss'"),
        (CsvLog(), {}, "CsvLog must know where to write"),
    ],
)
def test_a_callback_that_lacks_something_says_so(callback, settings, message):
    with pytest.raises(ValueError, match=message):
        quiet(make_pair(), binary(), steps=10, callbacks=[callback], **settings)


def test_wrong_settings_of_callbacks_are_refused():
    with pytest.raises(ValueError, match="patience must be a whole number of at least 1"):
        EarlyStopping(patience=0)
    with pytest.raises(ValueError, match="decay must be a number"):
        MovingAverage(decay=1.0)
    with pytest.raises(TypeError, match="every must be a whole number"):
        CsvLog(every=2.5)
    with pytest.raises(ValueError, match="no weights yet"):
        KeepBest().load_into(make_pair())
    with pytest.raises(ValueError, match="nothing to average yet"):
        _ = MovingAverage().pair
