"""The planted faults, one file for each part of the package.

To add one, append a `Fault` to the `FAULTS` of the file that is named after the part. A new part (``testing.py``,
``graphs.py``, ``distributions.py``, ...) gets a file of its own with a list `FAULTS`, which is found by itself. One
entry each, for instance, once there is a VampPrior::

    Fault(
        "the pseudo-inputs are detached",
        "distributions/vamp_prior.py",
        "self.encoder(self.pseudo_inputs)",          # must occur exactly once in that file
        "self.encoder(self.pseudo_inputs.detach())",
        "distributions/test_vamp_prior.py::test_the_pseudo_inputs_are_trained",
    ),

Then see it caught: ``python tests/planted_faults.py --only "pseudo-inputs are detached"``. A fault that no test catches
is a test that is wanting; one that changes no behavior at all does not belong here.
"""

import importlib
import pkgutil

from faults.fault import Fault, StaleFault

__all__ = ["Fault", "StaleFault", "all_faults"]


def all_faults() -> list[Fault]:
    """Every fault of every file here."""
    modules = (importlib.import_module(f"faults.{module.name}") for module in pkgutil.iter_modules(__path__))
    return [fault for module in modules for fault in getattr(module, "FAULTS", [])]
