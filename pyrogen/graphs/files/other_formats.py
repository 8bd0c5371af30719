"""Formats that pgmpy's own readers read, their errors made sentences."""

from __future__ import annotations

import warnings
from typing import Any

from pyrogen.graphs.inference.factors import tables

OTHERS = {  # by the ending of a file, pgmpy's reader and the most bytes that it gets: two of them are quadratic
    "xmlbif": ("XMLBIFReader", 2**22),
    "uai": ("UAIReader", 2**16),
    "xdsl": ("XDSLReader", 2**22),
    "net": ("NETReader", 2**18),
}


def read_other(kind: str, text: str) -> Any:
    """Return the network that pgmpy's reader of `kind` makes of a text, its tables checked.

    Raises:
        ValueError: for a text that is too large for that reader or that it cannot read.
    """
    from pgmpy import readwrite

    reader, largest = OTHERS[kind]
    if len(text) > largest:
        raise ValueError(f"a .{kind} file must hold at most {largest:,} bytes, got more: write it as BIF")
    if "<!ENTITY" in text:  # a few of them can stand for terabytes
        raise ValueError("an XML file must declare no entities, got <!ENTITY")
    if kind == "uai":
        _check_counts(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = getattr(readwrite, reader)(string=text).get_model()
    except Exception as error:  # the readers raise whatever their parts raise
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        raise ValueError(f"pgmpy cannot read this as .{kind} ({type(error).__name__}: {reason})") from error
    try:
        tables(network)
    except TypeError as error:
        raise ValueError(str(error)) from error
    return network


def _check_counts(text: str) -> None:
    """Refuse a UAI file that announces more variables or functions than it has words: the reader would count on."""
    words = text.split()
    for word in words[1:]:
        if word.isdigit() and (len(word) > 9 or int(word) > len(words)):
            raise ValueError(
                f"a UAI file must not announce more than it holds, got {word[:20]} with {len(words)} words"
            )
