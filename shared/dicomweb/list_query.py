"""The query string of a request for a list: which page of it, and which of its members.

Names and words may be in any letter case. Of a parameter that is repeated the first one counts, and unknown ones are
passed over, as the Microsoft DICOM service does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl

from shared.dicomweb.refusals import invalid_parameter, not_utf_8

T = TypeVar("T")

DEFAULT_LIMIT = 100
MAX_LIMIT = 200
LARGEST = 2**63 - 1
"""The largest offset: what readers of the change feed may begin with to be told of nothing."""


@dataclass(frozen=True, slots=True)
class Paging:
    """``limit`` members of a list after the first ``offset``."""

    limit: int
    offset: int


def parameters(raw: str) -> Mapping[str, str]:
    """The first value of each parameter of a query string as it was sent, by its name in lower case.

    Raises BadRequest.
    """
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise not_utf_8() from None
    return {name.strip().lower(): value.strip() for name, value in reversed(pairs)}


def paging(given: Mapping[str, str], default: int = DEFAULT_LIMIT, most: int = MAX_LIMIT) -> Paging:
    """The page that the parameters ask for. Raises BadRequest for a limit or offset out of bounds."""
    limit = _whole_number(given, "limit", default)
    if limit is None or not 1 <= limit <= most:
        raise invalid_parameter("Limit", f"The field Limit must be between 1 and {most}.")
    offset = _whole_number(given, "offset", 0)
    if offset is None:
        raise invalid_parameter("Offset", "The field Offset must be 0 or more.")
    return Paging(limit, offset)


def chosen(given: Mapping[str, str], name: str, words: Mapping[str, T]) -> T | None:
    """What a parameter's word stands for; None if it isn't given. Raises BadRequest for any other word."""
    value = given.get(name.lower())
    if value is None:
        return None
    meanings = {word.lower(): meaning for word, meaning in words.items()}
    if value.lower() not in meanings:
        raise invalid_parameter(name, f"The field {name} takes one of {', '.join(words)}.")
    return meanings[value.lower()]


def _whole_number(given: Mapping[str, str], name: str, default: int) -> int | None:
    """The number; None if it is none, or takes more than 64 bits."""
    value = given.get(name)
    if value is None:
        return default
    number = int(value) if re.fullmatch("[0-9]{1,19}", value) else LARGEST + 1
    return number if number <= LARGEST else None
