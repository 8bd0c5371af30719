"""The text of a file from a stranger: bounded in memory, in any usual encoding, and each refusal a sentence."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

from pyrogen import checks

LARGEST = 2**26  # bytes, unpacked: 64 MiB; the largest network that pgmpy brings has 5.5 MB
SHOWN = 200  # characters of a path in a message
LONGEST = 1000  # characters of a message


def file_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that is there.

    Raises:
        TypeError: if `path` is another kind of value.
        FileNotFoundError: if the file does not exist.
        ValueError: if the path cannot be looked up, such as one that is too long.
    """
    path = checks.path("path", path)
    try:
        there = path.is_file()
    except OSError as error:
        raise ValueError(f"{shown(path)}: cannot be read ({error.strerror})") from error
    if not there:
        raise FileNotFoundError(f"{shown(path)}: there is no such file")
    return path


def shown(path: Path) -> str:
    """Return the path as a message shows it: its end, if it is long."""
    text = str(path)
    return text if len(text) <= SHOWN else f"…{text[-SHOWN:]}"


def refused(path: Path, error: Exception) -> ValueError:
    """Return the error that names the file, its message cut in the middle where names of the file make it long."""
    return ValueError(f"{shown(path)}: {short(str(error))}")


def short(said: str) -> str:
    """Return a text of at most `LONGEST` characters, its beginning and its end."""
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 201]} … {said[-198:]}"


def read_text(path: Path, largest: int = LARGEST) -> str:
    """Return the text of a file, which may be packed by gzip.

    UTF-8 and UTF-16 are read with or without a byte-order mark; other bytes are taken for Latin-1.

    Raises:
        ValueError: for a file that cannot be read or unpacked, or is larger than `largest` bytes.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(largest + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(content) > largest:
        raise ValueError(f"must hold at most {largest:,} bytes (unpacked), got more")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
