"""What must be true of the state that a checkpoint keeps of a run's parts, before a part takes it back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyrogen import checks

COUNTS = ("last_epoch", "_step_count", "num_bad_epochs", "cooldown_counter", "T_cur")
CALLERS = ("lr_lambdas", "_scale_fn_custom")  # what a function of the caller remembers


def check_tensors(theirs: Any, own: dict[str, Any]) -> None:
    """Compare tensors by name with a part's own.

    Raises:
        ValueError: if a name, a shape or a type differs, or a value is not finite.
    """
    if not isinstance(theirs, dict) or set(theirs) != set(own):
        raise ValueError("its tensors have other names")
    for name, mine in own.items():
        their = theirs[name]
        if isinstance(mine, Tensor):
            kind, due = (
                (tuple(t.shape), t.dtype) if isinstance(t, Tensor) else type(t).__name__ for t in (their, mine)
            )
            if kind != due:
                raise ValueError(f"{name} must be {due}, got {kind}")
            if mine.is_floating_point() and not torch.isfinite(their).all():
                raise ValueError(f"{name} is not finite")


def check_scheduler(theirs: Any, scheduler: Any, steps: int) -> None:
    """Compare the state of a torch learning-rate scheduler after `steps` steps with that of a new one.

    A scheduler of the caller's own class is not compared: what it keeps is not known.

    Raises:
        ValueError: if it is not what such a scheduler has then.
    """
    if type(scheduler).__module__.startswith("torch.optim."):
        _check_scheduler(theirs, scheduler.state_dict(), steps)


def _check_scheduler(theirs: Any, own: dict[str, Any], steps: int) -> None:
    if not isinstance(theirs, dict) or set(theirs) != set(own):
        raise ValueError("it keeps other entries")
    for name, mine in own.items():
        their = theirs[name]
        if isinstance(mine, list) and not (isinstance(their, list) and len(their) == len(mine)):
            raise ValueError(f"{name!r} must be a list of {len(mine)}")
        if name == "_schedulers":
            for one, other in zip(their, mine, strict=True):
                _check_scheduler(one, other, steps)
        elif name in COUNTS:
            checks.whole(name, their, least=-1, most=steps + max(mine, 0) + own.get("cooldown", 0) + 1)
        elif name == "T_i":
            checks.real(name, their, least=mine)
        elif name == "best":
            checks.real(name, their, finite=False)
        elif name == "_last_lr":
            for rate in their:
                checks.real(name, rate, least=0)
        elif name not in CALLERS and not _equal(their, mine):
            raise ValueError(f"{name!r} must be {str(mine)[:40]}, got {str(their)[:40]}")


def _equal(one: Any, other: Any) -> bool:
    if isinstance(other, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(other, Tensor):
        return isinstance(one, Tensor) and torch.equal(one.cpu(), other.cpu())
    return type(one) is type(other) and bool(one == other)
