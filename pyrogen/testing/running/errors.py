"""What an error of the user's programs says, without the tables that Pyro and torch append."""

_TABLES = ("Trace Shapes:", ", but found invalid values:")  # from where on a message is a table or numbers
_LONGEST = 300


def spoken_error(error: Exception, longest: int = _LONGEST) -> str:
    """Return the first sentences of an error's message, of at most so many characters."""
    said = str(error)
    for table in _TABLES:
        said = said.split(table)[0]
    said = " ".join(said.split()).rstrip(".")
    return said if len(said) <= longest else f"{said[:longest]} ..."
