"""All questions at once: `check`, for anyone's model and guide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyrogen.testing.findings import Finding, Report, Result
from pyrogen.testing.gradient import gradient
from pyrogen.testing.isolation import nothing_changed
from pyrogen.testing.objective import minibatch, objective
from pyrogen.testing.pair import Batch, Tested, without_warnings
from pyrogen.testing.parameters import parameters
from pyrogen.testing.structure import structure
from pyrogen.testing.subsampling import subsampling

FALSE_ALARM = 1e-6


def check(
    model: Callable[..., Any],
    guide: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    loss: Any = None,
    size: int | None = None,
    batch: Batch | None = None,
    seed: int = 0,
    false_alarm: float = FALSE_ALARM,
) -> Report:
    tested = Tested(model, guide, tuple(args), dict(kwargs or {}), loss, seed)
    results: list[Result] = []
    with nothing_changed(model, guide), without_warnings():
        failed = _attempt(results, "runs", lambda: structure(tested))
        if not failed and Report(tuple(results)).ok:
            elbo = tested.elbo()
            rate = false_alarm / 3
            for name, ask in (
                ("subsampling", lambda: [subsampling(tested, size)]),
                ("registration", lambda: parameters(tested, elbo)),
                ("objective", lambda: [objective(tested, elbo, rate)]),
                ("minibatch", lambda: [minibatch(tested, elbo, rate, batch, size)]),
                ("gradient", lambda: [gradient(tested, elbo, rate)]),
            ):
                _attempt(results, name, ask)
    return Report(tuple(results))


def _attempt(results: list[Result], name: str, ask: Callable[[], list[Result]]) -> bool:
    try:
        results += ask()
    except Exception as error:
        message = f"the pair fails in this check: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        results.append(Result.of(name, "the programs run", [Finding(name, message)]))
        return True
    return False
