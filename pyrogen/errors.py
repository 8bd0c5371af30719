"""The few error types of pyrogen; everything else is a ``ValueError``, ``TypeError`` or ``FileNotFoundError``."""


class PyrogenError(Exception):
    """Root of pyrogen's own errors: catch it to catch them all."""


class CheckpointError(PyrogenError, ValueError):
    """A checkpoint or saved pair that cannot be read, or that belongs to another run."""


class DivergenceError(PyrogenError, ArithmeticError):
    """A term of the objective stopped being finite; the message names the step and the site."""
