"""Examples use public names alone, and what is public says what it takes and returns."""

import ast
import importlib
import inspect
import pkgutil
import re
import types
from pathlib import Path

import pytest

import pyrogen

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
PACKAGES = ["pyrogen"] + [
    name
    for name in sorted(module.name for module in pkgutil.iter_modules(pyrogen.__path__, "pyrogen."))
    if hasattr(importlib.import_module(name), "__all__")
]
FUNCTIONS = {
    f"{name}.{public}": value
    for name in PACKAGES
    for public in importlib.import_module(name).__all__
    if inspect.isfunction(value := getattr(importlib.import_module(name), public))
}


def private(source: str) -> list[str]:
    """Return what a script uses of pyrogen that is not in an ``__all__``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pyrogen":
            found.append(f"from {node.module} import ...")
        elif isinstance(node, ast.Import):
            found += [f"import {alias.name}" for alias in node.names if alias.name.startswith("pyrogen.")]
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"[\w.]+", name := ast.unparse(node)):
            found += unknown(name.split("."))
    return sorted(set(found))


def unknown(steps: list[str]) -> list[str]:
    """Return the name ``pg.a.b`` if one of its steps is not public."""
    place = pyrogen
    for step in steps[1:] if steps[0] == "pg" else []:
        if not isinstance(place, types.ModuleType):
            break
        if step not in getattr(place, "__all__", [name for name in vars(place) if name[0] != "_"]):
            return [".".join(steps)]
        place = getattr(place, step)
    return []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_uses_public_names_alone(path):
    assert private(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pyrogen as pg\npg.fit\npg.nn.ConvEncoder.forward\npg.oracles.ppca.optimum", []),
        ("from pyrogen.files import write_atomically", ["from pyrogen.files import ..."]),
        ("import pyrogen.files", ["import pyrogen.files"]),
        ("pg.files.write_atomically(1)", ["pg.files", "pg.files.write_atomically"]),
        ("pg.nn.base.Encoder", ["pg.nn.base", "pg.nn.base.Encoder"]),
    ],
)
def test_private_names_are_seen(source, found):
    assert private(source) == found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_says_what_it_takes_and_returns(name):
    function = FUNCTIONS[name]
    text, signature = inspect.getdoc(function) or "", inspect.signature(function)
    assert text.split(maxsplit=1)[0] not in ("The", "A", "An", "Whether", "Returns"), "begin with an imperative"
    if signature.parameters:
        assert "Args:" in text or "Args and" in text or "Arguments" in text, f"{name} does not say what it takes"
    if signature.return_annotation not in (None, "None", inspect.Signature.empty):
        says = "Returns:" in text or text.startswith(("Return", "Draw", "Yield", "Train"))
        assert says, f"{name} does not say what it returns"


def test_the_checks_above_see_the_package():
    assert len(EXAMPLES) >= 10
    assert {"pyrogen.fit", "pyrogen.metrics.mig", "pyrogen.testing.check"} <= set(FUNCTIONS)
