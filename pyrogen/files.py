"""Writing files so that a reader, or a kill, never sees half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` beside `path`, flush it to disk, then rename it into place.

    Raises:
        ValueError: if the place cannot be written; what stood there stays.
    """
    path = Path(path)
    check_writable(path.parent)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the path of a file in it")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's own mode hides the file from everyone else
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_writable(folder: str | os.PathLike[str]) -> Path:
    """Make `folder` if it is not there and prove that a file can be written in it; its path.

    Raises:
        ValueError: with the reason, before any work is done.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"cannot write in {folder} ({error.strerror}): choose another folder") from error
    return folder


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove temporary files of `name` that a killed process left behind."""
    for leftover in folder.glob(f".{name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
