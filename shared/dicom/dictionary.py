"""The data dictionary, looked up by the four bytes of a tag as they stand in a file (PS3.6, PS3.5 7.8)."""

from functools import lru_cache
from typing import Final

from shared.dicom.standard import dictionary_vr

_MOST_TAGS: Final = 20_000

UNKNOWN: Final = b"UN"
US_OR_SS: Final = b"US or SS"
US_OR_OW: Final = b"US or OW"
PRIVATE: Final = b"private"
"""Stands for the VR of a private attribute, which depends on its creator."""

SPECIFIC_CHARACTER_SET: Final = 0x00080005
OFFSET_TABLES: Final = frozenset((0x7FE00001, 0x7FE00002))
PIXEL_DATA: Final = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_SPECIAL: Final = PIXEL_DATA | OFFSET_TABLES | {SPECIFIC_CHARACTER_SET}

_AMBIGUOUS: Final = {
    "US or SS": US_OR_SS,
    "US or OW": US_OR_OW,
    "US or SS or OW": b"OW",
    "OB or OW": b"OW",
    "NONE": UNKNOWN,
}


def _code(vr: str) -> bytes:
    return vr.encode("ascii") if len(vr) == 2 else _AMBIGUOUS.get(vr, UNKNOWN)


def public_vr(tag: int) -> bytes:
    """The VR that an attribute has in Implicit VR Little Endian.

    ``PRIVATE`` and ``US or SS``, ``US or OW`` call for more knowledge of the data set. A choice of OB and
    OW is OW there (PS3.5 A.1).
    """
    if tag >> 16 & 1:
        return b"LO" if 0x10 <= tag & 0xFFFF <= 0xFF else PRIVATE
    try:
        return _code(dictionary_vr(tag))
    except KeyError:
        return UNKNOWN


@lru_cache(maxsize=_MOST_TAGS)
def private_vr(tag: int, creator: str) -> bytes:
    """The VR of a private attribute, ``UN`` when ``creator`` is none that the dictionary knows."""
    from pydicom.datadict import private_dictionary_VR  # most files need none of pydicom

    try:
        return _code(private_dictionary_VR(tag, creator))
    except KeyError:
        return UNKNOWN


class Tags(dict[int, tuple[str | None, bytes]]):
    """Name (eight hexadecimal digits) and public VR of a tag, by the tag's bytes read as one number.

    The name is None for what is not read by VR alone: Specific Character Set, pixel data and its offset
    tables, items and delimiters, and group lengths, which the JSON model leaves out (PS3.18 F.2.2).
    """

    def __init__(self, little_endian: bool) -> None:
        super().__init__()
        self._little_endian = little_endian

    def tag(self, key: int) -> int:
        """The tag as group and element, e.g. 0x00100020."""
        return (key & 0xFFFF) << 16 | key >> 16 if self._little_endian else key

    def __missing__(self, key: int) -> tuple[str | None, bytes]:
        tag = self.tag(key)
        special = tag in _SPECIAL or tag >> 16 == 0xFFFE or not tag & 0xFFFF
        entry = (None if special else f"{tag:08X}", public_vr(tag))
        if len(self) >= _MOST_TAGS:
            self.clear()
        self[key] = entry
        return entry
