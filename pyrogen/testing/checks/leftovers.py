"""Does Pyro's parameter store still hold an earlier program's parameters, which these programs are then given."""

from __future__ import annotations

from collections.abc import Callable

import pyro
from pyro import poutine

from pyrogen.testing.checks.structure import listed
from pyrogen.testing.findings import Question, Report

_CAUSED = {"runs", "together", "shapes", "step", "registration"}  # the checks whose faults a leftover causes
STORE = Question("parameter store", "the parameters are those of these programs")


def without_leftovers(report: Report, ask: Callable[[], Report]) -> Report:
    """Return a report with faults as it is, unless parameters that the store held before cause them.

    Pyro gives a program the parameter that is stored under a name, whoever put it there. `ask` puts the same questions
    with an empty store; if those faults are gone, they are replaced by one that names what is stored. A guide that is a
    ``PyroModule`` has taken over what was stored by then, so where its shapes do not fit there is a warning.
    """
    store, faults = pyro.get_param_store(), [one for one in report.findings if one.level == "fault"]
    earlier = set(store.keys())
    if not (earlier and faults and _CAUSED.issuperset(one.check for one in faults)):
        return report
    kept = store.get_state()
    try:
        store.clear()
        with poutine.trace(param_only=True) as asked:
            again = ask()
    finally:
        store.clear()
        store.set_state(kept)
    names = list(dict.fromkeys(name.split("$$$")[0] for name in asked.trace.nodes if name in earlier))
    if not names:
        return report
    holds = f"Pyro's parameter store holds {listed(names, verb=False)} from before this call"
    advice = "call pyro.clear_param_store() before you make a new model and guide"
    if not _CAUSED.isdisjoint(one.check for one in again.findings if one.level == "fault"):
        if not any(one.check in ("runs", "shapes") for one in faults):
            return report
        message = f"{holds}, which may be the cause of what follows, if it is an earlier program's: {advice}"
        return Report((STORE.answer([STORE.warning(message, names[0])]), *report.results))
    done = "SVI would train that in place of what the programs use"
    if faults[0].check != "registration":
        done = f"with that {faults[0].message}"
    message = f"{holds}, and {done}. With an empty store the answers are those below: {advice}, or take other names"
    return Report((STORE.answer([STORE.fault(message, names[0])]), *again.results))
