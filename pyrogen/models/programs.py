"""Anyone's model and guide as a pair: two Pyro programs, their parameters, and the loss that trains them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyro
import torch
from pyro import distributions as dist
from pyro.infer import ELBO, SVI, Trace_ELBO, TraceEnum_ELBO
from pyro.poutine.messenger import Messenger
from pyro.util import get_rng_state, set_rng_state
from torch import Tensor, nn
from torch.distributions import constraints, transform_to

from pyrogen.models.base import Pair
from pyrogen.models.reach import being_registered, reachable
from pyrogen.models.size import Program, gets_size, takes_size

MODULE = "$$$"  # between the names of a module and of its parameter in Pyro's store


class Programs(Pair):
    r"""Any Pyro model and guide as a pair for ``pg.fit``, ``pg.evaluate`` and ``pg.testing.check``.

    The programs may use PyroModules, ``pyro.module``, ``pyro.param``, AutoGuides (those too that set themselves up on
    first use), subsampling plates, enumeration, and any number of latent sites. Training minimizes ``loss``, in nats,
    as ``SVI(model, guide, optim, loss).step`` does: from the same seed a given `loss` has the same values.

    The parameters belong to this object. While its programs run, Pyro's global parameter store is put aside for a store
    of their own. So nothing is left in the global one, and two pairs may use the same names. Values that ``pyro.param``
    names have in the global store when the programs first run are copied from there. Parameters of modules are the
    modules' own, so an AutoGuide's ``median()`` works after training as always.

    Args:
        model: a callable with Pyro primitives: a function, a method or a module.
        guide: the same, with the model's arguments; an AutoGuide, for example.
        loss: any Pyro ELBO, or a callable (model, guide, \*args) that returns a loss to differentiate. By default
            ``TraceEnum_ELBO()`` if a latent is marked for enumeration at the first run, else ``Trace_ELBO()``.

    Data for both programs are a tensor (one argument), a tuple of arguments, a dict of keyword arguments, or None for
    programs that hold their data. See `pg.fit` for how they are cut into batches.

    Raises:
        TypeError: for a program that cannot be called, or a loss that is neither an ELBO nor a callable.

    Example:
        >>> import pyrogen as pg
        >>> from pyro.infer.autoguide import AutoNormal
        >>> def model(x):
        ...     level = pyro.sample("level", dist.Normal(0.0, 10.0))
        ...     with pyro.plate("data", len(x)):
        ...         pyro.sample("x", dist.Normal(level, 1.0), obs=x)
        >>> guide = AutoNormal(model)
        >>> pair = pg.models.Programs(model, guide)
        >>> fit = pg.fit(pair, torch.full((50,), 3.0), steps=300, lr=0.05, progress=False)
        >>> abs(guide.median()["level"] - 3.0) < 0.5
        tensor(True)
    """

    def __init__(self, model: Program, guide: Program, loss: ELBO | Callable[..., Tensor] | None = None) -> None:
        super().__init__()
        for name, program in (("model", model), ("guide", guide)):
            if not callable(program) or isinstance(program, type):
                raise TypeError(
                    f"`{name}` must be a Pyro program, a callable, got {program!r}: pass the function itself"
                )
        if loss is not None and (isinstance(loss, type | SVI) or not (isinstance(loss, ELBO) or callable(loss))):
            raise TypeError(f"`loss` must be a Pyro ELBO such as Trace_ELBO(), got {loss!r}: make one and pass it")
        self._programs = (model, guide)  # a tuple, for modules of their own would hide the methods of these names
        self._usual: Any = Trace_ELBO()  # the loss where none is given
        self.loss: Any = self._usual if loss is None else loss
        self.shape, self.latent = (), 0
        self.parts, self.params = nn.ModuleDict(), nn.ParameterDict()
        self._values = _Values()  # what Pyro's store holds while the programs run
        self._constraints: dict[str, Any] = {}
        self._own: dict[str, Tensor] = {}  # the parameters among them, once the programs have run
        self._trained: tuple[str, ...] | None = None  # of named_parameters; None before the programs have run
        self._register_modules()
        self.beta = self.beta.to(next((p.device for p in self.parts.parameters()), self.beta.device))  # as fit's data

    @property
    def programs(self) -> tuple[Program, Program]:
        """Model and guide as they were passed."""
        return self._programs

    @property
    def takes_size(self) -> bool:
        """Whether both programs take ``size``, the number N of data behind a batch."""
        return takes_size(*self._programs)

    def gets_size(self, data: Any) -> bool:
        """Return whether the programs take ``size`` and `data` do not hold it already."""
        return gets_size(data, *self._programs)

    @property
    def given_loss(self) -> Any:
        """The loss that was given, or None where the sites choose it."""
        return None if self.loss is self._usual else self.loss

    @property
    def is_ready(self) -> bool:
        """Whether the programs have run, so that all parameters are known."""
        return self._trained is not None

    def model(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model with this pair's parameters."""
        with self.store():
            return self._programs[0](*args, **kwargs)

    def guide(self, *args: Any, **kwargs: Any) -> Any:
        """Run the guide with this pair's parameters."""
        with self.store():
            return self._programs[1](*args, **kwargs)

    def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Run guide and model once on data, so that all parameters are made; the random state stays as it was."""
        if self.is_ready:
            return
        try:
            with torch.random.fork_rng(), torch.no_grad(), pyro.poutine.block(), self.gathering():
                trace = pyro.poutine.trace(self.guide).get_trace(*args, **kwargs)
                pyro.poutine.replay(self.model, trace=trace)(*args, **kwargs)
        except ToEnumerate:
            self.prepare(*args, **kwargs)

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Let the programs run for the first time in this context, and keep the parameters that they make.

        If no loss was given, a latent that is marked for enumeration ends it by ``ToEnumerate``. The loss is then
        ``TraceEnum_ELBO()``. All else is as before, and the programs must run again.
        """
        used: dict[str, nn.Module | None] = {}
        before, stops = get_rng_state(), self.given_loss is None and isinstance(self.loss, Trace_ELBO)
        held = [vars(module) for module in self.parts.modules()] if stops else []
        kept = [{key: copy.copy(v) if isinstance(v, dict) else v for key, v in now.items()} for now in held]
        try:
            with self.store(), _Seen(used, stops):
                yield
                self.keep(used)
        except ToEnumerate:
            for now, then in zip(held, kept, strict=True):  # an AutoGuide sets itself up again, by the same draws
                now.clear()
                now.update(then)
            self._usual = self.loss = TraceEnum_ELBO()
            self._values.clear()
            self._constraints.clear()
            set_rng_state(before)
            raise

    @contextmanager
    def store(self) -> Iterator[None]:
        """Put this pair's parameters in the place of Pyro's global store."""
        store = pyro.get_param_store()
        if store._params is self._values:
            yield
            return
        before = store._params, store._constraints, store._param_to_name
        if not self.is_ready:
            self._take_over(store)
        store._params, store._constraints, store._param_to_name = self._values, self._constraints, {}
        try:
            yield
        finally:
            self._values.update(self._own)
            store._params, store._constraints, store._param_to_name = before

    @torch.no_grad()
    def settle(self) -> set[int]:
        """Move what the programs have put into the store, such as a running average, to the parameters of these names.

        Returns:
            The identities of the parameters that were set so; as in SVI, no gradient moves them.
        """
        put = {name: self._values[name] for name, own in self._own.items() if self._values[name] is not own}
        for name, value in put.items():
            self._own[name].copy_(value)
        self._values.update(self._own)
        return {id(self._own[name]) for name in put}

    @property
    def store_names(self) -> tuple[str, ...]:
        """The names of all parameters that the programs have made."""
        return tuple(self._values)

    def param(self, name: str) -> Tensor:
        """Return the value of the parameter that the programs call `name`, with its constraint.

        Raises:
            KeyError: if the programs have no such parameter, or have not run yet.
        """
        if name not in self._values:
            known = ", ".join(map(repr, self._values)) or "none yet: fit the pair first"
            raise KeyError(f"the programs have no parameter {name!r}; they have {known}")
        value: Tensor = transform_to(self._constraints.get(name, constraints.real))(self._values[name]).detach()
        return value

    def trainable(self) -> dict[str, nn.Parameter]:
        """Return the parameters that SVI would train, by their names in the state dict.

        These are the ones that the programs register, by ``pyro.param``, ``pyro.module`` or as PyroModules.
        """
        named = dict(self.named_parameters())
        return {name: named[name] for name in self._trained or ()}

    def arguments(self, batch: Any, size: int | None = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of both programs for a batch: a tensor, a tuple, a dict or None."""
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        if isinstance(batch, Mapping):
            kwargs = dict(batch)
        elif isinstance(batch, tuple):
            args = batch
        elif batch is not None:
            args = (batch,)
        if size is not None and self.gets_size(batch):
            kwargs["size"] = size
        return args, kwargs

    def check(self, x: Any, *context: Any) -> None:
        """Accept all data: what the programs take is theirs to say."""

    def prior(self) -> dist.TorchDistribution:
        """Raise ``NotImplementedError``: the prior is a part of the model."""
        raise NotImplementedError("programs have no prior() of their own: run pair.model for draws from the prior")

    def _take_over(self, store: Any) -> None:
        """Copy what ``pyro.param`` has put into the global store; modules and PyroModules bring their own values."""
        for name, value in store._params.items():
            if not (name in self._values or MODULE in name or isinstance(value, nn.Parameter)):
                self._values[name], self._constraints[name] = value.detach().clone(), store._constraints[name]

    def keep(self, used: Iterable[str]) -> None:
        """Register the parameters that the programs have asked for, and forget the others."""
        for name in set(self._values) - set(used):
            del self._values[name], self._constraints[name]
        put = {name: value for name, value in self._values.items() if not isinstance(value, nn.Parameter)}
        self._values.update({name: nn.Parameter(value.detach()) for name, value in put.items()})
        hidden = used.values() if isinstance(used, Mapping) else ()
        self._register_modules(*hidden)  # an AutoGuide makes modules when it is first used
        own = {id(parameter) for parameter in self.parameters()}
        for name, value in self._values.items():
            if id(value) not in own:
                self.params[_key(name, self.params)] = value
        self._own = dict(self._values)
        names = {id(parameter): name for name, parameter in self.named_parameters()}
        self._trained = tuple(dict.fromkeys(names[id(value)] for value in self._values.values()))

    def _register_modules(self, *hidden: nn.Module | None) -> None:
        known = set(self.modules())
        reached = reachable(model=self._programs[0], guide=self._programs[1])
        for path, value in (*reached, *(("module", module) for module in hidden)):
            if isinstance(value, nn.Module) and value not in known:
                self.parts[_key(path, self.parts)] = value
                known |= set(value.modules())


class ToEnumerate(Exception):
    """A latent is marked for enumeration, and the loss would draw it."""


class _Values(dict[str, Tensor]):
    """Unconstrained values by name; the first of a name is an ``nn.Parameter``, so that a module can own it."""

    def __setitem__(self, name: str, value: Tensor) -> None:
        made = isinstance(value, nn.Parameter) or name in self
        super().__setitem__(name, value if made else nn.Parameter(value.detach()))


class _Seen(Messenger):
    """Notes the parameters that SVI would see, and so train, each with the module that ``pyro.module`` registers it of.

    It stops at latents to enumerate if asked.
    """

    def __init__(self, names: dict[str, nn.Module | None], stops: bool) -> None:
        super().__init__()
        self.names, self.stops = names, stops

    def _pyro_sample(self, msg: Any) -> None:
        marked = msg["infer"] is not None and msg["infer"].get("enumerate") in ("parallel", "sequential")
        if self.stops and marked and not msg["is_observed"]:
            raise ToEnumerate

    def _pyro_post_param(self, msg: Any) -> None:
        self.names[msg["name"]] = being_registered() if MODULE in msg["name"] else None


def _key(path: str, among: nn.Module) -> str:
    """`path` as the name of a module's attribute that is free."""
    key = re.sub(r"\W+", "_", path)
    while hasattr(among, key):
        key += "_"
    return key
