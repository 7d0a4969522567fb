"""What the value of a query parameter asks of its attribute (PS3.4 C.2.2.2, PS3.18 8.3.4.1).

===================  ==========================================================================================
VR                   What a value may be
===================  ==========================================================================================
UI                   UIDs, between commas or backslashes
DA, TM, DT           a moment, ``from-to``, ``from-`` or ``-to``; or full moments between backslashes
IS SL SS SV UL US    numbers, between backslashes
UV DS FL FD
PN                   names, between backslashes, with ``*`` and ``?``; with fuzzy matching words of a name
CS                   texts, between commas or backslashes, with ``*`` and ``?``
any other            texts, between backslashes, with ``*`` and ``?``
===================  ==========================================================================================

An empty value, or one of nothing but ``*``, matches everything. UIDs are not looked into: they match or they don't.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from shared.dicom.attributes import Attribute
from shared.dicom.conditions import Condition, Equal, MatchValue, Range, Wildcard, Words
from shared.dicom.matching import PADDING, bounds, fold
from shared.dicomweb.refusals import invalid_parameter

MAX_VALUES = 500

_COMMA_LISTS = {"UI", "CS"}
"""VRs whose values hold no commas (PS3.5 6.2), so that viewers send lists with them."""
_FORMS = {
    "DA": "a date as YYYYMMDD",
    "TM": "a time as HHMMSS.FFFFFF, which may be cut short",
    "DT": "a date and time as YYYYMMDDHHMMSS.FFFFFF, which may be cut short, without an offset from UTC",
}

_Kind: TypeAlias = Callable[[Attribute, Sequence[str]], Condition]


def condition(attribute: Attribute, text: str, *, fuzzy: bool) -> Condition | None:
    """The condition that a decoded value sets; None if it matches everything (PS3.4 C.2.2.2.3).

    ``fuzzy`` asks for the beginnings of words in person names. Raises BadRequest for a value that the attribute's VR
    can't have.
    """
    separators = r"[\\,]+" if attribute.vr in _COMMA_LISTS else r"\\+"
    values = [value for value in re.split(separators, text) if value.strip(PADDING)]
    if len(values) > MAX_VALUES:
        raise invalid_parameter(attribute.keyword, f"It takes at most {MAX_VALUES} values.")
    if not all(value.strip(PADDING).strip("*") for value in values) or not values:
        return None
    if fuzzy and attribute.vr == "PN" and len(values) == 1 and (words := _words(values[0])):
        return Words(attribute.path, words)
    return _KINDS.get(attribute.vr, _texts)(attribute, values)


def _words(value: str) -> tuple[str, ...]:
    """The words of a name, each meant as the beginning of one; none if wildcards say that more is meant."""
    folded = str(fold("PN", value) or "")
    words = [word.rstrip("*") for word in re.split(r"[ ^=]+", folded)]
    return () if any(map(_has_wildcard, words)) else tuple(filter(None, words))


def _uids(attribute: Attribute, values: Sequence[str]) -> Condition:
    return Equal(attribute.path, _folded(attribute, values))


def _texts(attribute: Attribute, values: Sequence[str]) -> Condition:
    folded = _folded(attribute, values)
    if not any(map(_has_wildcard, values)):
        return Equal(attribute.path, folded)
    return Wildcard(attribute.path, tuple(re.sub(r"\*+", "*", str(value)) for value in folded))


def _names(attribute: Attribute, values: Sequence[str]) -> Condition:
    found = _texts(attribute, values)
    if isinstance(found, Wildcard):
        return Wildcard(found.path, tuple(shorter for pattern in found.patterns for shorter in _shortened(pattern)))
    return found


def _shortened(pattern: str) -> list[str]:
    """``doe^*`` matches ``doe`` as well: trailing empty components may be left out (PS3.5 6.2.1.1)."""
    patterns = [pattern]
    while pattern.endswith("^*") and (pattern := pattern[:-2].rstrip("^")):
        patterns.append(pattern)
    return patterns


def _numbers(attribute: Attribute, values: Sequence[str]) -> Condition:
    folded = _folded(attribute, values)
    if len(folded) < len(values):
        raise invalid_parameter(attribute.keyword, "It takes numbers.")
    return Equal(attribute.path, folded)


def _moments(attribute: Attribute, values: Sequence[str]) -> Condition:
    if len(values) == 1:
        return _moment_or_range(attribute, values[0])
    moments = [_bounds(attribute, value) for value in values]
    if any(earliest != latest for earliest, latest in moments):
        raise invalid_parameter(attribute.keyword, "It takes one range, or full values where there are several.")
    return Equal(attribute.path, tuple(earliest for earliest, _ in moments))


def _moment_or_range(attribute: Attribute, text: str) -> Condition:
    """What is given in part, such as the hour alone, stands for the whole of it."""
    ends = [end.strip(PADDING) for end in text.split("-")]
    if len(ends) == 1:
        earliest, latest = _bounds(attribute, text)
        return Equal(attribute.path, (earliest,)) if earliest == latest else Range(attribute.path, earliest, latest)
    if len(ends) > 2 or not any(ends):
        raise invalid_parameter(attribute.keyword, "A range has two ends, or one of them, with a hyphen between.")
    low = _bounds(attribute, ends[0])[0] if ends[0] else None
    high = _bounds(attribute, ends[1])[1] if ends[1] else None
    if low is not None and high is not None and low > high:
        raise invalid_parameter(attribute.keyword, "The range ends before it begins.")
    return Range(attribute.path, low, high)


def _bounds(attribute: Attribute, text: str) -> tuple[str, str]:
    found = None if "+" in text else bounds(attribute.vr, text)
    if found is None:
        raise invalid_parameter(
            attribute.keyword, f"It takes {_FORMS[attribute.vr]}, or a range of two with a hyphen between."
        )
    return found


def _folded(attribute: Attribute, values: Sequence[str]) -> tuple[MatchValue, ...]:
    found = (fold(attribute.vr, value) for value in values)
    return tuple(value for value in found if value is not None)


def _has_wildcard(value: str) -> bool:
    return "*" in value or "?" in value


_KINDS: dict[str, _Kind] = {
    "UI": _uids,
    "PN": _names,
    **dict.fromkeys(_FORMS, _moments),
    **dict.fromkeys(("IS", "SL", "SS", "SV", "UL", "US", "UV", "DS", "FL", "FD"), _numbers),
}
