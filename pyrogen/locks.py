"""A lock on a folder that ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pyrogen.warn import warn

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]


def lock(file: IO[Any]) -> bool:
    """Lock an open file for this process until it is closed; return False where files cannot be locked.

    Raises:
        BlockingIOError: if another process holds the lock.
        OSError: on a file system without locks.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fcntl is not None


class FolderLock:
    """The right to write in a folder, which one run has at a time.

    The operating system holds the lock (``flock``) and drops it when the process ends, by a kill too, so a file that a
    crash leaves behind locks nobody out. The file that is locked says who holds it.

    Args:
        folder: the folder, which must exist.
        name: the name of the locked file in it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with FolderLock(Path(folder)) as lock:
        ...         print(FolderLock(Path(folder)).acquire())
        False
    """

    def __init__(self, folder: Path, name: str = ".lock") -> None:
        self.path = folder / name
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free, and return whether this object now holds it."""
        if self._file is not None:
            return True
        if fcntl is None:
            return True
        while True:
            file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 (open as long as the lock is held)
            try:
                lock(file)
            except BlockingIOError:
                file.close()
                return False
            except OSError as error:
                file.close()
                warn(f"{self.path.parent} is not locked ({error.strerror}): let one run use it")
                return True
            if self._is_there(file):
                break
            file.close()  # its holder removed it between our opening and our locking it
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        self._file = file
        return True

    def _is_there(self, file: IO[str]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except OSError:
            return False

    def holder(self) -> str:
        """Return who holds the lock, such as ``"process 17 on host, since 2026-01-01 12:00:00"``."""
        try:
            said = self.path.read_text(encoding="utf-8", errors="replace")[:200].strip()
        except OSError:
            said = ""
        return said or "another process"

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held."""
        if self._file is not None:
            if self._is_there(self._file):  # and not another's, in a folder that was made anew
                with contextlib.suppress(OSError):  # of a disk that has become read-only: its lock goes when it closes
                    self.path.unlink()
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self.release()

    def __enter__(self) -> FolderLock:
        if not self.acquire():
            raise BlockingIOError(f"{self.path.parent} is in use by {self.holder()}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()
