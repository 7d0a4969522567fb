"""JSON as people write it: comments and trailing commas are passed over, as the Microsoft DICOM service does."""

import re
from typing import Any

import orjson

_STRING = r'"(?:[^"\\]|\\.?)*(?:"|\Z)'
_STRINGS_AND_COMMENTS = re.compile(rf"({_STRING})|//[^\r\n]*|/\*.*?(?:\*/|(\Z))", re.DOTALL)
_VALUES_WITH_LAST_COMMA = re.compile(rf"({_STRING}|[\]}}\w])(?:\s*,(?=\s*[\]}}]))?", re.DOTALL)
"""What ends a value, with the comma that only the end of its array or object follows."""


def loads(body: bytes) -> Any:
    """What a JSON text says. Raises ValueError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.loads(_strict(body.decode("utf-8")))


def _strict(text: str) -> str:
    without_comments = _STRINGS_AND_COMMENTS.sub(_kept, text)
    return _VALUES_WITH_LAST_COMMA.sub(lambda found: found[1], without_comments)


def _kept(found: re.Match[str]) -> str:
    """A string, or what stands for a comment; one without an end stays, for JSON to refuse it."""
    endless = found[2] is not None
    return found[0] if found[1] or endless else " "
