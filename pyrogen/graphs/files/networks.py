"""Networks from files and to files: those that pgmpy brings along, BIF, our JSON, and what pgmpy reads besides.

Nothing is fetched from a network. `parse_bif` says what BIF is, and `network_from_dict` what our JSON is.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

from pyrogen import checks
from pyrogen.files import write_atomically
from pyrogen.graphs.files.bif import Content, parse_bif
from pyrogen.graphs.files.bif_writer import bif_text
from pyrogen.graphs.files.content import file_path, read_text, refused, shown
from pyrogen.graphs.files.json_form import network_from_dict, network_to_dict, parse_json
from pyrogen.graphs.files.other_formats import OTHERS, read_other
from pyrogen.graphs.structure.making import bayesian_network, conditional_table

__all__ = ["bundled", "bundled_names", "network_from_dict", "network_to_dict", "read_network", "write_network"]

JSON_LARGEST = 2**24  # bytes: an object takes some twenty times its text in memory


def bundled(name: str) -> Any:
    """Return a network that pgmpy's wheel holds, such as ``"alarm"``; it is read anew each time.

    They are those of the Bayesian Network Repository (https://www.bnlearn.com/bnrepository/).

    Args:
        name: one of `bundled_names`.

    Raises:
        TypeError, ValueError: for a name that is not there, listing those that are.
    """
    return read_network(_folder() / f"{checks.one_of('name', name, bundled_names())}.bif.gz")


def bundled_names() -> tuple[str, ...]:
    """Return the names that `bundled` takes, sorted."""
    return tuple(sorted(path.name.removesuffix(".bif.gz") for path in _folder().glob("*.bif.gz")))


def read_network(path: str | os.PathLike[str]) -> Any:
    """Return the network in a file.

    Args:
        path: ends in ``.bif``, ``.json``, or what pgmpy's readers are for: ``.xmlbif``, ``.uai``, ``.xdsl`` or
            ``.net``; each perhaps with ``.gz`` behind. The text is UTF-8, UTF-16 or Latin-1, of at most 64 MiB
            (JSON: 16 MiB) unpacked.

    Returns:
        a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy, its tables checked.

    Raises:
        TypeError: if `path` is another kind of value.
        FileNotFoundError: if the file does not exist.
        ValueError: for another kind of file, one that cannot be parsed, a cycle or an unknown node. For a node without
            a table, and a table of the wrong shape or that does not sum to one. The message begins with the path, and
            names line and column of a BIF file.
    """
    known = ("bif", "json", *OTHERS)
    path = checks.path("path", path)
    kind = _kind(path)
    if kind not in known:
        raise ValueError(
            f"{shown(path)}: expected a file that ends in {', '.join('.' + k for k in known[:-1])} "
            f"or .{known[-1]}, perhaps with .gz behind"
        )
    path = file_path(path)
    try:
        text = read_text(path, JSON_LARGEST) if kind == "json" else read_text(path)
        if kind == "bif":
            return _from_bif(parse_bif(text))
        return network_from_dict(parse_json(text)) if kind == "json" else read_other(kind, text)
    except ValueError as error:
        raise refused(path, error) from error


def write_network(network: Any, path: str | os.PathLike[str]) -> None:
    """Write a network as BIF or as our JSON; `read_network` reads it back to the last digit.

    A BIF file holds Bayesian networks whose names and states are text. JSON holds Markov networks too, and states that
    are numbers. The file is complete or not there at all.

    Args:
        network: a DiscreteBayesianNetwork or a DiscreteMarkovNetwork of pgmpy with its tables.
        path: ends in ``.bif`` or ``.json``, perhaps with ``.gz`` behind.

    Raises:
        TypeError, ValueError: for a network whose tables are not sound or that the format cannot hold, for another
            ending, and for a folder that cannot be written.

    Example:
        >>> import tempfile
        >>> from pyrogen.graphs import bundled
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_network(bundled("cancer"), folder + "/cancer.bif")
        ...     sorted(read_network(folder + "/cancer.bif"))
        ['Cancer', 'Dyspnoea', 'Pollution', 'Smoker', 'Xray']
    """
    path = checks.path("path", path)
    kind = _kind(path)
    if kind not in ("bif", "json"):
        raise ValueError(f"{shown(path)}: expected a name that ends in .bif or .json, perhaps with .gz behind")
    text = bif_text(network) if kind == "bif" else json.dumps(network_to_dict(network), ensure_ascii=False) + "\n"
    content = text.encode()
    try:
        write_atomically(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    except OSError as error:
        raise ValueError(f"{shown(path)}: cannot be written ({error.strerror})") from error


def _from_bif(content: Content) -> Any:
    arrows = ((parent, node) for node, parents in content.parents.items() for parent in parents)
    network = bayesian_network(content.states, arrows)
    network.name = content.name
    network.cpds.extend(
        conditional_table(node, content.parents[node], table, content.states) for node, table in content.tables.items()
    )
    return network


def _kind(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[2]


def _folder() -> Path:
    import pgmpy

    return Path(pgmpy.__file__).parent / "utils" / "example_models"
