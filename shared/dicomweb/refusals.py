"""Words in which requests are refused: they name what is wrong, and of what the caller sent repeat a name at most."""

import re

from shared.errors import BadRequest


def invalid_parameter(name: str, why: str) -> BadRequest:
    """A query parameter has a value that it can't have; ``why`` is a sentence."""
    return BadRequest(f"The query parameter '{name}' is invalid. {why}")


def not_utf_8() -> BadRequest:
    """A query string is no text."""
    return BadRequest("The query string is not percent-encoded UTF-8.")


def repeated(value: object) -> str:
    """A word in quotes behind a space, if it is worth repeating to the caller; other text might be a patient's."""
    return f" '{value}'" if isinstance(value, str) and re.fullmatch("[A-Za-z0-9.]{1,64}", value) else ""
