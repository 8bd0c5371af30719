"""The optimizer and the learning-rate schedule of a run, made from what the caller passed, and checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import LBFGS, Optimizer, SparseAdam
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau

from pyrogen.checks import shown
from pyrogen.training.checkpoints.packing import pack

MakeOptimizer = type[Optimizer] | Callable[[list[Tensor]], Optimizer]
MakeSchedule = Callable[[Optimizer], Any]


def check_optimizer(optimizer: Any) -> None:
    """Refuse, before any work, what cannot make an optimizer.

    Raises:
        TypeError: with the remedy.
    """
    if _is_pyros(optimizer):
        raise TypeError(
            f"optimizer must be a torch optimizer class or a callable of the parameters, got {shown(optimizer)} of "
            "pyro.optim: pass the class itself, such as optimizer=torch.optim.Adam, and lr="
        )
    other = isinstance(optimizer, type) and not issubclass(optimizer, Optimizer)
    if other or isinstance(optimizer, Optimizer) or not (optimizer is None or callable(optimizer)):
        raise TypeError(
            f"optimizer must be a torch optimizer class or a callable of the parameters, got {shown(optimizer)}: pass "
            "optimizer=torch.optim.AdamW, or lambda parameters: torch.optim.SGD(parameters, lr=0.1)"
        )
    _refuse_unfit(optimizer)


def make_optimizer(optimizer: MakeOptimizer | None, parameters: list[Tensor], lr: float) -> Optimizer:
    """Return Adam, an object of the class with `lr`, or what the callable makes of `parameters`.

    Raises:
        TypeError: if the callable returns anything but a torch optimizer.
        ValueError: if that optimizer moves none of `parameters`.
    """
    if optimizer is None:
        half = any(parameter.dtype is torch.float16 for parameter in parameters)  # small gradients' squares are 0 there
        fused = all(parameter.is_floating_point() for parameter in parameters)  # not complex
        return torch.optim.Adam(parameters, lr=lr, eps=1e-4 if half else 1e-8, fused=fused or None)
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        made: Any = optimizer(parameters, lr=lr)  # type: ignore[call-arg]
    else:
        made = _made("optimizer", optimizer, parameters, "the list of parameters")
    if not isinstance(made, Optimizer):
        origin = " of pyro.optim" if _is_pyros(made) else ""
        raise TypeError(
            f"optimizer must return a torch optimizer, got {shown(made)}{origin}: pass optimizer=torch.optim.Adam, or "
            "lambda parameters: torch.optim.SGD(parameters, lr=0.1)"
        )
    _refuse_unfit(type(made))
    moved = {id(p) for group in made.param_groups for p in group["params"]}
    if not moved & {id(p) for p in parameters}:
        raise ValueError("optimizer must move the parameters that it is called with, got one that moves none")
    return made


def make_lr_schedule(lr_schedule: MakeSchedule | None, optimizer: Optimizer, validated: bool, steps: int) -> Any:
    """Return the scheduler that `lr_schedule` makes for `optimizer`, which takes `steps` steps, or None.

    Raises:
        TypeError: if it is not a callable, or does not return a torch scheduler of that optimizer.
        ValueError: if it waits for a validation that the run does not have, or ends before the run.
    """
    if lr_schedule is None:
        return None
    remedy = "pass lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000)"
    if isinstance(lr_schedule, LRScheduler) or not callable(lr_schedule):
        raise TypeError(f"lr_schedule must be a callable of the optimizer, got {shown(lr_schedule)}: {remedy}")
    made = _made("lr_schedule", lr_schedule, optimizer, "the optimizer")
    if not (hasattr(made, "step") and hasattr(made, "state_dict") and hasattr(made, "load_state_dict")):
        raise TypeError(f"lr_schedule must return a torch scheduler, got {shown(made)}: {remedy}")
    if isinstance(made, Optimizer) or getattr(made, "optimizer", optimizer) is not optimizer:
        raise TypeError(
            f"lr_schedule must return a scheduler of the optimizer that it is called with, got {shown(made)} of "
            f"another: {remedy}"
        )
    if isinstance(made, ReduceLROnPlateau) and not validated:
        raise ValueError(
            "validation must be given for ReduceLROnPlateau, which follows the held-out objective, got None: pass it"
        )
    if isinstance(made, OneCycleLR) and made.total_steps < steps:
        raise ValueError(
            f"lr_schedule must last {steps} steps, got a OneCycleLR of {made.total_steps}: pass total_steps={steps}"
        )
    pack(made.state_dict(), "lr_schedule")  # a checkpoint must be able to keep it
    return made


def _made(name: str, make: Callable[..., Any], argument: Any, what: str) -> Any:
    """Return what a callable of the caller makes; a ``TypeError`` in it mostly says that it takes other arguments."""
    try:
        return make(argument)
    except TypeError as error:
        raise TypeError(f"{name} must be a callable of {what}, got {shown(make)}, which raised: {error}") from error


def description(scheduler: Any) -> Any:
    """Return what tells one scheduler from another of its class, as JSON."""
    if scheduler is None:
        return None
    return {"class": type(scheduler).__name__} | {key: str(value) for key, value in scheduler.state_dict().items()}


def _is_pyros(optimizer: Any) -> bool:
    if isinstance(optimizer, Optimizer) or (isinstance(optimizer, type) and issubclass(optimizer, Optimizer)):
        return False  # such as pyro.optim.clipped_adam.ClippedAdam, a torch optimizer
    origin = getattr(optimizer, "__module__", None) or type(optimizer).__module__
    return str(origin).startswith("pyro.optim")


def _refuse_unfit(optimizer: Any) -> None:
    if optimizer is LBFGS:
        raise TypeError(
            "optimizer must take a step from one gradient, got LBFGS, which evaluates the objective many times a step: "
            "pass optimizer=torch.optim.Adam, or train with a loop of your own"
        )
    if optimizer is SparseAdam:
        raise TypeError(
            "optimizer must take dense gradients, got SparseAdam: pass optimizer=torch.optim.Adam, for fit makes the "
            "gradients of sparse embeddings dense"
        )
