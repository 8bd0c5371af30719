"""Files that a reader, or a kill, never sees half of; and JSON from strangers, in bounded memory."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from pyrogen import checks
from pyrogen.locks import lock

ABANDONED = 60.0  # seconds after which, where files cannot be locked, a temporary one is nobody's
MOST_ENTRIES = 200_000  # of a JSON text: each takes some 100 bytes once it is read
DEEPEST = 100  # brackets in brackets
SEPARATORS = (",", "[", "{", ":")


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` beside `path`, flush it to disk, then rename it into place.

    Args:
        path: the file; its folder is made if it is missing.
        content: all of its bytes.

    Raises:
        ValueError: if the place cannot be written; what stood there stays.
        OSError: if the write itself fails, such as on a full disk, with the path; what stood there stays.
    """
    path = checks.path("path", path)
    if not isinstance(content, bytes):
        raise TypeError(f"content must be bytes, got {checks.shown(content)}")
    check_writable(path.parent)
    try:
        folder = path.is_dir()
    except OSError as error:
        raise ValueError(f"{str(path)[:80]!r} cannot be the path of a file: {error.strerror}") from error
    if folder:
        raise ValueError(f"{path} is a folder: give the path of a file in it")
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file beside `path`, which takes its place once it is whole and on disk.

    Two processes that write at once each write their own, and the later one replaces the earlier.

    Raises:
        OSError: if the write fails, with the path; what stood there stays.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            with suppress(OSError):  # a file system without locks
                lock(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's own mode hides the file from everyone else
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            reason = f"{error.strerror or error}: {path} was not written, and what stood there is kept"
            raise OSError(error.errno, reason) from error
        raise


def check_writable(folder: str | os.PathLike[str]) -> Path:
    """Make `folder` if it is not there, and prove that a file can be written in it.

    Args:
        folder: the folder.

    Returns:
        The folder's path.

    Raises:
        ValueError: with the reason, before any work is done.
    """
    folder = checks.path("folder", folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"cannot write in {str(folder)[:200]} ({error.strerror}): choose another folder") from error
    return folder


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove temporary files of `name` that a killed process left behind, and none that is still being written."""
    for leftover in folder.glob(f".{name}.*.tmp"):
        with suppress(OSError):
            with leftover.open("rb") as file:
                nobodys = lock(file) or time.time() - leftover.stat().st_mtime > ABANDONED  # held: an OSError
            if nobodys:
                leftover.unlink()


def bounded_json(text: str, what: str = "the text", constants: bool = False) -> Any:
    """Return what a JSON text holds, and refuse one whose content would take far more memory than the text.

    Args:
        text: the text.
        what: its name, for the error.
        constants: whether ``NaN`` and ``Infinity`` are numbers, which JSON does not have.

    Raises:
        ValueError: if it is not JSON, or has too many entries, brackets in brackets, or digits in a number.

    Example:
        >>> bounded_json('{"a": [1, 2]}')
        {'a': [1, 2]}
    """
    entries = sum(text.count(mark) for mark in SEPARATORS)
    if entries > MOST_ENTRIES:
        raise ValueError(f"{what} has some {entries:,} entries, and at most {MOST_ENTRIES:,} are read")
    depth = deepest = 0
    for piece in text.replace("{", "[").replace("}", "]").split("["):  # strings with brackets count too: a bound
        deepest = max(deepest, depth)
        depth += 1 - piece.count("]")
    if deepest > DEEPEST:
        raise ValueError(f"{what} nests brackets {deepest:,} deep, and at most {DEEPEST} are read")
    try:
        return json.loads(text, parse_constant=float if constants else _refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON: {error}") from error


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
