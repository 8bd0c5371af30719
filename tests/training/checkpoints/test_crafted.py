"""Files from strangers: whatever is in them ends in `CheckpointError`, before anything is built from it."""

import contextlib
import functools
import json
import os
import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.crafted import parts, set_in, write
from helpers.small import binary, make_pair, quiet, same

import pyrogen as pg
from pyrogen.files import bounded_json
from pyrogen.training.callbacks import EarlyStopping, KeepBest, MovingAverage
from pyrogen.training.checkpoints import packing
from pyrogen.training.checkpoints.checkpoint import FILE_NAME, read_state

FILES = Path(__file__).parent / "files"
ENCODER = ("pair", "arguments", "encoder")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    quiet(make_pair(), binary(), steps=4, checkpoint=folder)
    return folder / FILE_NAME


def resume(folder, **settings):
    return quiet(make_pair(), binary(), **({"steps": 6, "checkpoint": folder, "resume": True} | settings))


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("at", "new"),
    [
        (("pair",), ...),
        (("pair",), None),
        (("pair",), 3),
        (("pair",), []),
        (("pair",), "VAE"),
        (("pair", "class"), ...),
        (("pair", "class"), ["VAE"]),
        (("pair", "class"), {"a": 1}),
        (("pair", "class"), "GammaExponential"),
        (("pair", "class"), "Described"),
        (("pair", "class"), "Pair"),
        (("pair", "number"), ...),
        (("pair", "number"), []),
        (("pair", "arguments"), ...),
        (("pair", "arguments"), []),
        (("pair", "arguments"), "beta"),
        (("pair", "arguments", "beta"), -1.0),
        (("pair", "arguments", "beta"), float("nan")),
        (("pair", "arguments", "beta"), 10**400),
        (("pair", "arguments", "beta"), [1.0]),
        (("pair", "arguments", "unheard"), 1),
        (("pair", "arguments", "prior"), {"same": 77}),
        (("pair", "arguments", "prior"), {"same": 0}),
        (("pair", "arguments", "prior"), {"tensor": [10**6, 10**6], "dtype": "float64"}),
        (("pair", "arguments", "prior"), {"tensor": [3], "dtype": "load"}),
        (("pair", "arguments", "prior"), {"tensor": [-3], "dtype": "float32"}),
        (("pair", "arguments", "prior"), {"opaque": ["x"]}),
        ((*ENCODER, "arguments", "hidden"), [10**9, 10**9]),
        ((*ENCODER, "arguments", "hidden"), [10**30]),
        ((*ENCODER, "arguments", "hidden"), [0]),
        ((*ENCODER, "arguments", "hidden"), [1] * 30_000),
        ((*ENCODER, "arguments", "hidden"), "8"),
        ((*ENCODER, "arguments", "shape"), [10**6, 10**6]),
        ((*ENCODER, "arguments", "latent"), 10**12),
        ((*ENCODER, "arguments", "latent"), 2),
        ((*ENCODER,), {"class": "MLPEncoder"}),
    ],
    ids=str,
)
def test_facts_that_describe_no_pair_are_refused(sound, tmp_path, at, new):
    _, facts, tensors = parts(sound)
    set_in(facts, at, new)
    write(tmp_path / "file", facts, tensors)
    before = torch.get_rng_state()
    with pytest.raises(pg.CheckpointError):
        pg.load(tmp_path / "file")
    assert torch.equal(torch.get_rng_state(), before)
    with contextlib.suppress(pg.CheckpointError):  # what is only wrong in how it is built may load into a pair
        pg.load(tmp_path / "file", into=make_pair())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        '"pair"',
        nested(200_000),
        nested(101),
        '{"pair": ' + "9" * 5000 + "}",
        '{"a": ' * 50_000,
        "[" + "[],[]," * 40_000 + "[]]",
    ],
    ids=lambda text: f"{text[:12]} ({len(text)})",
)
def test_facts_that_are_no_object_are_refused(sound, tmp_path, text):
    write(tmp_path / "file", text, parts(sound)[2])
    with pytest.raises(pg.CheckpointError):
        pg.load(tmp_path / "file")


WEIGHT = "pair.encoder.network.0.weight"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (WEIGHT, lambda t: t * float("nan")),
        (WEIGHT, lambda t: t * float("inf")),
        (WEIGHT, lambda t: t > 0),
        (WEIGHT, lambda t: t.long()),
        (WEIGHT, lambda t: t.T.contiguous()),
        (WEIGHT, lambda t: t[:0]),
        (WEIGHT, lambda t: None),
        ("pair.beta", lambda t: -t),
        ("pair.beta", lambda t: t * float("nan")),
        ("pair.beta", lambda t: t * float("inf")),
        ("pair.beta", lambda t: t[None]),
        ("pair.more", lambda t: torch.zeros(3)),
    ],
)
def test_weights_that_no_pair_has_are_refused_and_nothing_is_copied(sound, tmp_path, name, change):
    _, facts, tensors = parts(sound)
    changed = change(tensors.get(name, torch.zeros(1)))
    tensors = {key: value for key, value in tensors.items() if key != name} | (
        {} if changed is None else {name: changed}
    )
    write(tmp_path / FILE_NAME, facts, tensors)
    pair = make_pair(seed=5)
    with pytest.raises(pg.CheckpointError, match=r"holds the weights of another pair: .*(there|missing|unknown)"):
        pg.load(tmp_path, into=pair)
    assert same(pair, make_pair(seed=5))
    with pytest.raises(pg.CheckpointError):
        pg.load(tmp_path)
    with pytest.raises(pg.CheckpointError):
        resume(tmp_path)


def test_complex_weights_are_no_file_of_ours(sound, tmp_path):
    header = {"a": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}}
    text = json.dumps(header).encode()
    (tmp_path / "file").write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    with pytest.raises(pg.CheckpointError, match="is of type 'C64', which pyrogen does not write"):
        pg.load(tmp_path / "file")


STATE = "optimizer.0.exp_avg"


@pytest.mark.parametrize(
    ("name", "new"),
    [
        (STATE, torch.zeros(1)),
        (STATE, torch.zeros(8, 16, dtype=torch.float64)),
        (STATE, torch.full((8, 16), float("nan"))),
        (STATE, torch.zeros(8, 16, dtype=torch.bool)),
        (STATE, None),
        ("optimizer.0.step", torch.zeros(2)),
        ("optimizer.0.step", torch.tensor(-1.0)),
        ("optimizer.0.more", torch.zeros(1)),
        ("optimizer.99.step", torch.tensor(1.0)),
        ("optimizer.-1.step", torch.tensor(1.0)),
        ("optimizer.x", torch.tensor(1.0)),
        ("optimizer.²", torch.tensor(1.0)),
        ("random.cpu", torch.zeros(5000, dtype=torch.uint8)),
        ("random.cpu", torch.zeros(3, dtype=torch.uint8)),
        ("random.cpu", torch.zeros(5056)),
        ("random.cpu", None),
        ("random.python", torch.zeros(3, dtype=torch.float64)),
        ("random.numpy", torch.tensor([0.0] * 624 + [700, 0, 0], dtype=torch.float64)),
        ("random.numpy", torch.full((627,), float("nan"))),
        ("history", torch.zeros(2, 3)),
        ("history", torch.zeros(3, 11, dtype=torch.float64)),
        ("history", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_run_whose_state_does_not_fit_is_refused(sound, tmp_path, name, new):
    _, facts, tensors = parts(sound)
    tensors = {key: value for key, value in tensors.items() if key != name} | ({} if new is None else {name: new})
    write(tmp_path / FILE_NAME, facts, tensors)
    content = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(pg.CheckpointError, match="does not hold the state of such a run"):
        resume(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


@pytest.mark.parametrize(
    ("at", "new"),
    [
        (("settings",), ...),
        (("settings",), []),
        (("settings", "optimizer"), "Adam"),
        (("settings", "seed"), False),
        (("step",), "4"),
        (("step",), True),
        (("step",), -1),
        (("step",), 5),
        (("step",), 10**400),
        (("step",), ...),
        (("seconds",), float("nan")),
        (("seconds",), float("inf")),
        (("seconds",), "1"),
        (("seconds",), -1.0),
        (("columns",), 3),
        (("columns",), []),
        (("groups",), ...),
        (("groups",), {}),
        (("groups",), []),
        (("groups", 0, "params"), [0]),
        (("groups", 0, "params"), [1, 0, 2, 3, 4, 5, 6, 7]),
        (("groups", 0, "lr"), ...),
        (("groups", 0, "lr"), "1"),
        (("groups", 0, "lr"), -1.0),
        (("groups", 0, "lr"), float("nan")),
        (("groups", 0, "lr"), 10**400),
        (("groups", 0, "betas"), [0.9]),
        (("groups", 0, "fused"), 1),
        (("groups", 0, "amsgrad"), True),
        (("groups", 0, "differentiable"), True),
        (("groups", 0, "maximize"), True),
        (("groups", 0, "betas"), [10**6, 10**6]),
        (("groups", 0, "betas"), [0.9, 0.9]),
        (("groups", 0, "eps"), 0),
        (("groups", 0, "weight_decay"), 0.1),
        (("groups", 0, "lr"), 1e9),
        (("plain",), []),
    ],
    ids=str,
)
def test_a_run_whose_facts_do_not_fit_is_refused(sound, tmp_path, at, new):
    _, facts, tensors = parts(sound)
    set_in(facts, at, new)
    write(tmp_path / FILE_NAME, facts, tensors)
    with pytest.raises(pg.CheckpointError):
        resume(tmp_path, steps=10**6 if at == ("step",) else 6)


def with_parts(folder, steps, **settings):
    held_out = {"validation": binary(20), "validate_every": 2}
    callbacks = [MovingAverage(every=1), KeepBest(), EarlyStopping()]
    rate = {"lr_schedule": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.01, total_steps=9)}
    return quiet(
        make_pair(), binary(), steps=steps, callbacks=callbacks, checkpoint=folder, **held_out, **rate, **settings
    )


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rich")
    with_parts(folder, 4)
    return folder / FILE_NAME


AVERAGE, BEST, STOPPING = "callback MovingAverage 0", "callback KeepBest 0", "callback EarlyStopping 0"
AVERAGED, ROWS = "module.encoder.network.0.weight", ("validation", "rows")


@pytest.mark.parametrize(
    ("at", "new"),
    [
        ((AVERAGE,), {}),
        ((AVERAGE, "more"), torch.zeros(1)),
        ((AVERAGE, AVERAGED), lambda t: t.T.contiguous()),
        ((AVERAGE, AVERAGED), lambda t: t * float("nan")),
        ((AVERAGE, AVERAGED), lambda t: t.double()),
        ((AVERAGE, AVERAGED), 3),
        ((AVERAGE, "n_averaged"), torch.tensor(-1)),
        ((AVERAGE, "n_averaged"), torch.tensor(5)),
        ((BEST, "weights", "pair.encoder.network.0.weight"), lambda t: t * float("inf")),
        ((BEST, "weights"), []),
        ((BEST, "best"), float("nan")),
        ((STOPPING, "waited"), "1"),
        ((STOPPING, "best_step"), 5),
        (("lr_schedule", "step"), 3),
        (("lr_schedule", "total_steps"), 10**9),
        (("lr_schedule", "last_epoch"), 8),
        (("lr_schedule", "last_epoch"), float("nan")),
        (("lr_schedule", "_last_lr"), [float("nan")]),
        (ROWS, lambda rows: rows * float("nan")),
        (ROWS, lambda rows: rows[::-1].copy()),
        (ROWS, lambda rows: rows + 1),
        (ROWS, lambda rows: rows[:, 1:].copy()),
        (("validation", "per_latent"), ["x"]),
        (("validation", "units"), 3),
        (("validation", "columns"), lambda names: tuple(reversed(names))),
        (("validation",), 3),
    ],
)
def test_a_part_whose_state_does_not_fit_is_named(rich, tmp_path, at, new):
    _, facts, tensors = parts(rich)
    state = packing.unpack(facts["parts"], tensors)
    old = functools.reduce(lambda value, key: value.get(key), at, state)
    set_in(state, at, new(old) if callable(new) else new)
    more, facts["parts"] = packing.pack(state, "parts")
    write(tmp_path / FILE_NAME, facts, tensors | more)
    with pytest.raises(pg.CheckpointError, match=at[0]):
        with_parts(tmp_path, 6, resume=True)


@pytest.mark.parametrize("betas", [None, [0.5, 0.5], [1.0, 0.999], [-0.1, 0.999], [0.9, 2**70]], ids=str)
def test_a_schedule_may_move_the_momentum_within_0_and_1(rich, tmp_path, betas):
    _, facts, tensors = parts(rich)
    facts["groups"][0]["betas"] = betas or facts["groups"][0]["betas"]
    write(tmp_path / FILE_NAME, facts, tensors)
    sound = betas in (None, [0.5, 0.5])
    with contextlib.nullcontext() if sound else pytest.raises(pg.CheckpointError, match="'betas' of group 0"):
        with_parts(tmp_path, 6, resume=True)


HEADERS = {
    "no object": b"[]",
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "deep": nested(1000).encode(),
    "entries": b"{" + b",".join(b'"%d":[]' % i for i in range(120_000)) + b"}",
    "no shape": b'{"a": {"dtype": "F32", "data_offsets": [0, 4]}}',
    "a list": b'{"a": []}',
    "terabytes": b'{"a": {"dtype": "F32", "shape": [1000000, 1000000], "data_offsets": [0, 4000000000000]}}',
    "overflow": b'{"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 4]}}',
    "negative": b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}}',
    "a hole": b'{"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}}',
    "an overlap": b'{"a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}, '
    b'"b": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}',
    "floats": b'{"a": {"dtype": "U8", "shape": [8.0], "data_offsets": [0, 8]}}',
    "truth": b'{"a": {"dtype": "U8", "shape": [true], "data_offsets": [0, 8]}}',
    "dimensions": b'{"a": {"dtype": "U8", "shape": [' + b"1," * 100 + b'8], "data_offsets": [0, 8]}}',
    "no truth value": b'{"a": {"dtype": "BOOL", "shape": [8], "data_offsets": [0, 8]}}',
    "unhashable": b'{"a": {"dtype": [], "shape": [8], "data_offsets": [0, 8]}}',
    "metadata": b'{"__metadata__": [], "a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}',
    "no metadata": b'{"__metadata__": null, "a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}',
    "no texts": b'{"__metadata__": {"format": 3}, "a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}',
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_headers_that_are_not_sound_are_refused(tmp_path, header):
    (tmp_path / "file").write_bytes(struct.pack("<Q", len(header)) + header + b"\2" * 8)
    with pytest.raises(pg.CheckpointError, match=r"is damaged, or not|that pyrogen did not write"):
        pg.load(tmp_path / "file")


@pytest.mark.parametrize("length", [0, 1, 2**24 + 1, 2**40, 2**64 - 1])
def test_a_header_of_another_length_than_it_says_is_refused(tmp_path, length):
    (tmp_path / "file").write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(pg.CheckpointError, match="is damaged, or not a safetensors file"):
        pg.load(tmp_path / "file")


def test_a_long_header_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "file").open("wb") as file:
        file.write(struct.pack("<Q", 2**30))
        file.truncate(2**30 + 8)  # takes no place on the disk
    with pytest.raises(pg.CheckpointError, match="its header takes 1,073,741,824 bytes"):
        pg.load(tmp_path / "file")


def test_a_file_that_asks_for_terabytes_is_refused_in_bounded_memory(sound, tmp_path):
    _, facts, tensors = parts(sound)
    set_in(facts, (*ENCODER, "arguments", "hidden"), [9_000, 9_000])  # 324 MB, of which nothing may be taken
    write(tmp_path / "file", facts, tensors)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(pg.CheckpointError, match=r"asks for tensors of 32[0-9,]+ bytes, far more than"):
        pg.load(tmp_path / "file")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 50_000  # kB


@pytest.mark.parametrize(
    "path", ["a" * 5000, "a/" * 3000, "a\0b", "", 3, None, b"x", ["x"]], ids=lambda path: repr(path)[:9]
)
def test_paths_that_are_no_paths_are_refused(path):
    with pytest.raises((ValueError, TypeError)) as caught:
        pg.load(path)
    assert str(caught.value)
    with pytest.raises((ValueError, TypeError)):
        pg.save(make_pair(), path)


def test_files_of_other_versions_say_so(sound, tmp_path):
    _, facts, tensors = parts(sound)
    write(tmp_path / "file", facts, tensors, format="pyrogen 97", version="9.7")
    with pytest.raises(pg.CheckpointError, match=r"in format 97, by pyrogen 9.7, and pyrogen .* reads formats 1 to 2"):
        pg.load(tmp_path / "file")
    assert parts(sound)[0]["version"] == pg.__version__


def test_files_of_format_1_are_still_read(tmp_path):
    old = FILES / "checkpoint_format_1.safetensors"
    assert read_state(old).format == 1
    trained = quiet(make_pair(), binary(), steps=3)
    assert same(pg.load(old), trained.pair)
    (tmp_path / FILE_NAME).write_bytes(old.read_bytes())
    with pytest.warns(UserWarning, match="older version: whether data and optimizer are the same is not compared"):
        on = resume(tmp_path)
    assert same(on.pair, quiet(make_pair(), binary(), steps=6).pair)


def test_files_of_format_2_are_still_read(tmp_path):
    old = FILES / "checkpoint_format_2.safetensors"
    assert read_state(old).format == 2
    assert same(pg.load(old), quiet(make_pair(), binary(), steps=3).pair)
    (tmp_path / FILE_NAME).write_bytes(old.read_bytes())
    assert same(resume(tmp_path).pair, quiet(make_pair(), binary(), steps=6).pair)


def test_the_history_of_a_finished_run_outlives_its_file(sound, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(sound.read_bytes())
    fit = resume(tmp_path, steps=4)
    before = fit.history.array.copy()
    with (tmp_path / FILE_NAME).open("r+b") as file:
        file.write(bytes(sound.stat().st_size))
        file.truncate(10)
    assert (fit.history.array == before).all()


def test_a_pair_of_another_make_does_not_receive_weights(tmp_path):
    pg.save(make_pair(), tmp_path / "file")
    with pytest.raises(pg.CheckpointError, match="its likelihood is bernoulli, and that of the pair"):
        pg.load(tmp_path / "file", into=make_pair(likelihood="continuous_bernoulli"))
    other = make_pair(beta=7.0)
    pg.load(tmp_path / "file", into=other)
    assert other.beta == 2.0  # the file's: β travels with the weights


def test_parts_of_ones_own_are_compared_by_their_layers():
    one, same_again, other = (
        pg.config.describe(torch.nn.Sequential(torch.nn.Linear(3, 3), kind))
        for kind in (torch.nn.ReLU(), torch.nn.ReLU(), torch.nn.Tanh())
    )
    assert pg.config.difference(one, same_again) is None
    assert pg.config.difference(one, other) == ("parts[2]", "1 ReLU()", "1 Tanh()")
    assert pg.config.difference({"opaque": one["opaque"]}, other) is None  # files of format 1 knew no parts


def test_json_is_read_in_bounds():
    assert bounded_json('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert bounded_json(nested(100)) is not None
    for text in (nested(101), "[NaN]", "[Infinity]", "[1", "[" + "1," * 200_000 + "1]"):
        with pytest.raises(ValueError, match=r"^this (is not JSON|nests|has some)"):
            bounded_json(text, "this")
    assert bounded_json("[Infinity]", constants=True) == [float("inf")]


def test_loading_takes_at_most_some_twice_the_file_in_memory(tmp_path):
    script = """if True:
        import resource, sys
        import torch, pyrogen as pg
        small = pg.models.VAE(pg.nn.MLPEncoder((4, 4), 2, (8,)), pg.nn.MLPDecoder((4, 4), 2, hidden=(8,)))
        pg.save(small, sys.argv[2]); pg.load(sys.argv[2])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        pair = pg.load(sys.argv[1])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    wide = pg.models.VAE(pg.nn.MLPEncoder((4, 4), 2, (4000, 4000)), pg.nn.MLPDecoder((4, 4), 2, hidden=(8,)))
    pg.save(wide, tmp_path / "file")
    size = (tmp_path / "file").stat().st_size
    command = [sys.executable, "-c", script, str(tmp_path / "file"), str(tmp_path / "small")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) * 1024 < 2.2 * size + 2**23
