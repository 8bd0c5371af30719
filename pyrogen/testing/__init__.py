"""Questions that any Pyro model/guide pair can be put, with answers that say what to do."""

from pyrogen.testing.check import check
from pyrogen.testing.findings import Finding, Report, Result

__all__ = ["Finding", "Report", "Result", "check"]
