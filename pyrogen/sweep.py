"""``pg.sweep``: every combination of some settings as a resumable run of its own, and their scores in one table."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import json
import math
import os
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pyrogen import checks
from pyrogen.config import describe
from pyrogen.errors import CheckpointError
from pyrogen.evaluation import evaluate
from pyrogen.files import check_writable, write_atomically
from pyrogen.models import Pair
from pyrogen.signatures import checked
from pyrogen.training.data.digest import digest_tree
from pyrogen.training.fit import fit

if TYPE_CHECKING:
    import pandas as pd

RESULT = "result.json"
MOST_RUNS = 100_000  # of one sweep: each has a folder
SCORES = ("elbo", "reconstruction", "kl", "objective", "nll")
Parameters = dict[str, Any]


@dataclass(frozen=True)
class _Task:
    """What each run of a sweep shares."""

    build: Callable[..., Pair]
    train: Any
    test: Any
    folder: Path
    fit_settings: dict[str, Any]
    metrics: Sequence[Callable[..., float]]
    evaluate_settings: dict[str, Any]
    key: dict[str, Any] = field(default_factory=dict)  # by which a result is known to be of this sweep


@checked
def sweep(
    build: Callable[..., Pair],
    grid: Mapping[str, Any],
    train: Any,
    test: Any,
    *,
    steps: int,
    folder: str | os.PathLike[str],
    workers: int = 1,
    metrics: Sequence[Callable[..., float]] = (),
    evaluation: Mapping[str, Any] | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Train and score a pair for every combination in `grid`.

    Each run has a folder of its own with its checkpoint and, at its end, ``result.json``. A sweep that was stopped and
    is started again goes on from the checkpoints and repeats nothing that is done. A run that fails is a row with its
    error; it is tried again the next time.

    The runs go through joblib. Its backend is processes on this machine by default, and any other inside of
    ``joblib.parallel_config``, such as ``"dask"`` for a cluster whose workers share `folder`.

    Args:
        build: makes a pair from the keys of `grid` that it takes, such as ``lambda beta: VAE(..., beta=beta)``. torch's
            generator is seeded before, by the run's ``"seed"`` or 0.
        grid: name → values. A key that `build` does not take is a setting of `fit`, such as ``"lr"``; ``"seed"`` is one
            for both.
        train: the training data, as `fit` takes them.
        test: the held-out data, as `evaluate` takes them.
        steps: the training steps of each run.
        folder: where the runs' folders are.
        workers: how many runs at a time.
        metrics: functions of (codes, factors) for `evaluate`.
        evaluation: more settings of `evaluate`, such as ``{"images": 2000}``.
        settings: more settings of `fit`, the same for each run.

    Returns:
        A row a run: the settings, the scores in nats per image, the metrics by name, ``seconds`` of training,
        ``folder``, and ``error`` (empty for a run that succeeded).

    Raises:
        TypeError, ValueError: for a grid or settings that cannot be swept over, before any run.

    Example:
        >>> import tempfile, pyrogen as pg
        >>> def build(beta):
        ...     return pg.models.VAE(pg.nn.MLPEncoder((4,), 2), pg.nn.MLPDecoder((4,), 2, "gaussian"), beta=beta)
        >>> x = torch.randn(100, 4)
        >>> table = pg.sweep(build, {"beta": [1.0, 4.0]}, x, x, steps=10, folder=tempfile.mkdtemp())
        >>> table["beta"].tolist(), bool((table["error"] == "").all())
        ([1.0, 4.0], True)
    """
    import joblib
    import pandas as pd

    if isinstance(build, Pair):
        raise TypeError(f"build must make a pair from the keys of the grid, got {checks.shown(build)}: pass a function")
    columns = _check_grid(grid)
    accepted = _route(build, columns, settings)
    workers = checks.whole("workers", workers, least=1)
    steps = checks.whole("steps", steps, least=1, most=checks.LARGEST_SIZE)
    train, test = _check_data("train", train), _check_data("test", test)
    known, evaluate_settings = list(inspect.signature(evaluate).parameters)[3:], dict(evaluation or {})
    for name in evaluate_settings:
        checks.one_of("a key of evaluation", name, known)
    where = check_writable(folder)
    fit_settings = {"batch_size": None, "lr": 1e-3} | settings | {"steps": steps}
    key = {
        "fit": {name: describe(value) for name, value in fit_settings.items()},
        "evaluate": {name: describe(value) for name, value in evaluate_settings.items()},
        "metrics": [getattr(metric, "__name__", str(metric)) for metric in metrics],
        "data": [digest_tree(train), digest_tree(test)],
    }
    task = _Task(build, _packed(train), _packed(test), where, fit_settings, metrics, evaluate_settings, key)
    if workers > 1:
        _check_pickle(task)
    runs = [dict(zip(columns, values, strict=True)) for values in itertools.product(*columns.values())]
    rows = joblib.Parallel(n_jobs=min(workers, len(runs)))(joblib.delayed(_run)(task, run, accepted) for run in runs)
    return pd.DataFrame(rows)


def _run(task: _Task, parameters: Parameters, accepted: Sequence[str]) -> dict[str, Any]:
    """Train and score one combination; the row of the table."""
    folder = task.folder / _folder_name(parameters)
    known = _known(folder / RESULT, task.key)
    if known is not None:
        return {**parameters, **known, "folder": str(folder), "error": ""}
    try:
        return {**parameters, **_trained(task, parameters, accepted, folder), "folder": str(folder), "error": ""}
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        return {**parameters, "folder": str(folder), "error": said}


def _trained(task: _Task, parameters: Parameters, accepted: Sequence[str], folder: Path) -> dict[str, Any]:
    seed = parameters.get("seed", task.fit_settings.get("seed", 0))
    settings = task.fit_settings | {"seed": seed}
    settings |= {name: value for name, value in parameters.items() if name not in accepted}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pair = task.build(**{name: value for name, value in parameters.items() if name in accepted})
        settings = {"progress": False} | settings | {"checkpoint": folder, "resume": True}
        result = fit(pair, _unpacked(task.train), **settings)
        if result.stopped:
            raise CheckpointError(f"stopped at step {result.steps}; the same sweep goes on from there")
        scores = evaluate(pair, _unpacked(task.test), task.metrics, **task.evaluate_settings)
    numbers = {name: getattr(scores, name) for name in SCORES} | dict(scores.metrics)
    row = {name: None if value is None else float(value) for name, value in numbers.items()}
    row |= {"seconds": float(result.history["seconds"][-1]), "steps": result.steps}
    content = {"key": task.key, "parameters": describe(parameters_of(parameters)), "row": row}
    write_atomically(folder / RESULT, json.dumps(content, indent=2).encode())
    return row


def parameters_of(parameters: Parameters) -> list[Any]:
    """Return names and values as a list that `describe` can write."""
    return [[name, value] for name, value in parameters.items()]


def _known(path: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """Return the row of a run that is done, if it is of this sweep."""
    try:
        content = json.loads(path.read_text())
        row = content["row"] if content["key"] == json.loads(json.dumps(key)) else None
        return row if isinstance(row, dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_grid(grid: Any) -> dict[str, list[Any]]:
    if not grid:
        raise ValueError("grid must hold a name and its values, such as {'beta': [1.0, 4.0]}, got an empty dict")
    columns: dict[str, list[Any]] = {}
    for name, values in grid.items():
        if not isinstance(name, str):
            raise TypeError(f"grid must have names as its keys, got {checks.shown(name)}")
        single = isinstance(values, str | bytes | Mapping | type) or getattr(values, "ndim", 1) == 0
        if single or not hasattr(values, "__iter__"):
            raise TypeError(f"grid[{name!r}] must be a list of values, got {checks.shown(values)}")
        listed = itertools.islice(values, MOST_RUNS + 1)  # an endless one ends there
        columns[name] = [value.item() if isinstance(value, np.generic) else value for value in listed]
        if not columns[name]:
            raise ValueError(f"grid[{name!r}] must hold at least one value, got none")
        _check_different(name, columns[name])
    if math.prod(map(len, columns.values())) > MOST_RUNS:
        raise ValueError(
            f"grid must have at most {MOST_RUNS:,} combinations, each of which is a run, got more: sweep over a part"
        )
    return columns


def _check_different(name: str, values: list[Any]) -> None:
    """Refuse a value that occurs twice, by itself or by its name in a path."""
    seen: set[Any] = set()
    for value in values:
        keys: list[Any] = [("named", _slug(value))]
        with contextlib.suppress(TypeError):  # of what cannot be hashed, such as a list
            keys.append({value}.pop())
        if not seen.isdisjoint(keys):
            raise ValueError(f"grid[{name!r}] must hold different values, got {checks.shown(value)} twice")
        seen.update(keys)


def _check_data(name: str, data: Any) -> Any:
    """Return data; the tables of numbers among them, of which there is a digest, are checked."""
    if isinstance(data, type):
        raise TypeError(f"{name} must be data as fit takes them, got {checks.shown(data)}: pass an object of it")
    if isinstance(data, np.ndarray):
        checks.array(name, data)  # a memory map stays one
    return checks.tensor(name, data) if isinstance(data, torch.Tensor) else data


def _route(build: Any, columns: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Return the keys that `build` takes; the others must be settings of `fit`."""
    known = set(inspect.signature(fit).parameters) - {"pair", "data", "steps", "checkpoint", "resume"}
    for name in settings:
        if name not in known:
            raise TypeError(
                f"settings must be arguments of fit that a sweep can pass on ({', '.join(sorted(known))}), got {name!r}"
            )
    try:
        takes = inspect.signature(build).parameters
    except (TypeError, ValueError):
        raise TypeError(
            f"build must have arguments that can be read, got {checks.shown(build)}: pass a function"
        ) from None
    anything = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    accepted = [name for name in columns if anything or name in takes]
    needed = [
        n for n, p in takes.items() if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    for name in columns:
        if name not in accepted and name not in known:
            raise ValueError(f"grid[{name!r}] must be an argument of build or a setting of fit, got neither")
    if missing := [name for name in needed if name not in columns]:
        raise ValueError(f"grid must have values for {missing[0]!r}, which build needs, got {[*columns]}")
    return accepted


def _check_pickle(task: _Task) -> None:
    try:
        import cloudpickle  # what joblib pickles with
    except ImportError:  # older ones bring their own
        from joblib.externals import cloudpickle

    for name, value in {"build": task.build, "train": task.train, "test": task.test, "metrics": task.metrics}.items():
        try:
            cloudpickle.dumps(value)
        except Exception as error:
            raise TypeError(
                f"{name} must be something that pickle can send to other processes, got {checks.shown(value)} "
                f"({error}): let it open files and make locks inside, or pass workers=1"
            ) from error


def _packed(data: Any) -> Any:
    """Return a tensor as an array, which joblib maps into memory once for all processes."""
    return checks.array("data", data) if isinstance(data, torch.Tensor) else data


def _unpacked(data: Any) -> Any:
    return torch.from_numpy(np.array(data)) if isinstance(data, np.ndarray) else data


def _folder_name(parameters: Parameters) -> str:
    return ",".join(f"{_slug(name)}={_slug(value)}" for name, value in parameters.items())


def _slug(value: Any) -> str:
    said = value.__name__ if isinstance(value, type) else str(value)
    return re.sub(r"[^\w.+-]+", "_", said)[:60]
