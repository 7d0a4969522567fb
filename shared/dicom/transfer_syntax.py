"""How a transfer syntax encodes the elements of a data set (PS3.5 Annex A)."""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from shared.dicom.dictionary import Tags

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1.99"

DEFLATED: Final = frozenset(
    (
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        "1.2.840.10008.1.2.4.95",  # JPIP Referenced Deflate
        "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K Referenced Deflate
    )
)
_NATIVE: Final = DEFLATED | {IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN}
_STANDARD: Final = "1.2.840.10008."

_MPEG: Final = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
VIDEO: Final = frozenset(uid + kind for uid in _MPEG for kind in ("", ".1"))
"""MPEG2, MPEG-4 and HEVC: all fragments are one stream (PS3.5 8.2.5 to 8.2.8)."""


def is_native(transfer_syntax: str) -> bool:
    """Whether pixel data of defined length is uncompressed. A private transfer syntax is taken at its word."""
    return transfer_syntax in _NATIVE or not transfer_syntax.startswith(_STANDARD)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written.

    ``header`` unpacks the first eight bytes of an element: the tag's bytes as a number, with explicit VR
    the VR and 16 bits of length, with implicit VR 32 bits of length. ``item`` unpacks group, element and
    length of an item, ``length`` 32 bits.
    """

    explicit: bool
    little_endian: bool
    tags: Tags
    header: Callable[[bytes, int], tuple[Any, ...]]
    item: Callable[[bytes, int], tuple[Any, ...]]
    length: Callable[[bytes, int], tuple[Any, ...]]


_TAGS: Final = {little: Tags(little) for little in (True, False)}


def _encoding(explicit: bool, little: bool) -> Encoding:
    order = "<" if little else ">"
    return Encoding(
        explicit=explicit,
        little_endian=little,
        tags=_TAGS[little],
        header=Struct(order + ("I2sH" if explicit else "II")).unpack_from,
        item=Struct(order + "HHI").unpack_from,
        length=Struct(order + "I").unpack_from,
    )


EXPLICIT_LITTLE: Final = _encoding(explicit=True, little=True)
EXPLICIT_BIG: Final = _encoding(explicit=True, little=False)
IMPLICIT_LITTLE: Final = _encoding(explicit=False, little=True)
IMPLICIT_BIG: Final = _encoding(explicit=False, little=False)
"""No transfer syntax, but found where a VR is left out in Explicit VR Big Endian."""


def implicit(encoding: Encoding) -> Encoding:
    """The same byte order without VRs."""
    return IMPLICIT_LITTLE if encoding.little_endian else IMPLICIT_BIG


def shows_vr(element: bytes, at: int = 0) -> bool:
    """Whether the element that begins at ``at`` has two capital letters where an explicit VR would be.

    For an implicit one to look like that, its value would have to be over 16 KiB long.
    """
    return 0x41 <= element[at + 4] <= 0x5A and 0x41 <= element[at + 5] <= 0x5A


def encoding_found(declared: str | None, start: bytes) -> tuple[str, Encoding]:
    """Transfer syntax and encoding of a data set by the declared transfer syntax and its first eight bytes.

    The bytes decide whether VRs are explicit; a declared transfer syntax of which that is all is then
    replaced by the right one. Without a declaration, a first group from 0400 on is taken for a swapped one.
    """
    if not shows_vr(start):
        if declared is None or declared in (EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN):
            return IMPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_LITTLE
        return declared, IMPLICIT_LITTLE
    if declared == EXPLICIT_VR_BIG_ENDIAN or (declared is None and start[1] >= 0x04):
        return EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_BIG
    if declared is None or declared == IMPLICIT_VR_LITTLE_ENDIAN:
        return EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_LITTLE
    return declared, EXPLICIT_LITTLE
