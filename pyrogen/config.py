"""Objects that remember how they were built, so that a saved pair can be rebuilt without pickle."""

from __future__ import annotations

import functools
import inspect
import numbers
from typing import Any

import torch
from torch import nn

TOO_LARGE = ("allocate memory", "verflow", "Storage size", "too large")  # in torch's errors about sizes
_CLASSES: dict[str, type[Described]] = {}


class Described:
    """Records the arguments of its constructor; `describe` turns them into JSON and `rebuild` back into the object.

    Subclass it beside ``torch.nn.Module`` (first in the bases) and write an ordinary ``__init__``. Arguments may be
    numbers, strings, booleans, ``None``, sequences of these, and other `Described` objects. Tensors may be arguments if
    they end up as parameters or buffers, whose values travel with the weights. One object that is passed twice stays
    one object.
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
            if "_arguments" in self.__dict__:  # the outermost class speaks for its bases
                init(self, *args, **kwargs)
                return
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            arguments = dict(bound.arguments)
            arguments.pop(next(iter(signature.parameters)))
            object.__setattr__(self, "_arguments", arguments)
            try:
                init(self, *args, **kwargs)
            except (RuntimeError, MemoryError, OverflowError, TypeError) as error:
                if isinstance(error, MemoryError) or any(word in str(error) for word in TOO_LARGE):
                    name = type(self).__name__
                    raise ValueError(
                        f"{name} must fit in memory, got sizes that do not: ask for smaller ones"
                    ) from error
                raise

        cls.__init__ = recording_init  # type: ignore[method-assign,assignment]


def describe(obj: Any) -> Any:
    """Return a JSON-ready description of `obj`; parts that cannot be rebuilt are named under ``"opaque"``."""
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
        opaque: dict[str, Any] = {"opaque": f"{type(value).__module__}.{type(value).__qualname__}"}
        if isinstance(value, nn.Module):
            opaque["parts"] = [f"{name} {_kind(part)}".strip() for name, part in value.named_modules()]
        return opaque

    return visit(obj)


def _kind(module: nn.Module) -> str:
    """Return what tells one module from another of the same weights: its class, and the settings of torch's own
    layers."""
    cls = type(module)
    settings = f"({module.extra_repr()})" if cls.__module__.startswith("torch.nn.") else ""
    return f"{cls.__qualname__}{settings}"


def difference(
    was: Any, now: Any, name: str = "pair", travels: frozenset[str] = frozenset()
) -> tuple[str, Any, Any] | None:
    """Return the first entry in which two descriptions differ: its name and both values; None if they are the same.

    Args:
        was, now: the descriptions. An entry that one lacks counts as ``None`` there: older files have fewer.
        name: the name of the whole.
        travels: arguments of the outermost object that do not count, because their values travel with its weights.
    """
    if isinstance(was, dict) and isinstance(now, dict) and not _is_other(was, now):
        if isinstance(was.get("arguments"), dict) and isinstance(now.get("arguments"), dict):
            usual = _defaults(now.get("class"))  # of arguments that the older version did not have
            was, now = usual | was["arguments"], usual | now["arguments"]
        if isinstance(was, dict) and isinstance(now, dict):
            for key in {**now, **was}:
                if key in travels or (key == "parts" and not (key in was and key in now)):
                    continue
                if found := difference(was.get(key), now.get(key), key):
                    return found
            return None
    if isinstance(was, list | tuple) and isinstance(now, list | tuple) and len(was) == len(now):
        if all(_is_single(item) for item in (*was, *now)):
            return None if list(was) == list(now) else (name, _outline(was), _outline(now))
        pairs = enumerate(zip(was, now, strict=True))
        return next((found for i, (a, b) in pairs if (found := difference(a, b, f"{name}[{i}]"))), None)
    same = was == now and isinstance(was, bool) == isinstance(now, bool)
    return None if same else (name, _outline(was), _outline(now))


def _defaults(name: Any) -> dict[str, Any]:
    """The default arguments of a class, as `describe` would have them."""
    cls = _CLASSES.get(name) if isinstance(name, str) else None
    parameters = inspect.signature(cls.__init__).parameters.values() if cls else ()
    return {p.name: describe(p.default) for p in parameters if p.default is not p.empty}


def _is_other(was: dict[str, Any], now: dict[str, Any]) -> bool:
    return any(was.get(key) != now.get(key) for key in ("class", "opaque"))


def _is_single(item: Any) -> bool:
    return not isinstance(item, dict | list | tuple | str)


def _outline(value: Any) -> Any:
    """Return a value as an error shows it: the class of an object, and the beginning of what is long."""
    if isinstance(value, dict):
        value = value.get("class", value.get("opaque", value))
    return value if len(str(value)) <= 80 else f"{str(value)[:77]}..."


def _is_known(cls: type[Described]) -> bool:
    return _CLASSES[cls.__qualname__].__module__ == cls.__module__


def opaque_parts(description: Any) -> list[str]:
    """Return the names of the parts of a description that `rebuild` cannot make."""
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
    """Return the object of a description, with fresh weights.

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
