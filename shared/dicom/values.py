"""Values as DICOM JSON: a decoder for each value representation (PS3.18 F.2, PS3.5 6.2)."""

from array import array
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from struct import Struct, pack, unpack
from typing import Any, Final, TypeAlias

from shared.dicom.charsets import DEFAULT_CHARSET, ESCAPE, NAME_BREAKS, STRING_BREAKS, TEXT_BREAKS, Charset

Element: TypeAlias = dict[str, Any]
Decoder: TypeAlias = Callable[[bytes], Element]

LONG_FORM: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
"""VRs with two reserved bytes and 32 bits of length in explicit VR (PS3.5 7.1.2)."""

_WORDS: Final = {"OB": "B", "OD": "Q", "OF": "I", "OL": "I", "OV": "Q", "OW": "H", "UN": "B"}
"""By VR, the array type code of the words that big endian swaps."""
BINARY: Final = frozenset(map(str.encode, _WORDS))
"""VRs whose values are opaque bytes."""

_NUMBERS: Final = {"SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
ARRAYS: Final = frozenset((b"AT", b"FD", b"FL", *map(str.encode, _NUMBERS)))
"""VRs whose values are binary numbers or tags."""

_PADDING: Final = " \0"
_LEADING_SPACES_PAD: Final = frozenset(("AE", "CS", "LO", "SH", "UI"))
"""VRs that may be padded in front (PS3.5 6.2), and UI, where a space can't mean anything."""
_NAME_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")

LONGEST_REMEMBERED: Final = 64
"""Bytes."""
MOST_REMEMBERED: Final = 512
"""Values of one VR in one character set: a megabyte or two for all VRs together."""

_MOST_DIGITS: Final = 18
_INTEGER: Final = "0123456789+-"
_DECIMAL: Final = _INTEGER + ".eE"


class Decoded(dict[bytes, Element]):
    """The elements that values of one VR decode to, short ones remembered: the instances of a series share most.

    An element may stand in several data sets, and is not to be changed.
    """

    __slots__ = ("_decode",)

    def __init__(self, decode: Decoder) -> None:
        super().__init__()
        self._decode = decode

    def __missing__(self, raw: bytes) -> Element:
        element = self._decode(raw)
        if len(raw) <= LONGEST_REMEMBERED:
            if len(self) >= MOST_REMEMBERED:
                self.clear()
            self[raw] = element
        return element


@dataclass(frozen=True, slots=True)
class Decoders:
    """What values decode to, by VR: ``short`` if its explicit length has 16 bits, else ``long``; but SQ."""

    short: dict[bytes, Decoded]
    long: dict[bytes, Decoder]


@lru_cache(maxsize=8)
def decoders(little_endian: bool, charset: Charset) -> Decoders:
    """The decoders for a byte order and a character set. Each takes the bytes of a whole value.

    None of them raises. Binary numbers whose bytes don't come out even are given as UN.
    """
    order = "<" if little_endian else ">"
    table = {
        **{vr: _strings(vr, DEFAULT_CHARSET) for vr in ("AE", "AS", "CS", "DA", "DT", "TM", "UI")},
        **{vr: _strings(vr, charset) for vr in ("LO", "SH", "UC")},
        **{vr: _text(vr, charset) for vr in ("LT", "ST", "UT")},
        **{vr: _numbers(vr, order, code) for vr, code in _NUMBERS.items()},
        **{vr: _binary(vr, "B" if little_endian else word) for vr, word in _WORDS.items()},
        "AT": _tags(order),
        "DS": _decimals,
        "FD": _numbers("FD", order, "d", _finite),
        "FL": _numbers("FL", order, "f", _shortest),
        "IS": _integers,
        "PN": _names(charset),
        "UR": _text("UR", DEFAULT_CHARSET),
    }
    by_code = {vr.encode("ascii"): decoder for vr, decoder in table.items()}
    return Decoders(
        short={code: Decoded(decoder) for code, decoder in by_code.items() if code not in LONG_FORM},
        long={code: decoder for code, decoder in by_code.items() if code in LONG_FORM},
    )


def _strings(vr: str, charset: Charset) -> Decoder:
    """Strings divided by backslashes, an empty one among several being null (PS3.18 F.2.5)."""
    codec = charset.codec
    leading = " " if vr in _LEADING_SPACES_PAD else ""

    def decode(raw: bytes) -> Element:
        text = charset.decode(raw, STRING_BREAKS) if ESCAPE in raw else raw.decode(codec, "replace")
        text = text.rstrip(_PADDING).lstrip(leading)
        if "\\" in text:
            values = [part.rstrip(_PADDING).lstrip(leading) or None for part in text.split("\\")]
            return {"vr": vr, "Value": values}
        return {"vr": vr, "Value": [text]} if text else {"vr": vr}

    return decode


def _text(vr: str, charset: Charset) -> Decoder:
    """One text, in which a backslash is a character like any other."""

    def decode(raw: bytes) -> Element:
        text = charset.decode(raw, TEXT_BREAKS).rstrip(_PADDING)
        return {"vr": vr, "Value": [text]} if text else {"vr": vr}

    return decode


def _names(charset: Charset) -> Decoder:
    codec = charset.codec

    def decode(raw: bytes) -> Element:
        text = charset.decode(raw, NAME_BREAKS) if ESCAPE in raw else raw.decode(codec, "replace")
        text = text.rstrip(_PADDING)
        if "=" not in text and "\\" not in text:
            return {"vr": "PN", "Value": [{"Alphabetic": text}]} if text else {"vr": "PN"}
        values = [_name(value) for value in text.split("\\")]
        return {"vr": "PN", "Value": values} if values != [None] else {"vr": "PN"}

    return decode


def _name(value: str) -> dict[str, str] | None:
    """The component groups that are not empty; what is too many stays with the third (PS3.5 6.2.1)."""
    groups = (group.rstrip(_PADDING) for group in value.rstrip(_PADDING + "=").split("=", 2))
    return {key: group for key, group in zip(_NAME_GROUPS, groups, strict=False) if group} or None


def _integers(raw: bytes) -> Element:
    text = raw.decode("latin-1").strip(_PADDING)
    if "\\" in text:
        return {"vr": "IS", "Value": [_integer(part.strip(_PADDING)) for part in text.split("\\")]}
    return {"vr": "IS", "Value": [_integer(text)]} if text else {"vr": "IS"}


def _integer(text: str) -> int | str | None:
    """The number, if it is one of at most 64 bits, else the text as it is (PS3.18 F.2.3), null if empty."""
    if text.strip(_INTEGER) or len(text) > _MOST_DIGITS:
        return text
    try:
        return int(text)
    except ValueError:
        return text or None


def _decimals(raw: bytes) -> Element:
    text = raw.decode("latin-1").strip(_PADDING)
    if "\\" in text:
        parts = text.split("\\")
        return {"vr": "DS", "Value": _all_decimals(text, parts) or [_decimal(p.strip(_PADDING)) for p in parts]}
    return {"vr": "DS", "Value": [_decimal(text)]} if text else {"vr": "DS"}


def _decimal(text: str) -> int | float | str | None:
    """The number, an integer if it is written as one, if it is finite; else the text, null if empty."""
    if not text.strip(_INTEGER) and len(text) <= _MOST_DIGITS:
        return _integer(text)
    if text.strip(_DECIMAL):
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    return value if isfinite(value) else text


def _all_decimals(text: str, parts: list[str]) -> list[float] | None:
    """All values, if each has digits and one a point: a short cut for the long lists of contours and curves."""
    if "." not in text or text.strip(_DECIMAL + "\\"):
        return None
    try:
        values = [*map(float, parts)]
    except ValueError:
        return None
    return values if isfinite(sum(values)) else None


def _numbers(vr: str, order: str, code: str, convert: Callable[[Any], Any] | None = None) -> Decoder:
    one = Struct(order + code)
    size = one.size
    unpack_one = one.unpack

    def decode(raw: bytes) -> Element:
        if len(raw) == size:
            values = [*unpack_one(raw)]
        elif not raw:
            return {"vr": vr}
        elif len(raw) % size:
            return _uneven(raw)
        else:
            values = [*unpack(f"{order}{len(raw) // size}{code}", raw)]
        return {"vr": vr, "Value": [*map(convert, values)] if convert else values}

    return decode


def _finite(value: float) -> float | str:
    """JSON has no other numbers than finite ones; the names are XML's (PS3.19 A.1.5)."""
    if isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _shortest(value: float) -> float | str:
    """The number with fewest digits that is this one in single precision: 0.1, not 0.10000000149011612."""
    if value.is_integer() and -1e7 < value < 1e7:
        return value
    if not isfinite(value):
        return _finite(value)
    for digits in (7, 8):
        short = float(f"{value:.{digits}g}")
        if unpack("<f", pack("<f", short))[0] == value:
            return short
    return float(f"{value:.9g}")


def _tags(order: str) -> Decoder:
    def decode(raw: bytes) -> Element:
        if not raw:
            return {"vr": "AT"}
        if len(raw) % 4:
            return _uneven(raw)
        numbers = unpack(f"{order}{len(raw) // 2}H", raw)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return {"vr": "AT", "Value": [f"{group:04X}{element:04X}" for group, element in pairs]}

    return decode


def _binary(vr: str, word: str) -> Decoder:
    """Base64 of the bytes in little endian order (PS3.18 F.2.7)."""
    size = array(word).itemsize

    def decode(raw: bytes) -> Element:
        if not raw:
            return {"vr": vr}
        if size > 1 and len(raw) % size == 0:
            words = array(word, raw)
            words.byteswap()
            raw = words.tobytes()
        return {"vr": vr, "InlineBinary": b2a_base64(raw, newline=False).decode("ascii")}

    return decode


_uneven: Final = _binary("UN", "B")
