"""Examples in docstrings run, and everything public is described."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import pyrogen

MODULES = ["pyrogen", *sorted(module.name for module in pkgutil.walk_packages(pyrogen.__path__, "pyrogen."))]
PACKAGES = [name for name in MODULES if hasattr(importlib.import_module(name), "__all__")]
WITH_EXAMPLES = [
    name
    for name in MODULES
    if any(test.examples for test in doctest.DocTestFinder().find(importlib.import_module(name)))
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_exports_is_there_and_described(name):
    package = importlib.import_module(name)
    assert len(set(package.__all__)) == len(package.__all__)
    for public in package.__all__:
        value = getattr(package, public)
        if not (inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value)):
            continue
        assert value.__doc__, f"{name}.{public} has no docstring"
        if inspect.isclass(value):
            own = [key for key, member in vars(value).items() if inspect.isfunction(member) and key[0] != "_"]
            assert [key for key in own if not inspect.getdoc(getattr(value, key))] == []  # its own, or its base's


def test_the_checks_above_cover_the_package():
    assert {"pyrogen.models.vae", "pyrogen.nn.conv", "pyrogen.training.fit"} <= set(WITH_EXAMPLES)
    assert {"pyrogen", "pyrogen.nn", "pyrogen.models", "pyrogen.evaluation"} <= set(PACKAGES)
