"""Questions that any Pyro model/guide pair can be put, with answers that say what to do.

`check` is the one to begin with. `compare` holds a guide against a known posterior, `against_nuts` against NUTS, and
`calibrate` against its own model's simulations.
"""

from pyrogen.testing.check import assert_sound, check
from pyrogen.testing.findings import Finding, Report, Result
from pyrogen.testing.posterior.calibration import Calibration, calibrate
from pyrogen.testing.posterior.compare import compare
from pyrogen.testing.posterior.nuts import against_nuts

__all__ = [
    "Calibration",
    "Finding",
    "Report",
    "Result",
    "against_nuts",
    "assert_sound",
    "calibrate",
    "check",
    "compare",
]
