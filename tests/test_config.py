"""Descriptions: what goes in comes out, what is shared stays shared, what is foreign is named."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import pyrogen as pg
from pyrogen.config import Described, describe, opaque_parts, rebuild


class Part(Described):
    def __init__(self, width, name="part", flag=True):
        self.width, self.name, self.flag = width, name, flag


class Whole(Described):
    def __init__(self, first, second=None, *, parts=()):
        self.first, self.second, self.parts = first, second, parts


class Special(Part):
    """A subclass with a constructor of its own, which speaks for its base."""

    def __init__(self, factor):
        super().__init__(2 * factor, name="special")
        self.factor = factor


class Plain(Special):
    """A subclass without one."""


def round_trip(value):
    return rebuild(json.loads(json.dumps(describe(value))))


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "text", (1, 2), ((1, "a"), (None,)), ()])
def test_plain_values_come_back(value):
    assert round_trip(value) == value


def test_lists_come_back_as_tuples():
    assert round_trip([1, [2, 3]]) == (1, (2, 3))


def test_numbers_of_numpy_come_back_as_pythons():
    whole = round_trip(Whole(np.int64(3), np.float32(0.5)))
    assert (whole.first, whole.second) == (3, 0.5)
    assert (type(whole.first), type(whole.second)) == (int, float)


def test_defaults_and_keywords_are_recorded():
    part = round_trip(Part(3, flag=False))
    assert (type(part), part.width, part.name, part.flag) == (Part, 3, "part", False)
    assert describe(Part(3)) == describe(Part(width=3, name="part"))
    assert describe(Part(3)) != describe(Part(4))


def test_a_subclass_is_described_by_its_own_arguments():
    for kind in (Special, Plain):
        description = describe(kind(4))
        assert description["arguments"] == {"factor": 4}
        back = rebuild(description)
        assert (type(back), back.factor, back.width, back.name) == (kind, 4, 8, "special")


def test_nested_objects_come_back():
    whole = round_trip(Whole(Part(1), parts=[Part(2), Whole(Part(3))]))
    assert (whole.first.width, whole.parts[0].width, whole.parts[1].first.width) == (1, 2, 3)


def test_what_is_shared_stays_shared_and_what_is_equal_stays_two():
    part = Part(1)
    whole = round_trip(Whole(part, Whole(part, Part(1)), parts=(part, Part(1))))
    assert whole.first is whole.second.first is whole.parts[0]
    assert len({id(p) for p in (whole.first, whole.second.second, whole.parts[1])}) == 3


def test_a_tensor_keeps_its_place_shape_and_type():
    back = round_trip(Whole(torch.rand(2, 3, dtype=torch.float64), torch.arange(4))).__dict__
    assert (back["first"].shape, back["first"].dtype) == ((2, 3), torch.float64)
    assert (back["second"].shape, back["second"].dtype) == ((4,), torch.int64)


def test_a_network_is_rebuilt_with_the_weights_names_and_shapes():
    for network in (
        pg.nn.ConvEncoder((1, 8, 8), 2, channels=[4, 4], hidden=5),
        pg.nn.MLPDecoder((3,), 2, pg.nn.Gaussian(0.5, learned=True), hidden=(7,)),
        pg.nn.LinearEncoder((3,), 2),
    ):
        back = round_trip(network)
        shapes = [{name: t.shape for name, t in n.state_dict().items()} for n in (network, back)]
        assert type(back) is type(network)
        assert shapes[0] == shapes[1]


def test_foreign_parts_are_named():
    assert opaque_parts(describe(Whole(Part(1), parts=(Part(2),)))) == []
    foreign = Whole(nn.Linear(2, 2), Whole(Part(1), len), parts=[{"a": 1}])
    assert opaque_parts(describe(foreign)) == [
        "torch.nn.modules.linear.Linear",
        "builtins.builtin_function_or_method",
        "builtins.dict",
    ]


def test_a_class_that_is_not_imported_is_named_and_never_looked_up():
    description = describe(Whole(Part(1)))
    description["arguments"]["first"]["class"] = "os.system"
    assert opaque_parts(description) == ["os.system"]


def test_a_class_that_borrows_a_name_is_not_mistaken_for_its_owner():
    # Names are those of classes without their modules, so that a script's class is found when another imports it.
    before = describe(pg.nn.MLPEncoder((3,), 2))

    def init(self, shape, latent, hidden=(1,)):
        raise AssertionError("this is not the class that was described")

    body = {"__init__": init, "__module__": "elsewhere", "__qualname__": "MLPEncoder"}
    thief = type("MLPEncoder", (Described,), body)
    assert type(rebuild(before)) is pg.nn.MLPEncoder
    assert opaque_parts(describe(pg.nn.MLPEncoder((3,), 2))) == []
    stolen = thief.__new__(thief)
    assert opaque_parts(describe(Whole(stolen))) == ["elsewhere.MLPEncoder"]


def test_a_class_that_is_written_again_replaces_itself():
    def make(factor):
        class Again(Described):
            def __init__(self, x):
                self.x = factor * x

        return Again

    old, new = make(1), make(10)
    assert rebuild(describe(old(3))).x == 30
    assert rebuild(describe(new(3))).x == 30


def test_an_argument_that_an_older_file_lacks_counts_as_its_default():
    now = pg.config.describe(pg.nn.MLPEncoder((4, 4), 2, hidden=(3,)))
    was = {**now, "arguments": {name: value for name, value in now["arguments"].items() if name != "point"}}
    assert pg.config.difference(was, now) is None
    other = pg.config.describe(pg.nn.MLPEncoder((4, 4), 2, hidden=(3,), point=True))
    assert pg.config.difference(was, other) == ("point", False, True)
