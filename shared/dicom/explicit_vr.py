"""Writes data elements in Explicit VR Little Endian from values of the DICOM JSON model (PS3.5 7.1.2, PS3.18 F.2)."""

from binascii import a2b_base64
from collections.abc import Callable
from struct import error as struct_error
from struct import pack
from typing import Any, Final, TypeAlias

from shared.errors import InvalidInstance

UNDEFINED_LENGTH: Final = 0xFFFFFFFF
LONGEST_VALUE: Final = 0xFFFFFFFE
"""Bytes: the greatest even length that is not the undefined one."""

BINARY: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_LONG_FORM: Final = BINARY | {"SQ", "SV", "UC", "UR", "UT", "UV"}
_NUMBERS: Final = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_TEXTS: Final = frozenset(("AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"))
VRS: Final = BINARY | _TEXTS | _NUMBERS.keys() | {"AT", "DS", "IS", "PN", "SQ"}
_LONGEST_SHORT_VALUE: Final = 0xFFFE
_NAME_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")

_Values: TypeAlias = list[Any]


def element_header(tag: str, vr: str, length: int) -> bytes:
    """Tag, VR and length in bytes, which is even or UNDEFINED_LENGTH.

    Where the length takes more bits than the VR has for it, the VR written is UN (PS3.5 6.2.2).
    """
    if vr in _LONG_FORM or length > _LONGEST_SHORT_VALUE:
        return tag_bytes(tag) + (vr if vr in _LONG_FORM else "UN").encode() + pack("<xxI", length)
    return tag_bytes(tag) + vr.encode() + pack("<H", length)


def item_header(tag: str, length: int) -> bytes:
    """Tag and length in bytes of an item, an item delimitation or a sequence delimitation (PS3.5 7.5)."""
    return tag_bytes(tag) + pack("<I", length)


def tag_bytes(tag: str) -> bytes:
    """The four bytes of a tag given as eight hexadecimal digits."""
    return pack("<HH", int(tag[:4], 16), int(tag[4:], 16))


def padding(vr: str, length: int) -> bytes:
    """What makes a value of ``length`` bytes even (PS3.5 6.2)."""
    if length % 2 == 0:
        return b""
    return b" " if vr != "UI" and (vr in _TEXTS or vr in ("DS", "IS", "PN")) else b"\0"


def element(tag: str, vr: str, value: bytes) -> bytes:
    """A whole element, its value padded to even length."""
    pad = padding(vr, len(value))
    return element_header(tag, vr, len(value) + len(pad)) + value + pad


def encode_value(tag: str, vr: str, values: _Values) -> bytes:
    """The value of an element that is neither binary nor a sequence, not padded; text is UTF-8.

    Raises InvalidInstance where a value doesn't fit the VR.
    """
    try:
        return _ENCODERS[vr](vr, values)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, struct_error) as error:
        raise InvalidInstance(f"The value of ({tag[:4]},{tag[4:]}) in the metadata does not fit its VR.") from error


def decode_binary(tag: str, vr: str, text: Any) -> bytes:
    """The bytes of an InlineBinary. Raises InvalidInstance unless it is base64 without a flaw, of a binary VR."""
    try:
        if vr not in BINARY:
            raise ValueError(vr)
        return a2b_base64(text, strict_mode=True) if text else b""
    except (TypeError, ValueError) as error:
        raise InvalidInstance(f"The inline binary of ({tag[:4]},{tag[4:]}) in the metadata is invalid.") from error


def _encode_texts(vr: str, values: _Values) -> bytes:
    return "\\".join(map(_text, values)).encode()


def _text(value: Any) -> str:
    if isinstance(value, str | None):
        return value or ""
    raise TypeError


def _encode_numbers(vr: str, values: _Values) -> bytes:
    code = _NUMBERS[vr]
    number: Callable[[Any], Any] = float if code in "df" else int
    strings_too = vr in ("FD", "FL", "SV", "UV")
    numbers = [number(value) if strings_too and isinstance(value, str) else value for value in values]
    return pack(f"<{len(numbers)}{code}", *numbers)


def _encode_number_strings(vr: str, values: _Values) -> bytes:
    return "\\".join(_number_string(vr, value) for value in values).encode()


def _number_string(vr: str, value: Any) -> str:
    if isinstance(value, float):
        from pydicom.valuerep import format_number_as_ds  # what is only read needs none of pydicom

        return str(int(value)) if vr == "IS" and value.is_integer() else format_number_as_ds(value)
    if isinstance(value, int):
        return f"{value:d}"
    return _text(value)


def _encode_names(vr: str, values: _Values) -> bytes:
    return "\\".join(map(_person_name, values)).encode()


def _person_name(value: Any) -> str:
    if isinstance(value, dict):
        return "=".join(_text(value.get(group)) for group in _NAME_GROUPS).rstrip("=")
    return _text(value)


def _encode_tags(vr: str, values: _Values) -> bytes:
    if any(len(value) != 8 for value in values):
        raise ValueError
    return b"".join(map(tag_bytes, values))


_ENCODERS: Final[dict[str, Callable[[str, _Values], bytes]]] = {
    **dict.fromkeys(_TEXTS, _encode_texts),
    **dict.fromkeys(_NUMBERS, _encode_numbers),
    **dict.fromkeys(("DS", "IS"), _encode_number_strings),
    "AT": _encode_tags,
    "PN": _encode_names,
}
