"""Who may import whom. The rules are DESIGN's; the checker is tested on sources that break each of them."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pyrogen"
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = (
    ("_version", "errors", "described", "files", "progress"),
    ("oracles", "distributions", "nn", "datasets", "metrics", "graphs"),
    ("models",),
    ("inference",),
    ("evaluation", "testing"),
    ("plots", "report"),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
ONLY_IN = {"pgmpy": "graphs", "matplotlib": "plots"}
LAZY = {"matplotlib", "sklearn", "arviz", "xarray", "pgmpy"}
LONGEST = 300


def imports(node: ast.AST, module: str, lazy: bool = False):
    """(imported module, whether inside a function, line) of each import; those for type checkers alone left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from imports(ast.Module([other], []), module, lazy)
        elif isinstance(child, ast.Import):
            yield from ((alias.name, lazy, child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            source = child.module or ""
            if child.level:  # module is that of a file, so one dot is its folder
                source = ".".join([*module.split(".")[: -child.level], *filter(None, [source])])
            if source == "pyrogen":  # `from pyrogen import nn` imports a part
                yield from ((f"pyrogen.{alias.name}", lazy, child.lineno) for alias in child.names)
            else:
                yield source, lazy, child.lineno
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(child, module, lazy or inside)


def faults(source: str, path: str) -> list[str]:
    """What is wrong with the imports of the file `path` (relative to the package, such as ``nn/mlp.py``)."""
    steps = path.removesuffix(".py").split("/")
    part = steps[0]
    found = []
    if len(source.splitlines()) > LONGEST:
        found.append(f"{path} is longer than {LONGEST} lines")
    if part == "__init__":
        return found
    if part not in LEVEL:
        return [*found, f"{path} is in no layer: add it to DESIGN and here"]
    for name, lazy, line in imports(ast.parse(source), "pyrogen." + ".".join(steps)):
        top, *rest = name.split(".")
        if top == "pyrogen":
            other = rest[0] if rest else "the package as a whole"
            below = LEVEL.get(other, len(LAYERS)) < LEVEL[part] and part != "oracles"  # so an error cannot be shared
            if other != part and not below:
                found.append(f"{path}:{line} imports {other}, which is not below {part}")
        elif top in ONLY_IN and ONLY_IN[top] != part:
            found.append(f"{path}:{line} imports {top}, which belongs in {ONLY_IN[top]} alone")
        elif top in LAZY and not lazy:
            found.append(f"{path}:{line} imports {top} when it is itself imported: do it in the function that needs it")
    return found


@pytest.mark.parametrize("path", [str(file.relative_to(PACKAGE)) for file in FILES])
def test_a_file_imports_only_what_is_below_it(path):
    assert faults((PACKAGE / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("nn/mlp.py", "from pyrogen.nn.base import Encoder"),
        ("nn/mlp.py", "from .base import Encoder"),
        ("nn/__init__.py", "from . import mlp"),
        ("nn/mlp.py", "from ..described import Described"),
        ("models/vae.py", "from pyrogen.nn import Encoder"),
        ("models/vae.py", "from pyrogen import nn"),
        ("plots/grids.py", "def f():\n    from matplotlib.figure import Figure"),
        ("plots/grids.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import matplotlib"),
        ("models/vae.py", "import typing\nif typing.TYPE_CHECKING:\n    from pyrogen.inference import fit"),
        ("graphs/moral.py", "def f():\n    import pgmpy"),
        ("metrics/dci.py", "class A:\n    def f(self):\n        from sklearn import tree"),
        ("__init__.py", "from pyrogen import datasets, plots"),
        ("files.py", "import pyrogenic, tempfile"),
        ("nn/mlp.py", "\n" * LONGEST),
    ],
)
def test_the_checker_lets_good_sources_pass(path, source):
    assert faults(source, path) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("nn/mlp.py", "from pyrogen.models import VAE"),
        ("nn/mlp.py", "import pyrogen.models.vae"),
        ("nn/mlp.py", "from pyrogen import models"),
        ("nn/mlp.py", "import pyrogen"),
        ("nn/mlp.py", "import pyrogen as pg"),
        ("nn/mlp.py", "from ..models import VAE"),
        ("nn/mlp.py", "from .. import models"),
        ("nn/__init__.py", "from ..models import VAE"),
        ("nn/mlp.py", "from pyrogen.metrics import mig"),
        ("nn/mlp.py", "def f():\n    from pyrogen.models import VAE"),
        ("nn/mlp.py", "if TYPE_CHECKING:\n    pass\nelse:\n    from pyrogen.models import VAE"),
        ("nn/mlp.py", "try:\n    from pyrogen.models import VAE\nexcept ImportError:\n    pass"),
        ("files.py", "from pyrogen.nn import Encoder"),
        ("oracles/ppca.py", "from pyrogen.nn import Encoder"),
        ("oracles/ppca.py", "from pyrogen.errors import PyrogenError"),
        ("evaluation/bounds.py", "from pyrogen.testing import check"),
        ("plots/kl.py", "from pyrogen.report import Report"),
        ("new/thing.py", "x = 1"),
        ("models/vae.py", "def f():\n    import pgmpy.models"),
        ("report/page.py", "def f():\n    from matplotlib import figure"),
        ("plots/grids.py", "import matplotlib.figure"),
        ("plots/grids.py", "class A:\n    import matplotlib"),
        ("graphs/moral.py", "from pgmpy.models import DiscreteBayesianNetwork"),
        ("metrics/dci.py", "from sklearn.tree import DecisionTreeClassifier"),
        ("evaluation/arviz.py", "import xarray as xr"),
        ("evaluation/arviz.py", "with x:\n    import arviz"),
        ("nn/mlp.py", "\n" * (LONGEST + 1)),
        ("__init__.py", "\n" * (LONGEST + 1)),
    ],
)
def test_the_checker_sees_each_kind_of_fault(path, source):
    assert len(faults(source, path)) == 1
