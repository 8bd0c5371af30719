"""The explorer's page for a notebook, or served to a browser."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from pyrogen import checks
from pyrogen.explore.page import page_of
from pyrogen.explore.view import View

MISSING = "the explorer needs Panel: pip install 'pyrogen[explore]'"


def explorer(pair: Any, data: Any = None, title: str = "", seed: int = 0) -> Any:
    """Return the page of a trained pair.

    Args:
        pair, data, seed: as for `View`.
        title: of the page; by default the pair's class and β.

    Returns:
        A Panel object: the last line of a notebook's cell shows it, ``.servable()`` serves it.

    Raises:
        ImportError: if Panel is missing: install the extra `explore`.
        TypeError, ValueError: as `View`.
    """
    return page_of(View(pair, data, seed=seed), title)


def explore(
    pair: Any, data: Any = None, *, title: str = "", seed: int = 0, port: int = 0, show: bool = True, wait: bool = True
) -> Server | None:
    """Open a page on which a trained pair is touched.

    Each visitor has sliders of their own, and the address keeps their state.

    Args:
        pair, data, seed: as for `View`.
        title: of the page; by default the pair's class and β.
        port: of the server on this machine (127.0.0.1); 0 takes a free one.
        show: open a browser.
        wait: serve until the process is stopped; with False, in a thread, and the server comes back (``.stop()``).

    Returns:
        With ``wait=False`` the `Server`, with its ``port`` and ``stop()``.

    Raises:
        ImportError: if Panel is missing.
        TypeError, ValueError: as `View`, and for a wrong port.
    """
    port = checks.whole("port", port, least=0, most=65_535)
    show, wait = checks.flag("show", show), checks.flag("wait", wait)
    try:
        import panel
    except ImportError as error:
        raise ImportError(MISSING) from error

    view = View(pair, data, seed=seed)  # what is wrong with them is said before a server starts

    def page() -> Any:
        return page_of(view, title)

    options: dict[str, Any] = {
        "port": port or _free_port(),
        "address": "127.0.0.1",
        "show": show,
        "title": title or "pyrogen",
    }
    pn: Any = panel
    served = pn.serve(page, threaded=not wait, **options)
    return None if wait else Server(served, options["port"])


@dataclass(frozen=True)
class Server:
    """A page that is served in a thread.

    Attributes:
        thread: the thread.
        port: where the page is, ``http://127.0.0.1:port/``.
    """

    thread: Any
    port: int

    def stop(self) -> None:
        """End the server."""
        self.thread.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
