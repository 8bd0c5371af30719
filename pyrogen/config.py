"""Objects that remember how they were built, so that a saved pair can be rebuilt without pickle."""

from __future__ import annotations

import functools
import inspect
import numbers
from typing import Any

import torch

_CLASSES: dict[str, type[Described]] = {}


class Described:
    """Records the arguments of its constructor; `describe` turns them into JSON and `rebuild` back into the object.

    Subclass it beside ``torch.nn.Module`` (first in the bases) and write an ordinary ``__init__``. Arguments may be
    numbers, strings, booleans, ``None``, sequences of these, tensors that end up as parameters or buffers (their
    values travel with the weights), and other `Described` objects; one object that is passed twice stays one object.
    """

    _arguments: dict[str, Any] = {}  # noqa: RUF012 (replaced, never changed)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = _CLASSES.get(cls.__qualname__, cls)
        if known.__module__ == cls.__module__:  # whose name is taken elsewhere is opaque, never mistaken
            _CLASSES[cls.__qualname__] = cls
        if "__init__" not in cls.__dict__:
            return
        init = cls.__init__
        signature = inspect.signature(init)

        @functools.wraps(init)
        def recording_init(self: Described, *args: Any, **kwargs: Any) -> None:
            if "_arguments" not in self.__dict__:  # the outermost class speaks for its bases
                bound = signature.bind(self, *args, **kwargs)
                bound.apply_defaults()
                arguments = dict(bound.arguments)
                arguments.pop(next(iter(signature.parameters)))
                object.__setattr__(self, "_arguments", arguments)
            init(self, *args, **kwargs)

        cls.__init__ = recording_init  # type: ignore[method-assign,assignment]


def describe(obj: Any) -> Any:
    """A JSON-ready description of `obj`; parts that cannot be rebuilt are named under ``"opaque"``."""
    seen: dict[int, int] = {}

    def visit(value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, numbers.Real):  # NumPy's
            return int(value) if isinstance(value, numbers.Integral) else float(value)
        if isinstance(value, list | tuple):
            return [visit(item) for item in value]
        if isinstance(value, torch.Tensor):
            return {"tensor": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
        if isinstance(value, Described) and _is_known(type(value)):
            if id(value) in seen:
                return {"same": seen[id(value)]}
            number = seen[id(value)] = len(seen)
            arguments = {name: visit(argument) for name, argument in value._arguments.items()}
            return {"class": type(value).__qualname__, "number": number, "arguments": arguments}
        return {"opaque": f"{type(value).__module__}.{type(value).__qualname__}"}

    return visit(obj)


def _is_known(cls: type[Described]) -> bool:
    return _CLASSES[cls.__qualname__].__module__ == cls.__module__


def opaque_parts(description: Any) -> list[str]:
    """The names of the parts of a description that `rebuild` cannot make."""
    if isinstance(description, list):
        return [name for item in description for name in opaque_parts(item)]
    if not isinstance(description, dict):
        return []
    if "opaque" in description:
        return [description["opaque"]]
    if "class" in description and description["class"] not in _CLASSES:
        return [description["class"]]
    return [name for item in description.get("arguments", {}).values() for name in opaque_parts(item)]


def rebuild(description: Any) -> Any:
    """The object of a description, with fresh weights.

    Only classes that this process has already imported are made: a file can name no code to run.
    """
    made: dict[int, Any] = {}

    def visit(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(visit(item) for item in value)
        if not isinstance(value, dict):
            return value
        if "tensor" in value:
            return torch.zeros(value["tensor"], dtype=getattr(torch, value["dtype"]))
        if "same" in value:
            return made[value["same"]]
        arguments = {name: visit(argument) for name, argument in value["arguments"].items()}
        result = made[value["number"]] = _CLASSES[value["class"]](**arguments)
        return result

    return visit(description)
