"""From the text of one query value to the condition it states (PS3.4 C.2.2.2, PS3.18 8.3.4.1)."""

import re
from collections.abc import Callable

from shared.dicom.attributes import Attribute
from shared.dicom.conditions import Condition, Equal, MatchValue, Range, Wildcard, Words
from shared.dicom.matching import bounds, fold
from shared.errors import BadRequest

MAX_VALUES = 1000

_WILDCARD = re.compile(r"[*?]")
_NAME_SEPARATORS = re.compile(r"[\s^=]+")
_OFFSET = re.compile(r"[0-9]{4,14}(?:\.[0-9]{1,6})?[+-](?:0[0-9]|1[0-4])[0-5][0-9]")
_TEMPORAL = {"DA": "a date as YYYYMMDD", "TM": "a time as HHMMSS", "DT": "a date and time as YYYYMMDDHHMMSS"}

_Parse = Callable[[Attribute, str], Condition]


def condition(attribute: Attribute, text: str, *, fuzzy: bool) -> Condition | None:
    """What ``text`` asks of the attribute; None if it matches everything (universal matching, PS3.4 C.2.2.2.3).

    ``fuzzy`` asks for the beginnings of words in person names without wildcards. Raises BadRequest for a
    value that the attribute's VR can't have.
    """
    if not text.strip(" *\0"):
        return None
    if attribute.vr == "PN" and fuzzy and not _WILDCARD.search(text):
        return _words(attribute, text)
    return _PARSERS.get(attribute.vr, _text)(attribute, text)


def invalid(attribute: Attribute, why: str) -> BadRequest:
    """The error for a value; it names the attribute, never the value."""
    return BadRequest(f"The query parameter '{attribute.keyword}' is invalid. {why}")


def _text(attribute: Attribute, text: str) -> Condition:
    folded = _folded(attribute, text.split("\\"))
    return _matching(attribute, folded)


def _code_strings(attribute: Attribute, text: str) -> Condition:
    """Viewers separate the code strings of a list by commas, which those can't hold (PS3.5 6.2)."""
    return _matching(attribute, _folded(attribute, re.split(r"[\\,]+", text)))


def _matching(attribute: Attribute, folded: tuple[MatchValue, ...]) -> Condition:
    texts = tuple(map(str, folded))
    if any(_WILDCARD.search(text) for text in texts):
        return Wildcard(attribute.path, texts)
    return Equal(attribute.path, texts)


def _uids(attribute: Attribute, text: str) -> Condition:
    return Equal(attribute.path, _folded(attribute, re.split(r"[\\,]+", text)))


def _numbers(attribute: Attribute, text: str) -> Condition:
    return Equal(attribute.path, _folded(attribute, text.split("\\")))


def _words(attribute: Attribute, text: str) -> Condition:
    if '"' in text:
        raise invalid(attribute, "A quotation mark can't be part of a name that is searched fuzzily.")
    folded = str(_folded(attribute, [_NAME_SEPARATORS.sub(" ", text)])[0])
    return Words(attribute.path, tuple(folded.split()))


def _temporal(attribute: Attribute, text: str) -> Condition:
    """A moment or a range. What is given in part, such as the hour alone, stands for the whole of it."""
    if attribute.vr == "DT" and _OFFSET.search(text):
        raise invalid(attribute, "Date-times with an offset from UTC can't be searched for.")
    first, dash, last = text.strip().partition("-")
    low = _bounds(attribute, first) if first or not dash else None
    high = _bounds(attribute, last) if last else None
    if not dash and low:
        return Equal(attribute.path, low[:1]) if low[0] == low[1] else Range(attribute.path, *low)
    if low is None and high is None:
        raise invalid(attribute, "A range needs at least one end.")
    if low and high and low[0] > high[1]:
        raise invalid(attribute, "The range ends before it begins.")
    return Range(attribute.path, low and low[0], high and high[1])


def _bounds(attribute: Attribute, text: str) -> tuple[str, str]:
    found = bounds(attribute.vr, text)
    if found is None:
        raise invalid(attribute, f"It takes {_TEMPORAL[attribute.vr]}, or a range of two with a hyphen between.")
    return found


def _folded(attribute: Attribute, texts: list[str]) -> tuple[MatchValue, ...]:
    if len(texts) > MAX_VALUES:
        raise invalid(attribute, f"It takes at most {MAX_VALUES} values.")
    folded = tuple(fold(attribute.vr, text) for text in texts if text.strip())
    values = tuple(value for value in folded if value is not None)
    if not values or len(values) < len(folded):
        raise invalid(attribute, f"It takes values of VR {attribute.vr}.")
    return values


_PARSERS: dict[str, _Parse] = {
    "UI": _uids,
    "CS": _code_strings,
    **dict.fromkeys(_TEMPORAL, _temporal),
    **dict.fromkeys(("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"), _numbers),
}
