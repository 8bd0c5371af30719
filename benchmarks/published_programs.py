#!/usr/bin/env python
"""What `pg.testing.check` says of published Pyro programs, run as they are.

The programs are Pyro's examples and tutorials and the models of pyro-models, from clones of both repositories; none of
their code is kept here. Each runs in a process of its own, on small stand-ins for data that would be downloaded and
without its plots (stand_ins.py). The first time that it asks a loss of Pyro for an ELBO, its model, guide, arguments
and loss are put through `check`, at several seeds. Markov chain Monte Carlo is skipped.

    git clone https://github.com/pyro-ppl/pyro
    git clone https://github.com/pyro-ppl/pyro-models
    python benchmarks/published_programs.py pyro pyro-models
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import platform
import re
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MOST_PAIRS, MOST_STEPS = 3, 3
SKIPPED = re.compile(  # no SVI, data that no stand-in has, or packages that are not installed
    r"mcmc|sir_hmc|rsa/|baseball|einsum|inclined|neutra|smcfilter|horovod|lightning|lkj|oed|funsor|--tmc |haar|-nb=|"
    r"-hfm|sparse_gamma|mixed_hmm|RSA-|elections|effect_handlers|csis|bo\.ipynb|custom_objectives|normalizing_flows"
)


class Enough(BaseException):
    """A program has shown what it trains."""


def programs(pyro: Path, models: Path) -> Iterator[list[str]]:
    """The command of each program: its file, and its arguments as in Pyro's own tests of the examples."""
    listed = (pyro / "tests/test_examples.py").read_text(encoding="utf-8")
    block = listed[listed.index("CPU_EXAMPLES") : listed.index("CUDA_EXAMPLES")]
    for line in dict.fromkeys(re.findall(r'"([^"]+\.py[^"]*)"', block)):
        if not SKIPPED.search(line):
            file, *arguments = line.split()
            yield [str(pyro / "examples" / file), *arguments]
    for notebook in sorted((pyro / "tutorial/source").glob("*.ipynb")):
        if not SKIPPED.search(notebook.name):
            yield [str(notebook)]
    for data in sorted((models / "pyro_models").glob("*/*.py.json")):
        yield [str(data.with_suffix(""))]


def main() -> None:
    """Run all, or one with ``--one`` in a child process, and write the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pyro", type=Path, help="a clone of pyro-ppl/pyro")
    parser.add_argument("models", type=Path, help="a clone of pyro-ppl/pyro-models")
    parser.add_argument("--seeds", type=int, default=5, help="for each pair (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for a program (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/published_programs.json")
    parser.add_argument("--one", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(watched(args.one, args.seeds)))
        return
    from pyrogen.files import write_atomically

    rows: list[dict[str, Any]] = []
    for command in programs(args.pyro.resolve(), args.models.resolve()):
        child = [sys.executable, __file__, str(args.pyro), str(args.models), "--seeds", str(args.seeds), "--one"]
        try:
            answer = subprocess.run([*child, *command], capture_output=True, text=True, timeout=args.limit, check=False)
            rows += json.loads(answer.stdout.splitlines()[-1])
        except (subprocess.TimeoutExpired, IndexError, ValueError):
            continue
        write_atomically(args.out, (json.dumps(summary(rows), ensure_ascii=False, indent=1) + "\n").encode())


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All verdicts with their counts."""
    return {
        "programs": len(rows),
        "checks": sum(row["seeds"] for row in rows),
        "with a fault": sum(bool(row["faults"]) for row in rows),
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "verdicts": rows,
    }


def watched(command: list[str], seeds: int) -> list[dict[str, Any]]:
    """The verdicts on what one program trains."""
    from stand_ins import install  # type: ignore[import-not-found]

    install()
    file, arguments = Path(command[0]), command[1:]
    name = "/".join(file.with_suffix("").parts[-2:]) + "".join(f" {argument}" for argument in arguments)
    watch = Watch(name, seeds)
    with watch.losses():
        try:
            run(file, arguments)
        except Enough:
            pass
        except BaseException as error:
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    return watch.rows


class Watch:
    """Puts each model and guide that a loss is asked about through `check`, once."""

    def __init__(self, name: str, seeds: int) -> None:
        self.name, self.seeds = name, seeds
        self.rows: list[dict[str, Any]] = []
        self.seen: set[Any] = set()
        self.kept: list[Any] = []  # so that no other object gets the id of one that was seen
        self.busy, self.calls = False, 0

    def ask(self, loss: Any, model: Any, guide: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check this pair at each seed unless it was checked before."""
        key = (code_of(model), code_of(guide), type(loss))
        if key in self.seen or len(self.rows) >= MOST_PAIRS:
            return
        self.seen.add(key)
        self.kept += [model, guide]
        import pyrogen as pg

        found: dict[str, set[str]] = {"faults": set(), "warnings": set(), "not asked": set()}
        begun = time.process_time()
        for seed in range(self.seeds):
            try:
                report = pg.testing.check(model, guide, args, kwargs, loss=loss, seed=seed, progress=False)
            except (TypeError, ValueError) as refusal:
                found["not asked"].add(str(refusal)[:150])
                break
            found["faults"] |= {f"{one.check}: {one.message}" for one in report.findings if one.level == "fault"}
            found["warnings"] |= {one.check for one in report.findings if one.level == "warning"}
        row = {"program": self.name, "model": spoken(model), "guide": spoken(guide), "loss": type(loss).__name__}
        seconds = round((time.process_time() - begun) / self.seeds, 2)
        said = {kind: sorted(texts) for kind, texts in found.items()}
        self.rows.append({**row, "seeds": 0 if found["not asked"] else self.seeds, "seconds": seconds, **said})

    def losses(self) -> Any:
        """A context in which the losses of Pyro ask."""
        from contextlib import ExitStack

        from pyro.infer import ELBO

        stack = ExitStack()
        for kind in all_subclasses(ELBO):
            for method in {"loss", "loss_and_grads", "differentiable_loss"} & kind.__dict__.keys():
                original = kind.__dict__[method]
                setattr(kind, method, self._wrapped(original))
                stack.callback(setattr, kind, method, original)
        return stack

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def wrapped(loss: Any, model: Any, guide: Any, *args: Any, **kwargs: Any) -> Any:
            if self.busy:
                return original(loss, model, guide, *args, **kwargs)
            self.busy = True
            try:
                before = len(self.rows)
                self.ask(loss, model, guide, args, kwargs)
                self.calls = self.calls + 1 if len(self.rows) == before else 0
                if self.calls > 500 * MOST_STEPS:
                    raise Enough
                return original(loss, model, guide, *args, **kwargs)
            finally:
                self.busy = False

        return wrapped


def code_of(program: Any) -> Any:
    """What makes two programs the same: their code."""
    function = getattr(program, "__func__", program)
    return type(program).__name__, id(getattr(function, "__code__", program))


def spoken(program: Any) -> str:
    """A program's name."""
    return str(getattr(program, "__qualname__", type(program).__name__))


def all_subclasses(kind: type) -> set[type]:
    """A class's subclasses, theirs too."""
    found: set[type] = set()
    direct: type
    for direct in kind.__subclasses__():
        found |= {direct, *all_subclasses(direct)}
    return found


def run(file: Path, arguments: list[str]) -> None:
    """Run a script, a notebook's cells, or a model of pyro-models with an AutoNormal guide."""
    import os

    main_module = types.ModuleType("__main__")
    sys.modules["__main__"] = main_module
    space = main_module.__dict__
    space["__file__"], sys.argv = str(file), [str(file), *arguments]
    os.chdir(file.parent)
    sys.path.insert(0, str(file.parent))
    if file.suffix == ".ipynb":
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            lines = "".join(cell["source"]).splitlines()
            kept = [line for line in lines if not line.lstrip().startswith(("%", "!", "assert pyro.__version__"))]
            try:
                exec(compile("\n".join(kept), "cell", "exec"), space)
            except Enough:
                raise
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
    elif file.with_name(f"{file.name}.json").exists():
        model_of_zoo(file)
    else:
        source = file.read_text(encoding="utf-8").replace("assert pyro.__version__", "True or pyro.__version__")
        exec(compile(source, str(file), "exec"), space)


def model_of_zoo(file: Path) -> None:
    """Take a step with a model of pyro-models on its own data."""
    import torch
    from pyro.infer import SVI, Trace_ELBO
    from pyro.infer.autoguide import AutoNormal
    from pyro.optim import PyroOptim

    spec = importlib.util.spec_from_file_location(file.stem.replace("-", "_"), file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names, values = json.loads(file.with_name(f"{file.name}.json").read_text(encoding="utf-8"))[:2]
    data = {
        name: torch.tensor(value).float() if isinstance(value, list) else value
        for name, value in zip(names, values, strict=True)
        if name != "args" and not isinstance(value, str)
    }
    getattr(module, "transformed_data", lambda _: None)(data)

    def model(data: Any, params: Any) -> Any:
        return module.model(data, module.init_params(data))

    SVI(model, AutoNormal(model), PyroOptim(torch.optim.Adam, {"lr": 0.01}), Trace_ELBO()).step(data, {})


if __name__ == "__main__":
    main()
