"""What an error of the user's programs says, without the tables that Pyro and torch append."""

from collections.abc import Iterator
from contextlib import contextmanager

_TABLES = ("Trace Shapes:", ", but found invalid values:")  # from where on a message is a table or numbers
_LONGEST = 300


def spoken_error(error: Exception, longest: int = _LONGEST) -> str:
    """Return the first sentences of an error's message, of at most so many characters."""
    said = str(error)
    for table in _TABLES:
        said = said.split(table)[0]
    said = " ".join(said.split()).rstrip(".")
    return said if len(said) <= longest else f"{said[:longest]} ..."


@contextmanager
def blaming(who: str, but: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    """Raise an error of a user's callable as a ``ValueError`` that names it; those of the type `but` pass."""
    try:
        yield
    except but:
        raise
    except Exception as error:
        raise ValueError(failing(who, error)) from error


def failing(who: str, error: Exception) -> str:
    """Return the sentence that says who fails with which error."""
    return f"{who} fails with {type(error).__name__}: {spoken_error(error) or 'no message'}"
