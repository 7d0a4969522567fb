"""How values are compared (PS3.4 C.2.2.2): both what is indexed and what is asked for are folded to one form first.

=======================  ===============================================================================
VR                       Folded to
=======================  ===============================================================================
PN                       ``alphabetic=ideographic=phonetic`` without case, accents, character width,
                         superfluous spaces, trailing ``^`` and trailing ``=``
UI                       the UID without its padding
DA, TM, DT               ``YYYYMMDD``, ``HHMMSS.FFFFFF``, ``YYYYMMDDHHMMSS.FFFFFF``
IS SL SS SV UL US UV     int of 64 bits
DS FL FD                 float
any other                text without case, padding and, where insignificant (PS3.5 6.2), leading spaces
=======================  ===============================================================================
"""

import math
import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeAlias

from shared.dicom.attributes import LEVEL_TAGS, MODALITIES_IN_STUDY, SEARCHABLE
from shared.dicom.conditions import MatchValue
from shared.dicom.model import DataSet, Level

PADDING = " \0"
_EMPTY: tuple[Any, ...] = (None, "", {})

_ACCENTS = re.compile("[\u0300-\u036f]+")
_LETTERS_OF_THEIR_OWN = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "\u0131": "i"})
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

_match_integer = re.compile(r"[+-]?[0-9]{1,30}").fullmatch
_match_decimal = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_TIME = r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:\.([0-9]{1,6}))?)?)?"
_match_date = re.compile(r"([0-9]{4})(?:([0-9]{2})([0-9]{2})|\.([0-9]{2})\.([0-9]{2}))").fullmatch
_match_time = re.compile(_TIME).fullmatch
_match_date_time = re.compile(rf"([0-9]{{4}})(?:([0-9]{{2}})(?:([0-9]{{2}})({_TIME})?)?)?(?:[+-][0-9]{{4}})?").fullmatch

Bounds: TypeAlias = tuple[str, str]
_Fold: TypeAlias = Callable[[Any], MatchValue | None]


def fold(vr: str, value: object) -> MatchValue | None:
    """The form in which a value of that VR is compared; None if it is empty or not of that VR.

    ``value`` is an entry of a Value array of the DICOM JSON model, or the text of a query. ``*`` and ``?`` stay.
    """
    return _FOLDS.get(vr, _text)(value)


def bounds(vr: str, text: str) -> Bounds | None:
    """The earliest and the latest moment that a DA, TM or DT may mean, folded; None if it is malformed.

    ``10`` as TM gives ``100000.000000`` and ``105959.999999``: PS3.5 6.2 lets the right end be left out. The forms of
    ACR-NEMA, ``YYYY.MM.DD`` and ``HH:MM:SS``, are understood. The offset of a DT is passed over.
    """
    return _BOUNDS[vr](text.strip(PADDING))


def match_values(dataset: DataSet, level: Level) -> dict[str, MatchValue]:
    """The folded values of one level's searchable attributes, by path.

    Of several values the first counts, of several items the first. One that does not fit its VR is left out.
    """
    found = {}
    for path, tag, member, folded in _SOURCES[level]:
        value = _first(dataset.get(tag))
        if member is not None:
            value = _first(value.get(member)) if isinstance(value, dict) else None
        if value is not None and (match := folded(value)) is not None:
            found[path] = match
    return found


def level_dataset(dataset: DataSet, level: Level) -> DataSet:
    """The elements of one level that search answers return, in ascending order, those without a value left out."""
    return {tag: dataset[tag] for tag in sorted(dataset.keys() & LEVEL_TAGS[level]) if _has_value(dataset[tag])}


def _has_value(element: Mapping[str, Any]) -> bool:
    values = element.get("Value", ())
    return bool(values) and (values[0] not in _EMPTY or any(value not in _EMPTY for value in values))


def _first(element: Mapping[str, Any] | None) -> Any:
    values = element.get("Value") if element else None
    return values[0] if values else None


def _plain(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _text(value: Any) -> str | None:
    return _caseless(_plain(value).strip(PADDING))


def _text_with_indent(value: Any) -> str | None:
    return _caseless(_plain(value).rstrip(PADDING))


def _caseless(text: str) -> str | None:
    folded = text.casefold()
    return (folded if folded.isascii() else unicodedata.normalize("NFC", folded)) or None


def _uid(value: Any) -> str | None:
    return _plain(value).strip(PADDING) or None


def _name(value: Any) -> str | None:
    if isinstance(value, dict):
        groups = [str(value.get(group) or "") for group in _NAME_GROUPS]
    else:
        # composed first, for a decomposed "≠" holds a "="
        groups = unicodedata.normalize("NFC", _plain(value)).split("=")
    return "=".join(map(_name_group, groups)).rstrip("=") or None


def _name_group(group: str) -> str:
    # PS3.5 6.2.1.1: trailing empty components may be left out. PS3.4 C.2.2.2.1: case, accents and width may be ignored
    plain = group.casefold() if group.isascii() else _without_accents(group)
    return "^".join(" ".join(part.split()) for part in plain.replace("\0", " ").split("^")).rstrip("^")


def _without_accents(text: str) -> str:
    """Accents go from Latin, Greek and Cyrillic letters; kana and Hangul are taken apart and put together again."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", bare.casefold().translate(_LETTERS_OF_THEIR_OWN))


def _integer(value: Any) -> int | None:
    text = _plain(value).strip(PADDING)
    if _match_integer(text):
        number = int(text)
    elif (decimal := _decimal(text)) is not None and decimal.is_integer():
        number = int(decimal)
    else:
        return None
    return number if -(2**63) <= number < 2**63 else None


def _decimal(value: Any) -> float | None:
    text = _plain(value).strip(PADDING)
    number = float(text) if _match_decimal(text) else math.nan
    return number if math.isfinite(number) else None


def _date_bounds(text: str) -> Bounds | None:
    found = _match_date(text)
    if found is None:
        return None
    year, month, day, old_month, old_day = found.groups()
    return _days(year, month or old_month, day or old_day)


def _days(year: str, month: str | None, day: str | None) -> Bounds | None:
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    last_month = month or "12"
    last_day = day or f"{monthrange(int(year), int(last_month))[1]}"
    return f"{year}{month or '01'}{day or '01'}", f"{year}{last_month}{last_day}"


def _time_bounds(text: str) -> Bounds | None:
    found = _match_time(text)
    if found is None:
        return None
    hour, minute, second, fraction = found.groups()
    # PS3.5 6.2: a second of 60 is a leap second
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 60:
        return None
    return (
        f"{hour}{minute or '00'}{second or '00'}.{(fraction or '').ljust(6, '0')}",
        f"{hour}{minute or '59'}{second or '59'}.{(fraction or '').ljust(6, '9')}",
    )


def _date_time_bounds(text: str) -> Bounds | None:
    found = _match_date_time(text)
    if found is None:
        return None
    year, month, day, time = found.groups()[:4]
    days = _days(year, month, day)
    times = _time_bounds(time) if time else ("000000.000000", "235959.999999")
    return (days[0] + times[0], days[1] + times[1]) if days and times else None


_BOUNDS: dict[str, Callable[[str], Bounds | None]] = {
    "DA": _date_bounds,
    "TM": _time_bounds,
    "DT": _date_time_bounds,
}


def _earliest(vr: str) -> _Fold:
    def folded(value: Any) -> str | None:
        moments = bounds(vr, _plain(value))
        return moments[0] if moments else None

    return folded


_FOLDS: dict[str, _Fold] = {
    "PN": _name,
    "UI": _uid,
    **{vr: _earliest(vr) for vr in _BOUNDS},
    **dict.fromkeys(("IS", "SL", "SS", "SV", "UL", "US", "UV"), _integer),
    **dict.fromkeys(("DS", "FL", "FD"), _decimal),
    **dict.fromkeys(("LT", "ST", "UC", "UR", "UT"), _text_with_indent),
}


def _source(path: str, vr: str) -> tuple[str, str, str | None, _Fold]:
    tag, _, member = path.partition(".")
    return path, tag, member or None, _FOLDS.get(vr, _text)


_SOURCES: dict[Level, list[tuple[str, str, str | None, _Fold]]] = {
    level: [
        _source(attribute.path, attribute.vr)
        for attribute in SEARCHABLE
        # ModalitiesInStudy is worked out from the series, whatever a file says of it
        if attribute.level is level and attribute.path != MODALITIES_IN_STUDY
    ]
    for level in Level
}
