"""What the values of each VR must look like (PS3.5 6.2), as tables over the DICOM JSON model (PS3.18 F.2).

``RULES`` judges single elements. ``MINIMUM_RULES`` decides over a whole instance and asks less of the VRs whose
irregular values are common and harmless. A VR without a rule, such as a binary one, may hold anything.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Values: TypeAlias = list[Any]
"""At least one value of one VR, of one element or of several; None stands for an empty one."""

Complaint: TypeAlias = Callable[[Any], str | None]
"""Says in a sentence what is wrong with one value, None if nothing is."""

INVALID_TYPE = "Value is not of the type that its VR calls for."
INVALID_CHARACTERS = "Value contains invalid characters."
INVALID_AGE = "Value is not three digits followed by D, W, M or Y."
INVALID_DATE = "Value cannot be parsed as a valid date."
INVALID_DATE_TIME = "Value cannot be parsed as a valid date and time."
INVALID_DECIMAL = "Value cannot be parsed as a decimal number."
INVALID_INTEGER = "Value cannot be parsed as an integer of 32 bits."
INVALID_TAG = "Value cannot be parsed as a tag."
INVALID_TIME = "Value cannot be parsed as a valid time."
INVALID_UID = "DICOM Identifier is invalid. It consists of 1 to 64 digits and dots and ends in a digit."
TOO_MANY_GROUPS = "Value contains too many component groups."
TOO_MANY_COMPONENTS = "Value contains too many components in a group."

UNLIMITED = 2**32 - 2
_GRAPHIC = r"[ -~]"
_GRAPHIC_NO_BACKSLASH = r"[ -\[\]-~]"
_LINE = r"[^\x00-\x1a\x1c-\x1f\x7f\\]"  # no control character but ESC
_PARAGRAPHS = r"[^\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]"  # none but TAB, LF, FF, CR and ESC

_LONG_MONTHS = r"(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])"
_SHORT_MONTHS = r"(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)"
_FEBRUARY = r"02(?:0[1-9]|1[0-9]|2[0-8])"
_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = rf"(?!0000)(?:[0-9]{{4}}(?:{_LONG_MONTHS}|{_SHORT_MONTHS}|{_FEBRUARY})|{_LEAP_YEAR}0229)"
_TIME = r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?"
_OFFSET = r"(?:\+(?:0[0-9]|1[0-4])|-(?:0[0-9]|1[0-2]))[0-5][0-9]"
_DATE_TIME = rf"(?:(?!0000)[0-9]{{4}}(?:0[1-9]|1[0-2])?|{_DATE}(?:{_TIME})?)(?:{_OFFSET})?"
_DECIMAL = r" *[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *"
_INTEGER = r" *[+-]?[0-9]+ *"
_UID = r"[0-9.]{0,63}[0-9][ \x00]*"


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of one VR: ``accepts`` says whether all values are well formed, ``complain`` says in a sentence
    what is wrong with the first that is not."""

    accepts: Callable[[Values], bool]
    complain: Callable[[Values], str]


def _rule(complaint: Complaint, quick: Callable[[Values], bool] = lambda values: False) -> Rule:
    """``quick`` sees at one glance that all values are good. It may miss some that are, and may raise TypeError."""

    def accepts(values: Values) -> bool:
        try:
            if quick(values):
                return True
        except TypeError:
            pass
        return not any(complaint(value) for value in values if value is not None)

    def complain(values: Values) -> str:
        return next(found for value in values if value is not None and (found := complaint(value)))

    return Rule(accepts, complain)


def _text_complaint(alphabet: str, longest: int) -> Complaint:
    spelled = re.compile(f"{alphabet}*").fullmatch

    def complaint(value: Any) -> str | None:
        if not isinstance(value, str):
            return INVALID_TYPE
        if not spelled(value):
            return INVALID_CHARACTERS
        return None if len(value) <= longest else f"Value exceeds maximum length of {longest} characters."

    return complaint


def _text(alphabet: str, longest: int) -> Rule:
    """Strings of at most ``longest`` characters, all of ``alphabet``, a regular expression's class."""
    spelled = re.compile(f"{alphabet}*").fullmatch
    return _rule(
        _text_complaint(alphabet, longest),
        quick=lambda values: max(map(len, values)) <= longest and spelled("".join(values)) is not None,
    )


def _form_complaint(pattern: str, longest: int, reproach: str) -> Complaint:
    formed = re.compile(pattern).fullmatch
    text_complaint = _text_complaint(_GRAPHIC, longest)

    def complaint(value: Any) -> str | None:
        if isinstance(value, str) and len(value) <= longest and formed(value):
            return None
        return text_complaint(value) or reproach

    return complaint


def _form(pattern: str, longest: int, reproach: str) -> Rule:
    """Strings of at most ``longest`` characters that match ``pattern``."""
    formed = re.compile(pattern).fullmatch
    return _rule(
        _form_complaint(pattern, longest, reproach),
        quick=lambda values: max(map(len, values)) <= longest and all(map(formed, values)),
    )


def _numbers(*types: type, complaint: Complaint | None = None) -> Rule:
    """Values of the types; others only where ``complaint`` lets them pass."""
    allowed = frozenset(types)
    return _rule(
        complaint or (lambda value: None if isinstance(value, types) else INVALID_TYPE),
        quick=lambda values: allowed.issuperset(map(type, values)),
    )


_decimal_text = _form_complaint(_DECIMAL, 16, INVALID_DECIMAL)
_integer_text = _form_complaint(_INTEGER, 12, INVALID_INTEGER)
_long_text = _form_complaint(_INTEGER, 20, INVALID_TYPE)
_name_group = _text_complaint(_LINE, 64)


def _decimal(value: Any) -> str | None:
    return None if isinstance(value, int | float) else _decimal_text(value)


def _integer(value: Any) -> str | None:
    if isinstance(value, str):
        if complaint := _integer_text(value):
            return complaint
        value = int(value)
    return None if isinstance(value, int) and -(2**31) <= value < 2**31 else INVALID_INTEGER


def _long(value: Any) -> str | None:
    return None if isinstance(value, int) else _long_text(value)


def _float(value: Any) -> str | None:
    """JSON has no number for infinities and NaN: they arrive as strings."""
    try:
        float(value)
    except (TypeError, ValueError):
        return INVALID_TYPE
    return None


def _name(value: Any) -> str | None:
    if not isinstance(value, dict):
        return INVALID_TYPE
    for group in filter(None, value.values()):
        if complaint := _name_group(group):
            return complaint
        if "=" in group:
            return TOO_MANY_GROUPS
        if group.count("^") > 4:
            return TOO_MANY_COMPONENTS
    return None


RULES: dict[str, Rule] = {
    "AE": _text(_GRAPHIC_NO_BACKSLASH, 16),
    "AS": _form(r"[0-9]{3}[DWMY]", 4, INVALID_AGE),
    "AT": _form(r"[0-9A-Fa-f]{8}", 8, INVALID_TAG),
    "CS": _text(r"[A-Z0-9 _]", 16),
    "DA": _form(_DATE, 8, INVALID_DATE),
    "DS": _numbers(int, float, complaint=_decimal),
    "DT": _form(_DATE_TIME, 26, INVALID_DATE_TIME),
    "FD": _numbers(int, float, complaint=_float),
    "FL": _numbers(int, float, complaint=_float),
    "IS": _rule(_integer),
    "LO": _text(_LINE, 64),
    "LT": _text(_PARAGRAPHS, 10240),
    "PN": _rule(_name),
    "SH": _text(_LINE, 16),
    "SL": _numbers(int),
    "SS": _numbers(int),
    "ST": _text(_PARAGRAPHS, 1024),
    "SV": _numbers(int, complaint=_long),
    "TM": _form(_TIME, 16, INVALID_TIME),
    "UC": _text(_LINE, UNLIMITED),
    "UI": _form(_UID, 64, INVALID_UID),
    "UL": _numbers(int),
    "UR": _text(_LINE, UNLIMITED),
    "US": _numbers(int),
    "UT": _text(_PARAGRAPHS, UNLIMITED),
    "UV": _numbers(int, complaint=_long),
}

_ANYTHING = r"[\s\S]"
MINIMUM_RULES: dict[str, Rule] = RULES | {vr: _text(_ANYTHING, 16) for vr in ("AE", "CS", "SH")}
