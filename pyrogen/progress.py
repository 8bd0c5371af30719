"""The progress bar of everything that takes long."""

from __future__ import annotations

import sys
from typing import Any

from tqdm.auto import tqdm


def progress_bar(*args: Any, shown: bool, **settings: Any) -> tqdm:
    """Return a tqdm bar that is quiet where it is not `shown`, and writes few lines into a log file."""
    return tqdm(*args, disable=not shown, mininterval=0.1 if sys.stderr.isatty() else 30.0, **settings)
