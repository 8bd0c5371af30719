"""Who may import whom. The rules are DESIGN's; the checker is tested on sources that break each of them."""

import ast
from pathlib import Path

import networkx as nx
import pytest

PACKAGE = Path(__file__).parent.parent / "pyrogen"
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = (
    ("_version", "errors", "checks", "config", "warn"),
    ("locks", "progress", "random_numbers", "signatures", "tensors"),
    ("files",),
    ("oracles", "distributions", "nn", "datasets", "metrics", "graphs"),
    ("models", "exercises"),
    ("training",),
    ("evaluation", "testing", "weights"),
    ("plots", "report", "sweep"),
    ("explore",),
    ("cli",),
    ("__main__",),
)
ROOMS = {  # the rooms of a folder, from the lowest; its own files are named among them, or lie above all of them
    "graphs": (("structure",), ("inference",), ("files", "pyro")),
    "exercises": (
        ("explanations",),
        ("schema", "products", "results", "random_networks"),
        ("cross_checks",),
        ("claims",),
        ("kinds",),
        ("exercise",),
        ("grading",),
    ),
    "testing": (("findings",), ("running",), ("checks", "posterior"), ("check",)),
    "training": (("data", "checkpoints", "divergence", "history"), ("objectives",), ("step", "callbacks")),
    "plots": (("canvas",), ("images", "codes", "runs", "graphs")),
}
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
ONLY_IN = {"pgmpy": ("graphs", "exercises"), "matplotlib": ("plots",)}
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
            if source.split(".")[0] == "pyrogen" and source.count(".") < 2:  # `from pyrogen import nn` imports a part
                yield from ((f"{source}.{alias.name}", lazy, child.lineno) for alias in child.names)
            else:
                yield source, lazy, child.lineno
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(child, module, lazy or inside)


def above(part: str, room: str, other: str) -> str:
    """The place inside of the folder `part` that a file of `room` may not import; "" if it may."""
    levels = {name: level for level, names in enumerate(ROOMS.get(part, ())) for name in names}
    if room in ("__init__", other) or room not in levels:
        return ""
    return "" if levels.get(other, len(levels)) < levels[room] else f"{part}/{other or '__init__'}"


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The sets of modules that import each other in a circle."""
    graph = nx.DiGraph([(a, b) for a, others in edges.items() for b in others])
    return [sorted(found) for found in nx.strongly_connected_components(graph) if len(found) > 1]


def imported(module: str, source: str, modules: set[str]) -> set[str]:
    """The package's modules that a file imports, those for type checkers alone too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in modules else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & modules) - {module}


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
            if other == part and len(steps) > 1 and (place := above(part, steps[1], rest[1] if rest[1:] else "")):
                found.append(f"{path}:{line} imports {place}, which is not below {part}/{steps[1]}")
        elif top in ONLY_IN and part not in ONLY_IN[top]:
            found.append(f"{path}:{line} imports {top}, which belongs in {' and '.join(ONLY_IN[top])} alone")
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
        ("nn/mlp.py", "from ..config import Described"),
        ("models/vae.py", "from pyrogen.nn import Encoder"),
        ("models/vae.py", "from pyrogen import nn"),
        ("plots/images/grids.py", "def f():\n    from matplotlib.figure import Figure"),
        ("plots/images/grids.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import matplotlib"),
        ("models/vae.py", "import typing\nif typing.TYPE_CHECKING:\n    from pyrogen.training import fit"),
        ("graphs/structure/moral.py", "def f():\n    import pgmpy"),
        ("metrics/dci.py", "class A:\n    def f(self):\n        from sklearn import tree"),
        ("__init__.py", "from pyrogen import datasets, plots"),
        ("files.py", "import pyrogenic, tempfile"),
        ("graphs/inference/queries.py", "from pyrogen.graphs.structure.moral import moral_graph"),
        ("graphs/inference/queries.py", "from pyrogen.graphs.structure import validation"),
        ("graphs/inference/queries.py", "from pyrogen.graphs.inference.factors import Factor"),
        ("testing/check.py", "from pyrogen.testing.checks.density import density"),
        ("exercises/claims/maps.py", "def f():\n    import pgmpy"),
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
        ("plots/codes/kl.py", "from pyrogen.report import Report"),
        ("new/thing.py", "x = 1"),
        ("graphs/structure/moral.py", "from pyrogen.graphs.inference.factors import Factor"),
        ("graphs/structure/moral.py", "from pyrogen.graphs import query"),
        ("graphs/files/networks.py", "from pyrogen.graphs.pyro import learn"),
        ("testing/running/draws.py", "from pyrogen.testing.checks.density import density"),
        ("testing/checks/density.py", "from pyrogen.testing.check import check"),
        ("models/vae.py", "from pyrogen.exercises import check_exercise"),
        ("models/vae.py", "def f():\n    import pgmpy.models"),
        ("report/page.py", "def f():\n    from matplotlib import figure"),
        ("plots/images/grids.py", "import matplotlib.figure"),
        ("plots/images/grids.py", "class A:\n    import matplotlib"),
        ("graphs/structure/moral.py", "from pgmpy.models import DiscreteBayesianNetwork"),
        ("metrics/dci.py", "from sklearn.tree import DecisionTreeClassifier"),
        ("evaluation/arviz.py", "import xarray as xr"),
        ("evaluation/arviz.py", "with x:\n    import arviz"),
        ("nn/mlp.py", "\n" * (LONGEST + 1)),
        ("__init__.py", "\n" * (LONGEST + 1)),
    ],
)
def test_the_checker_sees_each_kind_of_fault(path, source):
    assert len(faults(source, path)) == 1


def test_no_module_imports_itself_by_way_of_others():
    names = {str(file.relative_to(PACKAGE.parent))[:-3].replace("/", "."): file for file in FILES}
    modules = set(names)
    edges = {name: imported(name, file.read_text(encoding="utf-8"), modules) for name, file in names.items()}
    assert cycles(edges) == []


def test_a_circle_of_imports_is_seen_type_checking_ones_too():
    sources = {"a": "if TYPE_CHECKING:\n    from b import B", "b": "def f():\n    import a"}
    assert cycles({name: imported(name, source, set(sources)) for name, source in sources.items()}) == [["a", "b"]]
