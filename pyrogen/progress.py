"""The progress bar of everything that takes long."""

from __future__ import annotations

import sys
from typing import Any

from tqdm.auto import tqdm

from pyrogen import checks


def progress_bar(*args: Any, shown: bool, **settings: Any) -> tqdm:
    """Return a tqdm bar that is quiet where it is not `shown`, and writes few lines into a log file."""
    hidden = not checks.flag("progress", shown)
    return tqdm(*args, disable=hidden, mininterval=0.1 if sys.stderr.isatty() else 30.0, **settings)
