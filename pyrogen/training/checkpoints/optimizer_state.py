"""What a checkpoint keeps of a torch optimizer, and what must be true of it before an optimizer takes it back.

Fused kernels trust the sizes of an optimizer's buffers, so a buffer of another size reads and writes memory that is not
its own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

ONE_A_WEIGHT = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "exp_inf", "sum", "prev")
SHARES = ("betas", "momentum", "weight_decay")  # in [0, 1) wherever a schedule moves them
MOVED = ("lr", *SHARES)
PLAIN = (bool, int, float, str, type(None))


def settings_of(optimizer: Optimizer) -> dict[str, Any]:
    """Return by which settings two optimizers are alike: their class, and each group's settings and size.

    A run goes on only with the optimizer that it began with, each group's learning rate included.
    """
    groups = [
        {name: _plain(value) for name, value in group.items() if name != "params"} | {"weights": len(group["params"])}
        for group in optimizer.param_groups
    ]
    return {"class": type(optimizer).__name__, "groups": groups}


def pack(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state as tensors by name ``"<weight>.<key>"``, and what JSON can hold.

    Raises:
        TypeError: if the state holds something that is neither.
    """
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for number, entry in state["state"].items():
        for key, value in entry.items():
            if isinstance(value, Tensor):
                tensors[f"{number}.{key}"] = value
            elif isinstance(value, PLAIN):
                plain[f"{number}.{key}"] = value
            else:
                raise TypeError(
                    f"{type(optimizer).__name__} keeps a {type(value).__name__} as {key!r}, which no checkpoint can "
                    "hold: use another optimizer, or train without checkpoint="
                )
    groups = [{name: _plain(value) for name, value in group.items()} for group in state["param_groups"]]
    return tensors, {"groups": groups, "plain": plain}


def unpack(optimizer: Optimizer, tensors: dict[str, Tensor], facts: dict[str, Any], scheduled: bool = False) -> None:
    """Give an optimizer back what `pack` returned; `scheduled` says whether a schedule moves its settings.

    Raises:
        ValueError: if that is not a state of such an optimizer over such weights; the optimizer is then as before.
    """
    entries: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **facts.get("plain", {})}.items():
        number, _, key = name.partition(".")
        if not (number.isascii() and number.isdigit() and len(number) < 10 and key):
            raise ValueError(f"the optimizer's state has an entry {name[:40]!r}")
        entries.setdefault(int(number), {})[key] = value
    fresh = optimizer.state_dict()["param_groups"]
    fixed = () if not type(optimizer).__module__.startswith("torch.optim.") else set(fresh[0]) - set(MOVED * scheduled)
    _check_groups(facts["groups"], fresh, fixed)
    groups = [  # a setting that JSON could not hold is the optimizer's own
        {name: _like(their[name], value) for name, value in my.items()}
        for their, my in zip(facts["groups"], fresh, strict=True)
    ]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    expected = _after_a_step(optimizer)
    for number, entry in entries.items():
        if number >= len(weights):
            raise ValueError(f"the optimizer's state must be of {len(weights)} weights, got one of weight {number}")
        known = None if expected is None else expected.get(number, {})
        if known is not None and set(known) != set(entry):
            raise ValueError(f"the optimizer keeps {sorted(known)} of weight {number}, and the file {sorted(entry)}")
        for key, value in entry.items():
            _check_entry(f"{key!r} of weight {number}", key, value, weights[number], known and known[key])
    optimizer.load_state_dict({"state": entries, "param_groups": groups})


def _check_entry(what: str, key: str, value: Any, weight: Tensor, like: Any) -> None:
    shape = weight.shape if like is None and key in ONE_A_WEIGHT else getattr(like, "shape", None)
    if like is not None and isinstance(like, Tensor) != isinstance(value, Tensor):
        kind, due = type(value).__name__, type(like).__name__
        raise ValueError(f"{what} in the optimizer's state must be a {due}, got a {kind}")
    if not isinstance(value, Tensor):
        if isinstance(value, int | float) and not math.isfinite(value):
            raise ValueError(f"{what} in the optimizer's state is {value}")
        return
    if shape is not None and value.shape != shape:
        raise ValueError(f"{what} in the optimizer's state must have shape {tuple(shape)}, got {tuple(value.shape)}")
    wanted = like.dtype if isinstance(like, Tensor) else None
    if (wanted is not None and value.dtype != wanted) or value.is_complex():
        raise ValueError(f"{what} in the optimizer's state must be {wanted}, got {value.dtype}")
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise ValueError(f"{what} in the optimizer's state is not finite")
    if key == "step" and value.numel() and float(value.min()) < 0:
        raise ValueError(f"{what} in the optimizer's state is negative")


def _after_a_step(optimizer: Optimizer) -> dict[int, dict[str, Any]] | None:
    """Return the state that a copy of the optimizer has after a step of zero gradients; None if it does not make
    one."""
    try:
        probe = copy.deepcopy(optimizer)
        for group in probe.param_groups:
            for weight in group["params"]:
                weight.grad = torch.zeros_like(weight)
        type(probe).step(probe)  # a scheduler's wrapper would step the optimizer itself
        return dict(probe.state_dict()["state"])
    except Exception:  # an optimizer of one's own, or one that wants a closure
        return None


def _check_groups(theirs: Any, mine: list[dict[str, Any]], fixed: Collection[str]) -> None:
    """Compare the groups; `fixed` are the settings that no step and no schedule moves."""
    if not isinstance(theirs, list) or len(theirs) != len(mine) or not all(isinstance(g, dict) for g in theirs):
        raise ValueError(f"the file must have the optimizer's {len(mine)} groups of weights, got others")
    for number, (their, my) in enumerate(zip(theirs, mine, strict=True)):
        if their.get("params") != my["params"]:
            raise ValueError(f"group {number} of the optimizer is of other weights")
        for name, value in my.items():
            if name not in their:
                raise ValueError(f"group {number} of the optimizer has no {name!r}")
            one, due = their[name], _plain(value)
            moves = name not in fixed and _alike(one, due) and (name not in SHARES or _is_share(one))
            if not (moves or (_alike(one, due) and one == due)):
                raise ValueError(
                    f"{name!r} of group {number} of the optimizer is {str(one)[:40]!r}, and now it is {str(due)[:40]!r}"
                )
        if isinstance(their.get("lr"), int | float) and their["lr"] < 0:
            raise ValueError(f"'lr' of group {number} of the optimizer is negative")


def _alike(one: Any, other: Any) -> bool:
    """Return whether two settings are of one kind: both flags, both finite numbers, lists of as many such, or the
    same."""
    if isinstance(other, list):
        return isinstance(one, list) and len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(other, bool) or isinstance(one, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    if isinstance(other, int | float):
        return isinstance(one, int | float) and abs(one) < 1e300
    return bool(one == other)


def _is_share(value: Any) -> bool:
    return all(0 <= item < 1 for item in (value if isinstance(value, list) else [value]))


def _plain(value: Any) -> Any:
    """Return a setting as JSON holds it."""
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, PLAIN) else f"a {type(value).__name__}"


def _like(their: Any, mine: Any) -> Any:
    """Return a setting of the file as the optimizer holds it."""
    if isinstance(mine, Tensor):
        return torch.as_tensor(their, dtype=mine.dtype, device=mine.device)
    return their if isinstance(mine, (*PLAIN, list, tuple)) else mine
