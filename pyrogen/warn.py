"""Warnings that point at the user's line."""

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parent)


def warn(message: str) -> None:
    """Give a `UserWarning` at the innermost line outside of the package, which called it or what called it."""
    level = 2  # this function's caller
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
