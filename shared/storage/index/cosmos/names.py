"""Names of persons, written so that whole component groups can be told from parts of them."""

BOUND = "\x01"
"""Stands around every component group of a stored name. It sorts before any character of a name."""


def stored(value: str) -> str:
    """A folded name as documents hold it."""
    return f"{BOUND}{value.replace('=', BOUND)}{BOUND}"


def sought(value: str) -> str:
    """The groups of a name or pattern that is asked for, bounds around them."""
    return f"{BOUND}{value.strip('=').replace('=', BOUND)}{BOUND}"


def stands_first(value: str) -> bool:
    """Whether a name can only be the first component group, as those of the Latin script are (PS3.5 6.2.1.2)."""
    return value.isascii() and not value.startswith("=")
